"""Where jobs run, as the coordinator sees it: slots, give a job, next event, stop, close.

Only the coordinator writes the ledger: a backend says what happened, and where the files of a job lie.
"""

from collections.abc import Sequence
from typing import Protocol

from src.ledger.events import Event
from src.ledger.jobs import Job, Slot


class Backend(Protocol):
    """Runs jobs in slots."""

    def slots(self) -> list[Slot]:
        """All slots as they are now."""

    def give(self, slot: int, job: Job) -> None:
        """Have a free slot run a job."""

    def next_event(self, seconds: float) -> Event | None:
        """Wait for an event of any job; None if none came for that long. A job's last event frees its slot.

        Raises UserError where the backend cannot go on.
        """

    def stop(self) -> None:
        """Ask all jobs to be put down at the end of their epochs."""

    def close(self) -> None:
        """End all jobs now. May be called twice."""


def jobs_of(slots: Sequence[Slot]) -> list[Job]:
    """The jobs under way."""
    return [slot.job for slot in slots if slot.job]
