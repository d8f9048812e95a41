"""All sweeps of a folder: what runs, what is complete, what was interrupted, and the commands that go on.

python -m src.status
python -m src.status --format json
"""

import time
from typing import Annotated, Literal

import typer

from src import api
from src.base.text import render
from src.config.command_line import SweepsFolder, run_reading
from src.reporting.boards import board_of_states


def main(
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print.")] = "table",
    sweeps: SweepsFolder = api.SWEEPS,
) -> None:
    """Print one row a sweep, the one written last first."""
    rows = api.describe_sweeps(sweeps)
    print(render(rows, "json") if format == "json" else board_of_states(rows, time.time()))


if __name__ == "__main__":
    run_reading(main)
