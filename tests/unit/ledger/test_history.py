"""What each event changes in the rows."""

from typing import Any

import pytest

from src.ledger.events import Dropped, EpochEnded, Failed, Reused, Started, Stopped, Tracked
from src.ledger.history import History
from src.ledger.jobs import CheckJob, TrainJob
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, Invocation, PointState
from src.search.problem import Plan
from tests.unit.examples import SPACE, checked_history, config, epoch, file, finish


def rows_of_a_grid() -> History:
    """Four points, four trials."""
    return checked_history(Plan.of(config(space=SPACE)))


def training(trial: int) -> TrainJob:
    """A trial under way."""
    return TrainJob(trial, 1, {}, 1, "val_accuracy", 2, None, ())


def test_epochs_are_counted_once() -> None:
    """An epoch that comes again after a kill keeps its first time, so that MLflow does not get it twice."""
    history = rows_of_a_grid()
    for one in (epoch(1, 0.1), epoch(2, 0.2), epoch(3, 0.3), epoch(2, 0.2, seconds=9.0)):
        history.apply(EpochEnded(1, one, None), 0)
    assert [(one.number, one.seconds) for one in history.trial(1).epochs] == [(1, 2.0), (2, 2.0), (3, 2.0)]


@pytest.mark.parametrize(("objective", "best"), [("val_accuracy", 2), ("val_loss", 3)])
def test_the_best_epoch(objective: str, best: int) -> None:
    """The first of the best by the objective, ties by the other."""
    history = checked_history(Plan.of(config(f"search.objective={objective}", space=SPACE)))
    results = [(0.5, 0.9), (0.7, 0.8), (0.6, 0.7), (0.7, 0.8)]
    for number, result in enumerate(results, 1):
        history.apply(EpochEnded(1, epoch(number, *result), None), 0)
    trial = history.trial(1)
    assert (trial.best_epoch, trial.objective) == (best, results[best - 1][objective == "val_loss"])


def test_a_checkpoint_stays_until_the_next() -> None:
    """An epoch without a checkpoint leaves the one before in place."""
    history = rows_of_a_grid()
    history.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    history.apply(EpochEnded(1, epoch(2), None), 0)
    assert (history.trial(1).checkpoint, history.trial(1).checkpoint_epoch) == (file("1-1"), 1)


def test_states_of_a_trial() -> None:
    """Waiting, running, interrupted, failed, finished, as the events say."""
    history = rows_of_a_grid()
    trial = history.trial(1)
    states = [trial.state]
    events: list[Any] = [
        Started(1, 1),
        Stopped(1),
        Started(1, 2),
        Failed(training(1), Cause.CRASH, "its end"),
        Started(1, 3),
    ]
    for event in events:
        history.apply(event, 0)
        states.append(trial.state)
    finish(history, 1, epoch(1), reason="early stopping")
    states.append(trial.state)
    assert states == ["waiting", "running", "interrupted", "running", "failed", "running", "finished"]
    assert (trial.crashes, trial.reason, trial.weights) == (1, "early stopping", file("1-best"))
    history.apply(Tracked(1, "run"), 0)
    history.apply(Dropped(1), 0)
    assert (trial.run_id, trial.checkpoint, trial.checkpoint_epoch, trial.weights) == ("run", None, 0, None)


def test_a_result_that_is_taken() -> None:
    """What another sweep has trained stands as if it had been trained now, with its origin; MLflow is to hear of it."""
    history = rows_of_a_grid()
    history.apply(Started(1, 1), 0)
    history.apply(EpochEnded(1, epoch(1, 0.1), file("1-1")), 0)
    history.apply(Stopped(1), 0)
    history.apply(Tracked(1, "run"), 0)
    epochs, best = (epoch(1, 0.1), epoch(2, 0.3, seconds=7.0), epoch(3, 0.2)), file("1-best")
    event = Reused(1, 2, "other trial 7", epochs, "finished", "early stopping", "", file("1-3"), best, file("1-each"))
    changed = history.apply(event, 5000)
    trial = history.trial(1)
    assert (trial.state, trial.reason, trial.attempts, trial.run_id) == ("finished", "early stopping", 2, "")
    assert (trial.best_epoch, trial.objective, trial.origin) == (2, 0.3, "other trial 7")
    assert (trial.checkpoint, trial.checkpoint_epoch, trial.weights) == (file("1-3"), 3, best)
    assert [(one.seconds, one.ended) for one in trial.epochs] == [(2.0, 1001.0), (7.0, 5000), (2.0, 5000)]
    assert changed == [trial, *((trial, one) for one in trial.epochs)]


def test_epochs_that_are_taken_without_a_checkpoint() -> None:
    """The trial's own checkpoint stays, and it is not finished."""
    history = rows_of_a_grid()
    history.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    history.apply(Reused(1, 2, "other trial 7", (epoch(1), epoch(2)), "paused"), 0)
    trial = history.trial(1)
    assert (trial.state, len(trial.epochs), trial.weights) == ("paused", 2, None)
    assert (trial.checkpoint, trial.checkpoint_epoch) == (file("1-1"), 1)


def test_a_check_that_ends_its_worker() -> None:
    """A point whose check ends the worker twice cannot be built; once may be chance."""
    history = History(ACCURACY, points=checked_history(Plan.of(config(space=SPACE))).points)
    history.points[0].state = PointState.UNCHECKED
    death = Failed(CheckJob(1, {}), Cause.CRASH, "out of memory")
    history.apply(death, 0)
    assert history.point(1).state == PointState.UNCHECKED
    history.apply(death, 0)
    assert history.point(1).state == PointState.INFEASIBLE and "out of memory" in history.point(1).reason
    assert [failure.number for failure in history.failures] == [1, 2]


@pytest.mark.parametrize("event", [Started(1, 1), Stopped(1), EpochEnded(1, epoch(1), None), Dropped(1)])
def test_only_the_trial_of_an_event_changes(event: Any) -> None:
    """An event about one trial leaves the others, and returns what is to be written."""
    history = rows_of_a_grid()
    before = repr(history.trials[1:])
    changed = history.apply(event, 0)
    assert repr(history.trials[1:]) == before and history.trial(1) in changed


def test_time_of_an_invocation() -> None:
    """An invocation lasts until its last event, even if the clock is set back."""
    history = rows_of_a_grid()
    history.apply(Invocation(1, 100, 100, "here", 1, {}, {}), 100)
    changed = history.apply(Started(1, 1), 130)
    assert history.seconds() == 30 and history.invocations[0] in changed
    history.apply(Stopped(1), 90)
    assert history.seconds() == 0


def test_the_time_between_invocations_does_not_count() -> None:
    """Two invocations of 30 s with a day between them are a minute (of max_seconds)."""
    history = rows_of_a_grid()
    for start in (100, 100_000):
        history.apply(Invocation(len(history.invocations) + 1, start, start, "here", 1, {}, {}), start)
        history.apply(Started(1, 1), start + 30)
    assert history.seconds() == 60
