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
from src.search.pruners import num_kept, rungs
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
    if "threads" in open_keys and not config.training.more_threads:
        open_keys.append("more_threads")
    if not open_keys:
        return (problem if config is problem.config else SearchProblem.of(config)), path
    kept = kept_training(path) or choose_training(problem, data)
    return SearchProblem.of(with_training(config, **{key: kept[key] for key in open_keys})), path


def describe_settled(asked: Config, settled: Config) -> str:
    """What `auto` stands for in a sweep, where it is not what a sweep without it would have; or nothing."""
    training, words = settled.training, []
    if asked.training.threads == "auto" and training.threads != FORMER:
        words.append(f"training.threads={training.threads}")
    if training.more_threads != asked.training.more_threads:
        words += [f"training.threads={threads} from epoch {first}" for first, threads in training.more_threads]
    if asked.training.precision == "auto":
        words.append(f"training.precision={training.precision}")
    return ", ".join(words)


def with_training(config: Config, **values: Any) -> Config:
    """The same with other values of keys of `training`."""
    return config.model_copy(update={"training": config.training.model_copy(update=values)})


def kept_training(path: Path) -> dict[str, Any]:
    """What a sweep's trials are trained with; nothing where it does not exist. A configuration that was lost is in its
    last."""
    with suppress(UserError, KeyError, TypeError, ValueError):
        training = open_sweep(path).frozen["training"]
        found = {"threads": int(training["threads"]), "precision": str(training["precision"])}
        return found | {"more_threads": list(training.get("more_threads", ()))}
    with suppress(UserError):
        return last_config(path).training.model_dump(include={"threads", "precision", "more_threads"})
    return {}


def choose_training(problem: SearchProblem, data: Dataset) -> dict[str, Any]:
    """What a new sweep is trained with on this machine."""
    config = problem.config
    work = measure(config.trial, data.shape, data.num_classes).operations * config.training.batch_size
    most = 1 if count_gpus() else max(work // WORTHWHILE, 1)
    threads = share_cores(most_at_once(config.search, problem), most)
    later: list[list[int]] = []
    for first, trials in rung_sizes(config.search, problem, config.training.epochs):
        if (count := share_cores(trials, most)) > (later[-1][1] if later else threads):
            later.append([first, count])
    return {"threads": threads, "more_threads": later, "precision": choose_precision()}


def share_cores(trials: int, most: int) -> int:
    """Threads of each of so many trials that train side by side: no core is to be idle; but no more than there is work for."""
    return max(min(count_cores() // trials, most), 1)


def rung_sizes(search: Search, problem: SearchProblem, until: int) -> list[tuple[int, int]]:
    """The first epoch after each rung that all trials are waited for at, and how many train from there at the most; of
    confirmations, too."""
    steps = {"top_k": [search.rung, until], "halving": rungs(search.rung, search.factor, until)}.get(
        search.pruner, [until]
    )
    trials, sizes = most_at_once(search, problem), []
    for step in steps[:-1]:
        trials = num_kept(search, trials)
        sizes.append((step + 1, max(trials, search.confirm * search.confirm_repeats)))
    return sizes


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
