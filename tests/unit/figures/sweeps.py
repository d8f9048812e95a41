"""Sweeps to draw: few points and many, one seed and several, numbers and words."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from src.ledger.history import History
from src.ledger.records import Invocation
from tests.unit.examples import epoch, finish, history_of

SMALL: dict[str, Any] = {"architecture": {"kernel": {"choice": [3, 5]}, "pool": {"choice": [1, 2]}}}
WORDS: dict[str, Any] = {
    "activation": {"choice": ["relu", "tanh", "elu"]},
    "architecture": {"filters": {"choice": [[8, 16], 16]}, "batch_norm": {"choice": [True, False]}},
}
RANGES: dict[str, Any] = {
    "optimizer": {"learning_rate": {"float": {"min": 1e-5, "max": 1e-1, "log": True}}},
    "architecture": {"dense_units": {"int": {"min": 8, "max": 500}}, "kernel": {"choice": [3, 5]}},
}


def searched(space: dict[str, Any], *overrides: str) -> History:
    """A sweep that has ended: the first point learns nothing, the others are near each other."""
    history = history_of("training.epochs=3", *overrides, space=space)
    history.invocations.append(Invocation(1, 1000, 1e9, "here", 1, {}, {}))
    rng = np.random.default_rng(0)
    for trial in history.trials:
        end = 0.1 if trial.point == 1 else 0.95 + 0.02 * rng.random()
        finish(history, trial.number, *(epoch(n, end - 0.3 / n, 1 / n, seconds=trial.number) for n in (1, 2, 3)))
    return history


SWEEPS: dict[str, Callable[[], History]] = {
    "four points": lambda: searched(SMALL),
    "words, three seeds": lambda: searched(WORDS, "search.repeats=3"),
    "120 points": lambda: searched(RANGES, "search.strategy=random", "search.max_trials=120"),
}


def is_cut_off(figure: Figure) -> bool:
    """Whether something reaches beyond the figure's edge."""
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    return bool(min(box.x0, box.y0) < -0.02) or bool(box.x1 > width + 0.02 or box.y1 > height + 0.02)
