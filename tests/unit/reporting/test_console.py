"""What is printed about a sweep."""

import io
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from src.data.dataset import Dataset, Part
from src.ledger.events import EpochEnded, Failed, Paused, Pruned, Started
from src.ledger.history import History
from src.ledger.jobs import EvaluateJob
from src.ledger.lock import lock_sweep
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, Evaluation, File, Origin, PointState
from src.reporting.console import describe_stopped, overview, print_existing, print_next_steps, result
from src.search.problem import SearchProblem
from src.search.schedule import Schedule
from tests.unit.examples import checked_history, config, epoch, finish, train_job, trial_config

SPACE = {"architecture": {"filters": {"choice": [[8, 16], 16, [16, 16]]}, "pool": {"choice": [1, 2]}}}


@pytest.fixture
def problem() -> SearchProblem:
    """Four trials of two epochs, and two duplicates."""
    return SearchProblem.of(config("training.epochs=2", "search.retries=0", space=SPACE))


@pytest.fixture
def history(problem: SearchProblem) -> History:
    """One trial has finished, one was stopped early, one has failed, one waits."""
    made = checked_history(problem)
    finish(made, 1, epoch(1, 0.25), epoch(2, 1 / 3))
    finish(made, 2, epoch(1, 0.5), reason="early stopping, with a comma\nand a line")
    made.apply(Failed(train_job(3), Cause.NAN, "the loss is nan"), 0)
    return made


def printed(show: Callable[[Console], None]) -> str:
    """What is printed."""
    console = Console(width=200, file=io.StringIO(), highlight=False)
    show(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_overview(problem: SearchProblem) -> None:
    """How many points are to train, which not and why, how far, and how long it takes."""
    text = printed(
        lambda console: overview(console, Schedule.of(problem, checked_history(problem)), 2, "about 7 s in all")
    )
    assert "6 points: 4 to train, 0 infeasible, 2 duplicate" in text
    assert "the same network and training as point 3  (point 5)" in text
    assert "4 trials up to epoch 2, 2 workers: about 7 s in all; disk:" in text


@pytest.mark.parametrize(("workers", "is_said"), [(1, False), (2, False), (100_000, True)])
def test_more_workers_than_there_is_memory_for(problem: SearchProblem, workers: int, is_said: bool) -> None:
    """It is said before they train; how many there are by themselves goes by the memory."""
    schedule = Schedule.of(problem, checked_history(problem))
    said = printed(lambda console: overview(console, schedule, workers, ""))
    assert (f"{workers} workers may need 150000 GB of memory (workers.memory=1.5 each)" in said) is is_said


def test_sentences_are_not_broken(problem: SearchProblem) -> None:
    """However narrow it is, a sentence is one line, so that it can be searched for and copied."""
    said = []
    for width in (30, 300):
        console = Console(width=width, file=io.StringIO(), highlight=False)
        overview(console, Schedule.of(problem, checked_history(problem)), 2, "")
        result(console, Schedule.of(problem, checked_history(problem)), Path("mine"))
        assert isinstance(console.file, io.StringIO)
        said.append(console.file.getvalue())
    assert said[0] == said[1]


def test_a_preview_beside_its_sweep(problem: SearchProblem, tmp_path: Path) -> None:
    """It says that the sweep is running, by whom, and how far it is; of a new one there is nothing to say."""
    path, schedule = tmp_path / "mine", Schedule.of(problem, checked_history(problem))
    assert printed(lambda console: print_existing(console, schedule, path)) == ""
    finish(schedule.history, 1, epoch(1, 0.25), epoch(2, 1 / 3))
    schedule.history.apply(Started(2, 1), 0)
    said = printed(lambda console: print_existing(console, schedule, path))
    assert said.endswith("/mine (going on): 1 of 4 trials finished, 1 under way\n")
    with lock_sweep(path, steal=False):
        said = printed(lambda console: print_existing(console, schedule, path))
        assert f"/mine (running now: process {os.getpid()} on " in said and ": 1 of 4 trials finished, 1 under" in said
        left = printed(lambda console: overview(console, schedule, 2, ""))
        assert "6 points: 4 feasible, 0 infeasible, 2 duplicate" in left and "3 of 4 trials left, up to epoch 2" in left


def test_overview_counts_what_will_train(problem: SearchProblem, history: History) -> None:
    """Of a finished, a stopped, a failed and a waiting trial only the last is left to train."""
    assert "1 of 4 trials left, up to epoch 2" in printed(
        lambda console: overview(console, Schedule.of(problem, history), 2, "")
    )


def test_overview_of_a_search_by_results() -> None:
    """How many points are still to be proposed, how large the space is, and which part of what was drawn cannot be built;
    with a pruner, how many epochs it lets be trained."""
    wide = {"architecture": {"pool": {"int": {"min": 1, "max": 40}}}}
    words = ("search.strategy=tpe", "search.max_trials=12", "search.pruner=top_k", "search.keep=2")
    problem = SearchProblem.of(config("training.epochs=3", *words, space=wide))
    history = checked_history(problem)
    history.point(3).state = history.point(4).state = PointState.INFEASIBLE
    said = printed(lambda console: overview(console, Schedule.of(problem, history), 2, ""))
    assert "10 points: 8 to train, 2 infeasible, 0 duplicate; 4 more to train will be proposed by tpe" in said
    assert "the space has 40 points, of which about 20% cannot be built (2 of 10 drawn at random)" in said
    assert "14 trials up to epoch 3 (top_k lets about 18 epochs be trained in all)" in said


def test_what_the_budget_left_out() -> None:
    """Trials that were not begun are counted, with the limits that there are."""
    bounded = SearchProblem.of(config("training.epochs=2", "search.max_epochs=2", space=SPACE))
    history = checked_history(bounded)
    finish(history, 1, epoch(1, 0.25), epoch(2, 0.5))
    said = printed(lambda console: result(console, Schedule.of(bounded, history), Path("s")))
    assert "3 trials not begun: the budget is used up (search.max_epochs=2); a larger one goes on." in said


def test_next_steps_find_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed to be run next names folders that are not the default."""
    monkeypatch.chdir(tmp_path)
    words = ("training.epochs=1", "paths.sweeps=A", "paths.mlruns=B")
    schedule = Schedule.of(problem := SearchProblem.of(config(*words, space=SPACE)), checked_history(problem))
    said = printed(lambda console: print_next_steps(console, schedule, tmp_path / "A" / "mine", False))
    assert re.search(r"^all trials:   \S+ -m src\.compare mine --sweeps A$", said, re.M)
    assert re.search(r"^MLflow:       \S+ -m src\.ui --mlruns B$", said, re.M) and "files:        A/mine\n" in said
    said = printed(lambda console: print_next_steps(console, schedule, tmp_path / "sweeps" / "mine", False))
    assert re.search(r"src\.compare mine$", said, re.M)
    for number in (1, 2, 3, 4):
        finish(schedule.history, number, epoch(1))
    monkeypatch.setattr("src.reporting.console.LEADERS", 1)
    said = printed(lambda console: result(console, schedule, tmp_path / "A" / "mine"))
    assert re.search(r"^… 3 more: \S+ -m src\.compare mine --sweeps A$", said, re.M)


def test_points_that_are_all_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where points have several seeds, what is not shown is counted in points, not in trials."""
    several = SearchProblem.of(config("training.epochs=1", "search.repeats=2", space=SPACE))
    history = checked_history(several)
    for trial in history.trials:
        finish(history, trial.number, epoch(1))
    schedule = Schedule.of(several, history)
    assert "more: " not in printed(lambda console: result(console, schedule, Path("mine")))
    monkeypatch.setattr("src.reporting.console.LEADERS", 1)
    assert "… 3 more: " in printed(lambda console: result(console, schedule, Path("mine")))


def test_how_far_a_stopped_sweep_is() -> None:
    """Trials that are pruned are no loss; what is left may be the evaluation, or only what is written after it."""
    pruning = ("search.pruner=top_k", "search.keep=3", "training.epochs=2")
    schedule = Schedule.of(problem := SearchProblem.of(config(*pruning, space=SPACE)), checked_history(problem))
    history = schedule.history
    for number in (1, 2, 3):
        finish(history, number, epoch(1), epoch(2))
    assert describe_stopped(schedule) == "Stopped: 3 of 4 trials finished, 0 under way"
    for event in (Started(4, 1), EpochEnded(4, epoch(1, 0.01), None), Paused(4), Pruned(4, "place 4 of 4")):
        history.apply(event, 0)
    counts = "3 of 4 trials finished, 1 pruned, 0 under way"
    assert describe_stopped(schedule) == f"Stopped: {counts}, not yet evaluated on test data"
    history.apply(Evaluation(1, history.trial(1).best_epoch, 0.1, 0.9, 0.0), 0)
    assert describe_stopped(schedule) == "Stopped while the report or MLflow was written; all else is done"


@pytest.mark.parametrize(
    ("objective", "target", "words"), [("val_accuracy", 0.5, "a higher"), ("val_loss", 1.0, "a lower")]
)
def test_a_target_that_is_reached(objective: str, target: float, words: str) -> None:
    """In which direction another target would go on."""
    aimed = SearchProblem.of(
        config(f"search.objective={objective}", f"search.target={target}", "training.epochs=1", space=SPACE)
    )
    history = checked_history(aimed)
    finish(history, 1, epoch(1, 0.6, 0.9))
    said = printed(lambda console: result(console, Schedule.of(aimed, history), Path("s")))
    assert f"3 trials not begun: search.target={target:g} is reached; {words} one goes on." in said


def test_what_was_taken_is_counted(problem: SearchProblem, history: History) -> None:
    """Whole trials and beginnings are told apart, with the sweeps that they are from."""
    history.trial(1).origin, history.trial(2).origin = Origin("other", 3), Origin("third", 1)
    history.trial(2).attempts = 2
    said = printed(lambda console: result(console, Schedule.of(problem, history), Path("s")))
    words = "1 trial was taken and 1 trial was begun with what was taken from other sweeps"
    assert f"{words} (search.reuse=false trains anew): other and third." in said


def test_result(problem: SearchProblem, history: History) -> None:
    """The winner with its test accuracy, how often the sweep was evaluated on test data, and what failed."""
    history.apply(Evaluation(2, 1, 0.75, 0.625, 0), 0)
    text = printed(lambda console: result(console, Schedule.of(problem, history), Path("mine")))
    assert "trial 2, has a test accuracy of 0.6250 (loss 0.7500)" in text and "evaluated on test data once" in text
    assert "trial 3 failed: the loss is nan" in text
    assert "search.retry_failed=true" not in text, "a NaN would come again"
    nothing = Schedule.of(problem, History(ACCURACY))
    assert "No trial has finished." in printed(lambda console: result(console, nothing, Path("mine")))


def test_result_with_the_data(problem: SearchProblem, history: History) -> None:
    """The test accuracy has its interval, and what a constant answer would score stands beside it; who is no better."""
    labels = np.repeat(np.arange(2, dtype=np.int32), [30, 10])
    part = Part(np.zeros((40, 4, 4, 1), np.uint8), labels)
    data = Dataset("mine", part, part, part, 2, 1.0, "0" * 64, "resize")
    history.apply(Evaluation(2, 1, 0.75, 0.625, 0), 0)
    text = printed(lambda console: result(console, Schedule.of(problem, history), Path("mine"), data))
    assert "a test accuracy of 0.6250 (95% interval 0.4703 to 0.7578, loss 0.7500)" in text
    assert "Always answering class 0, the largest, would score 0.7500 on validation and test data." in text
    assert "None of the 2 trials is more accurate on validation data than always answering class 0, the largest" in text


@pytest.mark.parametrize(
    "words",
    ["no [Op:Conv2D]", "shape [2, 3]", "on [gpu]", "at [/device:GPU:0]"],
)
def test_a_failure_is_told_in_its_own_words(problem: SearchProblem, history: History, words: str) -> None:
    """Brackets in an error's message are printed as they are."""
    history.trial(3).reason = words
    assert f"failed: {words}" in printed(lambda console: result(console, Schedule.of(problem, history), Path("mine")))


def test_an_evaluation_that_failed_is_said(problem: SearchProblem, history: History) -> None:
    """Without a look at the test data the reason is given, and how to try again."""
    for words in ("out of memory", "ended by SIGKILL"):
        history.apply(Failed(EvaluateJob(2, 1, trial_config(), File("w", "0")), Cause.CRASH, words), 0)
    text = printed(lambda console: result(console, Schedule.of(problem, history), Path("mine")))
    assert (
        "trial 2 could not be evaluated on the test images: ended by SIGKILL; search.retries=2 tries once more" in text
    )
