"""Sweeps in processes forked from here, and what is left of them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from hydra import compose, initialize_config_dir

from src import api
from src.base import processes
from src.base.text import again
from src.config.command_line import report_errors
from src.config.compose import CONF, resolve, validate
from src.config.schema import Config
from src.reporting.console import new_console
from src.tracking import store
from tests.functional.torture.steps import STEPS

OVERRIDES = [
    "data=npz",
    "architecture=dnn",
    "architecture.units=[8]",
    "architecture.dropout=0.2",
    "architecture.batch_norm=true",
    "schedule=exponential",
    "training.epochs=2",
    "training.more_threads=[[2,2]]",
    "training.batch_size=32",
    "training.early_stopping.patience=2",
    "search=activations",
    "~search.space.activation",
    "+search.space.optimizer.choice=[adamw,sgd]",
    "search.confirm=1",
    "search.confirm_repeats=1",
    "search.refit=true",
    "search.retries=1000",
    "checkpoints.seconds=0",
    "workers.count=2",
]
TIMEOUT = 120  # seconds, after which a sweep counts as hanging


@dataclass
class Arena:
    """Where sweeps are killed: images, MLflow's database as it is made, and a folder for each sweep."""

    root: Path
    kills: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    sweeps: int = 0

    def overrides(self, folder: Path) -> list[str]:
        """The command line of the sweep in a folder."""
        paths = [f"paths.sweeps={folder}/sweeps", f"paths.mlruns={folder}/mlruns"]
        return [*OVERRIDES, f"data.path={self.root}/images.npz", *paths]

    def new_sweep(self, has_database: bool = True) -> tuple[Path, Config]:
        """A folder of its own and the configuration of a sweep in it; without a database it takes seconds more."""
        self.sweeps += 1
        folder = self.root / f"{self.sweeps:05d}"
        if has_database:
            shutil.copytree(self.root / "empty", folder / "mlruns")
        else:
            folder.mkdir()
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return folder, validate(resolve(compose("config", self.overrides(folder))))

    def found(self, what: str, count: int = 1) -> None:
        """Something that must not be."""
        self.findings[what] += count


def make_arena(root: Path) -> Arena:
    """Images of three classes, and MLflow's database made once."""
    rng = np.random.default_rng(0)
    labels = np.arange(240) % 3
    images = rng.integers(0, 120, (240, 6, 6))
    for label in range(3):
        images[labels == label, 2 * label : 2 * label + 2] += 100
    np.savez(root / "images.npz", x_train=images.astype(np.uint8), y_train=labels)
    uri = store.store_uri(root / "empty")
    (root / "empty").mkdir()
    code = f"import mlflow; mlflow.MlflowClient({uri!r}).search_experiments()"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    return Arena(root)


def start(config: Config, log: Path) -> int:
    """The sweep in processes of its own group, forked from here; its process id."""
    child = os.fork()
    if child:
        return child
    try:
        STEPS.active = True
        os.setsid()
        processes.redirect_output(log)
        sys.argv = ["sweep"]
        os._exit(report_errors(lambda: api.run(config, new_console(), again())))
    finally:
        os._exit(99)


def wait(child: int, seconds: float) -> int | None:
    """The exit code, negative for a signal; None while it lives."""
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.005)


def members(group: int) -> list[psutil.Process]:
    """The living processes of a sweep."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def end_orphans(arena: Arena, group: int) -> None:
    """After the coordinator's end nothing of it may live on."""
    deadline = time.monotonic() + 5
    while members(group) and time.monotonic() < deadline:
        time.sleep(0.005)
    if orphans := members(group):
        arena.found("orphans", len(orphans))
        os.killpg(group, signal.SIGKILL)


def finish(arena: Arena, config: Config, log: Path) -> None:
    """Run to the end, with no more kills."""
    STEPS.reset()
    child = start(config, log)
    code = wait(child, TIMEOUT)
    if code is None:
        arena.found("hangs")
        os.killpg(child, signal.SIGKILL)
        wait(child, 10)
    elif code:
        arena.found(f"exits with {code}")
    end_orphans(arena, child)
