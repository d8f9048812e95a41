"""What commands share: options, and errors without a traceback."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from src.config.compose import report_errors


def run_reading(main: Callable[..., None]) -> None:
    """Run an entry that reads, with ordinary arguments, and exit with its code."""
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=main.__doc__)(main)
    sys.exit(report_errors(lambda: app(standalone_mode=True) or 0))


SweepNames = Annotated[list[str] | None, typer.Argument(help="A sweep's name, the beginning of it, or 'latest'.")]
SweepName = Annotated[str, typer.Argument(help="A sweep's name, the beginning of it, or 'latest'.")]
SweepsFolder = Annotated[Path, typer.Option(help="The folder of the sweeps.")]
Format = Annotated[Literal["table", "csv", "json"], typer.Option(help="How to print.")]
