"""Notices: what a session says to its observers besides the events of its jobs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Opened:
    """A sweep was created or taken up. `similar` are others that may be meant: their names, with the keys that differ and
    their (other, own) values."""

    path: Path
    is_new: bool
    similar: tuple[tuple[str, dict[str, tuple[Any, Any]]], ...] = ()


@dataclass(frozen=True)
class Extended:
    """Trials have had more epochs than are asked for: all are trained as far."""

    until: int
    asked: int


@dataclass(frozen=True)
class LookingAhead:
    """Points are being checked, and speed is being measured."""


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
    """Training is over; what is left is being written to `what`."""

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


Notice = Opened | Extended | LookingAhead | Planned | NothingLeft | Stopping | Trouble | Completing | Completed | Ended
