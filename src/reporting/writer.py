"""Follows a session and writes its report at the end."""

import logging
from collections.abc import Callable, Generator
from importlib import import_module
from threading import Thread

from src.base.errors import first_line
from src.base.text import command
from src.data.dataset import Dataset
from src.ledger.events import Event
from src.ledger.history import History
from src.ledger.notices import Completed, Completing, LookingAhead, Notice, Observer, StoppingAfter, Trouble
from src.ledger.sweep_folder import Sweep

log = logging.getLogger("sweep")
STEP = 0.1  # seconds between two looks at whether the report is written, and at the wish to stop


class ReportWriter(Observer):
    """Writes the report when a session ends in which anything happened, or where there is none."""

    def __init__(self, sweep: Sweep, history: History, data: Dataset, tell: Callable[[Notice], None]) -> None:
        self.sweep, self.history, self.data, self.tell = sweep, history, data, tell
        self.trouble = ""  # why the report is not written
        self.is_stale = not (sweep.path / "report" / "report.html").is_file()

    def on_event(self, event: Event | Notice | None) -> None:
        """Any event of a job makes the report stale. What draws is imported while there is nothing else to do."""
        if isinstance(event, LookingAhead):
            Thread(target=import_module, args=("src.reporting.html",), daemon=True).start()
        self.is_stale = self.is_stale or isinstance(event, Event)

    def finish(self, is_done: bool) -> Generator[None, None, None]:
        """Write the report, in a thread, so that a wish to stop is answered at once; it is written to its end all the same."""
        if not self.is_stale or not self.history.trials:
            return
        self.tell(Completing("writing the report"))
        writing = Thread(target=self.write)
        writing.start()
        try:
            while writing.is_alive():
                yield
                writing.join(STEP)
        except GeneratorExit:  # asked to stop
            self.tell(StoppingAfter("the report"))
            raise
        finally:
            writing.join()
            if self.trouble:
                self.tell(Trouble(self.trouble))
            self.tell(Completed("the report"))

    def write(self) -> None:
        """Write the report, or keep in words why it cannot be: the sweep is whole without it."""
        from src.reporting import html  # draws

        try:
            html.write(self.sweep, self.history, self.data)
        except Exception as error:  # a full disk, or a picture that fails in any other way
            log.exception("the report")
            again = command("compare", self.sweep.name, sweeps=self.sweep.path.parent)
            reason = f"{type(error).__name__}: {first_line(error)}"
            self.trouble = f"the report is not written: {reason}. To write it: {again} --report"
