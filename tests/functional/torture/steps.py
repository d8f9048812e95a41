"""Steps of a sweep's processes, counted, at any of which it can be killed; and all that they import, imported once."""

import gc
import importlib
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context, resource_tracker
from pathlib import Path
from typing import Any

from src.base import processes
from src.figures import of_images, of_keys, of_sweeps, of_trials, style
from src.tracking import store

FORK = get_context("fork")
VICTIMS = ("everything", "the coordinator", "one process")
MODULES = [
    "keras_tuner",
    "src.api",
    "src.execution.session",
    "src.tracking.dumps",
    "src.tracking.observer",
    "src.training.engine",
    "src.training.loop",
    "src.training.passes",
]
MODULES += [
    "src.tracking.mirror",
    "src.reporting.display",
    "src.reporting.html",
    "src.training.export",
    "scipy.special",
]
MODULES += ["git", "opentelemetry.sdk.metrics", "mlflow.keras", "mlflow.pyfunc.model", "mlflow.models.display_utils"]
MODULES += ["mlflow.store.db.utils", "mlflow.store.tracking.sqlalchemy_store", "sqlalchemy.dialects.sqlite"]


class Steps:
    """Counts the steps of all processes of one sweep, and kills at one of them."""

    def __init__(self) -> None:
        self.count = FORK.Value("i", 0)
        self.target = 0
        self.victim = VICTIMS[0]
        self.active = False  # in the processes of a sweep, not in this one

    def reset(self, target: int = 0, victim: str = VICTIMS[0]) -> None:
        """Begin to count anew; the old counter's lock may have died with its holder."""
        self.count, self.target, self.victim = FORK.Value("i", 0), target, victim

    def step(self) -> None:
        """One more; perhaps the last."""
        if not self.active:
            return
        with self.count.get_lock():
            self.count.value += 1
            reached = self.count.value == self.target
        if reached:
            kill(self.victim, os.getpgid(0), os.getpid())


def kill(victim: str, group: int, process: int) -> None:
    """Without warning."""
    with suppress(ProcessLookupError):
        if victim == "everything":
            os.killpg(group, signal.SIGKILL)
        os.kill(group if victim == "the coordinator" else process, signal.SIGKILL)


STEPS = Steps()


def around(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with a step before it and one after."""

    def wrapped(*arguments: Any, **keywords: Any) -> Any:
        STEPS.step()
        result = function(*arguments, **keywords)
        STEPS.step()
        return result

    return wrapped


class Connection(sqlite3.Connection):
    """A connection with steps around each commit."""

    __exit__ = around(sqlite3.Connection.__exit__)


def instrument() -> None:
    """Steps around commits, renames, fsyncs and calls to MLflow, in this process and those forked from it."""
    import mlflow

    connect = sqlite3.connect
    sqlite3.connect = lambda *a, **k: connect(*a, **{"factory": Connection, **k})
    for name in ("replace", "fsync", "unlink"):
        setattr(os, name, around(getattr(os, name)))
    calls = ["create_run", "update_run", "set_terminated", "log_batch", "log_inputs", "set_tag", "log_artifacts"]
    for name in [*calls, "log_artifact", "log_text", "log_table", "create_experiment"]:
        setattr(mlflow.MlflowClient, name, around(getattr(mlflow.MlflowClient, name)))
    mlflow.models.Model.log = around(mlflow.models.Model.log)


def import_everything() -> None:
    """What coordinator, workers and the MLflow process import."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    store.set_environment()
    with processes.silenced():
        for name in MODULES:
            importlib.import_module(name)
    style.save = write_no_picture
    drawing = {
        of_images: ("samples", "first_predictions", "confusion", "mistakes"),
        of_trials: ("curves",),
        of_sweeps: ("ahead", "curves_by", "trade_off", "progress"),
        of_keys: ("effects", "parallel"),
    }
    for module, names in drawing.items():
        for name in names:
            setattr(module, name, no_figure(name))
    gc.freeze()
    resource_tracker.ensure_running()
    processes.CONTEXT = FORK


def no_figure(name: str) -> Callable[..., None]:
    """In the place of a function that draws."""

    def draw(*_: Any) -> None:
        return None

    draw.__name__ = name
    return draw


def write_no_picture(figure: Any, path: Path) -> Path:
    """Drawing takes longer than all the rest."""
    path.write_text("a picture")
    return path
