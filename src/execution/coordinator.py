"""The loop of a sweep: ask what is next, give it to a slot, write down what comes back."""

from collections.abc import Callable
from dataclasses import dataclass

from src.base.errors import UserError
from src.base.processes import Interrupt
from src.execution.backend import Backend, jobs_of
from src.ledger.database import Ledger
from src.ledger.events import Checked, Event, Failed, Reused, Started, Stopped
from src.ledger.jobs import CheckJob, TrainJob
from src.ledger.records import Cause
from src.search.proposals import next_point
from src.search.schedule import Schedule, new_trials, newly_pruned, next_job

WAIT = 0.5  # seconds between looks at the clock while no job says anything


@dataclass
class Coordinator:
    """What the loop needs. `on_event` hears of every event, and of None while nothing happens."""

    schedule: Schedule
    ledger: Ledger
    backend: Backend
    interrupt: Interrupt
    on_event: Callable[[Event | None], None]
    reuse: Callable[[TrainJob], Reused | None] = lambda job: None  # what another sweep has of it
    drift: str = ""  # how versions differ from those that trained so far: see `environment`
    ahead_only: bool = False  # check and probe, train nothing
    check: Callable[[CheckJob], Checked | None] = lambda job: None  # what is known of a point without building it
    on_stop: Callable[[], None] = lambda: None  # the user has asked to stop, and jobs are under way


def run(own: Coordinator) -> None:
    """Work until there is nothing left to do, or the user asks to stop. Raises UserError where the disk is full."""
    is_stopping = False
    while own.interrupt.count < 2:
        if own.interrupt.count and not is_stopping:
            is_stopping = True
            own.backend.stop()
            if jobs_of(own.backend.slots()):
                own.on_stop()
        event: Event | None = None if is_stopping else fill(own)
        if not event:
            if is_over(own, is_stopping):
                return
            event = own.backend.next_event(WAIT)
        if event:
            own.ledger.save(event)
        if isinstance(event, Failed) and event.cause == Cause.DISK:
            raise UserError(event.message)
        own.on_event(event)
    for job in jobs_of(own.backend.slots()):  # a second signal: put down at once, to go on from the last checkpoint
        if isinstance(job, TrainJob):
            own.ledger.save(Stopped(job.trial))


def fill(own: Coordinator) -> Checked | Reused | None:
    """Jobs for free slots, and records of what is proposed; up to a job that needs no slot."""
    while slot := next((slot for slot in own.backend.slots() if slot.is_free), None):
        propose(own.schedule, own.ledger)
        job = next_job(own.schedule, jobs_of(own.backend.slots()), own.ahead_only)
        if job is None:
            break
        if isinstance(job, CheckJob) and (checked := own.check(job)):
            return checked
        if isinstance(job, TrainJob):
            if reused := own.reuse(job):
                return reused
            own.ledger.save(Started(job.trial, job.attempt, own.drift))
        own.backend.give(slot.number, job)
    return None


def propose(schedule: Schedule, ledger: Ledger) -> None:
    """Write down what the schedule adds to the history: what is pruned, trials, points."""
    for event in newly_pruned(schedule):
        ledger.save(event)
    for trial in new_trials(schedule):
        ledger.save(trial)
    while point := next_point(schedule):
        ledger.save(point)


def is_over(own: Coordinator, is_stopping: bool) -> bool:
    """Whether nothing is under way and nothing is left to do; only trainings are waited for once it is to stop."""
    jobs = jobs_of(own.backend.slots())
    if is_stopping:
        return not any(isinstance(job, TrainJob) for job in jobs)
    if jobs:
        return False
    propose(own.schedule, own.ledger)
    return next_job(own.schedule, (), own.ahead_only) is None
