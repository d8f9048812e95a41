"""Runs real sweeps as a user does: real processes, a real ledger, a real MLflow store."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from src.ledger.database import read_history
from src.ledger.history import History
from src.ledger.sweep_folder import list_sweeps, open_sweep

EPOCHS = 120  # fast ones: long enough to be killed in
PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 1,500 noisy 12×12 images: a bright spot in one of three corners."""
    rng = np.random.default_rng(0)
    labels = np.arange(1500) % 3
    pixels = rng.integers(0, 120, (1500, 12, 12))
    for label, (row, column) in enumerate(((1, 1), (1, 7), (7, 4))):
        pixels[labels == label, row : row + 4, column : column + 4] += 60
    path = tmp_path_factory.mktemp("data") / "corners.npz"
    np.savez(path, x_train=pixels.astype(np.uint8), y_train=labels)
    return path


@dataclass
class Home:
    """A user's folders, and the command they type there."""

    root: Path
    images: Path

    def command(self, *overrides: str) -> list[str]:
        """Two trials of a network with dropout and batch normalisation, AdamW and a cosine schedule."""
        base = [
            "data=npz",
            f"data.path={self.images}",
            "architecture=dnn",
            "architecture.units=[32]",
            "architecture.dropout=0.2",
            "architecture.batch_norm=true",
            "optimizer=adamw",
            "schedule=cosine",
            f"training.epochs={EPOCHS}",
            "training.batch_size=16",
            "search=activations",
            "search.space.activation.choice=[relu,tanh]",
            "checkpoints.seconds=0.1",
            f"paths.sweeps={self.root}/sweeps",
            f"paths.mlruns={self.root}/mlruns",
        ]
        return [sys.executable, "-m", "src.sweep", *base, *overrides]

    def start(self, *overrides: str) -> subprocess.Popen[str]:
        """The sweep as a process group of its own."""
        return subprocess.Popen(
            self.command(*overrides),
            cwd=PROJECT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *overrides: str) -> subprocess.CompletedProcess[str]:
        """The sweep to its end."""
        return run(self.command(*overrides))

    def folder(self) -> Path:
        """The one sweep here."""
        (folder,) = list_sweeps(self.root / "sweeps")
        return folder

    def history(self) -> History:
        """Its ledger."""
        sweep = open_sweep(self.folder())
        return read_history(sweep.path, sweep.objective)

    def wait_for(self, condition: Callable[[History], bool], process: subprocess.Popen[str]) -> None:
        """Until the ledger says so."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            if list_sweeps(self.root / "sweeps") and condition(self.history()):
                return
            time.sleep(0.05)
        output = process.communicate(timeout=5)[0] if process.poll() is not None else "still running"
        raise AssertionError(f"the sweep never got there: {output}")


def environment() -> dict[str, str]:
    """This process' own, less what MLflow's client puts into it."""
    return {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """A command to its end, output and errors together."""
    return subprocess.run(
        command,
        cwd=PROJECT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
    )


def left_behind(group: int, seconds: float = 10) -> list[str]:
    """The commands of a group's processes that still live after a while.

    A while, since the others (Python's resource tracker among them) learn of their parent's end from a closed pipe.
    """
    deadline = time.monotonic() + seconds
    while (found := commands_of(group)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def commands_of(group: int) -> list[str]:
    """What the living processes of a group are."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found


def kill_group(process: subprocess.Popen[str]) -> None:
    """Everything of a sweep, at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


@pytest.fixture
def home(tmp_path: Path, images: Path) -> Home:
    """Empty folders."""
    return Home(tmp_path, images)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, images: Path) -> tuple[Home, str]:
    """A sweep that nobody interrupted, and what it printed."""
    home = Home(tmp_path_factory.mktemp("finished"), images)
    result = home.run()
    assert result.returncode == 0, result.stdout
    return home, result.stdout
