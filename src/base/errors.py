"""What the user can fix, in one sentence that says what, where and how."""

import difflib
import errno
from collections.abc import Iterable

FULL = {errno.ENOSPC, errno.EDQUOT}
MISPLACED = {errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP}  # a folder where none can be
UNUSABLE = FULL | MISPLACED | {errno.EROFS, errno.EACCES, errno.EPERM}  # what a disk says that the user can change

MANY = 15  # words, beyond which not all are listed


class UserError(Exception):
    """Something the user can fix, in one sentence that says what, where and how."""


class RefusedError(UserError):
    """A sweep that cannot be trained as it was asked for: where it is new, nothing of it is worth keeping."""


def suggest(word: str, known: Iterable[str]) -> str:
    """'; did you mean …? Known: …' for a misspelt word; of many that are known only the nearest is named."""
    options = sorted(known)
    listed = ", ".join(options)
    if not (near := difflib.get_close_matches(word, options, n=1)):
        return f"; known here: {listed}"
    hint = f"; did you mean '{near[0]}'?"
    return f"{hint} Known here: {listed}" if len(options) <= MANY else f"{hint} There are {len(options) - 1} others"


def first_line(error: Exception) -> str:
    """What an exception says, in a line; its kind if it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def explain_disk(error: OSError) -> str:
    """For a disk that is full, a folder that may not be written, or a path that cannot be one."""
    file = f"{error.filename or 'a file'} cannot be {'written' if error.errno in FULL else 'used'} ({error.strerror})"
    if error.errno in FULL:
        return f"{file}: make room, or keep less (checkpoints.keep=5 tracking.keep=5); the same command goes on."
    other = "choose other folders (paths.sweeps=… paths.mlruns=…)"
    return f"{file}: {other if error.errno in MISPLACED else f'fix its permissions, or {other}'}."
