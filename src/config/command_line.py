"""What commands share: options, exit codes, and errors without a traceback."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from src.base.errors import UNUSABLE, UserError, explain_disk

SweepNames = Annotated[list[str] | None, typer.Argument(help="A sweep's name, the beginning of it, or 'latest'.")]
SweepName = Annotated[str, typer.Argument(help="A sweep's name, the beginning of it, or 'latest'.")]
SweepsFolder = Annotated[Path, typer.Option(help="The folder of the sweeps.")]
Format = Annotated[Literal["table", "csv", "json"], typer.Option(help="How to print.")]


def run_reading(main: Callable[..., None]) -> None:
    """Run an entry that reads, with ordinary arguments, and exit with its code."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=main.__doc__)(main)
    sys.exit(report_errors(lambda: app(standalone_mode=True) or 0))


def report_errors(action: Callable[[], int]) -> int:
    """The action's exit code, or 2 after printing the message of an error that the user can mend."""
    try:
        return action()
    except UserError as error:
        message = str(error)
    except BrokenPipeError:  # of `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        message = explain_disk(error)
    except KeyboardInterrupt:
        print("Stopped before training began; nothing is lost.", file=sys.stderr)
        return 130
    print(f"error: {message}", file=sys.stderr)
    return 2
