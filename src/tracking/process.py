"""The process that keeps MLflow a mirror of the ledger: find each trial's run or create it, push what is missing,
close it.

Doing it twice is harmless, so catching up after an outage and rebuilding a deleted `mlruns/` are the
same code as following a sweep. It runs beside the training, in a process of its own, and only reads
the ledger.
"""

import os
import textwrap
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from src.base.errors import first_line
from src.base.processes import die_with_parent, ignore_signals, redirect_output, start_process
from src.config.schema import Config
from src.ledger.events import Tracked
from src.ledger.sweep_folder import last_written, open_sweep
from src.tracking.store import set_environment, set_up_mlflow

PAUSE = 0.2  # seconds between two looks at the ledger
LONGEST_PAUSE = 30.0  # while MLflow does not answer
STARTS = 10  # of a process that dies, before MLflow is left for later


# The messages: `Begin` and `Finish` to the process; `Outage`, `Complete` and the events `Tracked` from it.


@dataclass(frozen=True)
class Begin:
    """There is something to mirror: until then, the process imports what it needs, and touches nothing."""


@dataclass(frozen=True)
class Finish:
    """No more is going to be written: bring MLflow to where the ledger is, and end."""

    is_done: bool  # whether the sweep is complete


@dataclass(frozen=True)
class Complete:
    """Everything is in MLflow."""


@dataclass(frozen=True)
class Outage:
    """MLflow cannot be written at present; empty when it can again."""

    message: str


class Tracker:
    """The process that keeps MLflow up to date, seen from the coordinator; replaced where it dies."""

    def __init__(self, config: Config, folder: Path, log: Path) -> None:
        self.arguments = (config, folder, log)
        self.asked: Begin | Finish | None = None
        self.trouble = ""
        self.done = False
        self.starts = 0
        self.start()

    def start(self) -> None:
        """Start the process, or one in place of it."""
        self.starts += 1
        self.process, self.pipe = start_process(main, "tracker", *self.arguments)
        if self.asked:
            self.send(self.asked)

    def poll(self) -> Iterator[Tracked]:
        """What has come to MLflow since the last call."""
        if self.may_start_again():
            self.pipe.close()
            self.start()
        with suppress(EOFError, OSError):
            while self.pipe.poll():
                match self.pipe.recv():
                    case Outage(message):
                        self.trouble = message
                    case Complete():
                        self.done = True
                    case event:
                        yield event

    def begin(self) -> None:
        """Have the process follow the ledger."""
        self.asked = Begin()
        self.send(self.asked)

    def finish(self, is_done: bool) -> None:
        """Ask for the last of it, saying whether the sweep is complete."""
        self.asked = Finish(is_done)
        self.send(self.asked)

    def send(self, message: Begin | Finish) -> None:
        """Tell the process; one that has died hears it when it is started again."""
        with suppress(OSError):
            self.pipe.send(message)

    def is_alive(self) -> bool:
        """Whether more can come."""
        return not self.done and (self.process.is_alive() or self.may_start_again())

    def may_start_again(self) -> bool:
        """Whether the process died, and not too often."""
        return bool(self.process.exitcode) and self.starts < STARTS

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()


def main(pipe: Connection, config: Config, folder: Path, log: Path) -> None:
    """The process' life: set up, then follow the ledger."""
    ignore_signals()
    redirect_output(log)
    die_with_parent()
    set_environment()
    os.nice(4)  # training first; but what waits until its end costs more, since then a core is idle
    follow(pipe, config, folder)


def follow(pipe: Connection, config: Config, folder: Path) -> None:
    """Reconcile until told to finish, or until the coordinator is gone."""
    import mlflow.keras  # noqa: F401, which imports much

    from src.tracking.mirror import MlflowMirror  # here, since the coordinator does not need what draws figures

    message = pipe.recv()
    finish: Finish | None = message if isinstance(message, Finish) else None
    mirror: MlflowMirror | None = None
    trouble, pause, seen = "", PAUSE, 0.0
    while True:
        try:
            mirror = mirror or MlflowMirror.open(set_up_mlflow(config), config, open_sweep(folder))
            written = last_written(folder)
            if finish or written != seen:
                for event in mirror.reconcile(bool(finish), bool(finish and finish.is_done)):
                    pipe.send(event)
            seen = written
            if trouble:
                pipe.send(Outage(""))
            trouble, pause = "", PAUSE
            if finish:
                pipe.send(Complete())
                return
        except Exception as error:  # a mirror may fail in any way: it is tried again, and training goes on
            traceback.print_exc()
            trouble, mirror, seen = f"{type(error).__name__}: {first_line(error)}", None, 0.0
            pipe.send(Outage(textwrap.shorten(trouble, 160, placeholder=" …")))
            if finish:
                return
            pause = min(pause * 2, LONGEST_PAUSE)
        if pipe.poll(pause):
            message = pipe.recv()
            finish = message if isinstance(message, Finish) else finish
