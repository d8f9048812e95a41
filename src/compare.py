"""What a sweep found: all its trials, the effect of one key, or several sweeps side by side.

python -m src.compare latest
python -m src.compare SWEEP --by activation
python -m src.compare SWEEP OTHER_SWEEP
python -m src.compare SWEEP --format csv > results.csv
"""

import os
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from src.analysis.conclusions import describe_taken, judge, judge_search, wording
from src.analysis.contrasts import Group, compare
from src.analysis.groups import by_key, by_point
from src.analysis.ranking import point_results, rank_points
from src.analysis.tables import left_out, sweep_table, trial_table, value_table
from src.base.errors import UserError
from src.base.text import number_of, render, show_metric, spans
from src.config.command_line import Format, SweepNames, SweepsFolder, run_reading
from src.data.load import load_same
from src.ledger.database import read_history
from src.ledger.history import History
from src.ledger.objective import Objective
from src.ledger.records import Role
from src.ledger.sweep_folder import Sweep, find, last_config
from src.reporting.console import leaderboard, new_console, new_table, show_mean, show_test


def main(
    sweep: SweepNames = None,
    by: Annotated[str | None, typer.Option(help="A key of the space: the effect of its values.")] = None,
    format: Format = "table",
    report: Annotated[bool, typer.Option("--report", help="Write the sweep's page anew.")] = False,
    sweeps: SweepsFolder = Path("sweeps"),
) -> None:
    """Print one row a trial, a value of a key, or a sweep; the best first."""
    found = [find(sweeps, name) for name in sweep or ["latest"]]
    if len(found) > 1 and (by or report):
        raise UserError("--by and --report are of one sweep: name only one.")
    if report:
        write_report(found[0])
    elif len(found) > 1:
        compare_sweeps(found, format)
    elif by:
        compare_values(found[0], by, format)
    else:
        show_trials(found[0], format)


def show_trials(sweep: Sweep, format: str) -> None:
    """All trials of a sweep, and what is not trained."""
    history = read_history(sweep.path, sweep.objective)
    if format != "table":
        print(render(trial_table(history), format))
        return
    console = new_console()
    console.print(leaderboard(history, None) if history.trials else f"{sweep.name}: no trials yet", markup=False)
    for reason, numbers in left_out(history).items():
        console.print(f"{number_of(len(numbers), 'point')} {escape(reason)} [dim]({spans(numbers)})[/dim]")
    for sentence in judge_search(sweep.path, history):
        console.print(sentence, markup=False, soft_wrap=True)
    show_test(console, history)
    if taken := describe_taken(history):
        console.print(taken, markup=False, soft_wrap=True)


def write_report(sweep: Sweep) -> None:
    """The page, written anew; test images are in it if the data is where it was."""
    from src.reporting import html

    data = None
    try:
        data = load_same(last_config(sweep.path).data, sweep.frozen["data"]["digest"])
    except UserError as error:
        print(f"The page is without test images: {error}", file=sys.stderr)
    print(os.path.relpath(html.write(sweep, read_history(sweep.path, sweep.objective), data)))


def compare_values(sweep: Sweep, key: str, format: str) -> None:
    """The effect of one key, paired over equal seeds and equal other settings."""
    history = read_history(sweep.path, sweep.objective)
    if not rank_points(history):
        raise UserError(f"{sweep.name}: no trial has finished, so there is nothing to compare.")
    comparison = compare(by_key(sweep.path, history, key), history.objective.is_higher_better)
    table = value_table(history, key, comparison)
    if format != "table":
        print(render(table, format))
        return
    console = new_console()
    console.print(board_of_values(table, history.objective))
    for sentence in judge(comparison, history.objective, wording(key)):
        console.print(sentence, markup=False, soft_wrap=True)


def board_of_values(table: list[dict[str, Any]], objective: Objective) -> Table:
    """Values of a key, and how far each is behind the first."""
    key = next(iter(table[0]))
    scale = objective.factor
    board = new_table(key.rpartition(".")[2], "n", objective.name, "seconds", "behind", "95% interval", text=("key",))
    for place, row in enumerate(table):
        low, high = row["behind_low"], row["behind_high"]
        interval = "–" if low is None else f"{scale * low:.2f} to {scale * high:.2f}"
        behind = "–" if row["behind"] is None else f"{scale * row['behind']:.2f}{objective.unit}"
        cells = [
            row[key],
            str(row["trials"]),
            show_mean(row, objective.name),
            f"{row['seconds']:.1f}",
            behind,
            interval,
        ]
        board.add_row(*map(escape, cells), style="" if place else "bold")
    return board


def compare_sweeps(sweeps: Sequence[Sweep], format: str) -> None:
    """The first places of several sweeps on the same data."""
    refuse_unlike(sweeps)
    named = [(sweep.name, read_history(sweep.path, sweep.objective)) for sweep in sweeps]
    table = sweep_table(named)
    chosen_from = [len(point_results(history, Role.SEARCH)) for _, history in named]
    pairs = sum(a * b for a, b in combinations(chosen_from, 2))
    comparison = compare(best_of(sweeps, named), sweeps[0].objective.is_higher_better, pairs=pairs)
    order = [group.label for group in comparison.groups]
    table.sort(key=lambda row: order.index(row["sweep"]))
    if format != "table":
        print(render(table, format))
        return
    console = new_console()
    console.print(board_of_sweeps(table))
    said = judge(comparison, sweeps[0].objective)
    if max(chosen_from) > 1:
        said.append("Each is the best of its search on the same images: the intervals allow for that choice.")
    for sentence in said:
        console.print(sentence, markup=False, soft_wrap=True)


def board_of_sweeps(table: list[dict[str, Any]]) -> Table:
    """First places, a row a sweep."""
    columns = ["sweep", "best", "n", "val_accuracy", "val_loss", "seconds", "parameters", "test_accuracy"]
    board = new_table(*columns, text=("sweep", "best"))
    for row in table:
        cells = [row["sweep"], row["best"], str(row["seeds"])]
        cells += [show_mean(row, "val_accuracy"), show_mean(row, "val_loss"), f"{row['seconds']:.1f}"]
        board.add_row(*map(escape, cells), f"{row['parameters']:,}", show_metric(row["test_accuracy"]))
    return board


def refuse_unlike(sweeps: Sequence[Sweep]) -> None:
    """Raises UserError where sweeps cannot be put beside each other."""
    if len({sweep.name for sweep in sweeps}) < len(sweeps):
        raise UserError("the same sweep is named twice.")
    first = sweeps[0]
    for other in sweeps[1:]:
        a, b = first.frozen["data"], other.frozen["data"]
        if a["digest"] != b["digest"]:
            raise UserError(
                f"{first.name} and {other.name} are not on the same images (data={a['name']} seed={a['seed']}, "
                f"digest {a['digest'][:8]}; data={b['name']} seed={b['seed']}, digest {b['digest'][:8]}), so their "
                "results cannot be compared."
            )
        if first.objective != other.objective:
            raise UserError(f"{first.name} selects by {first.objective}, {other.name} by {other.objective}.")


def best_of(sweeps: Sequence[Sweep], named: Sequence[tuple[str, History]]) -> list[Group]:
    """A group for each sweep: its first place, a block a seed."""
    groups = []
    for sweep, (name, history) in zip(sweeps, named, strict=True):
        (group,) = by_point(sweep.path, history, rank_points(history)[:1])
        groups.append(Group(name, group.blocks))
    return groups


if __name__ == "__main__":
    run_reading(main)
