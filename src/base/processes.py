"""How our processes are born, where their output goes, and that they die with their coordinator."""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import Any

SPAWN: Any = multiprocessing.get_context("spawn")
CONTEXT = SPAWN  # how processes are started
SIGNALS: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
importing: Thread | None = None  # ends when the server has imported


def start_server(module: str) -> None:
    """Begin to import a module in a server from which processes are then forked, instead of importing it in each.

    Where there is a GPU, or none of Linux, they go on being started afresh: a fork is not safe there.
    """
    global CONTEXT, importing
    if sys.platform != "linux" or count_gpus() or CONTEXT is not SPAWN:
        return
    multiprocessing.set_forkserver_preload([module])
    with suppress(OSError), deaf_children():
        forkserver.ensure_running()
        CONTEXT = multiprocessing.get_context("forkserver")
        importing = Thread(target=await_server, daemon=True)
        importing.start()


def await_server() -> None:
    """A server forks, and says so, once it has imported; this fork has nothing to do and ends."""
    with suppress(OSError, EOFError), deaf_children():
        status, data = forkserver.connect_to_new_process([])
        forkserver.read_signed(status)
        os.close(data)
        os.close(status)


def wait_for_server() -> None:
    """Until it has imported. Nothing has begun yet, so meanwhile Ctrl-C ends the command, as it ends any other."""
    if not (importing and importing.is_alive()):
        return
    before = {number: signal.signal(number, handler) for number, handler in SIGNALS.items()}
    try:
        importing.join()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start_process(target: Callable[..., None], name: str, *arguments: Any) -> tuple[BaseProcess, Connection]:
    """A process that runs `target(pipe, *arguments)` in our environment, and our end of its pipe.

    It is born deaf to Ctrl-C, which a terminal sends to everyone: the coordinator decides.
    """
    global CONTEXT
    wait_for_server()
    ours, theirs = CONTEXT.Pipe()
    how = {"target": begin, "args": (dict(os.environ), target, theirs, *arguments), "name": name, "daemon": True}
    process = CONTEXT.Process(**how)
    with deaf_children():
        try:
            process.start()
        except (EOFError, ConnectionError):  # the server has ended, importing: a process of its own will say why
            CONTEXT = SPAWN
            process = SPAWN.Process(**how)
            process.start()
    theirs.close()
    return process, ours


def begin(environment: dict[str, str], target: Callable[..., None], *arguments: Any) -> None:
    """What runs in the process: a server has the environment of the time when it was started."""
    os.environ.update(environment)
    target(*arguments)


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes that are started meanwhile have Ctrl-C and SIGTERM blocked."""
    resource_tracker.ensure_running()  # its start would unblock the signals again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def redirect_output(log: Path | str) -> None:
    """What TensorFlow prints goes to the log."""
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


def count_cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


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
