"""The report opens anywhere, holds what the tables hold, and nothing in a sweep can break it."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from src.analysis.tables import point_table
from src.ledger.database import Ledger, read_history
from src.ledger.events import Failed, Started
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, Invocation, TrialState
from src.ledger.sweep_folder import open_sweep
from src.reporting import html
from tests.unit.examples import train_job
from tests.unit.test_compare import write_sweep

WORDS: dict[str, Any] = {"activation": {"choice": ["relu", "tanh"]}, "architecture": {"pool": {"choice": [1, 2]}}}


class Reader(HTMLParser):
    """What a report is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element, and what it points to."""
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        """A text."""
        self.texts.append(data.strip())


def write(path: Path) -> tuple[str, Reader]:
    """The report of a sweep on disk."""
    ledger = Ledger.open(path, ACCURACY)
    ledger.save(Invocation(1, 0.0, 1.0, "here", 1, {}, {"python": "3.11"}))
    ledger.close()
    text = html.write(open_sweep(path), read_history(path, ACCURACY), None).read_text()
    return text, Reader(text)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four points on two seeds, one of them far behind."""
    folder = tmp_path_factory.mktemp("sweeps") / "mine"
    return write_sweep(folder, {1: 6, 2: 5, 3: 30, 4: 7}, "search.repeats=2", space=WORDS)


@pytest.fixture(scope="module")
def written(sweep: Path) -> tuple[str, Reader]:
    """Its report."""
    return write(sweep)


def test_it_needs_nothing_else(written: tuple[str, Reader]) -> None:
    """Pictures are in the report itself, and it points to no other address."""
    text, read = written
    assert read.tags.count("img") >= 4
    assert [address for address in read.addresses if not address.startswith("data:image/png;base64,")] == []
    assert re.findall(r"https?://|//[a-z]+\.", re.sub(r"base64,[^\"]*", "", text)) == []


def test_files_lie_beside_it(sweep: Path, written: tuple[str, Reader]) -> None:
    """Each figure is a PNG, the tables are CSV."""
    names = {path.name for path in (sweep / "report").iterdir()}
    assert {"report.html", "trials.csv", "points.csv", "ahead.png", "curves-activation.png", "effects.png"} <= names
    assert len((sweep / "report" / "trials.csv").read_text().splitlines()) == 9


def test_it_holds_the_answer(sweep: Path, written: tuple[str, Reader]) -> None:
    """The first place, what can be said of it, and every point and trial."""
    text, read = written
    first = point_table(read_history(sweep, ACCURACY))[0]
    assert f"First: point {first['point']} (activation=" in text and " is not significantly different from " in text
    assert read.tags.count("tr") == (1 + 4) + (1 + 8)
    assert {"Points, the best first", "What it cost", "All trials", "activation"} <= set(read.texts)


def test_a_legend_follows_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are named in the order in which they are compared, whichever has the single best point."""
    named = []
    monkeypatch.setattr("src.figures.of_sweeps.curves_by", lambda history, key, values: named.append((key, values)))
    text, _ = write(write_sweep(tmp_path / "mine", {1: 6, 2: 6, 3: 1, 4: 30}, "search.repeats=2", space=WORDS))
    assert named[0] == ("activation", ["relu", "tanh"]) and "First: point 3 (activation=tanh" in text
    assert "<p>relu and tanh are not significantly different (difference " in text


@pytest.mark.parametrize(
    ("repeats", "stored", "words"),
    [
        (1, True, "its 95% interval over images only, since they share one seed. All intervals hold together."),
        (3, True, "its 95% interval over seeds and images. All intervals hold together."),
        (1, False, "over the seeds that both have. There are too few seeds for intervals."),
    ],
)
def test_a_caption_says_what_intervals_cover(tmp_path: Path, repeats: int, stored: bool, words: str) -> None:
    """Images, seeds and images, or nothing where there are none."""
    wrong = {1: 6, 2: 5, 3: 30, 4: 7}
    path = write_sweep(tmp_path / "mine", wrong, f"search.repeats={repeats}", space=WORDS, stored=stored)
    text, _ = write(path)
    assert words in text


def test_pruned_points_are_left_out(tmp_path: Path) -> None:
    """That they are is said beside the figure of points and beside that of a key."""
    path = write_sweep(tmp_path / "mine", {1: 6, 2: 5, 3: 30, 4: 7}, space=WORDS)
    ledger = Ledger.open(path, ACCURACY)
    trial = ledger.history.trial(4)
    trial.state = TrialState.PRUNED
    ledger.save(trial)
    ledger.close()
    text, _ = write(path)
    assert "All intervals hold together. Pruned points are left out." in text
    assert "Left out: 1 pruned trial and 1 trial without a partner that differs in activation alone." in text


def test_nothing_in_a_sweep_is_markup(tmp_path: Path) -> None:
    """Words of the user's own, and of errors, are shown as they are."""
    path = write_sweep(tmp_path / "mine", {1: 6, 2: 5, 3: 30}, space=WORDS)
    ledger = Ledger.open(path, ACCURACY)
    ledger.save(Started(4, 1))
    words = "<script>alert(1)</script> & <b>"
    ledger.save(Failed(train_job(4), Cause.CRASH, words))
    ledger.close()
    text, read = write(path)
    assert words not in text and words in read.texts
    assert read.tags.count("script") == 1


@pytest.mark.parametrize("wrong", [{}, {1: 6}])
def test_little_to_tell(tmp_path: Path, wrong: dict[int, int]) -> None:
    """A sweep without results, or with a single one, has a report too."""
    text, _ = write(write_sweep(tmp_path / "mine", wrong, space=WORDS))
    assert ("No trial has finished." in text) == (not wrong)
    assert ("First: trial 1 (" in text) == bool(wrong)


def test_a_damaged_file_is_said(tmp_path: Path) -> None:
    """Where single images' results are damaged the report says so instead of a comparison, and has all the rest."""
    path = write_sweep(tmp_path / "mine", {1: 6, 2: 5, 3: 30, 4: 7}, "search.repeats=2", space=WORDS)
    file = path / "checkpoints" / "3-validation.npz"
    file.write_bytes(file.read_bytes()[:-3])
    text, _ = write(path)
    assert "is not what was written" in text and "All trials" in text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [("seconds", 34.7, "34.7"), ("seconds", 32.114, "32.1"), ("parameters", 1234, "1,234"), ("val_loss", None, "–")],
)
def test_numbers_of_a_column_have_as_many_places(key: str, value: float | None, text: str) -> None:
    """They can be compared at a glance; what is sorted by is the whole number."""
    assert html.cell(key, value) == {"text": text, "value": "" if value is None else str(value)}


def test_it_is_the_same_again(sweep: Path, written: tuple[str, Reader]) -> None:
    """Written once more from the same records, the report is the same."""
    assert html.write(open_sweep(sweep), read_history(sweep, ACCURACY), None).read_text() == written[0]
