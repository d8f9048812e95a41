"""How our processes are born, where their output goes, and that they die with their coordinator."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

SPAWN = multiprocessing.get_context("spawn")


def start_process(target: Callable[..., None], name: str, *arguments: Any) -> tuple[BaseProcess, Connection]:
    """A process that runs `target(pipe, *arguments)`, and our end of its pipe.

    It is born deaf to Ctrl-C, which a terminal sends to everyone: the coordinator decides.
    """
    resource_tracker.ensure_running()  # its start would unblock the signals again
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=target, args=(theirs, *arguments), name=name, daemon=True)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()
    return process, ours


def redirect_output(log: Path) -> None:
    """What TensorFlow prints goes to the log, or nowhere if there is none."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, sys.stdout.fileno() if sys.stdout else 1)
    os.dup2(file, sys.stderr.fileno() if sys.stderr else 2)


@contextmanager
def silenced() -> Iterator[None]:
    """TensorFlow's C++ side writes to standard error while it is imported, whatever its settings say."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def ignore_signals() -> None:
    """Ctrl-C and SIGTERM are for the coordinator."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def die_with_parent() -> None:
    """On Linux the kernel ends this process with its coordinator, even in the middle of a long step."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def count_gpus() -> int:
    """NVIDIA GPUs of this machine, found without TensorFlow."""
    gpus = Path("/proc/driver/nvidia/gpus")
    return len(list(gpus.iterdir())) if gpus.is_dir() else 0


class Interrupt:
    """How often the user or the system has asked to stop, and by which signal first."""

    def __init__(self) -> None:
        self.count = 0
        self.signal = 0

    def note(self, number: int, frame: Any) -> None:
        """A signal's handler."""
        self.count += 1
        self.signal = self.signal or number


@contextmanager
def catch_signals() -> Iterator[Interrupt]:
    """Ctrl-C and SIGTERM are counted instead of ending the process."""
    interrupt = Interrupt()
    before = {number: signal.signal(number, interrupt.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
