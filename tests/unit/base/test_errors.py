"""Errors in sentences that say what is wrong, where, and what to do."""

import errno

import pytest

from src.base.errors import RefusedError, UserError, explain_disk, first_line, suggest


def test_suggest() -> None:
    """The nearest word, and all where they are few; of many, the nearest or, where none is near, all."""
    assert suggest("rleu", ["tanh", "relu"]) == "; did you mean 'relu'? Known here: relu, tanh"
    assert suggest("x", ["tanh", "relu"]) == "; known here: relu, tanh"
    many = [f"key{number}" for number in range(40)] + ["kernel"]
    assert suggest("kernl", many) == "; did you mean 'kernel'? There are 40 others"
    assert suggest("zzz", many).count(",") == 40


@pytest.mark.parametrize(
    ("error", "line"),
    [(ValueError("a\nb"), "a"), (ValueError(""), "ValueError"), (ValueError(" \n a"), "a"), (KeyError("a"), "'a'")],
)
def test_first_line(error: Exception, line: str) -> None:
    """What an exception says, or what it is."""
    assert first_line(error) == line


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "a/b cannot be written (x): make room, or keep less"),
        (errno.EACCES, "a/b cannot be used (x): fix its permissions, or choose other folders (paths.sweeps="),
        (errno.ENOTDIR, "a/b cannot be used (x): choose other folders (paths.sweeps="),
    ],
)
def test_explain_disk(code: int, words: str) -> None:
    """What to do depends on what the disk says."""
    assert explain_disk(OSError(code, "x", "a/b")).startswith(words)


def test_a_refusal_is_for_the_user() -> None:
    """It is printed as any other error that the user can fix."""
    assert issubclass(RefusedError, UserError)
