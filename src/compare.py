"""What a sweep found: all its trials, the effect of one key, or several sweeps side by side.

python -m src.compare latest
python -m src.compare SWEEP --by activation
python -m src.compare SWEEP OTHER_SWEEP
python -m src.compare SWEEP --format csv > results.csv
"""

import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from src import api
from src.analysis.findings import Findings
from src.analysis.tables import left_out, trial_table
from src.base.errors import UserError
from src.base.text import numbered, render
from src.config.command_line import Format, SweepNames, SweepsFolder, run_reading
from src.ledger.sweep_folder import Sweep
from src.reporting.boards import board_of_sweeps, board_of_values, leaderboard, print_board
from src.reporting.console import new_console, print_conclusions


def main(
    sweep: SweepNames = None,
    by: Annotated[str | None, typer.Option(help="A key of the space: the effect of its values.")] = None,
    format: Format = "table",
    report: Annotated[bool, typer.Option("--report", help="Write the sweep's page anew.")] = False,
    sweeps: SweepsFolder = api.SWEEPS,
) -> None:
    """Print one row a trial, a value of a key, or a sweep; the best first."""
    found = [api.find_sweep(name, sweeps) for name in sweep or ["latest"]]
    if len(found) > 1 and (by or report):
        raise UserError("--by and --report are of one sweep: name only one.")
    if report and (by or format != "table"):
        raise UserError("--report writes the whole page: leave --by and --format out.")
    if report:
        print_report(api.write_report(found[0]))
    elif len(found) > 1:
        print_findings(api.compare_sweeps(found), format, board_of_sweeps)
    elif by:
        objective = found[0].objective
        print_findings(api.compare_values(found[0], by), format, lambda table: board_of_values(table, objective))
    else:
        print_trials(found[0], format)


def print_trials(sweep: Sweep, format: str) -> None:
    """All trials of a sweep, or its points where these have several seeds, and what is not trained."""
    history = api.read(sweep)
    if format != "table":
        print(render(trial_table(history), format))  # without conclusions, which read the results of single images
        return
    console = new_console()
    if history.trials:
        print_board(console, leaderboard(history, None))
    else:
        console.print(f"{sweep.name}: no trials yet", markup=False, soft_wrap=True)
    for reason, numbers in left_out(history).items():
        console.print(f"{escape(reason)} [dim]({numbered('point', numbers)})[/dim]", soft_wrap=True)
    print_conclusions(console, sweep.path, history)


def print_findings(findings: Findings, format: str, draw: Callable[[list[dict[str, Any]]], Table]) -> None:
    """A table, drawn for people or rendered for programs; for people the sentences on it too."""
    if format != "table":
        print(render(findings.table, format))
        return
    console = new_console()
    print_board(console, draw(findings.table))
    for sentence in findings.conclusions:
        console.print(sentence, markup=False, soft_wrap=True)


def print_report(report: api.Report) -> None:
    """Where the report is, and why it lacks something."""
    if report.trouble:
        print(f"The page is without test images: {report.trouble}", file=sys.stderr)
    print(os.path.relpath(report.path))


if __name__ == "__main__":
    run_reading(main)
