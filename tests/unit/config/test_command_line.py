"""What the user can fix is one message and an exit code; anything else keeps its traceback."""

import errno
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from src.base.errors import UserError
from src.config.command_line import report_errors

ROOT = Path(__file__).resolve().parents[3]
READER = """
from src.config.command_line import run_reading
from src.base.errors import UserError
def main(name: str, count: int = 1) -> None:
    "Says a name."
    if name == "nobody":
        raise UserError("there is nobody.")
    print("\\n".join([name] * count))
run_reading(main)
"""


def fails(error: BaseException) -> Callable[[], int]:
    """An action that ends so."""

    def act() -> int:
        raise error

    return act


def test_an_exit_code_is_passed_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing is wrong, nothing is said."""
    assert [report_errors(lambda: 0), report_errors(lambda: 7)] == [0, 7]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (UserError("there is no sweep 'x'."), 2, "error: there is no sweep 'x'.\n"),
        (OSError(errno.ENOSPC, "No space left", "a/b"), 2, "error: a/b cannot be written (No space left): make room"),
        (OSError(errno.EDQUOT, "Quota exceeded"), 2, "error: a file cannot be written (Quota exceeded): make room"),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), 2, "error: a/b cannot be used (Permission denied)"),
        (OSError(errno.EROFS, "Read-only", "a/b"), 2, "error: a/b cannot be used (Read-only): fix its permissions, or"),
        (
            NotADirectoryError(errno.ENOTDIR, "No folder", "a/b"),
            2,
            "error: a/b cannot be used (No folder): choose other",
        ),
        (
            OSError(errno.ENAMETOOLONG, "Too long", "a/b"),
            2,
            "error: a/b cannot be used (Too long): choose other folders",
        ),
        (KeyboardInterrupt(), 130, "Stopped before training began; nothing is lost.\n"),
    ],
)
def test_what_can_be_fixed(capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str) -> None:
    """A sentence on standard error, and the code by which scripts know it."""
    assert report_errors(fails(error)) == code
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith(words) and printed.err.count("\n") == 1


@pytest.mark.parametrize("error", [ValueError("x"), OSError(errno.ENOENT, "x"), AssertionError(), SystemExit(3)])
def test_what_is_our_own_mistake_is_not_hidden(error: BaseException) -> None:
    """It keeps its traceback."""
    with pytest.raises(type(error)):
        report_errors(fails(error))


@pytest.mark.parametrize(
    ("arguments", "code", "out", "err"),
    [
        (["me"], 0, "me\n", ""),
        (["me", "--count", "2"], 0, "me\nme\n", ""),
        (["nobody"], 2, "", "error: there is nobody.\n"),
        (["me", "--count", "x"], 2, "", "Usage"),
        ([], 2, "", "Usage"),
    ],
)
def test_an_entry_that_reads(arguments: list[str], code: int, out: str, err: str) -> None:
    """Its arguments are its function's, and it exits with a code."""
    done = subprocess.run(
        [sys.executable, "-c", READER, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert (
        (done.returncode, done.stdout) == (code, out) and done.stderr.startswith(err) and bool(done.stderr) is bool(err)
    )


WRITER = """
from src.config.command_line import report_errors
def write() -> int:
    for _ in range(100_000):
        print("me")
    return 0
raise SystemExit(report_errors(write))
"""
DRAWER = """
from src.config.command_line import report_errors
from src.reporting.console import new_console
def draw() -> int:
    console = new_console()
    for _ in range(20_000):
        console.print("me")
    return 0
raise SystemExit(report_errors(draw))
"""


@pytest.mark.parametrize(
    "program",
    [[WRITER], [READER, "me", "--count", "100000"], [DRAWER]],
    ids=["any", "an entry that reads", "one that draws tables"],
)
def test_a_reader_that_stops_listening(program: list[str]) -> None:
    """`… | head` ends a command quietly, with the exit code of the shell's own commands."""
    process = subprocess.Popen(
        [sys.executable, "-c", *program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout and process.stderr and process.stdout.readline() == "me\n"
    process.stdout.close()
    said = process.stderr.read()
    assert (process.wait(60), said) == (141, "")


@pytest.mark.parametrize(
    "program", [[WRITER.replace("100_000", "2")], [READER, "me"]], ids=["any", "an entry that reads"]
)
def test_a_reader_that_never_listened(program: list[str]) -> None:
    """What is written at the very end finds nobody either, and that is no traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-c", *program], stdout=writing, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=60
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_encoding_that_lacks_characters() -> None:
    """What a terminal cannot show is printed as something similar, and the command goes on; so it is in messages."""
    program = READER.replace('"there is nobody."', '"größe × 2 – …"')
    for name, code, out, err in (
        ("28×28 ± 1 …", 0, "28x28 +/- 1 ...\n", ""),
        ("größe", 0, "gr??e\n", ""),
        ("nobody", 2, "", "error: gr??e x 2 - ...\n"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, name],
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=60,
        )
        assert (done.returncode, done.stdout, done.stderr) == (code, out, err)


@pytest.mark.parametrize(
    "program", [[WRITER.replace("100_000", "2")], [READER, "me"]], ids=["any", "an entry that reads"]
)
def test_no_output_at_all(program: list[str]) -> None:
    """With its standard output closed a command does what it does."""
    line = shlex.join([sys.executable, "-c", *program]) + " >&-"
    done = subprocess.run(line, shell=True, cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
