"""What `training.threads=auto` and `training.precision=auto` become, and that they stay what they have become."""

from pathlib import Path
from typing import Any

import pytest

from src.base.errors import UserError
from src.config.compose import validate
from src.config.schema import Config
from src.data.load import load
from src.execution import automatic as module
from src.execution.automatic import FORMER, choose_training, describe_settled, settle, with_training
from src.ledger.sweep_folder import create_or_check, open_sweep, sweep_path, write_last
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
    assert choose_training(SearchProblem.of(config), load(config.data))["threads"] == threads


@pytest.mark.parametrize(
    ("overrides", "threads"),
    [
        (("search.pruner=halving", "training.epochs=27"), (1, [[10, 8]])),
        (
            ("search.pruner=halving", "training.epochs=27", "search.confirm=2", "search.confirm_repeats=2"),
            (1, [[10, 2]]),
        ),
        (("search.pruner=top_k", "search.keep=4", "search.rung=2"), (1, [[3, 2]])),
        (("search.pruner=top_k", "search.keep=8", "search.rung=2"), (1, [])),
        (("search.pruner=asha", "training.epochs=27"), (1, [])),
        ((), (1, [])),
    ],
)
def test_more_threads_after_rungs(folder: Path, overrides: tuple[str, ...], threads: tuple[int, list[Any]]) -> None:
    """Where so few trials are left that cores would be idle, each has more threads from there on; of 16 trials."""
    config = auto(folder, "search=cnn_random", "search.max_trials=16", *WIDE, "search.rung=3", *overrides)
    found = choose_training(SearchProblem.of(config), load(config.data))
    assert (found["threads"], found["more_threads"]) == threads


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
    former = create(with_training(config, threads=FORMER), data)
    assert create(config, data) == former and former[1] == 1
    assert create(with_training(config, threads=3), data)[1] == 3


def test_a_name_of_its_own(folder: Path) -> None:
    """Left open, and given as the number that it would become, are two sweeps, whose names differ."""
    config = auto(folder, "search=single", *LARGE)
    data = load(config.data)
    assert create(config, data)[0] != sweep_path(with_training(config, threads=8), data.label, data.digest)
    named = auto(folder, "search=single", "name=mine", *LARGE)
    assert create(named, data) == (folder / "sweeps" / "mine", 8)


@pytest.mark.parametrize(
    ("instructions", "precision"),
    [
        ("avx2 fma avx512f avx512_bf16; L1d 32K", "mixed_bfloat16"),
        ("avx2 amx_tile amx_bf16", "mixed_bfloat16"),
        ("avx2 fma avx512f; L1d 32K", "float32"),
        ("", "float32"),
    ],
)
def test_precision(folder: Path, monkeypatch: pytest.MonkeyPatch, instructions: str, precision: str) -> None:
    """`auto` follows from the processor's instructions when a sweep is created, and stays; without it nothing changes."""
    monkeypatch.setattr(module, "instructions", lambda: instructions)
    config = auto(folder, "search=single", *SMALL, "training.precision=auto")
    data = load(config.data)
    path, _ = create(config, data)
    assert open_sweep(path).frozen["training"]["precision"] == precision
    said = describe_settled(config, settle(SearchProblem.of(config), data)[0].config)
    assert said == f"training.precision={precision}"
    monkeypatch.setattr(module, "instructions", lambda: "")
    problem, again = settle(SearchProblem.of(config), data)
    assert (again, problem.config.training.precision) == (path, precision)
    plain, elsewhere = settle(SearchProblem.of(auto(folder, "search=single", *SMALL)), data)
    assert plain.config.training.precision == "float32" and elsewhere != path


def test_precision_on_a_gpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor's instructions decide nothing there."""
    monkeypatch.setattr(module, "instructions", lambda: "avx512_bf16")
    monkeypatch.setattr(module, "count_gpus", lambda: 1)
    config = auto(folder, "search=single", *SMALL, "training.precision=auto")
    assert settle(SearchProblem.of(config), load(config.data))[0].config.training.precision == "float32"


def test_auto_is_not_searched(folder: Path) -> None:
    """What it becomes is one of the other choices."""
    with pytest.raises(UserError, match=r"training.precision.*float32"):
        SearchProblem.of(auto(folder, "search=single", "+search.space.training.precision.choice=[auto,float32]"))
