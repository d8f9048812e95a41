"""Tables as they are printed: points and trials, values of a key, sweeps and their states."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from src.analysis.ranking import rank_points
from src.analysis.tables import metrics_of, point_table, trial_table
from src.base.text import last, short_keys, show, show_bytes, show_metric
from src.ledger.history import History
from src.ledger.objective import Objective
from src.ledger.records import PointState, Role, TrialState

STATUS = ("sweep", "state", "trials", "failed", "infeasible", "best", "written", "disk", "to go on")
STATUS_TEXTS = ("sweep", "state", "best", "to go on")  # the other columns hold numbers
LONGEST = 10_000  # letters of a line that is not broken
UNITS = (("days", 86400), ("h", 3600), ("min", 60))


# --------------------------------------------------------------------------------------- one sweep


def preview_table(history: History) -> Table:
    """All points with what a preview knows of them."""
    table = new_table("point", *short_keys(list(history.points[0].values)), "parameters", "state")
    for point in history.points:
        cells = [str(point.number), *map(show_escaped, point.values.values())]
        table.add_row(
            *cells,
            f"{point.parameters:,}" if point.parameters else "–",
            point.state,
            style="" if point.state == PointState.FEASIBLE else "dim",
        )
    return table


def leaderboard(history: History, limit: int | None) -> Table:
    """The best, best first: trials, or points with mean ± standard deviation where these have several seeds."""
    several = any(len(result.trials) > 1 for result in rank_points(history))
    return board_of_points(history, limit) if several else board_of_trials(history, limit)


def board_of_points(history: History, limit: int | None) -> Table:
    """Points that have a result."""
    shown = point_table(history)[:limit]
    keys = list(history.points[0].values)
    roles = any(row["role"] == Role.CONFIRM for row in shown)
    columns = ["point", *short_keys(keys), *(["seeds"] if roles else []), "n", *metrics_of(history), "seconds"]
    table = new_table(*columns, "parameters", text=("seeds",))
    for place, row in enumerate(shown, 1):
        cells = [str(row["point"]), *(show_escaped(row[key]) for key in keys)]
        cells += ["fresh" if row["role"] == Role.CONFIRM else "of the search"] if roles else []
        cells += [str(row["seeds"]), *(show_mean(row, name) for name in metrics_of(history))]
        table.add_row(*cells, f"{row['seconds']:.1f}", f"{row['parameters']:,}", style="bold" if place == 1 else "")
    return table


def board_of_trials(history: History, limit: int | None) -> Table:
    """Trials, with their states where not all shown have finished."""
    shown = trial_table(history)[:limit]
    keys = list(history.points[0].values) if history.points else []
    states = any(row["state"] != TrialState.FINISHED or row["reason"] or row["drift"] for row in shown)
    columns = ["trial", *short_keys(keys), *metrics_of(history), "epoch", "seconds", "parameters"]
    table = new_table(*columns, *(["state"] if states else []))
    for place, row in enumerate(shown, 1):
        cells = [str(row["trial"]), *(show_escaped(row[key]) for key in keys)]
        cells += [show_metric(row[name]) for name in metrics_of(history)]
        cells += [f"{show(row['best_epoch'])}/{row['epochs']}", f"{row['seconds']:.1f}"]
        cells += [f"{row['parameters']:,}", *([escape(show_state(row))] if states else [])]
        best = place == 1 and row["state"] == TrialState.FINISHED
        table.add_row(*cells, style="bold" if best else "")
    return table


def show_state(row: dict[str, Any]) -> str:
    """A trial's state, or why it was stopped early; whole reasons are in CSV, JSON and the report."""
    was_stopped = row["state"] == TrialState.FINISHED and row["reason"]
    state = row["reason"].partition(":")[0] if was_stopped else row["state"]
    return f"{state}; under {row['drift']}" if row["drift"] else str(state)


def board_of_values(table: list[dict[str, Any]], objective: Objective) -> Table:
    """Values of a key, and how far each is behind the first: of the trials that are compared, or of all if none are.

    What the first has in the same pairs is beside it, unless that is the same in all rows.
    """
    key, scale = next(iter(table[0])), objective.factor
    matched, of_first = f"matched_{objective.name}", f"first_{objective.name}"
    is_compared = any(row["pairs"] for row in table)
    count, mean = ("matched", matched) if is_compared else ("trials", objective.name)
    is_same = {show_metric(row[of_first]) for row in table if row["pairs"]} <= {show_metric(table[0][matched])}
    beside = [] if is_same else ["the first's"]
    names = [last(key), "n", objective.name, *beside, "seconds", "behind", "95% interval"]
    board = new_table(*names, text=("key",))
    for place, row in enumerate(table):
        low, high = row["behind_low"], row["behind_high"]
        interval = "–" if low is None else f"{scale * low:.2f} to {scale * high:.2f}"
        behind = "–" if row["behind"] is None else f"{scale * row['behind']:.2f}{objective.unit}"
        cells = [row[key], str(row[count]), show_mean(row, mean)]
        cells += [show_metric(row[of_first])] if beside else []
        board.add_row(*map(escape, (*cells, f"{row['seconds']:.1f}", behind, interval)), style="" if place else "bold")
    return board


# ------------------------------------------------------------------------------------------ sweeps


def board_of_sweeps(table: list[dict[str, Any]]) -> Table:
    """First places, a row a sweep."""
    columns = ["sweep", "best", "n", "val_accuracy", "val_loss", "seconds", "parameters", "test_accuracy"]
    board = new_table(*columns, text=("sweep", "best"))
    for row in table:
        cells = [row["sweep"], row["best"], str(row["seeds"])]
        cells += [show_mean(row, "val_accuracy"), show_mean(row, "val_loss"), f"{row['seconds']:.1f}"]
        board.add_row(*map(escape, cells), f"{row['parameters']:,}", show_metric(row["test_accuracy"]))
    return board


def board_of_states(rows: list[dict[str, Any]], now: float) -> str:
    """Sweeps in aligned columns, never cut: what stands in the last one can be copied."""
    table = [STATUS, *(status_cells(row, now) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for line in table:
        columns = zip(STATUS, line, widths, strict=True)
        padded = (cell.ljust(width) if name in STATUS_TEXTS else cell.rjust(width) for name, cell, width in columns)
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def status_cells(row: dict[str, Any], now: float) -> tuple[str, ...]:
    """A row as text; a sweep that cannot be read has the reason where others have their command."""
    age = show_age(now - datetime.fromisoformat(row["written"]).timestamp())
    disk = show_bytes(row["bytes"])
    if row["state"] == "unreadable":
        return row["sweep"], row["state"], "–", "–", "–", "–", age, disk, row["reason"]
    best = "–" if row["best"] is None else f"{row['objective']} {show_metric(row['best'])}"
    best += f" (mean of {row['seeds']})" if row["seeds"] > 1 else ""
    done = f"{row['finished']}/{row['trials']}"
    state = f"{row['state']} {row['reason']}".strip()
    numbers = done, str(row["failed"]), str(row["infeasible"])
    return row["sweep"], state, *numbers, best, age, disk, row["command"] or "–"


def show_age(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h`, `5 days`: the largest unit of which two have passed."""
    found = (f"{int(seconds / size)} {unit}" for unit, size in UNITS if seconds >= 2 * size)
    return next(found, f"{max(int(seconds), 0)} s")


# ------------------------------------------------------------------------------------------ pieces


def new_table(*columns: str, text: Collection[str] = ("state",)) -> Table:
    """A plain table of numbers, but for the columns that hold text."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    lines = max(column.count("_") for column in columns)
    for column in columns:
        words = column in text
        heading = "\n" * (lines - column.count("_")) + column.replace("_", "\n")
        table.add_column(heading, justify="left" if words else "right", no_wrap=not words)
    return table


def print_board(console: Console, board: Table) -> None:
    """Print a table whole: only text is broken, between words. Where there is no room even so, columns stand closer, and
    where that is not enough, lines are longer than the console is wide."""
    for column in board.columns:
        parts = [Text.from_markup(str(cell)).plain for cell in (column.header, *column.cells)]
        words = [word for part in parts for word in (part.splitlines() if column.no_wrap else part.split())]
        column.min_width = max(map(cell_len, words), default=0)
    if measure(console, board).minimum > console.width:
        board.padding = (0, 1, 0, 0)
    needed = measure(console, board)
    if needed.minimum > console.width:
        board.width = needed.maximum
    console.print(board, crop=False)


def measure(console: Console, board: Table) -> Measurement:
    """The least width at which a table shows all that it has, and the one at which nothing is broken."""
    return Measurement.get(console, console.options.update(max_width=LONGEST), board)


def show_escaped(value: Any) -> str:
    """A cell whose brackets are no markup."""
    return escape(show(value))


def show_mean(row: dict[str, Any], metric: str) -> str:
    """`0.9860 ± 0.0021`; without the deviation of a single one."""
    deviation = row[f"{metric}_sd"]
    return show_metric(row[metric]) + (f" ± {show_metric(deviation)}" if deviation is not None else "")
