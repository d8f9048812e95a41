"""Follows a session with a process that keeps MLflow a mirror of the ledger."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from src.config.schema import Config, Mlflow
from src.ledger.events import Event, Mirrored
from src.ledger.history import History
from src.ledger.notices import Completed, Completing, Ended, LookingAhead, Notice, Observer, Planned, Trouble
from src.tracking.process import Tracker

STEP = 0.1  # seconds between looks at the process, once it is asked to finish


class MlflowObserver(Observer):
    """Starts the process, has it follow once training begins, hears from it, and waits for it at the end."""

    def __init__(self, config: Config, folder: Path, history: History, tell: Callable[[Notice], None]) -> None:
        self.config, self.folder, self.history, self.tell = config, folder, history, tell
        self.tracker: Tracker | None = None
        self.is_planned = self.has_begun = False
        self.told = ""  # of the trouble that there is

    def __enter__(self) -> "MlflowObserver":
        return self

    def __exit__(self, *_: object) -> None:
        if self.tracker:
            self.tracker.close()

    def on_event(self, event: Event | Notice | None) -> None:
        """Start the process while points are checked; let it write with the first event after the plan: what refuses to
        begin leaves no runs."""
        if isinstance(event, LookingAhead) and not self.tracker:
            self.start()
        if self.is_planned and not self.has_begun and not isinstance(event, Ended):
            self.has_begun = True
            (self.tracker or self.start()).begin()
        self.is_planned = self.is_planned or isinstance(event, Planned)

    def start(self) -> Tracker:
        """The process, which only reads the ledger."""
        self.tracker = Tracker(self.config, self.folder, self.folder / "sweep.log")
        return self.tracker

    def poll(self) -> Iterator[Event]:
        """Trials that MLflow has."""
        if not self.tracker:
            return
        yield from self.tracker.poll()
        trouble, before = self.tracker.trouble, self.told
        self.told = trouble
        if trouble and trouble != before:
            words = "training goes on; the runs are completed as soon as it answers"
            self.tell(Trouble(f"MLflow: {trouble} ({words})"))

    def finish(self, is_done: bool) -> Generator[Event | None, None, None]:
        """Wait until MLflow has everything; nothing is to be done where it had already."""
        revision = mirror_revision(self.config, self.history)
        if not self.has_begun and revision in {invocation.mirrored for invocation in self.history.invocations}:
            return
        yield from self.complete(is_done)

    def complete(self, is_done: bool) -> Generator[Event | None, None, None]:
        """Have the process bring MLflow to where the ledger is, and wait for it."""
        tracker = self.tracker or self.start()
        tracker.finish(is_done)
        self.tell(Completing("writing the last of it to MLflow", may_wait=True))
        reason = f"it was stopped, or its process ended ({self.folder.name}/sweep.log says why)"
        try:
            while tracker.is_alive():
                yield from tracker.poll()
                yield None
                time.sleep(STEP)
            yield from tracker.poll()
            if tracker.done:
                reason = ""
                yield Mirrored(mirror_revision(self.config, self.history))
        finally:
            self.tell(Completed("MLflow", reason and (tracker.trouble or reason)))


def mirror_revision(config: Config, history: History) -> str:
    """Where MLflow is, and what of the ledger it shows once it is complete; empty if it is not used."""
    tracking = config.tracking
    if not isinstance(tracking, Mlflow):
        return ""
    store = tracking.uri or str(Path(config.paths.mlruns).resolve() / "mlflow.db")
    exists = bool(tracking.uri) or Path(store).is_file()
    states = sorted(Counter(trial.state.value for trial in history.trials).items())
    epochs = sum(len(trial.epochs) for trial in history.trials)
    return f"{store} {exists} {tracking.model_dump_json()} {states} {epochs} {len(history.evaluations)}"
