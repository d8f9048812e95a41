"""One process at a time works on a sweep, and its lock dies with it."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

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


def test_looking_takes_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder: subprocess.Popen[str]) -> None:
    """Whether a sweep is held is told without its lock, so that looking at it never keeps a sweep from beginning."""
    (tmp_path / "free").mkdir()
    (tmp_path / "free" / "lock").touch()
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "lock").touch()
    note = {"host": socket.gethostname(), "pid": holder.pid, "since": "2001-01-01 00:00:00"}  # before the process began
    (tmp_path / "killed" / "holder.json").write_text(json.dumps(note))

    def take(*_: object, **__: object) -> None:
        raise AssertionError("the lock is taken")

    monkeypatch.setattr(FileLock, "acquire", take)
    assert [is_held(tmp_path / name) for name in ("mine", "free", "killed")] == [True, False, False]


def test_lookers_do_not_hinder_each_other(tmp_path: Path) -> None:
    """Of a holder elsewhere only the lock knows: it is looked at in a way that many can at once."""
    lock, note = tmp_path / "lock", tmp_path / "holder.json"
    lock.touch()
    note.write_text(json.dumps({"host": "elsewhere", "pid": 1, "since": "long ago"}))
    with open(lock) as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not is_held(tmp_path)
    with open(lock) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert is_held(tmp_path)


def test_a_look_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that begins in the moment in which its lock is looked at gets it."""
    monkeypatch.setattr("src.ledger.lock.PATIENCE", 60)
    (tmp_path / "lock").touch()
    with open(tmp_path / "lock") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        timer = threading.Timer(0.05, lambda: fcntl.flock(other, fcntl.LOCK_UN))
        timer.start()
        with lock_sweep(tmp_path, steal=False):
            assert is_held(tmp_path)
        timer.join()


def test_nothing_is_left_of_a_holder(tmp_path: Path) -> None:
    """After an error the note is gone, while its process lives; the note of one who has stolen the sweep stays."""
    with pytest.raises(ZeroDivisionError), lock_sweep(tmp_path / "mine", steal=False):
        raise ZeroDivisionError
    assert not (tmp_path / "mine" / "holder.json").exists() and not is_held(tmp_path / "mine")
    thief = {"host": "elsewhere", "pid": 1, "since": "now"}
    with lock_sweep(tmp_path / "mine", steal=False):
        (tmp_path / "mine" / "holder.json").write_text(json.dumps(thief))
    assert read_holder(tmp_path / "mine" / "holder.json") == thief


@pytest.mark.parametrize("folder", ["file/x", "file", "/proc/x", "a" * 300])
def test_a_folder_that_cannot_be_made(tmp_path: Path, folder: str) -> None:
    """Below a file, in a file's place, where the system allows none, or by a name that is too long: one sentence."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot be made \(.*\): choose another one with paths\.sweeps"):
        lock_sweep(tmp_path / folder, steal=False).__enter__()


@pytest.mark.parametrize(
    "note", [{"pid": "x"}, {"pid": None}, {"pid": -1}, {"pid": 10**30}, {"pid": 1, "since": 3}, {}]
)
def test_a_note_of_anything(tmp_path: Path, note: dict[str, object]) -> None:
    """Whatever stands in the note, only the lock decides then."""
    (tmp_path / "lock").touch()
    (tmp_path / "holder.json").write_text(json.dumps({"host": socket.gethostname(), **note}))
    assert not is_held(tmp_path)
    with lock_sweep(tmp_path, steal=True):
        assert is_held(tmp_path)


def test_a_sweep_without_a_lock_is_free(tmp_path: Path) -> None:
    """Asking leaves nothing in its folder."""
    assert not is_held(tmp_path) and not list(tmp_path.iterdir())
