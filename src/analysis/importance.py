"""What mattered: how much of the differences between points each key of the space accounts for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.analysis.ranking import PointResult, point_results
from src.ledger.history import History
from src.ledger.records import Role

MIN_POINTS = 12  # fewer say nothing about several keys at once
TREES, SHUFFLES = 100, 10


@dataclass(frozen=True)
class Importance:
    """How much worse a forest predicts points once a key is shuffled, as shares of 1, the largest first.

    `explained` is the share of the variance that the forest predicts in points it was not fitted to; at zero or
    below, the shares mean nothing.
    """

    shares: dict[str, float]
    explained: float


def importance(history: History) -> Importance | None:
    """By a random forest (Breiman, 2001) fitted to the points' places; None of too few points or one key.

    Places instead of the objective itself, so that a few points that learn nothing are not all that mattered.
    """
    found = point_results(history, Role.SEARCH)
    keys = [key for key in (found[0].point.values if found else {}) if varies(key, found)]
    if len(found) < MIN_POINTS or len(keys) < 2:
        return None
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.pipeline import make_pipeline

    columns = [as_column([result.point.values.get(key) for result in found]) for key in keys]
    table = np.array(columns, dtype=object).T
    target = np.array([sum(other.score < result.score for other in found) for result in found], dtype=float)
    forest = RandomForestRegressor(TREES, min_samples_leaf=2, oob_score=True, random_state=0)
    model = make_pipeline(encoder(table), forest).fit(table, target)
    shuffled = permutation_importance(model, table, target, n_repeats=SHUFFLES, random_state=0)
    losses = np.maximum(shuffled.importances_mean, 0)
    shares = losses / losses.sum() if losses.sum() > 0 else losses
    order = np.argsort(-shares, kind="stable")
    return Importance({keys[index]: float(shares[index]) for index in order}, float(forest.oob_score_))


def varies(key: str, found: Sequence[PointResult]) -> bool:
    """Whether a key has more than one value."""
    return len({str(result.point.values.get(key)) for result in found}) > 1


def as_column(values: list[Any]) -> list[Any]:
    """Numbers as they are; where anything else is among them, all as text."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return values if numbers else [str(value) for value in values]


def encoder(table: NDArray[Any]) -> Any:
    """Numbers as they are; everything else as one column a value."""
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    columns = range(table.shape[1])
    numbers = [c for c in columns if not isinstance(table[0, c], str)]
    words = [c for c in columns if c not in numbers]
    return make_column_transformer(("passthrough", numbers), (OneHotEncoder(handle_unknown="ignore"), words))
