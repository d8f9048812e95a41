"""A sweep's folder: found by its configuration or name, never mixed up, held by one process."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from src.base.errors import UserError
from src.config.schema import Config
from src.ledger.database import Ledger
from src.ledger.lock import is_held, lock_sweep
from src.ledger.sweep_folder import create_or_check, find, list_sweeps, open_sweep, similar_sweeps, sweep_path
from tests.unit.examples import config

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from src.folder import hold
with hold(Path(sys.argv[1]), steal=False):
    print("holding", flush=True)
    time.sleep(60)
"""


def here(tmp_path: Path, *overrides: str) -> Config:
    """A configuration whose sweeps lie in a folder of the test's own."""
    return config(f"paths.sweeps={tmp_path}", *overrides)


def make_sweep(path: Path, chosen: Config, written: float) -> None:
    """A sweep whose ledger was last written at that time."""
    create_or_check(path, chosen, "digest")
    Ledger.open(path, chosen.search.objective).close()
    os.utime(path / "ledger.db", (written, written))


# ---------------------------------------------------------------------------------------------- names


def test_the_path_follows_from_the_configuration(tmp_path: Path) -> None:
    """The same configuration is the same folder, with search, data and 8 hex digits in its name."""
    path = sweep_path(here(tmp_path), "mnist_5k", "digest")
    assert path.parent == tmp_path and path.name.startswith("cnn_grid-mnist_5k-") and len(path.name) == 26
    assert path == sweep_path(here(tmp_path, "training.epochs=3"), "mnist_5k", "digest")
    assert path != sweep_path(here(tmp_path, "activation=tanh"), "mnist_5k", "digest")
    assert path != sweep_path(here(tmp_path), "mnist_5k", "other digest")
    assert sweep_path(here(tmp_path, "name=mine"), "mnist_5k", "digest") == tmp_path / "mine"


def test_a_new_sweep_is_frozen(tmp_path: Path) -> None:
    """Its identity is written once, readable as YAML; the same configuration goes on; amounts may differ."""
    path = tmp_path / "mine"
    assert create_or_check(path, here(tmp_path, "data=npz", "data.path=a.npz"), "digest")
    before = (path / "config.yaml").read_bytes()
    frozen = yaml.safe_load(before)
    assert frozen["data"]["digest"] == "digest" and frozen["architecture"]["filters"] == [32, 64]
    assert "epochs" not in frozen["training"] and "max_trials" not in frozen["search"]
    again = here(tmp_path, "data=npz", "data.path=b.npz", "training.epochs=3", "search.max_trials=2")
    assert not create_or_check(path, again, "digest")
    assert (path / "config.yaml").read_bytes() == before


@pytest.mark.parametrize("command", ["optimizer=adam", "schedule=cosine", "+search.space.activation.choice=[elu,tanh]"])
def test_a_frozen_configuration_equals_itself(tmp_path: Path, command: str) -> None:
    """What YAML does to numbers such as 1e-7 does not make another configuration."""
    assert create_or_check(tmp_path / "a", here(tmp_path, command), "digest")
    assert not create_or_check(tmp_path / "a", here(tmp_path, command), "digest")


def test_a_name_with_another_configuration_is_refused(tmp_path: Path) -> None:
    """The keys that differ are named with both values, and nothing is overwritten."""
    path = tmp_path / "mine"
    create_or_check(path, here(tmp_path), "digest")
    before = (path / "config.yaml").read_bytes()
    with pytest.raises(UserError) as error:
        create_or_check(path, here(tmp_path, "training.batch_size=32", "activation=tanh"), "digest")
    said = str(error.value)
    assert "training.batch_size: 64 → 32" in said and "activation.name: relu → tanh" in said
    assert "architecture" not in said and (path / "config.yaml").read_bytes() == before


def test_relatives_are_named(tmp_path: Path) -> None:
    """A sweep on the same data that differs in one or two keys is found; others, and the sweep itself, are not."""
    make_sweep(tmp_path / "near", here(tmp_path, "training.batch_size=32"), 1)
    make_sweep(tmp_path / "far", here(tmp_path, "architecture=dnn", "optimizer=sgd"), 2)
    make_sweep(tmp_path / "self", here(tmp_path), 3)
    found = dict(similar_sweeps(tmp_path / "self", here(tmp_path), "digest"))
    assert found == {"near": {"training.batch_size": (32, 64)}}
    assert not dict(similar_sweeps(tmp_path / "new", here(tmp_path), "other digest"))


# -------------------------------------------------------------------------------------------- finding


@pytest.fixture
def sweeps(tmp_path: Path) -> Path:
    """A folder with three sweeps, the oldest first, and one that is none."""
    for written, name in enumerate(("grid-a1", "grid", "other-b2"), 1):
        make_sweep(tmp_path / name, here(tmp_path), written)
    (tmp_path / "unfinished").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [("grid-a1", "grid-a1"), ("grid-", "grid-a1"), ("grid", "grid"), ("o", "other-b2"), ("latest", "other-b2")],
)
def test_find(sweeps: Path, name: str, found: str) -> None:
    """By its name, the beginning of it, or as the one written last."""
    sweep = find(sweeps, name)
    assert (sweep.name, sweep.path, sweep.objective) == (found, sweeps / found, "val_accuracy")


@pytest.mark.parametrize(
    ("name", "words"), [("g", "fits several sweeps: grid, grid-a1"), ("gird", "no sweep 'gird'; did you mean 'grid'")]
)
def test_what_is_not_found(sweeps: Path, name: str, words: str) -> None:
    """An ambiguous or unknown name is answered with those that exist."""
    with pytest.raises(UserError, match=words):
        find(sweeps, name)


def test_no_sweeps(tmp_path: Path) -> None:
    """Where there is no sweep yet, the message says how to start one."""
    with pytest.raises(UserError, match=r"python -m src\.sweep"):
        find(tmp_path / "nowhere", "latest")


def test_latest_is_the_one_written_last(sweeps: Path) -> None:
    """Writing an older sweep makes it the latest."""
    os.utime(sweeps / "grid-a1" / "ledger.db", (99, 99))
    assert [path.name for path in list_sweeps(sweeps)] == ["grid-a1", "other-b2", "grid"]


@pytest.mark.parametrize("content", ["", "a: [", "search: 3", "search: {}", "\x00"])
def test_a_configuration_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    """A frozen configuration that was damaged is named."""
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(UserError, match=r"config\.yaml cannot be read"):
        open_sweep(tmp_path)


# ------------------------------------------------------------------------------------------- holding


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
