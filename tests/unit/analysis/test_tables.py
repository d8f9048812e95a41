"""Tables of trials and points."""

import pytest

from src.analysis.tables import left_out, point_table, trial_table
from src.ledger.events import Started, Tracked
from src.search.problem import Plan
from tests.unit.examples import SPACE, checked_history, config, epoch, finish


def test_trial_table() -> None:
    """The best first, those without a result last; the best epoch's metrics; parameters and time."""
    history = checked_history(Plan.of(config(space=SPACE)))
    finish(history, 3, epoch(1, 0.5, seconds=1.234), epoch(2, 0.8, 0.7), epoch(3, 0.6))
    finish(history, 2, epoch(1, 0.4), reason="early stopping")
    history.apply(Tracked(3, "abc"), 0)
    history.apply(Started(1, 1), 0)
    table = trial_table(history)
    assert [(row["trial"], row["state"]) for row in table] == [
        (3, "finished"),
        (2, "finished"),
        (1, "running"),
        (4, "waiting"),
    ]
    assert table[0] == {
        "trial": 3,
        "point": 3,
        "role": "search",
        "repeat": 0,
        "state": "finished",
        "reason": "",
        "architecture.kernel": 5,
        "architecture.pool": 1,
        "val_accuracy": 0.8,
        "val_loss": 0.7,
        "best_epoch": 2,
        "epochs": 3,
        "seconds": 5.23,
        "parameters": 300,
        "run_id": "abc",
        "drift": "",
        "origin": "",
    }
    assert all(list(row) == list(table[0]) for row in table)
    assert (table[1]["reason"], table[2]["val_accuracy"], table[3]["best_epoch"]) == ("early stopping", None, None)


def test_point_table() -> None:
    """Means and deviations over a point's seeds, the best mean first; points without a result have no row."""
    history = checked_history(Plan.of(config("search.repeats=2", space=SPACE)))
    finish(history, 1, epoch(1, 0.9, 0.5), epoch(2, 0.1, seconds=3.0))
    finish(history, 5, epoch(1, 0.5, 0.7))
    finish(history, 2, epoch(1, 0.8, 0.4))
    first, second = point_table(history)
    assert first == {
        "point": 2,
        "trials": [2],
        "role": "search",
        "architecture.kernel": 3,
        "architecture.pool": 2,
        "seeds": 1,
        "val_accuracy": 0.8,
        "val_accuracy_sd": None,
        "val_loss": 0.4,
        "val_loss_sd": None,
        "best_epoch": 1.0,
        "seconds": 2.0,
        "parameters": 200,
    }
    assert (second["point"], second["trials"], second["seeds"], second["seconds"]) == (1, [1, 5], 2, 3.5)
    assert second["val_accuracy"] == pytest.approx(0.7) and second["val_loss_sd"] == pytest.approx(0.02**0.5)


def test_left_out() -> None:
    """Points that do not train, by the reason why."""
    space = {"architecture": {"filters": {"choice": [32, [32, 32], [1, 2, 3], [32, 32], [4, 5, 6]]}}}
    reasons = left_out(checked_history(Plan.of(config(space=space))))
    assert list(reasons.values()) == [[2, 4], [3, 5]]
    assert [reason.partition(":")[0] for reason in reasons] == ["duplicate", "infeasible"]
