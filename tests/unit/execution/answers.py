"""What a backend without training answers, how to hear it, and a sweep that runs on it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from src.base.processes import Interrupt
from src.execution.backend import Backend
from src.execution.coordinator import Coordinator
from src.execution.simulator import FILE, Answer, Simulator
from src.ledger.database import Ledger, read_history
from src.ledger.events import Checked, EpochEnded, Event, Finished, Paused
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob, Slot, TrainJob
from src.ledger.records import Evaluation, Point, Probe, Trial, TrialState
from src.search.problem import SearchProblem
from src.search.schedule import Schedule
from tests.unit.examples import SPACE, config, epoch

LONGEST = 240  # looks of half a second, after which a backend counts as hanging


def answer(job: Job) -> Iterator[Event]:
    """All goes well: a point has as many parameters as its number says, trial n comes to an accuracy of n/10."""
    match job:
        case CheckJob(point=number):
            yield Checked(number, "", 100 * number, 1000 * number, 1200 * number)
        case ProbeJob(point=number):
            yield Probe(number, job.operations, 1.0, 0.001)
        case TrainJob(trial=number):
            for one in range(len(job.epochs) + 1, job.until + 1):
                yield EpochEnded(number, epoch(one, number / 10 + one / 1000), FILE)
            yield Paused(number) if job.pauses else Finished(number, FILE)
        case EvaluateJob(trial=number):
            yield Evaluation(number, job.epoch, 1.0, 0.5, 0.0)


def hear(backend: Backend) -> Event:
    """The next event, of whichever job."""
    for _ in range(LONGEST):
        if event := backend.next_event(0.5):
            return event
    raise AssertionError(f"no event came: {backend.slots()}")


def hear_all(backend: Backend) -> list[Event]:
    """All events until nothing is under way."""
    events = []
    while any(slot.job for slot in backend.slots()):
        events.append(hear(backend))
    return events


def wait_until_free(backend: Backend) -> list[Slot]:
    """The slots, once all are ready and nothing is under way."""
    for _ in range(LONGEST):
        if all(slot.is_free for slot in backend.slots()):
            return backend.slots()
        assert backend.next_event(0.5) is None
    raise AssertionError(f"not all slots became free: {backend.slots()}")


def run_job(backend: Backend, job: Job, slot: int = 1) -> list[Event]:
    """All events of a job that is alone."""
    backend.give(slot, job)
    return hear_all(backend)


@dataclass
class Sweep:
    """A sweep in a folder, taken up as its ledger has it; what is saved and heard is kept."""

    folder: Path
    overrides: tuple[str, ...] = ()
    slots: int = 1
    answer: Answer = answer
    saved: list[Any] = field(default_factory=list)
    heard: list[Event | None] = field(default_factory=list)
    stops: int = 0  # times that the user's wish to stop was told

    def __post_init__(self) -> None:
        problem = SearchProblem.of(config("training.epochs=2", *self.overrides, space=SPACE))
        self.ledger = Ledger.open(self.folder, problem.objective)
        schedule = Schedule.of(problem, self.ledger.history)
        self.given: list[Job] = []
        self.backend = Simulator(self.note, self.slots)
        self.own = Coordinator(schedule, self.ledger, self.backend, Interrupt(), self.heard.append)
        self.own.on_stop = self.count_stop
        self.save = self.ledger.save
        self.ledger.save = self.note_saved  # type: ignore[method-assign]

    def note_saved(self, event: Any) -> None:
        """Something is written down."""
        self.saved.append(event)
        self.save(event)

    def note(self, job: Job) -> Iterator[Event]:
        """A job is given."""
        self.given.append(job)
        return iter(self.answer(job))

    def count_stop(self) -> None:
        """The user has asked to stop."""
        self.stops += 1

    def interrupt_at(self, count: int, times: int = 1) -> None:
        """The user asks to stop, once or more often, when so many epochs have ended."""

        def hear(event: Event | None) -> None:
            self.heard.append(event)
            if isinstance(event, EpochEnded) and sum(isinstance(one, EpochEnded) for one in self.heard) == count:
                for _ in range(times):
                    self.own.interrupt.note(2, None)

        self.own.on_event = hear

    def states(self) -> list[TrialState]:
        """Of the trials, as they are on disk."""
        return [trial.state for trial in read_history(self.folder, self.ledger.history.objective).trials]


def describe(event: Any) -> str:
    """What was saved, in short: `epoch 2/1` is the first of trial 2."""
    match event:
        case Point() | Trial():
            return f"{type(event).__name__.lower()} {event.number}"
        case EpochEnded():
            return f"epoch {event.trial}/{event.epoch.number}"
    return f"{type(event).__name__.lower()} {event.point if hasattr(event, 'point') else event.trial}"
