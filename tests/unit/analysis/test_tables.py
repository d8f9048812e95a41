"""Tables of trials, points, values and sweeps."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from src.analysis.contrasts import compare
from src.analysis.groups import by_key
from src.analysis.tables import left_out, point_table, sweep_table, trial_table, value_table
from src.base.errors import UserError
from src.ledger.events import Started, Tracked
from src.ledger.records import Evaluation, TrialState
from src.reporting.boards import leaderboard
from tests.unit.examples import epoch, finish, history_of, measured


def test_other_metrics_are_columns() -> None:
    """What trials measure besides accuracy and loss stands beside these, in rows of trials and of points, and as printed."""
    history = history_of()
    for number, value in ((1, 0.4), (2, 0.6)):
        scored = epoch(1, value)
        finish(history, number, replace(scored, metrics={**scored.metrics, "val_macro_f1": value / 2}))
    assert [row["val_macro_f1"] for row in trial_table(history)] == [0.3, 0.2, None, None]
    assert [(row["val_macro_f1"], row["val_macro_f1_sd"]) for row in point_table(history)] == [(0.3, None), (0.2, None)]
    console = Console(width=200)
    with console.capture() as capture:
        console.print(leaderboard(history, None))
    assert "macro" in capture.get() and "0.3000" in capture.get()


def test_trial_table() -> None:
    """The best first, those without a result last; the best epoch's metrics; parameters and time."""
    history = history_of()
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
    history = history_of("search.repeats=2")
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
    reasons = left_out(history_of(space=space))
    assert list(reasons.values()) == [[2, 4], [3, 5]]
    assert [reason.partition(":")[0] for reason in reasons] == ["duplicate", "infeasible"]


# -------------------------------------------------------------------------------- comparisons as rows


def test_value_table(tmp_path: Path) -> None:
    """One row a value, the best first: mean, deviation and time of its trials, and how far behind the first it is."""
    history = history_of("training.epochs=1")
    for number, wrong in enumerate((1, 2, 3, 4), 1):
        measured(tmp_path, history, number, [0] * wrong + [1] * (8 - wrong))
    comparison = compare(by_key(tmp_path, history, "kernel"), higher_is_better=True)
    first, second = value_table(history, "kernel", comparison)
    assert first == {
        **{
            "architecture.kernel": "3",
            "trials": 2,
            "val_accuracy": 0.8125,
            "val_accuracy_sd": pytest.approx(0.0884, abs=1e-4),
        },
        **{"seconds": 2.0, "behind": None, "behind_low": None, "behind_high": None, "pairs": None},
        **{"matched": 2, "matched_val_accuracy": 0.8125, "matched_val_accuracy_sd": pytest.approx(0.0884, abs=1e-4)},
        "first_val_accuracy": None,
    }
    (ahead,) = comparison.ahead
    assert (second["architecture.kernel"], second["behind"], second["pairs"]) == ("5", 0.25, 2)
    assert (second["behind_low"], second["behind_high"]) == (ahead.low, ahead.high)


def test_means_are_of_what_is_compared(tmp_path: Path) -> None:
    """A trial without a partner is in the mean of its value, and not in that beside the difference."""
    history = history_of("training.epochs=1", "search.repeats=2")
    for number, wrong in enumerate((1, 7, 3, 4, 2, 7, 3, 6), 1):  # kernel 3, 3, 5, 5, each with pool 1, 2
        measured(tmp_path, history, number, [0] * wrong + [1] * (8 - wrong))
    for number in (4, 8):
        history.trial(number).state = TrialState.PRUNED
    table = value_table(history, "kernel", compare(by_key(tmp_path, history, "kernel"), higher_is_better=True))
    assert [(row["architecture.kernel"], row["trials"], row["val_accuracy"]) for row in table] == [
        ("3", 4, pytest.approx(0.46875)),
        ("5", 2, pytest.approx(0.625)),
    ]
    first, second = table
    assert (first["matched"], first["matched_val_accuracy"]) == (2, 0.8125)
    assert (second["matched"], second["matched_val_accuracy"], second["first_val_accuracy"]) == (2, 0.625, 0.8125)
    assert second["behind"] == second["first_val_accuracy"] - second["matched_val_accuracy"]


def test_values_without_pairs() -> None:
    """Where no two trials differ in the key alone, values go by the means of their trials."""
    history = history_of("training.epochs=1")
    finish(history, 1, epoch(1, 0.8))
    finish(history, 4, epoch(1, 0.9))
    table = value_table(history, "kernel", compare(by_key(Path("nowhere"), history, "kernel"), higher_is_better=True))
    assert [(row["architecture.kernel"], row["matched"], row["matched_val_accuracy"]) for row in table] == [
        ("5", 0, None),
        ("3", 0, None),
    ]


def test_value_table_without_intervals() -> None:
    """What is not known is nothing, which JSON can say; so is the deviation of one trial."""
    history = history_of("training.epochs=1")
    finish(history, 1, epoch(1, 0.9))
    finish(history, 3, epoch(1, 0.8))
    table = value_table(history, "kernel", compare(by_key(Path("nowhere"), history, "kernel"), higher_is_better=True))
    assert [(row["val_accuracy_sd"], row["behind_low"], row["behind_high"]) for row in table] == [
        (None, None, None)
    ] * 2
    assert table[1]["behind"] == pytest.approx(0.1) and json.loads(json.dumps(table)) == table


def test_sweep_table() -> None:
    """One row a sweep: its first place in words, and the test accuracy of its model if it was evaluated."""
    history = history_of("training.epochs=1")
    finish(history, 2, epoch(1, 0.9, 0.3))
    history.apply(Evaluation(2, 1, 0.4, 0.88, 0.0), 0)
    other = history_of("training.epochs=1")
    finish(other, 3, epoch(1, 0.8))
    first, second = sweep_table([("a", history), ("b", other)])
    assert (first["sweep"], first["best"], first["point"], first["test_accuracy"]) == ("a", "kernel=3 pool=2", 2, 0.88)
    assert (first["val_accuracy"], first["val_loss"], first["parameters"], first["seeds"]) == (0.9, 0.3, 200, 1)
    assert (second["sweep"], second["test_accuracy"]) == ("b", None) and list(first) == list(second)
    assert "architecture.kernel" not in first
    with pytest.raises(UserError, match="c: no trial has finished, so there is nothing to compare"):
        sweep_table([("a", history), ("c", history_of())])
