"""Who works on a sweep: one process at a time."""

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


@contextmanager
def lock_sweep(path: Path, steal: bool) -> Iterator[None]:
    """Be the only process that works on a sweep. The lock dies with its holder.

    Raises UserError that says who holds it.
    """
    lock, note = path / "lock", path / "holder.json"
    path.mkdir(parents=True, exist_ok=True)
    if steal:
        refuse_living(path, read_holder(note))
        lock.unlink(missing_ok=True)
    held = FileLock(lock, timeout=0)
    try:
        held.acquire()
    except Timeout:
        raise UserError(
            f"{path.name} is in use by {describe_holder(read_holder(note))}. Wait for it or stop it; "
            "if it is surely gone and the file system keeps its lock, repeat the sweep's command with resume.steal=true."
        ) from None
    try:
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        note.write_text(json.dumps(holder))
        yield
        note.unlink(missing_ok=True)
    finally:
        held.release()


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
    if holder.get("host") == socket.gethostname() and is_held(path) and psutil.pid_exists(int(holder.get("pid", 0))):
        raise UserError(
            f"{path.name} is in use by {describe_holder(holder)}, which is alive: stop it first (kill {holder['pid']})."
        )


def is_held(path: Path) -> bool:
    """Whether a process is working on the sweep."""
    if not (path / "lock").exists():
        return False
    probe = FileLock(path / "lock", timeout=0)
    try:
        probe.acquire()
    except Timeout:
        return True
    probe.release()
    return False
