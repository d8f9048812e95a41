"""How far a budget reaches: of trials, epochs, seconds, or up to a target."""

import pytest

from src.ledger.events import Dropped, Started, Stopped
from src.ledger.jobs import EvaluateJob
from src.ledger.records import Evaluation, Invocation, Probe
from src.search.schedule import next_job
from tests.unit.examples import epoch, file, finish, prepared
from tests.unit.search.playing import both, probed, small, train_of


def test_max_seconds() -> None:
    """After that time no trial is started, but one that was begun is finished, and the winner evaluated."""
    schedule = probed("search.max_seconds=100")
    history = schedule.history
    invocation = Invocation(1, 0, 99, "here", 1, {}, {})
    history.invocations.append(invocation)
    assert train_of(schedule).trial == 1
    history.apply(Started(1, 1), 99)
    history.apply(Stopped(1), 101)
    assert train_of(schedule).trial == 1
    finish(history, 1, *both(0.5, 0.6))
    invocation.ended = 101
    assert isinstance(next_job(schedule, ()), EvaluateJob)


def test_fewer_trials_train_no_more() -> None:
    """max_trials is a total: lowered on resume, trials beyond it that wait are not started."""
    history = probed().history
    fewer = small("search.max_trials=2", history=history)
    finish(history, 1, *both(0.5, 0.6))
    finish(history, 2, *both(0.5, 0.5))
    assert isinstance(next_job(fewer, ()), EvaluateJob)


def test_more_epochs_extend_what_has_finished() -> None:
    """Finished trials go on from their checkpoints, but those that were stopped early stay as they are."""
    history = probed("search.max_trials=2").history
    finish(history, 1, *both(0.5, 0.6), reason="early stopping")
    finish(history, 2, *both(0.5, 0.6))
    more = small("training.epochs=5", "search.max_trials=2", history=history)
    job = train_of(more)
    assert (job.trial, job.until, job.checkpoint, len(job.epochs)) == (2, 5, file("2-2"), 2)
    finish(history, 2, *both(0.5, 0.6, 0.7, 0.7, 0.7))
    assert isinstance(next_job(more, ()), EvaluateJob)


@pytest.mark.parametrize(("objective", "target"), [("val_accuracy", 0.9), ("val_loss", 0.1)])
def test_a_target_ends_the_search(objective: str, target: float) -> None:
    """Once a trial is as good as the target no other is begun; a better target goes on."""
    schedule = probed(f"search.objective={objective}", f"search.target={target}")
    history = schedule.history
    finish(history, 1, epoch(1, 0.8, 0.2), epoch(2, 0.85, 0.15))
    assert train_of(schedule).trial == 2
    finish(history, 2, epoch(1, 0.9, 0.1), epoch(2, 0.8, 0.2))
    assert isinstance(next_job(schedule, ()), EvaluateJob)
    better = 0.95 if objective == "val_accuracy" else 0.05
    assert train_of(small(f"search.objective={objective}", f"search.target={better}", history=history)).trial == 3


def test_a_dropped_checkpoint_is_trained_anew() -> None:
    """Without its checkpoint a finished trial begins again when it is extended, and not otherwise."""
    schedule = probed("search.max_trials=1")
    history = schedule.history
    finish(history, 1, *both(0.5, 0.6))
    history.apply(Evaluation(1, 2, 1.0, 0.5, 0.0), 0)
    history.apply(Dropped(1), 0)
    assert next_job(schedule, ()) is None
    job = train_of(small("training.epochs=3", "search.max_trials=1", history=history))
    assert (job.checkpoint, job.epochs, job.until) == (None, (), 3)


def test_fewer_epochs_never_shrink() -> None:
    """New trials train as far as those before them, so that all stay comparable."""
    history = probed("training.epochs=4").history
    finish(history, 1, *both(0.1, 0.2, 0.3, 0.4))
    fewer = small("training.epochs=1", history=history)
    assert fewer.until == 4
    job = train_of(fewer)
    assert (job.trial, job.until, job.last_epoch) == (2, 4, 4)


def test_epochs_are_a_budget_too() -> None:
    """No trial is begun once all together have had search.max_epochs; with more, the search goes on."""
    schedule = prepared(small("search.max_epochs=3"))
    history = schedule.history
    history.apply(Probe(1, 1, 1.0, 1.0), 0)
    finish(history, 1, *both(0.5, 0.6))
    assert train_of(schedule).trial == 2
    finish(history, 2, *both(0.5, 0.6))
    assert isinstance(next_job(schedule, ()), EvaluateJob)
    assert train_of(small("search.max_epochs=5", history=history)).trial == 3
