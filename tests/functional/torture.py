"""Kills sweeps at every step and at random, lets them finish, and compares them with one that nobody killed.

    python -m tests.functional.torture                       every step once, then random times: 1,000 kills
    python -m tests.functional.torture --kills 40 --every 20     a short form

Everything is imported once; each sweep then runs in processes forked from here, before any graph is built, so that
a restart costs a second. That a forked sweep gives the bits of a fresh command is the first thing compared.
"""

import gc
import importlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context, resource_tracker
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer
from hydra import compose, initialize_config_dir
from rich.console import Console

from src.base import processes
from src.base.text import show_seconds
from src.config.command_line import report_errors
from src.config.compose import CONF, resolve, validate
from src.config.schema import Config
from src.figures import of_images, of_keys, of_sweeps, of_trials, style
from src.ledger.database import read_history
from src.ledger.files import read_arrays
from src.ledger.sweep_folder import list_sweeps, open_sweep
from src.reporting.boards import new_table
from src.tracking import store

FORK = get_context("fork")
OVERRIDES = [
    "data=npz",
    "architecture=dnn",
    "architecture.units=[8]",
    "architecture.dropout=0.2",
    "architecture.batch_norm=true",
    "schedule=exponential",
    "training.epochs=2",
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
VICTIMS = ("everything", "the coordinator", "one process")
MODULES = ["keras_tuner", "src.sweep", "src.artifacts", "src.training", "git", "opentelemetry.sdk.metrics"]
MODULES += ["mlflow.keras", "mlflow.pyfunc.model", "mlflow.models.display_utils", "mlflow.store.db.utils"]
MODULES += ["src.page", "scipy.special"]
MODULES += ["mlflow.store.tracking.sqlalchemy_store", "sqlalchemy.dialects.sqlite"]
TIMEOUT = 120  # seconds, after which a sweep counts as hanging


# ------------------------------------------------------------------------------------- kill points


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
    processes.SPAWN = FORK  # type: ignore[assignment]


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


# ------------------------------------------------------------------------------------------ sweeps


@dataclass
class Arena:
    """Where sweeps are killed: images, an empty MLflow database to begin with, and a folder for each sweep."""

    root: Path
    kills: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    sweeps: int = 0

    def overrides(self, folder: Path) -> list[str]:
        """The command line of the sweep in a folder."""
        paths = [f"paths.sweeps={folder}/sweeps", f"paths.mlruns={folder}/mlruns"]
        return [*OVERRIDES, f"data.path={self.root}/images.npz", *paths]

    def new_sweep(self) -> tuple[Path, Config]:
        """A folder of its own and the configuration of a sweep in it."""
        self.sweeps += 1
        folder = self.root / f"{self.sweeps:05d}"
        shutil.copytree(self.root / "empty", folder / "mlruns")
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
        from src.sweep import main

        sys.argv = ["sweep"]
        os._exit(report_errors(lambda: main(config)))
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


def replace_dead(arena: Arena, group: int) -> None:
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
    replace_dead(arena, child)


# ------------------------------------------------------------------------------------------ results

Result = dict[str, Any]


def result_of(folder: Path) -> Result:
    """All that must be equal: points, trials, every metric of every epoch, final weights, winner, test."""
    (path,) = list_sweeps(folder / "sweeps")
    history = read_history(path, open_sweep(path).objective)
    weights = {t.number: read_arrays(path, t.weights) for t in history.trials if t.weights}
    validation = {t.number: read_arrays(path, t.validation) for t in history.trials if t.validation}
    return {
        "points": [(p.number, p.values, p.state) for p in history.points],
        "trials": [(t.number, t.point, t.role, t.seed, t.state, t.reason, t.best_epoch) for t in history.trials],
        "metrics": [[(e.number, e.metrics) for e in t.epochs] for t in history.trials],
        "weights": {n: {k: a.tobytes() for k, a in arrays.items()} for n, arrays in weights.items()},
        "validation": {n: {k: a.tobytes() for k, a in arrays.items()} for n, arrays in validation.items()},
        "test": [(e.trial, e.epoch, e.loss, e.accuracy) for e in history.evaluations],
        "in MLflow": [bool(t.run_id) for t in history.trials],
        "files": sorted(file.name for file in (path / "models").iterdir()),
    }


def compare(arena: Arena, folder: Path, expected: Result) -> None:
    """What differs from the sweep that nobody killed, and what is wrong in MLflow."""
    try:
        found = result_of(folder)
    except Exception as error:
        arena.found(f"unreadable: {error}")
        return
    numbers = [trial[0] for trial in found["trials"]]
    arena.found("trials lost", max(len(expected["trials"]) - len(set(numbers)), 0))
    arena.found("trials duplicated", len(numbers) - len(set(numbers)))
    for key in expected:
        arena.found(f"other {key}", int(found[key] != expected[key]))
    inspect_mlflow(arena, folder)


def inspect_mlflow(arena: Arena, folder: Path) -> None:
    """Looked at in the database itself, to be quick."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as connection:

        def number(query: str) -> int:
            return int(connection.execute(query).fetchone()[0])

        trials = len(result_of(folder)["trials"])
        arena.found("MLflow runs missing", max(trials + 1 - number("SELECT count(*) FROM runs"), 0))
        arena.found("MLflow runs too many", max(number("SELECT count(*) FROM runs") - trials - 1, 0))
        arena.found("MLflow runs left open", number("SELECT count(*) FROM runs WHERE status != 'FINISHED'"))
        twice = "SELECT count(*) FROM (SELECT 1 FROM metrics GROUP BY run_uuid, key, step HAVING count(*) > 1)"
        arena.found("MLflow points twice", number(twice))
    connection.close()


# -------------------------------------------------------------------------------------------- kills


def kill_at_every_step(arena: Arena, expected: Result, every: int, limit: float) -> int:
    """A sweep killed at step 1, one at step 2, …, each then finished; how many steps there are."""
    for target in range(1, sys.maxsize, every):
        folder, config = arena.new_sweep()
        victim = VICTIMS[(target // every) % len(VICTIMS)]
        STEPS.reset(target, victim)
        child = start(config, folder / "log")
        code = wait(child, TIMEOUT)
        replace_dead(arena, child)
        reached = STEPS.count.value >= target
        arena.kills[f"{victim}, at a step"] += reached
        if code != 0:
            finish(arena, config, folder / "log")
        compare(arena, folder, expected)
        shutil.rmtree(folder)
        if not reached or time.monotonic() > limit:
            return target
    return 0


def kill_at_random(arena: Arena, expected: Result, seed: int, kills: int) -> None:
    """One sweep after the other, each killed at random times until it has come to its end."""
    rng = random.Random(seed)
    while sum(arena.kills.values()) < kills:
        folder, config = arena.new_sweep()
        code: int | None = None
        while code != 0 and sum(arena.kills.values()) < kills:
            STEPS.reset()
            child = start(config, folder / "log")
            code = wait(child, rng.uniform(0.05, 4))
            while code is None:
                victim = rng.choice(VICTIMS)
                living = members(child)
                kill(victim, child, rng.choice(living).pid if living else child)
                arena.kills[f"{victim}, at random"] += 1
                code = wait(child, rng.uniform(0.05, 4) if victim == VICTIMS[2] else 10)
            replace_dead(arena, child)
        if code != 0:
            finish(arena, config, folder / "log")
        compare(arena, folder, expected)
        shutil.rmtree(folder)


def main(
    kills: Annotated[int, typer.Option(help="In all.")] = 1000,
    every: Annotated[int, typer.Option(help="Kill at each so manieth step.")] = 1,
    minutes: Annotated[float, typer.Option(help="For the kills at every step, at most.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the random times.")] = 0,
) -> None:
    """Kill, finish, compare, and print what was found: nothing, if all is well. Exits with 1 otherwise."""
    began = time.monotonic()
    console = Console(width=100, highlight=False)
    with tempfile.TemporaryDirectory() as root:
        arena = make_arena(Path(root))
        fresh, _ = arena.new_sweep()
        command = [sys.executable, "-m", "src.sweep", *arena.overrides(fresh)]
        subprocess.run(command, check=True, capture_output=True, cwd=CONF.parent)
        expected = result_of(fresh)
        import_everything()
        instrument()
        folder, config = arena.new_sweep()
        finish(arena, config, folder / "log")
        compare(arena, folder, expected)
        console.print(f"a forked sweep beside a fresh command: {'equal' if not +arena.findings else +arena.findings}")
        steps = kill_at_every_step(arena, expected, every, time.monotonic() + minutes * 60)
        kill_at_random(arena, expected, seed, kills)
    table = new_table("killed", "kills", text=("killed",))
    for what, count in sorted(arena.kills.items()):
        table.add_row(what, str(count))
    console.print(table)
    console.print(f"{arena.sweeps} sweeps of about {steps} steps in {show_seconds(time.monotonic() - began)}")
    for what in sorted(arena.findings):
        console.print(f"{what}: {arena.findings[what]}")
    sys.exit(1 if +arena.findings else 0)


if __name__ == "__main__":
    typer.run(main)
