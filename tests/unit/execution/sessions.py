"""A session on a backend without training, and who follows it."""

from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from src.base.processes import Interrupt
from src.execution import session as module
from src.execution.session import Session, open_session, run_session
from src.execution.simulator import Answer, Simulator
from src.ledger import environment
from src.ledger.database import read_history
from src.ledger.events import Event
from src.ledger.history import History
from src.ledger.notices import Notice, Observer, Opened
from src.ledger.sweep_folder import list_sweeps, open_sweep
from tests.unit.examples import SPACE, config, write_npz
from tests.unit.execution.answers import answer

Heard = Event | Notice | None


@dataclass
class Witness(Observer):
    """An observer that keeps what it hears; what it adds and how it finishes can be said."""

    adds: Callable[[], list[Event]] = list
    ends: Callable[[], Iterator[Event | None]] = lambda: iter(())
    reacts: Callable[[Heard], None] = lambda event: None
    heard: list[Heard] = field(default_factory=list)
    finished: list[bool] = field(
        default_factory=list
    )  # whether the sweep was complete, each time it was asked to finish
    was_left: bool = False  # before its end

    def on_event(self, event: Heard) -> None:
        """Hear of it."""
        self.heard.append(event)
        self.reacts(event)

    def poll(self) -> Iterator[Event]:
        """What it has to add."""
        return iter(self.adds())

    def finish(self, is_done: bool) -> Generator[Event | None, None, None]:
        """As it was said."""
        self.finished.append(is_done)
        try:
            yield from self.ends()
        except GeneratorExit:
            self.was_left = True
            raise

    def notices(self) -> list[str]:
        """Kinds of the notices heard, in their order."""
        return [type(one).__name__ for one in self.heard if isinstance(one, Notice)]


@dataclass
class Home:
    """A user's folders, with 60 small images; the last sweep's backend is kept."""

    root: Path
    patch: pytest.MonkeyPatch
    answer: Answer = answer
    slots: int = 2
    backends: list[Simulator] = field(default_factory=list)
    interrupt: Interrupt = field(default_factory=Interrupt)

    def __post_init__(self) -> None:
        write_npz(self.root / "images.npz")
        self.patch.setattr(module, "LocalBackend", self.start)
        self.patch.setattr(module, "check", lambda data, job: next(iter(self.answer(job))))
        self.patch.setattr(environment, "describe", lambda: {"keras": "1", "git": "abc"})

    def start(self, *arguments: Any) -> Simulator:
        """A simulator in the place of worker processes."""
        self.backends.append(Simulator(lambda job: self.answer(job), min(self.slots, arguments[-1])))
        return self.backends[-1]

    def config(self, *overrides: str, space: dict[str, Any] | None = None) -> Any:
        """Two epochs of four points, without MLflow."""
        base = ("data=npz", f"data.path={self.root}/images.npz", f"paths.sweeps={self.root}/sweeps")
        return config(*base, "training.epochs=2", "tracking=none", *overrides, space=SPACE if space is None else space)

    def run(self, *observers: Observer, overrides: tuple[str, ...] = (), **how: Any) -> Session:
        """A session to its end, with these observers."""
        with ExitStack() as stack:
            session = stack.enter_context(open_session(self.config(*overrides, **how), "the command"))
            session.observers += observers
            session.interrupt = self.interrupt
            run_session(session)
            return session

    def stop(self, times: int = 1) -> None:
        """The user asks to stop."""
        for _ in range(times):
            self.interrupt.note(2, None)

    def interrupt_at(self, condition: Callable[[Heard], bool], times: int = 1) -> Witness:
        """An observer by which the user asks to stop, when the first event is so, once or more often."""
        return Witness(reacts=lambda event: self.stop(times * (condition(event) and not self.interrupt.count)))

    def again(self, *observers: Observer, **how: Any) -> Session:
        """Another session, after one that was stopped."""
        self.interrupt = Interrupt()
        return self.run(*observers, **how)

    def folder(self) -> Path:
        """The one sweep here."""
        (folder,) = list_sweeps(self.root / "sweeps")
        return folder

    def history(self) -> History:
        """What its ledger has on disk."""
        return read_history(self.folder(), open_sweep(self.folder()).objective)


def opened(witness: Witness) -> Opened:
    """The first thing that was heard."""
    first = witness.heard[0]
    assert isinstance(first, Opened)
    return first
