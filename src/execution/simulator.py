"""A backend whose jobs are answered by a function: what benchmarks and tests drive the real loop with."""

from collections import deque
from collections.abc import Callable, Iterable

from src.ledger.events import EpochEnded, Event, Stopped
from src.ledger.jobs import Job, Slot, TrainJob
from src.ledger.records import File

FILE = File("none", "")  # stands for every file of a job that was not trained

Answer = Callable[[Job], Iterable[Event]]  # all events of a job, in order


class Simulator:
    """Slots whose jobs take no time: each gives its events one after the other, the slots in turn."""

    def __init__(self, answer: Answer, count: int = 1) -> None:
        self.answer = answer
        self.jobs: dict[int, Job | None] = dict.fromkeys(range(1, count + 1))
        self.events: dict[int, deque[Event]] = {}
        self.turns: deque[int] = deque()
        self.is_stopping = False

    def slots(self) -> list[Slot]:
        """All slots as they are now."""
        return [Slot(number, True, job) for number, job in self.jobs.items()]

    def give(self, slot: int, job: Job) -> None:
        """Have a free slot run a job."""
        assert self.jobs[slot] is None
        self.jobs[slot], self.events[slot] = job, deque(self.answer(job))
        self.turns.append(slot)

    def next_event(self, seconds: float) -> Event | None:
        """The next event, at once; None where no job is under way."""
        if not self.turns:
            return None
        slot = self.turns.popleft()
        job, events = self.jobs[slot], self.events[slot]
        event = events.popleft()
        if self.is_stopping and isinstance(job, TrainJob) and isinstance(event, EpochEnded) and len(events) > 1:
            events.clear()
            events.append(Stopped(job.trial))
        if events:
            self.turns.append(slot)
        else:
            self.jobs[slot] = None
        return event

    def stop(self) -> None:
        """Jobs are put down after their next epoch."""
        self.is_stopping = True

    def close(self) -> None:
        """Forget all jobs."""
        self.turns.clear()
        self.jobs = dict.fromkeys(self.jobs)
