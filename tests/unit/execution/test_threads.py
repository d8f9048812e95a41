"""What `training.threads=auto` becomes, and that it stays what it has become."""

from pathlib import Path
from typing import Any

import pytest

from src.config.compose import validate
from src.config.schema import Config
from src.data.load import load
from src.execution import threads as module
from src.execution.threads import FORMER, choose_threads, settle, with_threads
from src.ledger.sweep_folder import create_or_check, sweep_path, write_last
from src.search.problem import SearchProblem
from tests.unit.examples import plain, write_npz

LARGE = ("architecture=dnn", "architecture.units=[4096,4096]", "training.batch_size=512")
WIDE = ("architecture.filters=512", "architecture.padding=same", "training.batch_size=512")
SMALL = ("architecture=dnn", "architecture.units=[8]")


def auto(folder: Path, *overrides: str) -> Config:
    """A configuration of small images that leaves the threads open."""
    values = plain("data=npz", f"data.path={folder}/images.npz", f"paths.sweeps={folder}/sweeps", *overrides)
    values["training"]["threads"] = "auto"
    return validate(values)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images, on a machine of 8 cores without a GPU."""
    write_npz(tmp_path / "images.npz")
    monkeypatch.setattr(module, "count_cores", lambda: 8)
    monkeypatch.setattr(module, "count_gpus", lambda: 0)
    return tmp_path


@pytest.mark.parametrize(
    ("overrides", "threads"),
    [
        (("search=single", *LARGE), 8),
        (("search=single", "search.repeats=3", *LARGE), 2),
        (("search=single", "search.repeats=100", *LARGE), 1),
        (("search=single", *SMALL), 1),
        (("search=cnn_grid", "architecture.padding=same"), 1),
        (("search=cnn_random", "search.max_trials=2", *WIDE), 4),
        (("search=cnn_bayesian", "search.max_trials=20", *WIDE), 8),
    ],
)
def test_chosen(folder: Path, overrides: tuple[str, ...], threads: int) -> None:
    """Trials share the cores that would be idle, if their batches have work for so many; a model-based search trains one
    after the other."""
    config = auto(folder, *overrides)
    assert choose_threads(SearchProblem.of(config), load(config.data)) == threads


def create(config: Config, data: Any) -> tuple[Path, int]:
    """A sweep of a configuration, and how many threads it has been given."""
    problem, path = settle(SearchProblem.of(config), data)
    create_or_check(path, problem.config, data.digest)
    write_last(path, problem.config, "the command")
    return path, problem.config.training.num_threads


def test_kept_on_another_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep goes on with the number that it began with; so does one whose configuration is lost."""
    config = auto(folder, "search=single", *LARGE)
    data = load(config.data)
    first = create(config, data)
    monkeypatch.setattr(module, "count_cores", lambda: 2)
    assert create(config, data) == first and first[1] == 8
    (first[0] / "config.yaml").unlink()
    assert create(config, data) == first


def test_found_by_its_former_name(folder: Path) -> None:
    """A sweep from when the default was one thread goes on with one, under its name; a number given is taken."""
    config = auto(folder, "search=single", *LARGE)
    data = load(config.data)
    former = create(with_threads(config, FORMER), data)
    assert create(config, data) == former and former[1] == 1
    assert create(with_threads(config, 3), data)[1] == 3


def test_a_name_of_its_own(folder: Path) -> None:
    """Left open, and given as the number that it would become, are two sweeps, whose names differ."""
    config = auto(folder, "search=single", *LARGE)
    data = load(config.data)
    assert create(config, data)[0] != sweep_path(with_threads(config, 8), data.label, data.digest)
    named = auto(folder, "search=single", "name=mine", *LARGE)
    assert create(named, data) == (folder / "sweeps" / "mine", 8)
