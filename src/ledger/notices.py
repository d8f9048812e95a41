"""Notices: what a session says to its observers besides the events of its jobs; and what an observer is."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from src.ledger.events import Event


@dataclass(frozen=True)
class Opened:
    """A sweep was created or taken up. `similar` are others that may be meant: their names, with the keys that differ and
    their (other, own) values. `settled` is what `auto` stands for."""

    path: Path
    is_new: bool
    similar: tuple[tuple[str, dict[str, tuple[Any, Any]]], ...] = ()
    settled: str = ""


@dataclass(frozen=True)
class Extended:
    """Trials have had more epochs than are asked for: all are trained as far."""

    until: int
    asked: int


@dataclass(frozen=True)
class LookingAhead:
    """Workers are being started, points that need one checked, and speed measured."""


@dataclass(frozen=True)
class Planned:
    """Points are checked and speed is measured: so many slots are about to train."""

    slots: int


@dataclass(frozen=True)
class NothingLeft:
    """There is nothing to train; `is_bounded`: within this budget."""

    is_bounded: bool


@dataclass(frozen=True)
class Stopping:
    """The user has asked to stop: jobs are put down at the end of their epochs."""


@dataclass(frozen=True)
class Trouble:
    """Something cannot be done for now, and is tried again; said once."""

    message: str


@dataclass(frozen=True)
class Completing:
    """Training is over, and this is being done: a few words. `may_wait`: it can be left for later by Ctrl-C."""

    words: str
    may_wait: bool = False


@dataclass(frozen=True)
class StoppingAfter:
    """Training is over and the user has asked to stop: `what` is brought to its end first."""

    what: str


@dataclass(frozen=True)
class Completed:
    """`what` is complete, or, for `reason`, it is not."""

    what: str
    reason: str = ""


@dataclass(frozen=True)
class Ended:
    """The session is over; `is_stopped`: because the user asked for it."""

    is_stopped: bool


Notice = (
    Opened
    | Extended
    | LookingAhead
    | Planned
    | NothingLeft
    | Stopping
    | Trouble
    | Completing
    | StoppingAfter
    | Completed
    | Ended
)


class Observer:
    """Follows a session. This one does nothing: others do what they need."""

    def on_event(self, event: Event | Notice | None) -> None:
        """Hear of an event, after it was written down, or of a notice; of None while nothing happens."""

    def poll(self) -> Iterator[Event]:
        """Events of its own, to be written down."""
        yield from ()

    def finish(self, is_done: bool) -> Generator[Event | None, None, None]:
        """Bring what it does to its end: events of its own, and None while it waits. `is_done`: the sweep is complete."""
        yield from ()
