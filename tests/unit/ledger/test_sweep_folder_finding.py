"""A sweep's folder is found by its name, the beginning of it or its path, and what is damaged is said."""

import os
from pathlib import Path

import pytest

from src.base.errors import UserError
from src.ledger.objective import ACCURACY, LOSS
from src.ledger.sweep_folder import create_or_check, find, list_sweeps, open_sweep, write_last
from tests.unit.ledger.test_sweep_folder import here, make_sweep


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


@pytest.mark.parametrize("name", ["grid-a1", "grid-a1/", "grid-", "./grid-a1"])
@pytest.mark.parametrize("is_absolute", [True, False])
def test_a_path_is_a_name(sweeps: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_absolute: bool) -> None:
    """As the shell completes it, wherever the folder is; the folder that is searched by default does not count then."""
    monkeypatch.chdir(sweeps.parent)
    path = f"{sweeps if is_absolute else sweeps.name}/{name}"
    assert find(Path("nowhere"), path).path.resolve() == sweeps / "grid-a1"


def test_a_folder_of_sweeps_is_several(sweeps: Path) -> None:
    """Its sweeps are named; of a folder with one sweep it is that one."""
    with pytest.raises(UserError, match=r"fits several sweeps: grid, grid-a1, other-b2"):
        find(Path("nowhere"), f"{sweeps}/")
    make_sweep(sweeps / "unfinished" / "one", here(sweeps), 1)
    assert find(Path("nowhere"), f"{sweeps}/unfinished/").name == "one"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("g", "fits several sweeps: grid, grid-a1"),
        ("gird", "no sweep 'gird'; did you mean 'grid'"),
        ("unfinished", r"unfinished is no sweep, since it has no ledger\.db; known here: grid"),
    ],
)
def test_what_is_not_found(sweeps: Path, name: str, words: str) -> None:
    """An ambiguous or unknown name is answered with those that exist."""
    with pytest.raises(UserError, match=words):
        find(sweeps, name)


def test_a_name_ends_at_a_dash(sweeps: Path) -> None:
    """Sweeps of a search come before those of another whose name only begins with it; of several, more is asked for."""
    for name in ("cnn-1", "cnn_fast-2"):
        make_sweep(sweeps / name, here(sweeps), 1)
    assert find(sweeps, "cnn").name == "cnn-1" and find(sweeps, "cnn_").name == "cnn_fast-2"
    make_sweep(sweeps / "cnn-3", here(sweeps), 1)
    with pytest.raises(UserError, match=r"fits several sweeps: cnn-1, cnn-3\. Give more of the name\."):
        find(sweeps, "cnn")


def test_no_sweeps(tmp_path: Path) -> None:
    """Where there is no sweep yet, the message says how to start one."""
    with pytest.raises(UserError, match=rf"python -m src\.sweep search=cnn_grid paths\.sweeps={tmp_path}/nowhere"):
        find(tmp_path / "nowhere", "latest")


def test_latest_is_the_one_written_last(sweeps: Path) -> None:
    """Writing an older sweep makes it the latest."""
    os.utime(sweeps / "grid-a1" / "ledger.db", (99, 99))
    assert [path.name for path in list_sweeps(sweeps)] == ["grid-a1", "other-b2", "grid"]


def test_a_configuration_that_is_missing(sweeps: Path) -> None:
    """A sweep whose frozen configuration was deleted is found, and what is missing is said, with the way back."""
    (sweeps / "grid" / "config.yaml").unlink()
    assert len(list_sweeps(sweeps)) == 3
    with pytest.raises(UserError, match=r"grid/config\.yaml is missing: restore it from a backup\.$"):
        find(sweeps, "grid")
    write_last(sweeps / "grid", here(sweeps), "python -m src.sweep activation=relu")
    with pytest.raises(
        UserError, match=r"a backup, or repeat the command that made it: python -m src\.sweep activation"
    ):
        find(sweeps, "grid")
    write_last(sweeps / "grid", here(sweeps), "python -m src.sweep name=grid")
    with pytest.raises(UserError, match=r"restore it from a backup\.$"):  # which would be refused
        find(sweeps, "grid")


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
