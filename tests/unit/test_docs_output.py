"""What documents show as printed is what the code prints of the same numbers."""

import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from src.analysis.baseline import judge_test
from src.analysis.conclusions import judge, judge_search
from src.analysis.contrasts import Comparison, Contrast, Group
from src.config.compose import validate
from src.data.dataset import Dataset
from src.data.load import load
from src.ledger.database import read_history
from src.ledger.files import write_arrays
from src.ledger.history import History
from src.ledger.objective import ACCURACY
from src.ledger.records import Evaluation, PointState
from src.ledger.sweep_folder import sweep_path
from src.reporting.console import overview
from src.reporting.data import print_data
from tests.unit.examples import add_trials, check, composed, config, epoch, finish, history_of, propose, schedule_of
from tests.unit.test_compare import write_sweep
from tests.unit.test_docs import DOCUMENTS, README


def printed_by(command: str, text: str) -> list[str]:
    """The lines that a document shows after a command."""
    found = re.search(rf"^\$ {re.escape(command)}\n((?:(?!\$ |```).*\n)+)", text, re.MULTILINE)
    assert found, command
    return found[1].splitlines()


def shape(line: str) -> str:
    """A line whose numbers do not matter."""
    return re.sub(r"\d[\d.,]*", "0", line)


SWEEP = printed_by("make sweep", README)
BY_KEY = printed_by("python -m src.compare latest --by activation", DOCUMENTS["docs/comparing.md"])


def test_the_sweep_has_the_name_that_is_shown() -> None:
    """The name of the first sweep in README is that of its configuration and data."""
    chosen = validate(composed(("search=cnn_grid", "training.epochs=2")))  # with the threads left open
    data = load(chosen.data)
    name = sweep_path(chosen, data.label, data.digest).name
    assert SWEEP[0] == f"sweep {name} in sweeps/{name} (new)"


def test_what_is_shown_of_the_data() -> None:
    """The data are described as documented, but for where the picture is."""
    console = Console(width=140)
    with console.capture() as capture:
        print_data(console, load(config().data))
    shown = printed_by("python -m src.show data=mnist_5k", DOCUMENTS["docs/configuration.md"])
    assert [line.rstrip() for line in capture.get().splitlines()] == shown[:-1]


def test_what_is_known_before_training() -> None:
    """README's first lines: points, those that cannot be built and why, time and disk."""
    schedule = schedule_of("search=cnn_grid", "training.epochs=2", space=None)
    propose(schedule)
    start = next(place for place, line in enumerate(SWEEP) if "infeasible" in line)
    shown = SWEEP[start : start + 5]
    infeasible = [re.fullmatch(r"  infeasible: (.*)  \(points (.*)\)", line) for line in shown]
    for found in filter(None, infeasible):
        for first, _, last in (part.partition("–") for part in found[2].split(", ")):
            for number in range(int(first), int(last) + 1):
                check(schedule.history, number, found[1])
    for point in schedule.history.points:
        if point.state == PointState.UNCHECKED:
            check(schedule.history, point.number, size=500_000)
    add_trials(schedule)
    console = Console(width=200)
    with console.capture() as capture:
        overview(console, schedule, 2, "about 3 min in all")
    lines = capture.get().splitlines()
    assert [line.rstrip() for line in lines[:4]] == shown[:4]
    assert shape(lines[4]) == shape(shown[4])


def test_what_the_first_place_is_worth(tmp_path: Path) -> None:
    """README's sentence on the first place, of a smaller sweep."""
    path = write_sweep(tmp_path / "mine", {1: 6, 2: 5, 3: 30, 4: 31})
    (said,) = judge_search(path, read_history(path, ACCURACY))
    assert shape(said) in map(shape, SWEEP)


def evaluated(folder: Path, data: Dataset, accuracy: float, loss: float) -> History:
    """A sweep whose winner, trial 28, was evaluated."""
    history = history_of("search=cnn_grid", "training.epochs=1", space=None)
    finish(history, 28, epoch(1, 0.98))
    answers = data.test.y.copy()
    wrong = round((1 - accuracy) * len(answers))
    answers[:wrong] = (answers[:wrong] + 1) % 10
    predictions = write_arrays(folder, "models/test.npz", {"probabilities": np.eye(10)[answers]})
    history.apply(Evaluation(28, 1, loss, accuracy, 0.0, predictions), 0)
    return history


def test_what_the_test_accuracy_is_worth(tmp_path: Path) -> None:
    """README's sentences on test data, of the same numbers."""
    found = re.search(r"test accuracy of ([\d.]+) \(.*loss ([\d.]+)\)", "\n".join(SWEEP))
    assert found
    data = load(config().data)
    history = evaluated(tmp_path, data, float(found[1]), float(found[2]))
    assert set(judge_test(tmp_path, history, data)) <= set(SWEEP)


@pytest.mark.parametrize("line", [BY_KEY[-2], BY_KEY[-1]])
def test_what_is_said_of_a_table(line: str) -> None:
    """The sentences below the table of activation functions are those on its numbers."""
    pattern = r" *(\w+) +(\d+) +[\d.]+ ± [\d.]+ +[\d.]+ +([\d.]+) points +(\S+) to (\S+)"
    rows = [found.groups() for row in BY_KEY if (found := re.fullmatch(pattern, row))]
    first = BY_KEY[2].split()[0]
    ahead = [Contrast(first, name, int(n), *(float(value) / 100 for value in numbers)) for name, n, *numbers in rows]
    groups = [Group(first), *(Group(name) for name, *_ in rows)]
    assert len(rows) == 8 and line in judge(Comparison(groups, ahead), ACCURACY)
