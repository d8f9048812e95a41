"""A sweep's folder: found by its configuration or name, never mixed up, held by one process."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from src.base.errors import UserError
from src.config.schema import Config
from src.ledger.database import Ledger
from src.ledger.events import Paused, Pruned, Started
from src.ledger.objective import ACCURACY, LOSS, OBJECTIVES
from src.ledger.records import Role, Trial
from src.ledger.sweep_folder import (
    commands,
    create_or_check,
    find,
    is_unfinished,
    last_command,
    last_config,
    list_sweeps,
    open_sweep,
    remove,
    similar_sweeps,
    sweep_path,
    write_last,
)
from tests.unit.examples import config


def here(tmp_path: Path, *overrides: str) -> Config:
    """A configuration whose sweeps lie in a folder of the test's own."""
    return config(f"paths.sweeps={tmp_path}", *overrides)


def make_sweep(path: Path, chosen: Config, written: float, *records: Any) -> None:
    """A sweep whose ledger was last written at that time."""
    create_or_check(path, chosen, "digest")
    ledger = Ledger.open(path, OBJECTIVES[chosen.search.objective])
    for record in records:
        ledger.save(record)
    ledger.close()
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


def test_similar_sweeps_are_named(tmp_path: Path) -> None:
    """A sweep on the same data that differs in one or two keys is found; others, and the sweep itself, are not."""
    make_sweep(tmp_path / "near", here(tmp_path, "training.batch_size=32"), 1)
    make_sweep(tmp_path / "far", here(tmp_path, "architecture=dnn", "optimizer=sgd"), 2)
    make_sweep(tmp_path / "self", here(tmp_path), 3)
    found = dict(similar_sweeps(tmp_path / "self", here(tmp_path), "digest"))
    assert found == {"near": {"training.batch_size": (32, 64)}}
    assert not dict(similar_sweeps(tmp_path / "new", here(tmp_path), "other digest"))


def test_finished_sweeps_are_not_meant(tmp_path: Path) -> None:
    """A sweep that has ended is named only where its number of epochs, on which its schedule depends, is another."""
    done = (Trial(1, 1, Role.SEARCH, 0, 1), Started(1, 1), Pruned(1, "among the worst half"))
    make_sweep(tmp_path / "near", here(tmp_path, "training.batch_size=32"), 1, *done)
    make_sweep(tmp_path / "shorter", here(tmp_path, "schedule=cosine", "training.epochs=5"), 2, *done)
    assert not dict(similar_sweeps(tmp_path / "new", here(tmp_path), "digest"))
    found = dict(similar_sweeps(tmp_path / "new", here(tmp_path, "schedule=cosine"), "digest"))
    assert found == {"shorter": {"training.epochs": (5, 10)}}


def test_is_unfinished(tmp_path: Path) -> None:
    """Without trials, or with one that waits, runs or is paused; not if all have ended, or nothing can be read."""
    trial = Trial(1, 1, Role.SEARCH, 0, 1)
    for number, (records, answer) in enumerate(
        (
            ((), True),
            ((trial,), True),
            ((trial, Started(1, 1)), True),
            ((trial, Paused(1)), True),
            ((trial, Pruned(1, "")), False),
        )
    ):
        path = tmp_path / str(number)
        make_sweep(path, here(tmp_path), 1, *records)
        assert is_unfinished(path) is answer
    (tmp_path / "0" / "ledger.db").write_text("no ledger")
    assert not is_unfinished(tmp_path / "0")


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
    assert (sweep.name, sweep.path, sweep.objective) == (found, sweeps / found, ACCURACY)


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


def test_the_objective_is_the_frozen_one(tmp_path: Path) -> None:
    """What a sweep selects by is known from its folder alone."""
    create_or_check(tmp_path, here(tmp_path, "search.objective=val_loss"), "digest")
    assert open_sweep(tmp_path).objective is LOSS


# ------------------------------------------------------------------------------- the last invocation


def test_the_last_invocation_is_written_down(tmp_path: Path) -> None:
    """Its whole configuration under the command line that composed it, which then makes the list of what to run."""
    chosen = here(tmp_path, "training.epochs=3", "optimizer=sgd", "architecture.filters=16")
    make_sweep(tmp_path / "mine", chosen, 1)
    write_last(tmp_path / "mine", chosen, "python -m src.sweep training.epochs=3")
    assert last_config(tmp_path / "mine").model_dump() == chosen.model_dump()
    assert last_command(tmp_path / "mine") == "python -m src.sweep training.epochs=3"
    show = f"python -m src.compare mine --sweeps {tmp_path}"
    assert commands(open_sweep(tmp_path / "mine")) == ["python -m src.sweep training.epochs=3", show, f"{show} --report"]


@pytest.mark.parametrize("command", ["a\nname: other", "\x1b[31m", ""])
def test_a_command_line_that_cannot_be_a_comment(tmp_path: Path, command: str) -> None:
    """What would end the comment, or is no text, is left out; the configuration is whole."""
    write_last(tmp_path, here(tmp_path), command)
    assert last_command(tmp_path) == "" and last_config(tmp_path).model_dump() == here(tmp_path).model_dump()


def test_no_last_invocation(tmp_path: Path) -> None:
    """A sweep of an early version has none: there is no command, and its configuration is an error with a way out."""
    assert last_command(tmp_path) == ""
    with pytest.raises(UserError, match=r"last\.yaml cannot be read .* run the sweep's own command instead"):
        last_config(tmp_path)


# ------------------------------------------------------------------------------------------- removal


def test_a_sweep_is_removed_whole(tmp_path: Path) -> None:
    """Its folder is gone; what a link in it points to stays."""
    make_sweep(tmp_path / "sweeps" / "mine", here(tmp_path), 1)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").touch()
    (tmp_path / "sweeps" / "mine" / "checkpoints").mkdir()
    (tmp_path / "sweeps" / "mine" / "checkpoints" / "1.npz").touch()
    (tmp_path / "sweeps" / "mine" / "link").symlink_to(tmp_path / "elsewhere")
    remove(tmp_path / "sweeps" / "mine")
    assert not list((tmp_path / "sweeps").iterdir()) and (tmp_path / "elsewhere" / "precious").exists()


def test_a_removal_cut_short_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever file it was cut short at, what a sweep is found by is among the last."""
    path = tmp_path / "mine"
    make_sweep(path, here(tmp_path), 1)
    for name in ("last.yaml", "sweep.log", "lock", "holder.json"):
        (path / name).touch()
    gone: list[str] = []
    unlink = Path.unlink

    def note(file: Path, missing_ok: bool = False) -> None:
        gone.append(file.name)
        unlink(file, missing_ok)

    monkeypatch.setattr(Path, "unlink", note)
    remove(path)
    assert gone[-3:] == ["ledger.db", "config.yaml", "lock"] and set(gone[:-3]) == {
        "last.yaml",
        "sweep.log",
        "holder.json",
    }
