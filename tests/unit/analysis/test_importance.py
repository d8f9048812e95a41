"""What mattered, on points whose objective is known to follow from certain keys."""

from typing import Any

import numpy as np

from src.analysis.importance import importance
from src.ledger.history import History
from src.ledger.objective import ACCURACY
from tests.unit.examples import epoch, finish, history_of

SPACE: dict[str, Any] = {
    "architecture": {
        "kernel": {"choice": [1, 3, 5]},
        "pool": {"choice": [1, 2]},
        "dense_units": {"choice": [8, 16, 32]},
    },
    "activation": {"choice": ["relu", "tanh", "elu"]},
}


def trained(space: dict[str, Any], result: Any) -> History:
    """A finished trial for each point, whose accuracy is a function of its values."""
    history = history_of(space=space)
    for trial in history.trials:
        finish(history, trial.number, epoch(1, result(history.point(trial.point).values)))
    return history


def test_the_key_that_decides_comes_first() -> None:
    """The words of a group and the numbers of a key are told from keys that do nothing."""
    effect = {"relu": 0.3, "tanh": 0.1, "elu": 0.0}
    found = importance(trained(SPACE, lambda v: 0.5 + effect[v["activation"]] + 0.01 * v["architecture.kernel"]))
    assert found and list(found.shares)[:2] == ["activation", "architecture.kernel"]
    assert sum(found.shares.values()) > 0.999 and found.shares["activation"] > 0.6 and found.explained > 0.8


def test_lists_and_nothing_are_values_too() -> None:
    """Choices among lists of different lengths, or with null among them, are told apart as words are."""
    space = {
        "architecture": {"filters": {"choice": [[8, 8], [16, 16], 32]}, "pool": {"choice": [1, 2]}},
        "training": {"early_stopping": {"patience": {"choice": [2, 3, None]}}},
    }
    found = importance(trained(space, lambda v: 0.5 + 0.2 * (v["training.early_stopping.patience"] is None)))
    assert found and next(iter(found.shares)) == "training.early_stopping.patience"


def test_noise_explains_nothing() -> None:
    """Where no key matters the forest predicts nothing, and this is known."""
    rng = np.random.default_rng(0)
    found = importance(trained(SPACE, lambda _: 0.9 + 0.01 * rng.random()))
    assert found and found.explained < 0.1


def test_one_failure_is_not_all_that_mattered() -> None:
    """A value that learns nothing counts as the worst, not as a thousand times worse."""
    found = importance(
        trained(
            SPACE,
            lambda v: (
                0.1
                if (v["activation"], v["architecture.pool"]) == ("elu", 2)
                else 0.9 + 0.01 * v["architecture.kernel"]
            ),
        )
    )
    assert found and found.shares["architecture.kernel"] > 0.3


def test_too_little_to_say() -> None:
    """Few points, or one key, have no importance."""
    assert importance(trained({"architecture": {"kernel": {"choice": [1, 3]}}}, lambda _: 0.5)) is None
    assert importance(History(ACCURACY)) is None


def test_the_same_again() -> None:
    """The same points give the same shares."""
    history = trained(SPACE, lambda v: 0.5 + 0.05 * v["architecture.kernel"])
    assert importance(history) == importance(history)
