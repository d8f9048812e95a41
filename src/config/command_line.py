"""What commands share: options, exit codes, and errors without a traceback."""

import codecs
import io
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from src.base.errors import UNUSABLE, UserError, explain_disk

SweepNames = Annotated[
    list[str] | None, typer.Argument(help="A sweep's name, the beginning of it, its path, or 'latest'.")
]
SweepName = Annotated[str, typer.Argument(help="A sweep's name, the beginning of it, its path, or 'latest'.")]
SweepsFolder = Annotated[Path, typer.Option(help="The folder of the sweeps.")]
Format = Annotated[Literal["table", "csv", "json"], typer.Option(help="How to print.")]


PLAIN = {"×": "x", "–": "-", "…": "...", "±": "+/-", "→": "->", "≤": "<=", "≥": ">="}
BROKEN_PIPE = 141  # as a shell reports a command that SIGPIPE ended


def run_reading(main: Callable[..., None]) -> None:
    """Run an entry that reads, with ordinary arguments, and exit with its code."""
    print_anyhow()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help=main.__doc__)(pass_broken_pipe(main))
    sys.exit(report_errors(lambda: app(standalone_mode=True) or 0))


def pass_broken_pipe(main: Callable[..., None]) -> Callable[..., None]:
    """The same function, that ends with the exit code of a broken pipe where Typer would make it 1."""

    @wraps(main)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            main(*arguments, **options)
            print(end="", flush=True)
        except BrokenPipeError:
            raise SystemExit(end_output()) from None

    return run


def report_errors(action: Callable[[], int]) -> int:
    """The action's exit code, or 2 after printing the message of an error that the user can fix."""
    try:
        code = action()
        print(end="", flush=True)
        return code
    except UserError as error:
        message = str(error)
    except BrokenPipeError:  # of `… | head`
        return end_output()
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        message = explain_disk(error)
    except KeyboardInterrupt:
        print("Stopped before training began; nothing is lost.", file=sys.stderr)
        return 130
    print(f"error: {message}", file=sys.stderr)
    return 2


def end_output() -> int:
    """The exit code of a command whose reader is gone; nothing is written any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


def print_anyhow() -> None:
    """Characters that the terminal's encoding does not have are printed as similar ones, instead of ending the command."""
    codecs.register_error("plain", replace_unknown)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


def replace_unknown(error: UnicodeError) -> tuple[str, int]:
    """What is printed for characters that cannot be encoded."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(PLAIN.get(character, "?") for character in error.object[error.start : error.end]), error.end
