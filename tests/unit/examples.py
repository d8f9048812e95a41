"""What the tests are made of: composed configurations, small images, records written by hand."""

import copy
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray

from src.config.compose import CONF, expand_groups, resolve, validate
from src.config.schema import Config
from src.config.trial import TrialConfig
from src.data.dataset import Dataset
from src.data.load import load
from src.execution.worker import set_up_tensorflow
from src.ledger.events import Checked, EpochEnded, Finished, Started
from src.ledger.files import write_arrays
from src.ledger.history import History
from src.ledger.jobs import TrainJob
from src.ledger.objective import ACCURACY, Objective
from src.ledger.records import Epoch, File, PointState, Trial
from src.search.problem import SearchProblem
from src.search.proposals import next_point
from src.search.schedule import Schedule, new_trials

SPACE: dict[str, Any] = {"architecture": {"kernel": {"choice": [3, 5]}, "pool": {"choice": [1, 2]}}}  # 4 points


def plain(*overrides: str) -> dict[str, Any]:
    """The configuration that a command line composes, before it is checked, settled on one thread."""
    found: dict[str, Any] = copy.deepcopy(composed(overrides))
    if found["training"]["threads"] == "auto":
        found["training"]["threads"] = 1
    return found


@cache
def composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    """Composing takes a tenth of a second, so it is done once."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return resolve(compose("config", overrides=list(overrides)))


def config(*overrides: str, space: dict[str, Any] | None = None) -> Config:
    """The checked configuration of a command line, with another space if one is given."""
    values = plain(*overrides)
    if space is not None:
        values["search"]["space"] = space
        expand_groups(values)
    return validate(values)


def trial_config(*overrides: str) -> TrialConfig:
    """One trial's configuration, as workers get it."""
    return config(*overrides).trial


# ------------------------------------------------------------------------------------------- images


def arrays(count: int = 60, size: int = 8, classes: int = 3, seed: int = 0) -> dict[str, NDArray[Any]]:
    """Noise whose brightness tells its class; as many images of each class."""
    labels = np.arange(count) % classes
    noise = np.random.default_rng(seed).integers(0, 60, (count, size, size))
    return {"x_train": (noise + 60 * labels[:, None, None]).astype(np.uint8), "y_train": labels}


def write_npz(path: Path, **changed: Any) -> Path:
    """A data file of small images, with some of its arrays changed, or left out where None."""
    content = {key: value for key, value in {**arrays(), **changed}.items() if value is not None}
    np.savez(path, **content)
    return path


def dataset(path: Path, *overrides: str) -> Dataset:
    """The data of a file, as a sweep loads it."""
    values = plain("data=npz", "data.path=later.npz", *overrides)
    values["data"]["path"] = str(path)
    return load(validate(values).data)


# --------------------------------------------------------------------------------------- TensorFlow


def use_one_thread() -> None:
    """Set up TensorFlow as a worker does; call this in each module that computes with it."""
    set_up_tensorflow(1, 1)


# ------------------------------------------------------------------------------------------ records


def epoch(number: int, val_accuracy: float = 0.5, val_loss: float = 1.0, seconds: float = 2.0) -> Epoch:
    """An epoch that went so."""
    metrics = {"loss": 1.0, "accuracy": 0.5, "val_loss": val_loss, "val_accuracy": val_accuracy, "learning_rate": 0.001}
    return Epoch(number, metrics, seconds, 1000.0 + number)


def file(name: str) -> File:
    """A file that a record may name."""
    return File(f"checkpoints/{name}.npz", "0" * 64)


def train_job(trial: int = 1, objective: Objective = ACCURACY, until: int = 2) -> TrainJob:
    """The first attempt of a trial, from its start."""
    return TrainJob(trial, 1, trial_config(), 1, objective, until, until, None, ())


def schedule_of(*overrides: str, space: dict[str, Any] | None = SPACE, history: History | None = None) -> Schedule:
    """What a command line makes of a history, or of none yet; it follows the history from here on."""
    problem = SearchProblem.of(config(*overrides, space=space))
    return Schedule.of(problem, History(problem.objective) if history is None else history)


def propose(schedule: Schedule) -> None:
    """Add the points that are due."""
    while point := next_point(schedule):
        schedule.history.apply(point, 0)


def check(history: History, number: int, reason: str = "", size: int = 100) -> None:
    """A point has been checked: it cannot be built, or it has so many parameters and operations."""
    history.apply(Checked(number, reason, *((0, 0, 0) if reason else (size, 10 * size, 12 * size))), 0)


def checked_history(problem: SearchProblem) -> History:
    """All points proposed, found feasible, and given trials."""
    return prepared(Schedule.of(problem, History(problem.objective))).history


def history_of(*overrides: str, space: dict[str, Any] | None = SPACE) -> History:
    """The same of a command line, with another space."""
    return prepared(schedule_of(*overrides, space=space)).history


def prepared(schedule: Schedule) -> Schedule:
    """All points that are due proposed, found feasible, and given trials."""
    propose(schedule)
    for point in schedule.history.points:
        if point.state == PointState.UNCHECKED:
            check(schedule.history, point.number, size=100 * point.number)
    add_trials(schedule)
    return schedule


def add_trials(schedule: Schedule) -> list[Trial]:
    """Add the trials that are due."""
    added = new_trials(schedule)
    for trial in added:
        schedule.history.apply(trial, 0)
    return added


def finish(history: History, number: int, *epochs: Epoch, reason: str = "") -> None:
    """A trial has been trained for these epochs."""
    history.apply(Started(number, history.trial(number).attempts + 1), 0)
    for one in epochs:
        history.apply(EpochEnded(number, one, file(f"{number}-{one.number}") if one is epochs[-1] else None), 0)
    history.apply(Finished(number, file(f"{number}-best"), bool(reason), reason), 0)


def measured(
    folder: Path, history: History, number: int, right: Sequence[int], loss: Sequence[float] | None = None
) -> None:
    """A trial has been trained for one epoch, and this is what became of each validation image."""
    values = np.array(right, np.uint8), np.array(loss or [1.0] * len(right), np.float32)
    stored = write_arrays(folder, f"checkpoints/{number}-validation.npz", {"right": values[0], "loss": values[1]})
    finish(history, number, epoch(1, float(values[0].mean()), float(values[1].mean())))
    history.apply(Finished(number, file(f"{number}-best"), validation=stored), 0)
