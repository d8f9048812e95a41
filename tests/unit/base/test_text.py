"""Words, numbers and tables as text."""

import csv
import io
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from src.base.text import (
    again,
    command,
    folder_options,
    numbered,
    render,
    short_keys,
    short_path,
    show_bytes,
    show_metric,
    show_seconds,
    show_value,
    spans,
)

TABLE: list[dict[str, Any]] = [
    {"trial": 1, "filters": [8, 16], "reason": 'with a comma, "quotes"\nand a line', "val_loss": 1 / 3, "run": None},
    {"trial": 2, "filters": "größe", "reason": "", "val_loss": 1e-300, "run": True},
]


def test_json_round_trip() -> None:
    """Read back, the JSON is the table."""
    assert json.loads(render(TABLE, "json")) == TABLE


def test_csv_round_trip() -> None:
    """Read back, the CSV has a row for each row, the table's columns, and exact numbers."""
    read = list(csv.DictReader(io.StringIO(render(TABLE, "csv"))))
    assert list(read[0]) == list(TABLE[0])
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in TABLE] == read
    assert [float(row["val_loss"]) for row in read] == [1 / 3, 1e-300]


@pytest.mark.parametrize(("kind", "text"), [("json", "[]"), ("csv", "")])
def test_render_without_rows(kind: str, text: str) -> None:
    """A sweep without trials has an empty table."""
    assert render([], kind) == text


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([], ""), ([4], "4"), ([1, 2, 3], "1–3"), ([37, 38, 40, 45, 46], "37–38, 40, 45–46")],
)
def test_spans(numbers: list[int], words: str) -> None:
    """Neighbours are written as from–to."""
    assert spans(numbers) == words


@pytest.mark.parametrize(
    ("numbers", "words"), [([4], "point 4"), ([1, 2], "points 1–2"), ([37, 38, 40], "points 37–38, 40")]
)
def test_numbered(numbers: list[int], words: str) -> None:
    """One is no plural."""
    assert numbered("point", numbers) == words


@pytest.mark.parametrize(
    ("keys", "short"),
    [
        (["architecture.kernel", "activation"], ["kernel", "activation"]),
        (["architecture.dropout", "x.dropout", "a.pool"], ["architecture.dropout", "x.dropout", "pool"]),
        ([], []),
    ],
)
def test_short_keys(keys: list[str], short: list[str]) -> None:
    """The last part of a key, unless two would be the same."""
    assert short_keys(keys) == short


@pytest.mark.parametrize(
    ("value", "text"),
    [("relu", "relu"), (None, "null"), (True, "true"), ([1, [2, "a"]], "[1,[2,a]]"), ({"name": "elu", "a": 1}, "elu")],
)
def test_values_as_on_the_command_line(value: Any, text: str) -> None:
    """A value is written as it would be given; a group's option by its name."""
    assert show_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(0, "0 s"), (0.2, "1 s"), (89, "89 s"), (90, "2 min"), (91, "2 min"), (149, "2 min")],
        *[(7_100, "118 min"), (7_140, "119 min")],
        *[(7_201, "2 h 0 min"), (12_000, "3 h 20 min"), (86_400, "24 h 0 min")],
    ],
)
def test_seconds(seconds: float, text: str) -> None:
    """In the unit that a person would say: seconds are rounded up, minutes to the nearest."""
    assert show_seconds(seconds) == text


def test_sizes_and_metrics() -> None:
    """Bytes are rounded up; a metric has four places, unless it is huge or not there."""
    assert [show_bytes(count) for count in (0, 1, 2_000_001, 3.44e9)] == ["0 MB", "1 MB", "3 MB", "3.4 GB"]
    assert [show_bytes(count) for count in (12_000_000, 1e9)] == ["12 MB", "1.0 GB"]
    assert [show_metric(value) for value in (None, 0.98765, 12345.6)] == ["–", "0.9877", "1.23e+04"]


# ------------------------------------------------------------------------------------------ commands


def test_a_command_can_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words are quoted for a shell; our interpreter is `python` where that is what a shell finds, else its path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert command("sweep", "search=quick", "a=[b, c]") == "python -m src.sweep search=quick 'a=[b, c]'"
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "my env" / "python"))
    assert command("ui") == "'my env/python' -m src.ui"


def test_folders_are_options_unless_they_are_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is printed finds what the one that prints it has used; the default folders go without saying."""
    monkeypatch.chdir(tmp_path)
    assert folder_options(sweeps="sweeps", mlruns=tmp_path / "mlruns") == []
    assert folder_options(sweeps=tmp_path / "A", mlruns="my runs") == ["--sweeps", "A", "--mlruns", "my runs"]
    said = command("sync", "mine", sweeps=tmp_path / "A", mlruns="my runs")
    assert shlex.split(said)[-5:] == ["mine", "--sweeps", "A", "--mlruns", "my runs"]


def test_a_path_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here where it is inside, else from the root."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert [short_path(path) for path in ("c", tmp_path / "a" / "b" / "c", "/data")] == ["c", "c", "/data"]


def test_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line that is running, as it can be repeated."""
    monkeypatch.setattr(sys, "argv", ["/x/src/train.py", "activation=relu", "data.path=my file.npz"])
    assert again().endswith(" -m src.train activation=relu 'data.path=my file.npz'")
