"""What next: decided from records alone. No worker runs here; the records are written by hand."""

from typing import Any

import pytest

from src.ledger.events import EpochEnded, Failed, Started, Stopped
from src.ledger.jobs import CheckJob, EvaluateJob, ProbeJob, TrainJob
from src.ledger.objective import LOSS
from src.ledger.records import Cause, Evaluation, Probe
from src.search.proposals import next_point
from src.search.schedule import failed_for_good, is_tried_again, new_trials, next_job
from tests.unit.examples import add_trials, check, epoch, file, finish, prepared, propose
from tests.unit.search.playing import both, fail, probed, small, train_of


def test_trials_share_their_seed() -> None:
    """Points are compared on equal seeds, which follow from the sweep's."""
    seeds = {trial.seed for trial in prepared(small()).history.trials}
    others = {trial.seed for trial in prepared(small("search.seed=1")).history.trials}
    assert len(seeds) == len(others) == 1 and seeds != others


# ------------------------------------------------------------------------------------------ the order


def test_check_probe_train_evaluate() -> None:
    """First every point is checked, then a few are probed, then trials train in order, then the winner is evaluated."""
    schedule = small()
    history = schedule.history
    propose(schedule)
    order: list[str] = []
    while job := next_job(schedule, ()):
        match job:
            case CheckJob(point=number):
                check(history, number, size=number)
            case ProbeJob(point=number):
                history.apply(Probe(number, job.operations, 1.0, 0.001), 0)
            case TrainJob(trial=number):
                finish(history, number, *both(0.1, 0.1 * number))
            case EvaluateJob(trial=number):
                history.apply(Evaluation(number, job.epoch, 1.0, 0.5, 0.0), 0)
        for trial in new_trials(schedule):
            history.apply(trial, 0)
        order.append(f"{type(job).__name__.removesuffix('Job').lower()} {number}")
    checks, probes, trains = ([f"{word} {n}" for n in range(1, 5)] for word in ("check", "probe", "train"))
    assert order == [*checks, probes[0], probes[2], probes[3], *trains, "evaluate 4"]


def test_nothing_trains_while_a_point_is_unchecked() -> None:
    """As long as one check is under way there is nothing to do for others, and no trial has a number."""
    schedule = small()
    history = schedule.history
    propose(schedule)
    for number in (2, 3, 4):
        check(history, number)
    last = next_job(schedule, ())
    assert isinstance(last, CheckJob) and last.point == 1
    assert next_job(schedule, [last]) is None and new_trials(schedule) == []


def test_work_carries_everything() -> None:
    """Training gets the configuration with its epochs, the trial's seed, the objective and how far to go."""
    schedule = probed("search.objective=val_loss")
    history = schedule.history
    job = train_of(schedule)
    assert job.last_epoch == job.until == 2 and job.configuration == history.points[0].configuration
    assert (job.trial, job.attempt, job.seed, job.objective) == (1, 1, history.trials[0].seed, LOSS)
    assert (job.checkpoint, job.epochs) == (None, ())


def test_no_trial_is_given_twice() -> None:
    """What is under way is not given to another worker, and the winner is not evaluated before all have ended."""
    schedule = probed("search.max_trials=2")
    history = schedule.history
    first = train_of(schedule)
    second = train_of(schedule, (first,))
    assert (first.trial, second.trial) == (1, 2)
    finish(history, 1, *both(0.5, 0.6))
    assert next_job(schedule, [second]) is None


def test_ahead_only_stops_before_training() -> None:
    """A preview checks and probes, no more."""
    assert isinstance(next_job(prepared(small()), (), ahead_only=True), ProbeJob)
    assert next_job(probed(), (), ahead_only=True) is None


def test_a_probe_that_fails_is_left_out() -> None:
    """A probe that crashes twice does not keep the trials from training."""
    schedule = prepared(small("search.max_trials=1", "preview=true"))
    history = schedule.history
    for _ in range(2):
        job = next_job(schedule, ())
        assert isinstance(job, ProbeJob)
        history.apply(Failed(job, Cause.CRASH, "out of memory"), 0)
    assert train_of(schedule).trial == 1


def test_the_same_history_gives_the_same_answer() -> None:
    """A schedule made anew from the history of another answers as that one does: nothing is remembered elsewhere."""
    schedule = probed("search.max_trials=3")
    history = schedule.history
    finish(history, 1, *both(0.5, 0.6))
    anew = small("search.max_trials=3", history=history)
    assert next_point(anew) is next_point(schedule) is None
    assert next_job(anew, ()) == next_job(schedule, ()) == train_of(schedule)


# ----------------------------------------------------------------------------------- failed and resumed


@pytest.mark.parametrize(
    ("kind", "retries", "attempts"),
    [("crash", 0, 1), ("crash", 1, 2), ("crash", 3, 4), ("nan", 3, 1)],
)
def test_retries(kind: Any, retries: int, attempts: int) -> None:
    """A crash is tried again as often as asked, a loss that is no number never; then the next trial comes."""
    schedule = probed(f"search.retries={retries}", "search.max_trials=2")
    history = schedule.history
    for attempt in range(1, attempts + 1):
        job = train_of(schedule)
        assert (job.trial, job.attempt) == (1, attempt)
        history.apply(Started(1, attempt), 0)
        history.apply(Failed(job, kind, "its end"), 0)
    assert (train_of(schedule).trial, history.trials[0].reason) == (2, "its end")
    assert [trial.number for trial in failed_for_good(schedule)] == [1]


def test_what_is_tried_again() -> None:
    """A trial and an evaluation as often as retries say, a check and a probe once more."""
    schedule = small("search.max_trials=1", "search.retries=1", "preview=true")
    history = schedule.history
    propose(schedule)
    for is_again in (True, False):
        job = next_job(schedule, ())
        assert isinstance(job, CheckJob)
        history.apply(Failed(job, Cause.CRASH, "its end"), 0)
        assert is_tried_again(schedule, job) == is_again
    propose(schedule)
    check(history, 2)
    add_trials(schedule)
    for is_again in (True, False):
        probe = next_job(schedule, ())
        assert isinstance(probe, ProbeJob)
        history.apply(Failed(probe, Cause.CRASH, "its end"), 0)
        assert is_tried_again(schedule, probe) == is_again
    for cause, is_again in ((Cause.CRASH, True), (Cause.NAN, False)):
        train = train_of(schedule)
        fail(history, train, cause)
        assert is_tried_again(schedule, train) == is_again
    finish(history, 1, *both(0.5, 0.6))
    for is_again in (True, False):
        evaluation = next_job(schedule, ())
        assert isinstance(evaluation, EvaluateJob)
        history.apply(Failed(evaluation, Cause.CRASH, "its end"), 0)
        assert is_tried_again(schedule, evaluation) == is_again


def test_a_crash_goes_on_from_its_checkpoint() -> None:
    """The next attempt gets the last checkpoint and the epochs that it has seen, and no later ones."""
    schedule = probed("training.epochs=5")
    history = schedule.history
    first, second, third = both(0.1, 0.2, 0.3)
    history.apply(Started(1, 1), 0)
    for one, saved in ((first, None), (second, file("1-2")), (third, None)):
        history.apply(EpochEnded(1, one, saved), 0)
    history.apply(Failed(train_of(schedule), Cause.CRASH, ""), 0)
    job = train_of(schedule)
    assert (job.trial, job.attempt, job.checkpoint, job.epochs) == (1, 2, file("1-2"), (first, second))


def test_a_damaged_checkpoint_starts_anew() -> None:
    """Where the checkpoint cannot be read the trial begins at its first epoch; that is no crash."""
    schedule = probed("training.epochs=5", "search.retries=0")
    history = schedule.history
    history.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    history.apply(Failed(train_of(schedule), Cause.DAMAGED, ""), 0)
    job = train_of(schedule)
    assert (job.trial, job.checkpoint, job.epochs) == (1, None, ())


def test_damaged_checkpoints_are_made_anew_five_times() -> None:
    """A disk that damages everything does not keep a trial for ever; failures of other kinds count too."""
    schedule = probed("search.max_trials=1", "search.retries=9")
    history = schedule.history
    for cause in (Cause.DAMAGED, Cause.CRASH, *[Cause.DAMAGED] * 3):
        fail(history, train_of(schedule), cause)
    assert train_of(schedule).attempt == 6 and failed_for_good(schedule) == []
    fail(history, train_of(schedule), Cause.DAMAGED)
    assert next_job(schedule, ()) is None and failed_for_good(schedule) == history.trials


def test_interrupted_trials_come_first() -> None:
    """What was put down is taken up before a new trial starts."""
    schedule = probed()
    history = schedule.history
    history.apply(Started(1, 1), 0)
    history.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    history.apply(Stopped(1), 0)
    job = train_of(schedule)
    assert (job.trial, job.attempt, job.checkpoint) == (1, 2, file("1-1"))
