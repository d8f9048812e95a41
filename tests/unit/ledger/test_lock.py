"""One process at a time works on a sweep, and its lock dies with it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from src.base.errors import UserError
from src.ledger.lock import describe_holder, is_held, lock_sweep, read_holder

ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import sys, time
from pathlib import Path
from src.ledger.lock import lock_sweep
with lock_sweep(Path(sys.argv[1]), steal=False):
    print("holding", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the sweep."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "mine")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "holding\n"
    yield process
    process.kill()
    process.wait()


def test_a_sweep_is_held_by_one_process(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """A second process is refused, told by whom, even if it would steal; after the first was killed it is let in."""
    path = tmp_path / "mine"
    holder_words = f"process {holder.pid} on {re.escape(socket.gethostname())}"
    assert is_held(path)
    for steal in (False, True):
        with pytest.raises(UserError, match=holder_words), lock_sweep(path, steal):
            pass
    assert is_held(path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert not is_held(path)
    with lock_sweep(path, steal=False):
        assert is_held(path)


def test_another_sweep_is_free(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    """Holding one sweep does not hold another."""
    with lock_sweep(tmp_path / "other", steal=False):
        assert holder.poll() is None


def test_a_sweep_is_let_go(tmp_path: Path) -> None:
    """After a sweep, and after an error in it, the next may begin."""
    with pytest.raises(ZeroDivisionError), lock_sweep(tmp_path, steal=False):
        raise ZeroDivisionError
    with lock_sweep(tmp_path, steal=False):
        pass
    assert not is_held(tmp_path)


def test_who_holds_is_written_beside(tmp_path: Path) -> None:
    """Host, process and since when, as long as the sweep is held."""
    with lock_sweep(tmp_path, steal=False):
        holder = json.loads((tmp_path / "holder.json").read_text())
        assert (holder["host"], holder["pid"]) == (socket.gethostname(), os.getpid())
        assert describe_holder(holder) == f"process {os.getpid()} on {holder['host']} since {holder['since']}"
    assert not (tmp_path / "holder.json").exists()


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00"])
def test_a_note_that_says_nothing(tmp_path: Path, content: str) -> None:
    """Where the note is missing or damaged, it is another process that holds the sweep."""
    assert read_holder(tmp_path / "holder.json") == {}
    (tmp_path / "holder.json").write_text(content)
    assert describe_holder(read_holder(tmp_path / "holder.json")) == "another process"


def test_a_lock_that_was_left_behind_can_be_stolen(tmp_path: Path) -> None:
    """Of a holder on another machine nobody here can tell whether it lives: the user may say that it does not."""
    (tmp_path / "holder.json").write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": "long ago"}))
    (tmp_path / "lock").touch()
    with lock_sweep(tmp_path, steal=True):
        assert is_held(tmp_path) and read_holder(tmp_path / "holder.json")["pid"] == os.getpid()


def test_a_sweep_without_a_lock_is_free(tmp_path: Path) -> None:
    """Asking leaves nothing in its folder."""
    assert not is_held(tmp_path) and not list(tmp_path.iterdir())
