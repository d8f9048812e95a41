"""MLflow, as a view of the ledger: find each trial's run or create it, push what is missing, close it.

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
from src.tracking.mirror import MlflowMirror
from src.tracking.store import set_environment, set_up_mlflow

PAUSE = 1.0  # seconds between two looks at the ledger
STARTS = 10  # of a process that dies, before MLflow is left for later
DONE = "done"  # to the coordinator: everything is in MLflow


@dataclass(frozen=True)
class Trouble:
    """MLflow cannot be written at present; empty when it can again."""

    message: str


class Tracker:
    """The process that keeps MLflow up to date, seen from the coordinator; replaced where it dies."""

    def __init__(self, config: Config, folder: Path, log: Path) -> None:
        self.arguments = (config, folder, log)
        self.asked: bool | None = None  # to finish, and whether the sweep is complete
        self.trouble = ""
        self.done = False
        self.starts = 0
        self.start()

    def start(self) -> None:
        """The process, or one in place of it."""
        self.starts += 1
        self.process, self.pipe = start_process(main, "tracker", *self.arguments)
        if self.asked is not None:
            self.finish(self.asked)

    def poll(self) -> Iterator[Tracked]:
        """What has come to MLflow since the last call."""
        if self.may_start_again():
            self.pipe.close()
            self.start()
        with suppress(EOFError, OSError):
            while self.pipe.poll():
                message = self.pipe.recv()
                if isinstance(message, Trouble):
                    self.trouble = message.message
                elif message == DONE:
                    self.done = True
                else:
                    yield message

    def finish(self, is_done: bool) -> None:
        """Ask for the last of it, saying whether the sweep is complete."""
        self.asked = is_done
        with suppress(OSError):
            self.pipe.send(is_done)

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
    """Reconcile until told to finish, or until the coordinator is gone."""
    ignore_signals()
    redirect_output(log)
    die_with_parent()
    set_environment()
    os.nice(10)  # training first, but not to starve where other sweeps keep all cores busy
    finishing, is_done, trouble, pause, seen = False, False, "", PAUSE, 0.0
    view: MlflowMirror | None = None
    while True:
        try:
            view = view or MlflowMirror.open(set_up_mlflow(config), config, open_sweep(folder))
            written = last_written(folder)
            if finishing or written != seen:
                for event in view.reconcile(finishing, is_done):
                    pipe.send(event)
            seen = written
            if trouble:
                pipe.send(Trouble(""))
            trouble, pause = "", PAUSE
            if finishing:
                pipe.send(DONE)
                return
        except Exception as error:  # a view may fail in any way: it is tried again, and training goes on
            traceback.print_exc()
            trouble, view, seen = f"{type(error).__name__}: {first_line(error)}", None, 0.0
            pipe.send(Trouble(textwrap.shorten(trouble, 160, placeholder=" …")))
            if finishing:
                return
            pause = min(pause * 2, 30)
        if pipe.poll(pause):
            finishing, is_done = True, pipe.recv()
