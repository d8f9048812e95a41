"""How our processes are born: spawned, or forked from a server that has imported what they need."""

import json
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import psutil
import pytest

from src.base.processes import catch_signals, start_process, start_server
from tests.functional.conftest import PROJECT

needs_server = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked from a server on Linux only")


def report(pipe: Connection) -> None:
    """In a process that is started: what it was born with; then wait until the pipe closes."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    deaf = {signal.SIGINT, signal.SIGTERM} <= set(blocked)
    pipe.send({"deaf": deaf, "colour": os.environ["COLOUR"], "has": "colorsys" in sys.modules, "pid": os.getpid()})
    pipe.poll(None)


def start_two(module: str) -> None:
    """In a process of its own: start two, from a server of a module if one is given; print what they say, and wait."""
    if module:
        start_server(module)
    started = []
    for colour in ("red", "blue"):
        os.environ["COLOUR"] = colour
        started.append(start_process(report, colour))
    print(json.dumps([pipe.recv() for _, pipe in started]), flush=True)
    sys.stdin.read()


def run_two(module: str) -> tuple[subprocess.Popen[str], list[dict[str, Any]]]:
    """The process that starts two, and what these say."""
    code = f"from tests.unit.base.test_processes import start_two; start_two({module!r})"
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, json.loads(process.stdout.readline())


@pytest.mark.parametrize("module", ["", "tests.unit.base.unimportable", pytest.param("colorsys", marks=needs_server)])
def test_born(module: str) -> None:
    """A process does not hear Ctrl-C, has the environment of the moment when it was started, and is gone with its
    starter; one of a server has what that has imported. Where the server ends, processes are started without one."""
    process, said = run_two(module)
    assert all(one["deaf"] for one in said) and [one["colour"] for one in said] == ["red", "blue"]
    assert [one["has"] for one in said] == [module == "colorsys"] * 2
    born = [psutil.Process(one["pid"]) for one in said]
    process.kill()
    process.communicate(timeout=60)
    assert not psutil.wait_procs(born, 60)[1]


def start_one(module: str) -> None:
    """In a process of its own that counts signals: start one from a server of a module."""
    start_server(module)
    with catch_signals():
        start_process(report, "red")


@needs_server
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_a_server_imports(number: signal.Signals) -> None:
    """Until processes can be started there is nothing to be put down, and a signal ends the command itself."""
    code = "from tests.unit.base.test_processes import start_one; start_one('tests.unit.base.endless')"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stderr=subprocess.DEVNULL)
    while process.poll() is None:  # more than once: the first may come before it waits
        process.send_signal(number)
        time.sleep(0.1)
    assert process.returncode == -number
