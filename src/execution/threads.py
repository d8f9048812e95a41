"""What `training.threads=auto` stands for: decided when a sweep is created, and kept for as long as it lives.

Sums depend on the number of threads, so a sweep that was begun on two cores goes on with their number on any machine.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from src.base.errors import UserError
from src.base.processes import count_gpus
from src.config.schema import Config, Search
from src.config.shapes import measure
from src.data.dataset import Dataset
from src.ledger.sweep_folder import last_config, open_sweep, sweep_path
from src.search.points import size
from src.search.problem import SearchProblem
from src.search.samplers import GUIDED, STARTUP

FORMER = 1  # thread, where `training.threads` is `auto` now
WORTHWHILE = 40_000_000  # multiply-adds of a batch for each thread: with fewer, threads wait for each other


@dataclass(frozen=True)
class Settled:
    """A configuration whose numbers are all known, and the folder of its sweep."""

    problem: SearchProblem
    path: Path


def settle(problem: SearchProblem, data: Dataset) -> Settled:
    """Find the sweep that a configuration names, and how many threads its trials have. Raises UserError."""
    config = problem.config
    path = sweep_path(config, data.label, data.digest)
    if config.training.threads != "auto":
        return Settled(problem, path)
    former = with_threads(config, FORMER)
    before = sweep_path(former, data.label, data.digest)
    if before.exists() and not path.exists():  # from when the default was one thread
        return Settled(SearchProblem.of(former), before)
    count = kept_threads(path) or choose_threads(problem, data)
    return Settled(SearchProblem.of(with_threads(config, count)), path)


def with_threads(config: Config, count: int) -> Config:
    """The same with a number of threads."""
    training = config.training.model_copy(update={"threads": count})
    return config.model_copy(update={"training": training})


def kept_threads(path: Path) -> int:
    """How many threads a sweep's trials have; 0 where it does not exist. A configuration that was lost is in its last."""
    try:
        return int(open_sweep(path).frozen["training"]["threads"])
    except (UserError, KeyError, TypeError, ValueError):
        pass
    try:
        return last_config(path).training.num_threads
    except UserError:
        return 0


def choose_threads(problem: SearchProblem, data: Dataset) -> int:
    """As many as leave no core idle while trials train side by side, if a batch has enough work for them."""
    config = problem.config
    if count_gpus():
        return 1
    work = measure(config.trial, data.shape, data.num_classes).operations * config.training.batch_size
    return max(1, min(count_cores() // most_at_once(config.search, problem), work // WORTHWHILE))


def most_at_once(search: Search, problem: SearchProblem) -> int:
    """How many trials of a search may train at the same time, at least one, if there are cores for all.

    Model-based samplers go by one result at a time, after their first points.
    """
    if search.strategy in GUIDED and (search.max_trials or 0) > STARTUP:
        return 1
    points = min(size(problem.space.dimensions), search.max_trials or float("inf"))
    return max(int(min(points, 1024)) * search.repeats, 1)


def count_cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
