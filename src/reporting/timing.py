"""How long a session takes, from its start to its end: what has passed, and what is left."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from src.base.processes import count_cores
from src.base.text import show_seconds
from src.data.dataset import Dataset
from src.ledger.events import EpochEnded, Event
from src.ledger.jobs import Slot
from src.ledger.notices import Notice
from src.ledger.records import Probe
from src.search.estimate import Conditions, seconds_left
from src.search.schedule import Schedule

MANY, FRESH = 300, 1.0  # trials, from which on an estimate of the time left is shown again for so many seconds


@dataclass
class Timing:
    """Follows a session that began at a moment of the monotonic clock."""

    schedule: Schedule
    slots: Callable[[], list[Slot]]
    data: Dataset
    began: float
    start: float | None = None  # seconds until a worker began its first job
    shown: tuple[float, str] = (-FRESH, "")  # when an estimate was made, and its words

    def on_event(self, event: Event | Notice | None) -> None:
        """Note when the first job began that was timed."""
        if self.start is None and isinstance(event, Probe | EpochEnded):
            seconds = event.epoch.seconds if isinstance(event, EpochEnded) else event.prepare
            self.start = max(self.passed() - seconds, 0.0)

    def passed(self) -> float:
        """Seconds since the session began."""
        return time.monotonic() - self.began

    def left(self, workers: int) -> float | None:
        """Seconds until it ends with so many workers; None as long as nothing is measured."""
        passed = self.passed()
        start = passed if self.start is None else self.start
        images = len(self.data.train), len(self.data.test)
        return seconds_left(self.schedule, Conditions(*images, workers, count_cores(), start, passed))

    def describe_all(self, workers: int) -> str:
        """`about 7 min in all`, or that it is not known yet."""
        if (left := self.left(workers)) is None:
            return "time known after an epoch"
        return f"about [b]{show_seconds(self.passed() + left)}[/b] in all"

    def describe_left(self) -> str:
        """`; 7 min left`, or nothing as long as it is not known."""
        now = time.monotonic()
        if now - self.shown[0] >= FRESH or len(self.schedule.history.trials) < MANY:
            left = self.left(max(len(self.slots()), 1))
            self.shown = now, f"; {show_seconds(left)} left" if left else ""
        return self.shown[1]
