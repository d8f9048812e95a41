"""What is compared with what: values of a key, points, sweeps, each in the blocks that it shares with the others."""

from pathlib import Path
from typing import Any

import pytest

from src.analysis.contrasts import Group
from src.analysis.groups import by_key, by_point, by_sweep, full_key, measure, refuse_unlike
from src.analysis.ranking import point_results
from src.base.errors import UserError
from src.ledger.history import History
from src.ledger.records import Role
from src.ledger.sweep_folder import Sweep
from tests.unit.examples import epoch, finish, history_of, measured

# Points 1 to 4 are kernel 3 and 5 with pool 1 and 2; on two seeds these are trials 1 to 4 and 5 to 8.


def trained(folder: Path, *trials: int, **overrides: Any) -> History:
    """Trials that are right on as many of four images as the last digit of their number says, modulo four."""
    history = history_of("training.epochs=1", "search.repeats=2", *(f"{k}={v}" for k, v in overrides.items()))
    for number in trials:
        measured(folder, history, number, [int(image < number % 4) for image in range(4)], [number, 1, 1, 1])
    return history


def means(groups: list[Group]) -> dict[str, dict[Any, float]]:
    """Each group's blocks, by their means."""
    return {group.label: {block: float(values.mean()) for block, values in group.blocks.items()} for group in groups}


def test_values_of_a_key(tmp_path: Path) -> None:
    """A group a value, a block for each seed with the other settings: equal names are what is paired."""
    history = trained(tmp_path, *range(1, 9))
    one, two = (repr([("architecture.pool", pool)]) for pool in (1, 2))
    assert means(by_key(tmp_path, history, "kernel")) == {
        "3": {(one, 0): 0.25, (two, 0): 0.5, (one, 1): 0.25, (two, 1): 0.5},
        "5": {(one, 0): 0.75, (two, 0): 0.0, (one, 1): 0.75, (two, 1): 0.0},
    }


def test_values_without_a_partner(tmp_path: Path) -> None:
    """Trials that have not finished leave their block out."""
    groups = by_key(tmp_path, trained(tmp_path, 1, 2, 3), "architecture.kernel")
    assert {label: len(blocks) for label, blocks in means(groups).items()} == {"3": 2, "5": 1}


def test_points(tmp_path: Path) -> None:
    """A group a point, in the order given, a block a seed."""
    history = trained(tmp_path, 1, 2, 3, 5)
    found = point_results(history, Role.SEARCH)
    assert means(by_point(tmp_path, history, found)) == {"3": {0: 0.75}, "2": {0: 0.5}, "1": {0: 0.25, 1: 0.25}}


def test_sweeps(tmp_path: Path) -> None:
    """A group a sweep: its first place, by its name."""
    histories, sweeps = [], []
    for name, trials in (("a", (1, 2)), ("b", (3, 7))):
        (tmp_path / name).mkdir()
        histories.append(trained(tmp_path / name, *trials))
        sweeps.append(Sweep(tmp_path / name, {}))
    assert means(by_sweep(sweeps, histories)) == {"a": {0: 0.5}, "b": {0: 0.75, 1: 0.75}}


# ------------------------------------------------------------------------------------------- images


@pytest.mark.parametrize(("objective", "values"), [("val_accuracy", [1, 1, 0, 0]), ("val_loss", [2, 1, 1, 1])])
def test_each_image_is_measured_by_the_objective(tmp_path: Path, objective: str, values: list[float]) -> None:
    """Right or wrong where accuracy selects, the loss where that does."""
    history = trained(tmp_path, 2, **{"search.objective": objective})
    found = measure(tmp_path, history, [history.trial(2)])
    assert found[2].tolist() == values and found[2].dtype == float


def test_trials_of_an_older_version(tmp_path: Path) -> None:
    """Where one of them has nothing stored of single images, all have one number: their objective."""
    history = trained(tmp_path, 1, 2)
    finish(history, 3, epoch(1, 0.9))
    found = measure(tmp_path, history, [history.trial(number) for number in (1, 2, 3)])
    assert {number: values.tolist() for number, values in found.items()} == {1: [0.25], 2: [0.5], 3: [0.9]}


@pytest.mark.parametrize("content", [None, b"", b"nothing"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    """With the trial that cannot be compared, and a way out."""
    history = trained(tmp_path, 1, 2)
    path = tmp_path / "checkpoints" / "2-validation.npz"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"2-validation\.npz .* trial 2 cannot be compared\. Restore the file"):
        by_key(tmp_path, history, "kernel")


# --------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("key", "full"),
    [("kernel", "architecture.kernel"), ("architecture.pool", "architecture.pool")],
)
def test_a_key_may_be_short(key: str, full: str) -> None:
    """Its whole name or the end of it."""
    assert full_key(history_of(), key) == full


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (
            "architecture.kernl",
            r"--by architecture\.kernl: was not searched; did you mean 'architecture\.kernel'\? Known here: ",
        ),
        ("ernel", "was not searched"),  # the end of a name, and no name
        ("patience", r"fits several: training\.early_stopping\.patience, training\.reduce_lr\.patience"),
    ],
)
def test_a_key_that_is_none_or_several(key: str, words: str) -> None:
    """What was searched is listed."""
    patience = {"patience": {"choice": [1, 2]}}
    space: dict[str, Any] = {"architecture": {"kernel": {"choice": [3, 5]}}}
    space["training"] = {"early_stopping": patience, "reduce_lr": patience}
    with pytest.raises(UserError, match=words):
        full_key(history_of(space=space), key)


# ------------------------------------------------------------------------------------------- sweeps


def sweep(name: str, digest: str = "0123456789", objective: str = "val_accuracy") -> Sweep:
    """One that was frozen so."""
    frozen = {"data": {"name": "mnist_5k", "seed": 0, "digest": digest}, "search": {"objective": objective}}
    return Sweep(Path(name), frozen)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (sweep("a"), "the same sweep is named twice"),
        (sweep("b", "9876543210"), r"a and b are not on the same images \(.*digest 01234567; .*digest 98765432\)"),
        (sweep("b", objective="val_loss"), "a selects by val_accuracy, b by val_loss"),
    ],
)
def test_unlike_sweeps_are_refused(other: Sweep, words: str) -> None:
    """Other images or another objective, and a sweep beside itself, say nothing."""
    with pytest.raises(UserError, match=words):
        refuse_unlike([sweep("a"), sweep("c"), other])
    refuse_unlike([sweep("a"), sweep("b")])


def test_nothing_was_measured() -> None:
    """Without trials there are no groups."""
    history = history_of()
    assert by_key(Path("nowhere"), history, "kernel") == by_point(Path("nowhere"), history, []) == []
    assert measure(Path("nowhere"), history, []) == {}
