"""A screen, and the sweep that it shows."""

import io
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console

from src.data.dataset import Dataset, Part
from src.ledger.events import EpochEnded, Event, Finished, Started
from src.ledger.jobs import Slot
from src.ledger.notices import Notice
from src.ledger.records import Epoch, Probe
from src.reporting.display import Screen
from src.search.proposals import next_point
from src.search.schedule import Schedule
from tests.unit.examples import add_trials, check, epoch, file, schedule_of

ONE: dict[str, Any] = {"activation": {"choice": ["relu"]}}
TWO: dict[str, Any] = {"activation": {"choice": ["relu", "tanh"]}}
PART = Part(
    np.arange(500, dtype=np.uint8).reshape(500, 1, 1, 1), np.zeros(500, np.int32)
)  # a second an epoch, by the probe, and less for test images
DATA = Dataset("spots", PART, PART, PART, 2, 1 / 255, "", "resize")


@dataclass
class Stage:
    """A screen of 120 columns, or on a terminal of 170, and the sweep that it shows: of two points, with a probe."""

    overrides: tuple[str, ...] = ()
    space: dict[str, Any] = field(default_factory=lambda: TWO)
    is_terminal: bool = False
    slots: list[Slot] = field(default_factory=lambda: [Slot(1, True)])
    is_checked: bool = True
    proposed: int = 2  # points

    def __post_init__(self) -> None:
        self.schedule = schedule_of("training.epochs=3", *self.overrides, space=self.space)
        self.history = self.schedule.history
        for _ in range(self.proposed):
            if point := next_point(self.schedule):
                self.history.apply(point, 0)
        if self.is_checked:
            self.prepare(self.schedule)
        width = 170 if self.is_terminal else 120
        terminal = {"force_terminal": True, "color_system": None} if self.is_terminal else {}
        self.console = Console(width=width, file=io.StringIO(), highlight=False, **terminal)  # type: ignore[arg-type]
        self.screen = Screen(self.console, self.schedule, lambda: self.slots, DATA, time.monotonic())
        self.screen.timing.start = 0.0

    def prepare(self, schedule: Schedule) -> None:
        """All points are checked, one is probed."""
        for point in self.history.points:
            check(self.history, point.number)
        add_trials(schedule)
        self.history.apply(Probe(1, 1000, 0.0, 0.002), 0)

    def hear(self, *events: Event | Notice | None) -> None:
        """Events are written down, and told to the screen; notices are told."""
        for event in events:
            if isinstance(event, Event):
                self.history.apply(event, 0)
            self.screen.on_event(event)
            add_trials(self.schedule)

    def train(self, trial: int, *accuracies: float, end: Event | None = None) -> None:
        """A trial trains for epochs of a second, then finishes, or ends as said."""
        self.history.apply(Started(trial, 1), 0)
        for number, accuracy in enumerate(accuracies, len(self.history.trial(trial).epochs) + 1):
            self.hear(EpochEnded(trial, second(number, accuracy), file("a")))
        self.hear(end or Finished(trial, file("b")))

    def lines(self) -> list[str]:
        """What was printed."""
        assert isinstance(self.console.file, io.StringIO)
        return self.console.file.getvalue().splitlines()

    def drawn(self) -> list[str]:
        """What a terminal shows live."""
        console = Console(width=170, file=io.StringIO(), force_terminal=True, color_system=None)
        console.print(self.screen.progress.draw())
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue().splitlines()


def second(number: int, accuracy: float) -> Epoch:
    """An epoch of one second."""
    return epoch(number, accuracy, 1 - accuracy, seconds=1.0)


@dataclass
class Clock:
    """The time that a screen sees, in seconds."""

    now: float = 1e6

    def __call__(self) -> float:
        """Now."""
        return self.now
