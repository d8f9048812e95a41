"""What `auto` stands for: decided when a sweep is created, and kept for as long as it lives.

Sums depend on the number of threads, and on the precision, so a sweep that was begun on one machine goes on with its
own on any other.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

from src.base.errors import UserError
from src.base.processes import count_cores, count_gpus
from src.config.schema import Config, Search
from src.config.shapes import measure
from src.data.dataset import Dataset
from src.ledger.environment import instructions
from src.ledger.sweep_folder import last_config, open_sweep, sweep_path
from src.search.points import size
from src.search.problem import SearchProblem
from src.search.samplers import GUIDED, STARTUP

FORMER = 1  # thread, where `training.threads` is `auto` now
WORTHWHILE = 40_000_000  # multiply-adds of a batch for each thread: with fewer, threads wait for each other
BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # with one of these instructions, `mixed_bfloat16` is faster


def settle(problem: SearchProblem, data: Dataset) -> tuple[SearchProblem, Path]:
    """The same with nothing left to `auto`, and the folder of the sweep that it names."""
    config = problem.config
    path = sweep_path(config, data.label, data.digest)
    if config.training.threads == "auto" and not path.exists():
        former = with_training(config, threads=FORMER)  # from when the default was one thread
        before = sweep_path(former, data.label, data.digest)
        config, path = (former, before) if before.exists() else (config, path)
    open_keys = [key for key in ("threads", "precision") if getattr(config.training, key) == "auto"]
    if not open_keys:
        return SearchProblem.of(config), path
    kept = kept_training(path) or {
        "threads": choose_threads(problem, data),
        "precision": choose_precision(),
    }
    return SearchProblem.of(with_training(config, **{key: kept[key] for key in open_keys})), path


def describe_settled(asked: Config, settled: Config) -> str:
    """What `auto` stands for in a sweep, where it is not what a sweep without it would have; or nothing."""
    keys = ("threads", "precision")
    values = {key: getattr(settled.training, key) for key in keys if getattr(asked.training, key) == "auto"}
    if values.get("threads") == FORMER:
        del values["threads"]
    return ", ".join(f"training.{key}={value}" for key, value in values.items())


def with_training(config: Config, **values: Any) -> Config:
    """The same with other values of keys of `training`."""
    return config.model_copy(update={"training": config.training.model_copy(update=values)})


def kept_training(path: Path) -> dict[str, Any]:
    """What a sweep's trials are trained with; nothing where it does not exist. A configuration that was lost is in its
    last."""
    with suppress(UserError, KeyError, TypeError, ValueError):
        training = open_sweep(path).frozen["training"]
        return {"threads": int(training["threads"]), "precision": str(training["precision"])}
    with suppress(UserError):
        return last_config(path).training.model_dump(include={"threads", "precision"})
    return {}


def choose_threads(problem: SearchProblem, data: Dataset) -> int:
    """As many as leave no core idle while trials train side by side, if a batch has enough work for them."""
    config = problem.config
    if count_gpus():
        return 1
    work = measure(config.trial, data.shape, data.num_classes).operations * config.training.batch_size
    return max(1, min(count_cores() // most_at_once(config.search, problem), work // WORTHWHILE))


def choose_precision() -> str:
    """What is faster by the processor's instructions; on a GPU as on a processor without them."""
    has_instructions = not count_gpus() and BFLOAT16 & set(instructions().split(";")[0].split())
    return "mixed_bfloat16" if has_instructions else "float32"


def most_at_once(search: Search, problem: SearchProblem) -> int:
    """How many trials of a search may train at the same time, at least one, if there are cores for all.

    Model-based samplers go by one result at a time, after their first points.
    """
    if search.strategy in GUIDED and (search.max_trials or 0) > STARTUP:
        return 1
    points = min(size(problem.space.dimensions), search.max_trials or float("inf"))
    return max(int(min(points, 1024)) * search.repeats, 1)
