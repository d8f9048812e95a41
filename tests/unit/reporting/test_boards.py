"""Tables as they are printed."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from src.ledger.events import Failed
from src.ledger.history import History
from src.ledger.objective import ACCURACY, LOSS
from src.ledger.records import Cause, Role, Trial
from src.reporting.boards import (
    STATUS,
    board_of_states,
    board_of_sweeps,
    board_of_values,
    leaderboard,
    new_table,
    preview_table,
    print_board,
    show_age,
)
from tests.unit.examples import epoch, finish, history_of, train_job

SPACE = {"architecture": {"filters": {"choice": [[8, 16], 16, [16, 16]]}, "pool": {"choice": [1, 2]}}}


@pytest.fixture
def history() -> History:
    """Of four trials and two duplicates, one has finished, one was stopped early, one has failed, one waits."""
    made = history_of("training.epochs=2", "search.retries=0", space=SPACE)
    finish(made, 1, epoch(1, 0.25), epoch(2, 1 / 3))
    finish(made, 2, epoch(1, 0.5), reason="early stopping: no better in 2 epochs")
    made.apply(Failed(train_job(3), Cause.NAN, "the loss is nan"), 0)
    return made


def printed(board: Table) -> list[list[str]]:
    """The words of each line that is printed of a table."""
    console = Console(width=200, file=io.StringIO(), highlight=False)
    console.print(board)
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines() if line.strip()]


def test_cells_begin_at_the_same_line() -> None:
    """What is broken into lines stays beside its own row: cells at their top, headings at their bottom."""
    table = new_table("name", "val_loss", text=("name",))
    table.add_row("a name of two lines", "1")
    console = Console(width=16, file=io.StringIO(), highlight=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    head, below, first, *_ = console.file.getvalue().splitlines()
    assert head.split() == ["val"] and below.split() == ["name", "loss"] and first.startswith("a name") and "1" in first


def printed_whole(board: Table, width: int) -> list[str]:
    """The lines that `print_board` prints where there is so much room."""
    console = Console(width=width, file=io.StringIO(), highlight=False)
    print_board(console, board)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def wide_table() -> Table:
    """Two columns of numbers, and states of two words."""
    table = new_table("a_number", "another", "state")
    table.add_row("0.123456", "1,234,567", "early stopping")
    table.add_row("0.5", "1", escape("[red]"))
    return table


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            40,
            [
                "       a",
                "  number    another  state",
                "0.123456  1,234,567  early stopping",
                "     0.5          1  [red]",
            ],
        ),
        (29, ["0.123456  1,234,567  early", "                     stopping", "     0.5          1  [red]"]),
        (27, ["0.123456 1,234,567 early", "                   stopping", "     0.5         1 [red]"]),
        (10, ["0.123456 1,234,567 early stopping", "     0.5         1 [red]"]),
    ],
)
def test_tables_are_never_cut(width: int, lines: list[str]) -> None:
    """Words and numbers stay whole: text is broken between words, then columns stand closer, then lines are longer."""
    assert printed_whole(wide_table(), width)[-len(lines) :] == lines


# --------------------------------------------------------------------------------------- one sweep


def test_leaderboard(history: History) -> None:
    """The best first, cut where asked, with metrics to four places."""
    first, second = printed(leaderboard(history, 2))[-2:]
    assert first[:5] == ["2", "[8,", "16]", "2", "0.5000"] and second[0] == "1"
    assert "0.3333" in second and "2/2" in second


def test_states_are_short(history: History) -> None:
    """Where not all have finished each has its state; of one that was stopped early it is why, up to the colon."""
    lines = [" ".join(line) for line in printed(leaderboard(history, None))[-4:]]
    ends = "early stopping", "finished", "failed", "waiting"
    assert [line.endswith(end) for line, end in zip(lines, ends, strict=True)] == [True] * 4


def test_drift_is_said(history: History) -> None:
    """A trial that was trained under other versions is marked."""
    history.trial(1).drift = "tensorflow 2.20 → 2.21"
    assert printed(leaderboard(history, 2))[-1][-6:] == ["finished;", "under", "tensorflow", "2.20", "→", "2.21"]


def test_points_of_several_seeds() -> None:
    """Of several seeds a line is a point, with mean and deviation; those on fresh seeds are told apart."""
    words = ("training.epochs=1", "search.repeats=2", "search.confirm=1", "search.confirm_repeats=2")
    made = history_of(*words, space={"architecture": {"pool": {"choice": [1, 2]}}})
    for number, value in ((1, 0.1), (2, 0.5), (3, 0.2), (4, 0.7)):
        finish(made, number, epoch(1, value))
    lines = printed(leaderboard(made, None))
    assert lines[-2][:6] == ["2", "2", "2", "0.6000", "±", "0.1414"] and "seeds" not in lines[0]
    made.apply(Trial(5, 2, Role.CONFIRM, 0, 1), 0)
    finish(made, 5, epoch(1, 0.3))
    lines = printed(leaderboard(made, None))
    assert lines[-2][:5] == ["2", "2", "fresh", "1", "0.3000"] and lines[-1][:6] == [
        "1",
        "1",
        "of",
        "the",
        "search",
        "2",
    ]


def test_preview_table(history: History) -> None:
    """A preview has a line for every point, with its state."""
    words = [word for line in printed(preview_table(history)) for word in line]
    assert (words.count("feasible"), words.count("duplicate")) == (4, 2)


@pytest.mark.parametrize(
    ("objective", "words"),
    [(ACCURACY, ["2.50", "points", "-1.00", "to", "6.00"]), (LOSS, ["0.03", "-0.01", "to", "0.06"])],
)
def test_values_of_a_key(objective: Any, words: list[str]) -> None:
    """The first is behind nobody; the others by a difference in the objective's unit, with its interval."""
    table = [
        row_of("1", objective.name, (4, 0.55), (2, 0.5)),
        row_of("[x]", objective.name, (9, 0.75), (2, 0.475), 0.5, behind=0.025, behind_low=-0.01, behind_high=0.06),
    ]
    *heading, first, second = printed(board_of_values(table, objective))
    assert "pool" in heading[-1] and first == ["1", "2", "0.5000", "1.2", "–", "–"]
    assert second == ["[x]", "2", "0.4750", "1.2", *words]


def row_of(
    value: str,
    name: str,
    of_all: tuple[int, float],
    matched: tuple[int, float | None],
    first: float | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A row of a value: how many trials it has and their mean, the same of those that are compared, and the first's."""
    row = {"a.pool": value, "trials": of_all[0], name: of_all[1], f"{name}_sd": None, "seconds": 1.25}
    row |= {"behind": None, "behind_low": None, "behind_high": None, "pairs": matched[0] if more else None}
    return row | {
        "matched": matched[0],
        f"matched_{name}": matched[1],
        f"matched_{name}_sd": None,
        f"first_{name}": first,
        **more,
    }


def test_pairs_that_differ_from_row_to_row() -> None:
    """Where the first has another mean in each comparison, it stands beside that of the value."""
    table = [
        row_of("1", "val_accuracy", (4, 0.55), (4, 0.55)),
        row_of("2", "val_accuracy", (4, 0.5), (3, 0.5), 0.5625, behind=0.0625),
        row_of("3", "val_accuracy", (4, 0.5), (0, None), pairs=0),
    ]
    *heading, first, second, third = printed(board_of_values(table, ACCURACY))
    assert "the first's" in " ".join(heading[-1])
    assert first == ["1", "4", "0.5500", "–", "1.2", "–", "–"]
    assert second == ["2", "3", "0.5000", "0.5625", "1.2", "6.25", "points", "–"]
    assert third == ["3", "0", "–", "–", "1.2", "–", "–"]


def test_values_that_are_not_compared() -> None:
    """Where no trials are compared, the means are of all."""
    table = [row_of(value, "val_accuracy", (4, 0.5), (0, None), pairs=0) for value in "12"]
    *_, first, second = printed(board_of_values(table, ACCURACY))
    assert first == ["1", "4", "0.5000", "1.2", "–", "–"] and second[:3] == ["2", "4", "0.5000"]


# ------------------------------------------------------------------------------------------ sweeps


def test_first_places_of_sweeps() -> None:
    """A row a sweep; one that was not evaluated has no test accuracy."""
    metrics = {"val_accuracy": 0.9, "val_accuracy_sd": 0.01, "val_loss": 0.3, "val_loss_sd": None}
    row = {"sweep": "mine", "best": "pool=2", "seeds": 3, "seconds": 2.0, "parameters": 1234, "test_accuracy": None}
    assert printed(board_of_sweeps([row | metrics]))[-1] == [
        "mine",
        "pool=2",
        "3",
        "0.9000",
        "±",
        "0.0100",
        "0.3000",
        "2.0",
        "1,234",
        "–",
    ]


def test_states_of_sweeps() -> None:
    """Columns are aligned and never cut; a sweep that cannot be read has the reason where others have their command."""
    known = {"written": "2026-01-01T00:00:00+00:00", "bytes": 2_000_000, "infeasible": 0, "objective": "val_loss"}
    whole = {"sweep": "a-long-name", "state": "complete", "reason": "with 2 pruned", "finished": 3, "trials": 5}
    whole |= known | {"failed": 0, "best": 0.25, "seeds": 2, "command": "python -m src.sweep " + "x" * 300}
    broken = {"sweep": "b", "state": "unreadable", "reason": "no ledger", "command": "python"} | known
    now = 1767225600.0 + 600
    heading, first, second = board_of_states([whole, broken], now).splitlines()
    assert heading.split() == [word for name in STATUS for word in name.split()]
    assert first.split()[:6] == ["a-long-name", "complete", "with", "2", "pruned", "3/5"]
    assert "val_loss 0.2500 (mean of 2)" in first and "  10 min  " in first and first.endswith("x" * 300)
    assert second.endswith("no ledger") and heading.index("to go on") == second.index("no ledger")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (4e5, "4 days")],
)
def test_ages(seconds: float, words: str) -> None:
    """An age is said in the largest unit of which two have passed."""
    assert show_age(seconds) == words
