"""The simulator gives what its function answers, slot after slot, and takes no time."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from src.execution.simulator import Simulator
from src.ledger.events import EpochEnded, Event, Failed, Finished, Paused, Stopped
from src.ledger.jobs import CheckJob, Job
from src.ledger.records import Cause
from tests.unit.examples import train_job, trial_config
from tests.unit.execution.answers import answer, hear_all


def shown(events: list[Event]) -> list[str]:
    """Trials' events in short: `1: 3` of an epoch, `1: Finished`."""
    return [
        f"{event.trial}: {event.epoch.number if isinstance(event, EpochEnded) else type(event).__name__}"
        for event in events
        if isinstance(event, EpochEnded | Finished | Paused | Stopped)
    ]


def test_slots_take_turns() -> None:
    """Each slot gives one event, then the next one does; so two jobs of different lengths always mix the same way."""
    backend = Simulator(answer, 3)
    for slot, trial in ((3, 1), (1, 2)):
        backend.give(slot, train_job(trial, until=1 + trial))
    assert shown(hear_all(backend)) == ["1: 1", "2: 1", "1: 2", "2: 2", "1: Finished", "2: 3", "2: Finished"]


def test_a_slot_that_was_freed_comes_last() -> None:
    """A job given while others are under way has its first turn after theirs."""
    backend = Simulator(answer, 2)
    backend.give(1, CheckJob(1, trial_config()))
    backend.give(2, train_job(1, until=2))
    backend.next_event(0)
    backend.give(1, train_job(2, until=1))
    assert shown(hear_all(backend)) == ["1: 1", "2: 1", "1: 2", "2: Finished", "1: Finished"]


def test_it_is_asked_when_a_job_is_given() -> None:
    """The function is asked for a job once, when it is given; what it answers may be an error."""
    asked: list[Job] = []

    def fail(job: Job) -> Iterator[Event]:
        asked.append(job)
        return iter([Failed(job, Cause.CRASH, "an error")])

    backend, job = Simulator(fail), train_job()
    backend.give(1, job)
    assert asked == [job]
    assert hear_all(backend) == [Failed(job, Cause.CRASH, "an error")] and asked == [job]


def test_one_job_a_slot() -> None:
    """Two jobs for a slot are an error of whoever gives them."""
    backend = Simulator(answer)
    backend.give(1, train_job())
    with pytest.raises(AssertionError):
        backend.give(1, train_job(2))


def test_stopped_after_the_running_epoch() -> None:
    """Asked to stop, a training gives the epoch that runs, and is put down; one that has no further epoch ends as ever,
    and so does a job that trains nothing."""
    backend = Simulator(answer, 4)
    trials = [train_job(1, until=9), train_job(2, until=1), replace(train_job(3, until=1), pauses=True)]
    jobs: list[Job] = [*trials, CheckJob(1, trial_config())]
    for slot, job in enumerate(jobs, 1):
        backend.give(slot, job)
    backend.stop()
    events = hear_all(backend)
    assert shown(events) == ["1: 1", "2: 1", "3: 1", "1: Stopped", "2: Finished", "3: Paused"]
    assert len(events) == 7


def test_closed() -> None:
    """After its end nothing is under way and nothing comes."""
    backend = Simulator(answer, 2)
    backend.give(2, train_job())
    backend.close()
    assert backend.next_event(0) is None and all(slot.is_free for slot in backend.slots())
