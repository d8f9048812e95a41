"""When a session writes its report."""

from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from src.ledger.events import Checked, Finished
from src.ledger.notices import Completed, Completing, LookingAhead, NothingLeft, Notice, StoppingAfter, Trouble
from src.ledger.sweep_folder import Sweep
from src.reporting import html
from src.reporting.writer import ReportWriter
from tests.unit.examples import dataset, file, history_of, write_npz


@dataclass
class Place:
    """Where reports are written: how often they were, and what was said."""

    folder: Path
    written: int = 0
    told: list[Notice] = field(default_factory=list)
    error: Exception | None = None

    def write(self, *_: object) -> None:
        """In the place of a report that takes seconds to draw."""
        if self.error:
            raise self.error
        self.written += 1
        (self.folder / "report").mkdir(exist_ok=True)
        (self.folder / "report" / "report.html").touch()

    def session(self, *heard: object, trials: bool = True) -> int:
        """A session in which this was heard; how many reports there have been since the first."""
        history = history_of()
        if not trials:
            history.trials.clear()
        data = dataset(write_npz(self.folder / "images.npz"))
        writer = ReportWriter(Sweep(self.folder, {}), history, data, self.told.append)
        for event in heard:
            writer.on_event(event)  # type: ignore[arg-type]
        assert list(writer.poll()) == [] and [event for event in writer.finish(True) if event] == []
        return self.written


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty folder."""
    made = Place(tmp_path)
    monkeypatch.setattr(html, "write", made.write)
    return made


def test_written_where_there_is_none_or_it_is_old(place: Place) -> None:
    """A sweep without a report gets one; later only a session in which something happened writes it anew."""
    assert place.session(LookingAhead()) == 1
    assert place.session(LookingAhead(), None, NothingLeft(False)) == 1
    assert place.session(LookingAhead(), Checked(1, ""), None) == 2
    assert place.session(Finished(1, file("a"))) == 3


def test_nothing_to_report(place: Place) -> None:
    """A sweep without a trial has none."""
    assert place.session(Checked(1, "too small"), trials=False) == 0


def test_asked_to_stop_while_it_is_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is answered at once, while the report is still being written; that is whole when the session goes on."""
    answered = Event()

    def write(*_: object) -> None:
        answered.wait(60)
        place.write()

    def tell(notice: Notice) -> None:
        place.told.append(notice)
        if isinstance(notice, StoppingAfter):
            answered.set()

    monkeypatch.setattr(html, "write", write)
    data = dataset(write_npz(place.folder / "images.npz"))
    finishing = ReportWriter(Sweep(place.folder, {}), history_of(), data, tell).finish(True)
    next(finishing)
    finishing.close()
    assert place.told == [Completing("writing the report"), StoppingAfter("the report"), Completed("the report")]
    assert place.written == 1


def test_a_report_that_cannot_be_written(place: Place) -> None:
    """It ends no session: what went wrong is said, and how to write it later."""
    place.error = OSError(28, "No space left on device")
    assert place.session(Checked(1, "")) == 0
    before, trouble, after = place.told
    assert (before, after) == (Completing("writing the report"), Completed("the report"))
    assert isinstance(trouble, Trouble)
    assert trouble.message.startswith(
        "the report is not written: OSError: [Errno 28] No space left on device. To write"
    )
    folders = f"{place.folder.name} --sweeps {place.folder.parent}"
    assert trouble.message.endswith(f"-m src.compare {folders} --report")
