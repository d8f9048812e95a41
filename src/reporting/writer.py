"""Follows a session and writes its report at the end."""

from collections.abc import Generator, Iterator

from src.data.dataset import Dataset
from src.ledger.events import Event
from src.ledger.history import History
from src.ledger.notices import Notice
from src.ledger.sweep_folder import Sweep


class ReportWriter:
    """Writes the report when a session ends in which anything happened, or where there is none."""

    def __init__(self, sweep: Sweep, history: History, data: Dataset) -> None:
        self.sweep, self.history, self.data = sweep, history, data
        self.is_stale = not (sweep.path / "report" / "report.html").is_file()

    def on_event(self, event: Event | Notice | None) -> None:
        """Any event of a job makes the report stale."""
        self.is_stale = self.is_stale or isinstance(event, Event)

    def poll(self) -> Iterator[Event]:
        """A report has nothing to add."""
        return iter(())

    def finish(self, is_done: bool) -> Generator[None, None, None]:
        """Write the report."""
        if self.is_stale and self.history.trials:
            from src.reporting import html  # draws

            html.write(self.sweep, self.history, self.data)
        yield
