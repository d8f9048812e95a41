"""The final model is evaluated on test data once, and again only where it is another one."""

from typing import Any

import pytest

from src.ledger.events import Dropped, Failed
from src.ledger.jobs import EvaluateJob
from src.ledger.records import Cause, Evaluation
from src.search.schedule import next_job
from tests.unit.examples import file, finish
from tests.unit.search.playing import both, probed, small, train_of


def test_the_test_set_is_looked_at_once_for_each_winner() -> None:
    """The winner is evaluated once, at its best epoch; a new winner once more; a winner as before not again."""
    schedule = probed("search.max_trials=1")
    history = schedule.history
    finish(history, 1, *both(0.6, 0.5))
    job = next_job(schedule, ())
    assert isinstance(job, EvaluateJob) and (job.trial, job.epoch, job.weights) == (1, 1, file("1-best"))
    history.apply(Evaluation(1, 1, 1.0, 0.5, 0.0), 0)
    assert next_job(schedule, ()) is None

    more = small("training.epochs=3", "search.max_trials=1", history=history)
    finish(history, 1, *both(0.6, 0.5, 0.5))  # no better epoch
    assert next_job(more, ()) is None
    finish(history, 1, *both(0.6, 0.5, 0.7))
    job = next_job(more, ())
    assert isinstance(job, EvaluateJob) and (job.trial, job.epoch) == (1, 3)


@pytest.mark.parametrize("kind", ["crash", "damaged"])
def test_an_evaluation_that_fails(kind: Any) -> None:
    """It is tried twice, after training anew where its weights were damaged; then the sweep ends without it."""
    schedule = probed("search.max_trials=1")
    history = schedule.history
    for _ in range(2):
        if not isinstance(next_job(schedule, ()), EvaluateJob):
            assert train_of(schedule).checkpoint is None
            finish(history, 1, *both(0.5, 0.6))
        job = next_job(schedule, ())
        assert isinstance(job, EvaluateJob)
        history.apply(Failed(job, kind, "its end"), 0)
    if kind == "damaged":
        finish(history, 1, *both(0.5, 0.6))
    assert next_job(schedule, ()) is None


def test_an_evaluation_that_crashes_is_tried_as_often_as_a_trial() -> None:
    """A worker that dies of it is replaced and the test data looked at again, up to search.retries times; more goes on."""
    history = probed("search.max_trials=1").history
    finish(history, 1, *both(0.5, 0.6))
    for _ in range(3):
        job = next_job(small("search.max_trials=1", "search.retries=2", history=history), ())
        assert isinstance(job, EvaluateJob)
        history.apply(Failed(job, Cause.CRASH, "ended by SIGKILL"), 0)
    assert next_job(small("search.max_trials=1", "search.retries=2", history=history), ()) is None
    assert isinstance(next_job(small("search.max_trials=1", "search.retries=3", history=history), ()), EvaluateJob)


def test_a_winner_without_weights_is_trained_anew() -> None:
    """Where the weights of the final model were dropped before its look at the test data, they are made once more."""
    schedule = probed("search.max_trials=1")
    history = schedule.history
    finish(history, 1, *both(0.5, 0.6))
    history.apply(Dropped(1), 0)
    job = train_of(schedule)
    assert (job.trial, job.checkpoint, job.epochs, job.until) == (1, None, (), 2)
    finish(history, 1, *both(0.5, 0.6))
    assert isinstance(next_job(schedule, ()), EvaluateJob)
