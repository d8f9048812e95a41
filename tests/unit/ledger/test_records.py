"""What the states of points and trials mean, and how points are told apart and titled."""

from typing import Any

import pytest

from src.ledger.records import Cause, Origin, Point, PointState, Role, TrialState, point_key

POINTS = {"unchecked": True, "feasible": True, "infeasible": False, "duplicate": False}  # state → is it open?
TRIALS = {  # state → is it open, has it ended, is it finished?
    "waiting": (True, False, False),
    "running": (True, False, False),
    "interrupted": (True, False, False),
    "paused": (False, False, False),
    "pruned": (False, True, False),
    "finished": (False, True, True),
    "failed": (False, True, False),
}


def test_states_of_points() -> None:
    """A point is open as long as it can be trained, or may turn out to; these are all states, as they are stored."""
    assert {state.value: state.is_open for state in PointState} == POINTS


def test_states_of_trials() -> None:
    """A trial that waits at a rung is neither open nor at its end; these are all states, as they are stored."""
    assert {state.value: (state.is_open, state.has_ended, state.is_finished) for state in TrialState} == TRIALS


def test_roles_and_causes() -> None:
    """As they are stored."""
    assert [role.value for role in Role] == ["search", "confirm", "refit"]
    assert [cause.value for cause in Cause] == ["nan", "crash", "damaged", "disk"]


def test_an_origin_in_words() -> None:
    """The sweep and the trial's number."""
    assert str(Origin("cnn_grid-mnist_5k-01234567", 12)) == "cnn_grid-mnist_5k-01234567 trial 12"


def test_keys_of_points() -> None:
    """The order of keys makes no other point; values do, and so do their types where these are told apart."""
    one, same, other = ({"a": 1, "b": "x"}, {"b": "x", "a": 1}, {"a": 1, "b": "y"})
    assert Point(1, one, None).key == Point(2, same, None).key == point_key(one)
    assert Point(3, other, None).key != point_key(one)
    assert point_key({"a": True}) != point_key({"a": 1}) != point_key({"a": "1"})


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ({}, "as configured"),
        ({"architecture.kernel": 3, "activation": "relu"}, "kernel=3 activation=relu"),
        ({"optimizer.learning_rate": 0.00123456}, "learning_rate=0.001235"),
        ({"architecture.filters": [8, 16], "architecture.pool": None}, "filters=[8, 16]"),
        ({"architecture.dense_units.0": 64, "architecture.dense_units.1": 32}, "dense_units[0]=64 dense_units[1]=32"),
    ],
)
def test_titles_of_points(values: dict[str, Any], title: str) -> None:
    """The ends of the keys with their values, rounded; keys without a value are left out."""
    assert Point(1, values, None).title == title
