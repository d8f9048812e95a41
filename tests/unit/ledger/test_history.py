"""What each event changes in the records, and who hears of it."""

from typing import Any

import pytest

from src.ledger.events import Dropped, EpochEnded, Failed, Finished, Reused, Started, Stopped, Tracked
from src.ledger.history import History
from src.ledger.jobs import CheckJob, EvaluateJob
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, Failure, File, Invocation, Origin, PointState, Record, TrialState
from tests.unit.examples import epoch, file, finish, history_of, train_job, trial_config


def test_epochs_are_counted_once() -> None:
    """An epoch that comes again after a kill keeps its first time, so that MLflow does not get it twice."""
    history = history_of()
    for one in (epoch(1, 0.1), epoch(2, 0.2), epoch(3, 0.3), epoch(2, 0.2, seconds=9.0)):
        history.apply(EpochEnded(1, one, None), 0)
    assert [(one.number, one.seconds) for one in history.trial(1).epochs] == [(1, 2.0), (2, 2.0), (3, 2.0)]


@pytest.mark.parametrize(("objective", "best"), [("val_accuracy", 2), ("val_loss", 3)])
def test_the_best_epoch(objective: str, best: int) -> None:
    """The first of the best by the objective, ties by the other."""
    history = history_of(f"search.objective={objective}")
    results = [(0.5, 0.9), (0.7, 0.8), (0.6, 0.7), (0.7, 0.8)]
    for number, result in enumerate(results, 1):
        history.apply(EpochEnded(1, epoch(number, *result), None), 0)
    trial = history.trial(1)
    assert (trial.best_epoch, trial.objective) == (best, results[best - 1][objective == "val_loss"])


def test_a_checkpoint_stays_until_the_next() -> None:
    """An epoch without a checkpoint leaves the one before in place."""
    history = history_of()
    history.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    history.apply(EpochEnded(1, epoch(2), None), 0)
    assert (history.trial(1).checkpoint, history.trial(1).checkpoint_epoch) == (file("1-1"), 1)


def test_states_of_a_trial() -> None:
    """Waiting, running, interrupted, failed, finished, as the events say."""
    history = history_of()
    trial = history.trial(1)
    states = [trial.state]
    events: list[Any] = [
        Started(1, 1),
        Stopped(1),
        Started(1, 2),
        Failed(train_job(1), Cause.CRASH, "its end"),
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


def test_stopped_early_is_of_the_end() -> None:
    """A trial that is trained again, or whose training fails, has not been stopped early any more."""
    history = history_of()
    trial = history.trial(1)
    seen = []
    for event in (
        Finished(1, file("1-best"), True, "early stopping"),
        Failed(EvaluateJob(1, 1, trial_config(), file("1-best")), Cause.DAMAGED, "its checksum differs"),
        Finished(1, file("1-best"), True, "early stopping"),
        Started(1, 2),
        Finished(1, file("1-best"), True, "early stopping"),
        Failed(train_job(1), Cause.CRASH, "its end"),
        Finished(1, file("1-best")),
    ):
        history.apply(event, 0)
        seen.append((trial.state.value, trial.stopped_early))
    assert seen == [
        ("finished", True),
        ("interrupted", False),
        ("finished", True),
        ("running", False),
        ("finished", True),
        ("failed", False),
        ("finished", False),
    ]


@pytest.mark.parametrize(
    ("cause", "state", "crashes", "checkpoint"),
    [
        (Cause.NAN, "failed", 0, file("1-1")),
        (Cause.CRASH, "failed", 1, file("1-1")),
        (Cause.DAMAGED, "failed", 0, None),  # it starts anew
        (Cause.DISK, "interrupted", 0, file("1-1")),  # it goes on once there is room
    ],
)
def test_causes_of_failure(cause: Cause, state: str, crashes: int, checkpoint: File | None) -> None:
    """What a trial goes on from after its training has failed, and whether that counts against its attempts."""
    history = history_of()
    history.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    history.apply(Failed(train_job(1), cause, "its end"), 12.5)
    trial = history.trial(1)
    assert (trial.state, trial.reason, trial.crashes, trial.checkpoint) == (state, "its end", crashes, checkpoint)
    assert history.failures == [Failure(1, "train", 1, cause, "its end", "", 12.5)]
    assert history.crashes == {("train", 1): 1} and history.last_failures["train", 1] is history.failures[0]


def test_a_damaged_file_of_an_evaluation() -> None:
    """Only weights that are damaged make the trial train again; a crash leaves it as it is."""
    history = history_of()
    finish(history, 1, epoch(1))
    job = EvaluateJob(1, 1, trial_config(), file("1-best"))
    history.apply(Failed(job, Cause.CRASH, "its end"), 0)
    assert (history.trial(1).state, history.trial(1).weights) == ("finished", file("1-best"))
    history.apply(Failed(job, Cause.DAMAGED, "its checksum differs"), 0)
    trial = history.trial(1)
    assert (trial.state, trial.weights, trial.checkpoint, trial.checkpoint_epoch) == ("interrupted", None, None, 0)


def test_a_result_that_is_taken() -> None:
    """What another sweep has trained stands as if it had been trained now, with its origin; MLflow is to hear of it."""
    history = history_of()
    history.apply(Started(1, 1), 0)
    history.apply(EpochEnded(1, epoch(1, 0.1), file("1-1")), 0)
    history.apply(Stopped(1), 0)
    history.apply(Tracked(1, "run"), 0)
    epochs, origin = (epoch(1, 0.1), epoch(2, 0.3, seconds=7.0), epoch(3, 0.2)), Origin("other", 7)
    files: dict[str, Any] = {"checkpoint": file("1-3"), "weights": file("1-best"), "validation": file("1-each")}
    event = Reused(1, 2, origin, epochs, TrialState.FINISHED, True, "early stopping", "numpy 1 → 2", **files)
    changed = history.apply(event, 5000)
    trial = history.trial(1)
    assert (trial.state, trial.reason, trial.stopped_early) == ("finished", "early stopping", True)
    assert (trial.attempts, trial.run_id, trial.drift) == (2, "", "numpy 1 → 2")
    assert (trial.best_epoch, trial.objective, trial.origin) == (2, 0.3, origin)
    assert (trial.checkpoint, trial.checkpoint_epoch) == (file("1-3"), 3)
    assert (trial.weights, trial.validation) == (file("1-best"), file("1-each"))
    assert [(one.seconds, one.ended) for one in trial.epochs] == [(2.0, 1001.0), (7.0, 5000), (2.0, 5000)]
    assert changed == [trial, *((trial, one) for one in trial.epochs)]


def test_epochs_that_are_taken_without_a_checkpoint() -> None:
    """The trial's own checkpoint stays, and it is not finished."""
    history = history_of()
    history.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    history.apply(Reused(1, 2, Origin("other", 7), (epoch(1), epoch(2)), TrialState.PAUSED), 0)
    trial = history.trial(1)
    assert (trial.state, len(trial.epochs), trial.weights) == ("paused", 2, None)
    assert (trial.checkpoint, trial.checkpoint_epoch) == (file("1-1"), 1)


def test_a_check_that_ends_its_worker() -> None:
    """A point whose check ends the worker twice cannot be built; once may be chance."""
    history = History(ACCURACY, points=history_of().points)
    history.points[0].state = PointState.UNCHECKED
    death = Failed(CheckJob(1, trial_config()), Cause.CRASH, "out of memory")
    history.apply(death, 0)
    assert history.point(1).state == PointState.UNCHECKED
    history.apply(death, 0)
    assert history.point(1).state == PointState.INFEASIBLE and "out of memory" in history.point(1).reason
    assert [failure.number for failure in history.failures] == [1, 2]


@pytest.mark.parametrize("event", [Started(1, 1), Stopped(1), EpochEnded(1, epoch(1), None), Dropped(1)])
def test_only_the_trial_of_an_event_changes(event: Any) -> None:
    """An event about one trial leaves the others, and returns what is to be written."""
    history = history_of()
    before = repr(history.trials[1:])
    changed = history.apply(event, 0)
    assert repr(history.trials[1:]) == before and history.trial(1) in changed


def test_time_of_an_invocation() -> None:
    """An invocation lasts until its last event, even if the clock is set back."""
    history = history_of()
    history.apply(Invocation(1, 100, 100, "here", 1, {}, {}), 100)
    changed = history.apply(Started(1, 1), 130)
    assert history.seconds() == 30 and history.invocations[0] in changed
    history.apply(Stopped(1), 90)
    assert history.seconds() == 0


def test_the_time_between_invocations_does_not_count() -> None:
    """Two invocations of 30 s with a day between them are a minute (of max_seconds)."""
    history = history_of()
    for start in (100, 100_000):
        history.apply(Invocation(len(history.invocations) + 1, start, start, "here", 1, {}, {}), start)
        history.apply(Started(1, 1), start + 30)
    assert history.seconds() == 60


def test_followers_hear_of_every_record_that_changed() -> None:
    """In their order, with what the event made of them, the invocation last; and only once it is so."""
    history = history_of()
    history.apply(Invocation(1, 100, 100, "here", 1, {}, {}), 100)
    heard: list[Record] = []
    states: list[TrialState] = []
    history.followers += [heard.append, lambda _: states.append(history.trial(1).state)]
    changed = history.apply(Started(1, 1), 130)
    assert heard == changed == [history.trial(1), history.invocations[0]] and states == [TrialState.RUNNING] * 2
    heard.clear()
    history.apply(EpochEnded(1, epoch(1), None), 140)
    assert heard == [history.trial(1), (history.trial(1), epoch(1)), history.invocations[0]]


def test_a_history_is_equal_whoever_follows() -> None:
    """Two that have the same records are equal."""
    one, other = history_of(), history_of()
    one.followers.append(print)
    assert one == other
    other.apply(Started(1, 1), 0)
    assert one != other
