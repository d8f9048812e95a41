"""Who works on a sweep: one process at a time."""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock, Timeout

from src.base.errors import UserError
from src.base.text import short_path

SINCE = "%Y-%m-%d %H:%M:%S"
PATIENCE = 0.2  # seconds; a look at a lock takes microseconds


@contextmanager
def lock_sweep(path: Path, steal: bool) -> Iterator[None]:
    """Be the only process that works on a sweep. The lock dies with its holder.

    Raises UserError that says who holds it, or why its folder cannot be made.
    """
    lock, note = path / "lock", path / "holder.json"
    make_folder(path)
    if steal:
        refuse_living(path, read_holder(note))
        lock.unlink(missing_ok=True)
    held = FileLock(lock, timeout=PATIENCE)
    try:
        held.acquire()
    except Timeout:
        raise UserError(
            f"{path.name} is in use by {describe_holder(read_holder(note))}. Wait for it or stop it; if it is certainly "
            "gone and the file system keeps its lock, repeat the sweep's command with resume.steal=true."
        ) from None
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime(SINCE)}
    try:
        note.write_text(json.dumps(holder))
        yield
    finally:
        if read_holder(note) == holder:  # not one who has stolen it
            note.unlink(missing_ok=True)
        held.release()


def make_folder(path: Path) -> None:
    """Make a sweep's folder. Raises UserError where there cannot be one."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"the folder {short_path(path)} cannot be made ({error.strerror}): choose another one with paths.sweeps=…."
        ) from error


def read_holder(note: Path) -> dict[str, Any]:
    """Who wrote that they hold the sweep."""
    try:
        holder = json.loads(note.read_text())
        return holder if isinstance(holder, dict) else {}
    except (OSError, ValueError):
        return {}


def describe_holder(holder: dict[str, Any]) -> str:
    """A holder in words."""
    if not holder:
        return "another process"
    return f"process {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"


def refuse_living(path: Path, holder: dict[str, Any]) -> None:
    """Stealing is for locks left behind: a holder on this machine that lives keeps its sweep."""
    if is_living(holder) and is_locked(path / "lock"):
        raise UserError(
            f"{path.name} is in use by {describe_holder(holder)}, which is alive: stop it first (kill {holder['pid']})."
        )


def is_held(path: Path) -> bool:
    """Whether a process is working on the sweep. The lock is not taken: a sweep that begins meanwhile gets it."""
    holder = read_holder(path / "holder.json")
    return (path / "lock").exists() and bool(holder) and (is_living(holder) or is_locked(path / "lock"))


def is_living(holder: dict[str, Any]) -> bool:
    """Whether a holder is a process of this machine that has been running since it took the sweep."""
    if holder.get("host") != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(holder["pid"]))
        since = time.mktime(time.strptime(holder["since"], SINCE))
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() < since + 1  # it counts whole seconds
    except (psutil.Error, KeyError, ValueError, TypeError, OverflowError):
        return False


def is_locked(lock: Path) -> bool:
    """Whether a lock is taken by a process of which nothing is known; one who looks as well does not hinder."""
    try:
        file = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EACCES)
    finally:
        os.close(file)
    return False
