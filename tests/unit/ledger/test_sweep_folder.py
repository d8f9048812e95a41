"""A sweep's folder: found by its configuration or name, never mixed up, held by one process."""

import os
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from src.base.errors import RefusedError, UserError
from src.config.schema import Config
from src.ledger.database import Ledger, read_history
from src.ledger.events import Paused, Pruned, Started
from src.ledger.objective import ACCURACY, OBJECTIVES
from src.ledger.records import Point, PointState, Role, Trial
from src.ledger.sweep_folder import (
    commands,
    create_or_check,
    forget_refused,
    is_unfinished,
    last_command,
    last_config,
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


def test_latest_is_no_name(tmp_path: Path) -> None:
    """By it no command could find the sweep once another is written."""
    with pytest.raises(UserError, match="name=latest: that is what commands call the sweep written last"):
        create_or_check(tmp_path / "latest", here(tmp_path, "name=latest"), "digest")


def test_a_lost_configuration_is_written_anew(tmp_path: Path) -> None:
    """Where the folder's name follows from the configuration, it is known; the sweep is no new one."""
    path = sweep_path(here(tmp_path), "mnist_5k", "digest")
    make_sweep(path, here(tmp_path), 1)
    before = (path / "config.yaml").read_bytes()
    (path / "config.yaml").unlink()
    assert not create_or_check(path, here(tmp_path), "digest")
    assert (path / "config.yaml").read_bytes() == before


def test_a_named_sweep_without_its_configuration_is_refused(tmp_path: Path) -> None:
    """Nobody knows then whether it is this configuration: nothing is mixed, and the message says what is missing."""
    make_sweep(tmp_path / "mine", here(tmp_path, "name=mine"), 1)
    (tmp_path / "mine" / "config.yaml").unlink()
    with pytest.raises(
        UserError, match=r"mine/config\.yaml is missing: restore it from a backup\. Or choose another name"
    ):
        create_or_check(tmp_path / "mine", here(tmp_path, "name=mine", "activation=tanh"), "digest")
    assert not (tmp_path / "mine" / "config.yaml").exists()


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
    """Without trials, or with one that waits, runs or is paused; not if all have ended, none can be, or nothing is read."""
    trial = Trial(1, 1, Role.SEARCH, 0, 1)
    point = Point(1, {}, None, PointState.INFEASIBLE)
    for number, (records, answer) in enumerate(
        (
            ((), True),
            ((trial,), True),
            ((trial, Started(1, 1)), True),
            ((trial, Paused(1)), True),
            ((trial, Pruned(1, "")), False),
            ((Point(1, {}, None, PointState.UNCHECKED), point), False),
            ((point, Point(2, {}, None, PointState.UNCHECKED)), True),
        )
    ):
        path = tmp_path / str(number)
        make_sweep(path, here(tmp_path), 1, *records)
        assert is_unfinished(path) is answer
    (tmp_path / "0" / "ledger.db").write_text("no ledger")
    assert not is_unfinished(tmp_path / "0")


# ------------------------------------------------------------------------------- the last invocation


def test_the_last_invocation_is_written_down(tmp_path: Path) -> None:
    """Its whole configuration under the command line that composed it, which then makes the list of what to run."""
    chosen = here(tmp_path, "training.epochs=3", "optimizer=sgd", "architecture.filters=16")
    make_sweep(tmp_path / "mine", chosen, 1)
    write_last(tmp_path / "mine", chosen, "python -m src.sweep training.epochs=3")
    assert last_config(tmp_path / "mine").model_dump() == chosen.model_dump()
    assert last_command(tmp_path / "mine") == "python -m src.sweep training.epochs=3"
    show = f"python -m src.compare mine --sweeps {tmp_path}"
    assert commands(open_sweep(tmp_path / "mine")) == [
        "python -m src.sweep training.epochs=3",
        show,
        f"{show} --report",
    ]


@pytest.mark.parametrize("command", ["a\nname: other", "\x1b[31m", ""])
def test_a_command_line_that_cannot_be_a_comment(tmp_path: Path, command: str) -> None:
    """What would end the comment, or is no text, is left out; the configuration is whole."""
    write_last(tmp_path, here(tmp_path), command)
    assert last_command(tmp_path) == "" and last_config(tmp_path).model_dump() == here(tmp_path).model_dump()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["search.space.activation.choice=[relu,tanh]", "~search.space.architecture.pool"],
        ["data.path=my images/größe 'x' \"y\" $HOME.npz", "name=a#b", "# c: d", "\\"],
        ["-m", "activation=relu,tanh"],
    ],
)
def test_a_command_comes_back(tmp_path: Path, arguments: list[str]) -> None:
    """A command line is read back as it was written, quoting included, and the configuration under it as well."""
    command, chosen = shlex.join(["python", "-m", "src.sweep", *arguments]), config()
    write_last(tmp_path, chosen, command)
    assert last_command(tmp_path) == command and shlex.split(command)[3:] == arguments
    assert last_config(tmp_path).model_dump() == chosen.model_dump()


@pytest.mark.parametrize("argument", ["two\nlines", "\x07", "\udcff", "a\u2028b"])
def test_a_command_that_is_no_comment(tmp_path: Path, argument: str) -> None:
    """A command that YAML could not hold in a line is left out, and the configuration is whole."""
    write_last(tmp_path, config(), shlex.join(["python", argument]))
    assert last_command(tmp_path) == "" and last_config(tmp_path).model_dump() == config().model_dump()


def test_no_last_invocation(tmp_path: Path) -> None:
    """A sweep of an early version has none: there is no command, and its configuration is an error with a way out."""
    assert last_command(tmp_path) == ""
    with pytest.raises(UserError, match=r"last\.yaml cannot be read .* run the sweep's own command instead"):
        last_config(tmp_path)


# ------------------------------------------------------------------------------------------- removal


def test_a_refused_sweep_leaves_no_folder(tmp_path: Path) -> None:
    """What is refused before any of its trials began cannot be gone on with; nothing else is forgotten."""
    trial = Trial(1, 1, Role.SEARCH, 0, 1)
    for number, (records, error, is_kept) in enumerate(
        (
            ((), RefusedError("no"), False),
            ((trial,), RefusedError("no"), False),
            ((trial, Started(1, 1)), RefusedError("no"), True),
            ((), UserError("the disk is full"), True),
            ((), KeyboardInterrupt(), True),
        )
    ):
        path = tmp_path / str(number)
        make_sweep(path, here(tmp_path), 1, *records)
        with pytest.raises(type(error)), forget_refused(path, read_history(path, ACCURACY)):
            raise error
        assert path.exists() is is_kept
    make_sweep(tmp_path / "mine", here(tmp_path), 1)
    with forget_refused(tmp_path / "mine", read_history(tmp_path / "mine", ACCURACY)):
        pass
    assert (tmp_path / "mine").exists()


@pytest.mark.parametrize("theirs", ["thesis.tex", "models/mine.keras"])
def test_a_refused_sweep_leaves_the_files_of_others(tmp_path: Path, theirs: str) -> None:
    """A sweep may be named like a folder of its user: what stood there stays when it is refused."""
    path = tmp_path / "mine"
    (path / theirs).parent.mkdir(parents=True)
    (path / theirs).write_text("years of work")
    make_sweep(path, here(tmp_path), 1)
    with pytest.raises(RefusedError), forget_refused(path, read_history(path, ACCURACY)):
        raise RefusedError("no")
    assert (path / theirs).read_text() == "years of work"


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
