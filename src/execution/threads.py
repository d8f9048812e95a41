"""What `training.threads=auto` stands for: decided when a sweep is created, and kept for as long as it lives.

Sums depend on the number of threads, so a sweep that was begun on two cores goes on with their number on any machine.
"""

from contextlib import suppress
from pathlib import Path

from src.base.errors import UserError
from src.base.processes import count_cores, count_gpus
from src.config.schema import Config, Search
from src.config.shapes import measure
from src.data.dataset import Dataset
from src.ledger.sweep_folder import last_config, open_sweep, sweep_path
from src.search.points import size
from src.search.problem import SearchProblem
from src.search.samplers import GUIDED, STARTUP

FORMER = 1  # thread, where `training.threads` is `auto` now
WORTHWHILE = 40_000_000  # multiply-adds of a batch for each thread: with fewer, threads wait for each other


def settle(problem: SearchProblem, data: Dataset) -> tuple[SearchProblem, Path]:
    """The same with a number of threads, and the folder of the sweep that it names."""
    config = problem.config
    path = sweep_path(config, data.label, data.digest)
    if config.training.threads != "auto":
        return problem, path
    former = with_threads(config, FORMER)
    before = sweep_path(former, data.label, data.digest)
    if before.exists() and not path.exists():  # from when the default was one thread
        return SearchProblem.of(former), before
    count = kept_threads(path) or choose_threads(problem, data)
    return SearchProblem.of(with_threads(config, count)), path


def with_threads(config: Config, count: int) -> Config:
    """The same with a number of threads."""
    training = config.training.model_copy(update={"threads": count})
    return config.model_copy(update={"training": training})


def kept_threads(path: Path) -> int:
    """How many threads a sweep's trials have; 0 where it does not exist. A configuration that was lost is in its last."""
    with suppress(UserError, KeyError, TypeError, ValueError):
        return int(open_sweep(path).frozen["training"]["threads"])
    with suppress(UserError):
        return last_config(path).training.num_threads
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
