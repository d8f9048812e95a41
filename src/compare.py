"""The results of a sweep, at any time, whether or not it is running.

python -m src.compare latest
python -m src.compare SWEEP --format csv > results.csv
"""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from src.analysis import left_out
from src.config import run_reading
from src.folder import find
from src.ledger import read_rows
from src.report import leaderboard, new_console, number_of, render, spans

SweepName = Annotated[str, typer.Argument(help="A sweep's name, the beginning of it, or 'latest'.")]
SweepsFolder = Annotated[Path, typer.Option(help="The folder of the sweeps.")]


def main(
    sweep: SweepName = "latest",
    format: Annotated[Literal["table", "csv", "json"], typer.Option(help="How to print.")] = "table",
    sweeps: SweepsFolder = Path("sweeps"),
) -> None:
    """Print one row a trial, the best first."""
    found = find(sweeps, sweep)
    rows = read_rows(found.path, found.objective)
    if format != "table":
        print(render(rows, format))
        return
    console = new_console()
    console.print(
        f"sweep [b]{found.name}[/b], {number_of(len(rows.trials), 'trial')} of {number_of(len(rows.points), 'point')}"
    )
    for reason, numbers in left_out(rows).items():
        console.print(f"  {escape(reason)}  [dim](points {spans(numbers)})[/dim]", soft_wrap=True)
    console.print(leaderboard(rows, None))
    for evaluation in rows.evaluations:
        console.print(
            f"test: trial {evaluation.trial}, epoch {evaluation.epoch}, accuracy {evaluation.accuracy:.4f}, loss {evaluation.loss:.4f}"
        )


if __name__ == "__main__":
    run_reading(main)
