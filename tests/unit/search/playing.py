"""A small sweep whose workers are the tests: a schedule on records written by hand."""

from typing import Any

from src.ledger.events import Failed, Started
from src.ledger.history import History
from src.ledger.jobs import Job, TrainJob
from src.ledger.records import Cause, Epoch, Probe
from src.search.schedule import Schedule, next_job
from tests.unit.examples import SPACE, add_trials, epoch, finish, prepared, schedule_of

GOOD = {1: 0.6, 2: 0.9, 3: 0.7, 4: 0.8}  # accuracy of each point, whatever its seed


def small(*overrides: str, space: dict[str, Any] | None = SPACE, history: History | None = None) -> Schedule:
    """The schedule of a small grid of four points (or another space), two epochs each."""
    return schedule_of("training.epochs=2", *overrides, space=space, history=history)


def probed(*overrides: str, space: dict[str, Any] | None = SPACE) -> Schedule:
    """The same, with everything known that must be before the first trial."""
    schedule = prepared(small(*overrides, space=space))
    for point in schedule.history.points:
        schedule.history.apply(Probe(point.number, point.operations, 1.0, 0.001), 0)
    return schedule


def both(*accuracies: float) -> list[Epoch]:
    """An epoch for each accuracy."""
    return [epoch(number, accuracy) for number, accuracy in enumerate(accuracies, 1)]


def train_of(schedule: Schedule, busy: tuple[Job, ...] = ()) -> TrainJob:
    """The next job, which is to train a trial."""
    job = next_job(schedule, busy)
    assert isinstance(job, TrainJob), job
    return job


def add(schedule: Schedule) -> list[tuple[int, int, str, int]]:
    """Number, point, role and repeat of the trials that the schedule adds."""
    return [(trial.number, trial.point, trial.role, trial.repeat) for trial in add_trials(schedule)]


def settle(schedule: Schedule, accuracies: dict[int, float]) -> list[tuple[int, str, int]]:
    """Train everything the schedule asks for; a point's trials all come out so. Returns what was trained, in order."""
    trained: list[tuple[int, str, int]] = []
    while True:
        add_trials(schedule)
        job = next_job(schedule, ())
        if not isinstance(job, TrainJob):
            return trained
        trial = schedule.history.trial(job.trial)
        finish(schedule.history, trial.number, *both(*[accuracies[trial.point]] * job.until))
        trained.append((trial.point, trial.role, trial.repeat))


def fail(history: History, job: TrainJob, cause: Cause = Cause.NAN) -> None:
    """An attempt of a trial fails."""
    history.apply(Started(job.trial, job.attempt), 0)
    history.apply(Failed(job, cause, "its end"), 0)
