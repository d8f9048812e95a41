"""Does a second thread pay? Seconds of an epoch of the documents' networks, with one thread and with more.

    python -m benchmarks.threads                                     noise, 1 and 2 threads: a minute on 2 cores
    python -m benchmarks.threads +threads=1+2+4+8 +only=lenet

Each in a process of its own, on 6,000 images, the second epoch of two, without validation. Beside them the multiply-adds
of a batch, by which `training.threads=auto` chooses (`src/execution/automatic.py`).
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
from rich.console import Console

from benchmarks.documents import REPORTED, configure, options
from src.base.processes import silenced
from src.config.shapes import measure
from src.data.dataset import Dataset, Part
from src.execution.worker import set_up_tensorflow
from src.ledger.jobs import TrainJob
from src.ledger.objective import ACCURACY
from src.reporting.boards import new_table

IMAGES = 6000


def main(arguments: list[str]) -> None:
    """Print a line a network."""
    own, _ = options(arguments)
    counts = [int(count) for count in own.get("threads", "1+2").split("+")]
    names = own["only"].split("+") if "only" in own else sorted(REPORTED)
    table = new_table(
        "network", "multiply-adds of a batch", *(f"{count} threads" for count in counts), text=("network",)
    )
    for name in names:
        config = configure([f"experiment={name}"])
        work = measure(config.trial, (28, 28, 1), 10).operations * config.training.batch_size
        with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
            seconds = [pool.submit(time_epoch, name, count).result() for count in counts]
        table.add_row(name, f"{work / 1e6:,.0f} million", *(f"{one:.2f} s" for one in seconds))
    Console(width=100, highlight=False).print(table)


def time_epoch(name: str, threads: int) -> float:
    """Seconds of a network's second epoch."""
    with silenced():
        config = configure([f"experiment={name}", f"training.threads={threads}"])
        set_up_tensorflow(threads, 1)
        from src.training.engine import Engine

        random = np.random.default_rng(0)
        images = random.integers(0, 255, (IMAGES, 28, 28, 1)).astype(np.uint8)
        part = Part(images, random.integers(0, 10, IMAGES).astype(np.int32))
        data = Dataset("random", part, part, part, 10, 1 / 255, "", "resize")
        engine = Engine.of(TrainJob(1, 1, config.trial, 1, ACCURACY, 2, 2, None, ()), data)
        engine.train_epoch(1, 1)
        start = time.perf_counter()
        engine.train_epoch(1, 2)
        return time.perf_counter() - start


if __name__ == "__main__":
    main(sys.argv[1:])
