"""What is printed about a sweep."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from src.analysis import trial_table
from src.messages import EvaluateWork, Failed, TrainWork
from src.proposals import Plan
from src.report import leaderboard, overview, preview_table, result
from src.rows import Rows
from src.values import Evaluation, File
from src.writing import render, short_keys, spans
from tests.unit.examples import checked_rows, config, epoch, finish

SPACE = {"architecture": {"filters": {"choice": [[8, 16], 16, [16, 16]]}, "pool": {"choice": [1, 2]}}}


@pytest.fixture
def plan() -> Plan:
    """Four trials of two epochs, and two duplicates."""
    return Plan.of(config("training.epochs=2", "search.retries=0", space=SPACE))


@pytest.fixture
def rows(plan: Plan) -> Rows:
    """One trial has finished, one was stopped early, one has failed, one waits."""
    made = checked_rows(plan)
    finish(made, 1, epoch(1, 0.25), epoch(2, 1 / 3))
    finish(made, 2, epoch(1, 0.5), reason="early stopping, with a comma\nand a line")
    made.apply(Failed(TrainWork(3, 1, {}, 1, "val_accuracy", 2, None, ()), "nan", "the loss is nan"), 0)
    return made


def printed(show: Callable[[Console], None]) -> str:
    """What is printed."""
    console = Console(width=200, file=io.StringIO(), highlight=False)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_json_round_trip(rows: Rows) -> None:
    """Read back, the JSON is the table."""
    assert json.loads(render(trial_table(rows), "json")) == trial_table(rows)


def test_csv_round_trip(rows: Rows) -> None:
    """Read back, the CSV has a row for each trial, the table's columns, and exact numbers."""
    table = trial_table(rows)
    read = list(csv.DictReader(io.StringIO(render(trial_table(rows), "csv"))))
    assert list(read[0]) == list(table[0])
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in table] == read
    assert float(read[1]["val_accuracy"]) == 1 / 3


@pytest.mark.parametrize(("kind", "text"), [("json", "[]"), ("csv", "")])
def test_render_without_trials(kind: str, text: str) -> None:
    """A sweep without trials has an empty table."""
    assert render([], kind) == text


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([], ""), ([4], "4"), ([1, 2, 3], "1–3"), ([37, 38, 40, 45, 46], "37–38, 40, 45–46")],
)
def test_spans(numbers: list[int], words: str) -> None:
    """Neighbours are written as from–to."""
    assert spans(numbers) == words


@pytest.mark.parametrize(
    ("keys", "short"),
    [
        (["architecture.kernel", "activation"], ["kernel", "activation"]),
        (["architecture.dropout", "x.dropout", "a.pool"], ["architecture.dropout", "x.dropout", "pool"]),
        ([], []),
    ],
)
def test_short_keys(keys: list[str], short: list[str]) -> None:
    """The last part of a key, unless two would be the same."""
    assert short_keys(keys) == short


def test_leaderboard(rows: Rows) -> None:
    """The best first, cut where asked, with metrics to four places."""
    lines = printed(lambda console: console.print(leaderboard(rows, 2))).splitlines()
    values = [line.split() for line in lines if line.strip()][-2:]
    assert values[0][:5] == ["2", "[8,", "16]", "2", "0.5000"] and values[1][0] == "1"
    assert "0.3333" in values[1] and "2/2" in values[1]


def test_preview_table(rows: Rows) -> None:
    """A preview has a line for every point, with its state."""
    text = printed(lambda console: console.print(preview_table(rows)))
    assert (text.count("feasible"), text.count("duplicate")) == (4, 2)


def test_overview(plan: Plan) -> None:
    """How many points are to train, which not and why, how far, and that the time is not known yet."""
    text = printed(lambda console: overview(console, plan, checked_rows(plan), 100, 2))
    assert "6 points: 4 to train, 0 infeasible, 2 duplicate" in text
    assert "the same network and training as point 3  (point 5)" in text
    assert "4 trials up to epoch 2, 2 workers: unknown time" in text


def test_overview_counts_what_will_train(plan: Plan, rows: Rows) -> None:
    """Of a finished, a stopped, a failed and a waiting trial only the last is left to train."""
    assert "1 trial up to epoch 2" in printed(lambda console: overview(console, plan, rows, 100, 2))


def test_overview_of_a_search_by_results() -> None:
    """How many points are still to be proposed, how large the space is, and which part of what was drawn cannot be built;
    with a pruner, how many epochs it lets be trained."""
    wide = {"architecture": {"pool": {"int": {"min": 1, "max": 40}}}}
    words = ("search.strategy=tpe", "search.max_trials=12", "search.pruner=top_k", "search.keep=2")
    plan = Plan.of(config("training.epochs=3", *words, space=wide))
    rows = checked_rows(plan)
    rows.point(3).state = rows.point(4).state = "infeasible"
    said = printed(lambda console: overview(console, plan, rows, 100, 2))
    assert "10 points: 8 to train, 2 infeasible, 0 duplicate; 4 more to train will be proposed by tpe" in said
    assert "the space has 40 points, of which about 20% cannot be built (2 of 10 drawn at random)" in said
    assert "14 trials up to epoch 3 (top_k lets about 18 epochs be trained in all)" in said


def test_what_the_budget_left_out(plan: Plan) -> None:
    """Trials that were not begun are counted, with the limits that there are."""
    bounded = Plan.of(config("training.epochs=2", "search.max_epochs=2", space=SPACE))
    rows = checked_rows(bounded)
    finish(rows, 1, epoch(1, 0.25), epoch(2, 0.5))
    said = printed(lambda console: result(console, bounded, rows, Path("s")))
    assert "3 trials not begun: the budget is used up (search.max_epochs=2); a larger one goes on." in said


@pytest.mark.parametrize(
    ("objective", "target", "words"), [("val_accuracy", 0.5, "a higher"), ("val_loss", 1.0, "a lower")]
)
def test_a_target_that_is_reached(objective: str, target: float, words: str) -> None:
    """In which direction another target would go on."""
    aimed = Plan.of(
        config(f"search.objective={objective}", f"search.target={target}", "training.epochs=1", space=SPACE)
    )
    rows = checked_rows(aimed)
    finish(rows, 1, epoch(1, 0.6, 0.9))
    said = printed(lambda console: result(console, aimed, rows, Path("s")))
    assert f"3 trials not begun: search.target={target:g} is reached; {words} one goes on." in said


def test_what_was_taken_is_counted(plan: Plan, rows: Rows) -> None:
    """Whole trials and beginnings are told apart, with the sweeps that they are from."""
    rows.trial(1).origin, rows.trial(2).origin, rows.trial(2).attempts = "other trial 3", "third trial 1", 2
    said = printed(lambda console: result(console, plan, rows, Path("s")))
    words = "1 trial was taken and 1 trial was begun with what was taken from other sweeps"
    assert f"{words} (search.reuse=false trains anew): other and third." in said


def test_result(plan: Plan, rows: Rows) -> None:
    """The winner with its test accuracy, how often the test images were looked at, and what failed."""
    rows.apply(Evaluation(2, 1, 0.75, 0.625, 0), 0)
    text = printed(lambda console: result(console, plan, rows, Path("mine")))
    assert "trial 2, has a test accuracy of 0.6250 (loss 0.7500)" in text and "looked at once" in text
    assert "trial 3 failed: the loss is nan" in text
    assert "search.retry_failed=true" not in text, "a NaN would come again"
    assert "No trial has finished." in printed(
        lambda console: result(console, plan, Rows("val_accuracy"), Path("mine"))
    )


@pytest.mark.parametrize(
    "words",
    ["no [Op:Conv2D]", "shape [2, 3]", "on [gpu]", "at [/device:GPU:0]"],
)
def test_a_failure_is_told_in_its_own_words(plan: Plan, rows: Rows, words: str) -> None:
    """Brackets in an error's message are printed as they are."""
    rows.trial(3).reason = words
    assert f"failed: {words}" in printed(lambda console: result(console, plan, rows, Path("mine")))


def test_an_evaluation_that_failed_is_said(plan: Plan, rows: Rows) -> None:
    """Without a look at the test data the reason is given, and how to try again."""
    for _ in range(2):
        rows.apply(Failed(EvaluateWork(2, 1, {}, File("w", "0")), "crash", "ended by SIGKILL"), 0)
    text = printed(lambda console: result(console, plan, rows, Path("mine")))
    assert (
        "trial 2 could not be evaluated on the test images: ended by SIGKILL; search.retries=2 tries once more" in text
    )
