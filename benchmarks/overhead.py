"""What does a trial cost besides its training?

    python -m benchmarks.overhead +trials=[100,1000,3000]     half a minute

Sweeps of trials that do nothing, by the real coordinator, schedule and ledger (on disk, each event durable); the
simulator answers every job at once, with one epoch. Milliseconds a trial: in all (proposing and checking its point
included), of the first tenth of the trials, and of the last. A flat cost has equal tenths. Further arguments are those of
a sweep, such as search.pruner=halving.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from rich.console import Console

from benchmarks.documents import configure, options
from src.base.processes import Interrupt
from src.execution.coordinator import Coordinator, run
from src.execution.simulator import FILE, Simulator
from src.ledger.database import Ledger
from src.ledger.events import Checked, EpochEnded, Event, Finished, Paused
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob, TrainJob
from src.ledger.records import Epoch, Evaluation, Probe
from src.reporting.boards import new_table
from src.search.problem import SearchProblem
from src.search.samplers import declare
from src.search.schedule import Schedule

SPACE = "+search.space.{key}={{choice:[{values}]}}"
BASE = ["architecture=dnn", "search=single", "training.epochs=1", "tracking=none", "workers.count=1"]


def main(arguments: list[str]) -> None:
    """Print a line for each strategy and number of trials."""
    own, overrides = options(arguments)
    sizes = yaml.safe_load(own.get("trials", "[100,1000,3000]"))
    console = Console(width=100, highlight=False)
    table = new_table("strategy", "trials", "in all", "first tenth", "last tenth", "last / first", text=("strategy",))
    for strategy in ("grid", "random"):
        for size in sizes:
            total, first, last = measure(strategy, size, overrides)
            cells = (f"{1000 * seconds:.2f} ms" for seconds in (total, first, last))
            table.add_row(strategy, f"{size:,}", *cells, f"{last / first:.2f}")
    console.print(table)


def measure(strategy: str, size: int, overrides: list[str]) -> tuple[float, float, float]:
    """Seconds a trial of a sweep of so many: in all, of the first tenth, of the last."""
    problem = SearchProblem.of(configure([*BASE, *space_of(strategy, size), *overrides]))
    ended: list[float] = []
    began: list[float] = []

    def note(event: Event | None) -> None:
        if isinstance(event, EpochEnded) and not began:
            began.append(time.perf_counter())
        if isinstance(event, Finished):
            ended.append(time.perf_counter())

    with TemporaryDirectory() as folder:
        ledger = Ledger.open(Path(folder), problem.objective)
        schedule = Schedule.of(problem, ledger.history)
        declare([])  # imports keras-tuner, once
        start = time.perf_counter()
        run(Coordinator(schedule, ledger, Simulator(answer), Interrupt(), note))
        total = time.perf_counter() - start
        ledger.close()
    tenth = len(ended) // 10
    return total / size, (ended[tenth] - began[0]) / tenth, (ended[-1] - ended[-1 - tenth]) / tenth


def space_of(strategy: str, size: int) -> list[str]:
    """A space for so many trials: a grid of as many points, or numbers of which hardly any come twice."""
    if strategy == "random":
        rate = "+search.space.optimizer.learning_rate={float:{min:1e-5,max:1e-1,log:true}}"
        return [rate, "search.strategy=random", f"search.max_trials={size}"]
    width = round(size**0.5)
    while size % width:
        width -= 1
    units = SPACE.format(key="architecture.units", values=",".join(str(8 + n) for n in range(size // width)))
    rates = SPACE.format(
        key="optimizer.learning_rate", values=",".join(f"{0.0001 * (n + 1):.4f}" for n in range(width))
    )
    return [units, rates]


def answer(job: Job) -> Iterator[Event]:
    """What a worker would say of a job that takes no time; a trial's result follows from its number."""
    if isinstance(job, CheckJob):
        yield Checked(job.point, "", 100, 1000, 1200)
    elif isinstance(job, ProbeJob):
        yield Probe(job.point, job.operations, 1.0, 0.001)
    elif isinstance(job, EvaluateJob):
        yield Evaluation(job.trial, job.epoch, 1.0, 0.5, 0.0)
    else:
        yield from train(job)


def train(job: TrainJob) -> Iterator[Event]:
    """A trial's epochs."""
    accuracy = job.trial * 7919 % 10007 / 10007
    for number in range(len(job.epochs) + 1, job.until + 1):
        metrics = {"val_accuracy": accuracy, "val_loss": 1 - accuracy}
        yield EpochEnded(job.trial, Epoch(number, metrics, 1.0, 0.0), FILE)
    yield Paused(job.trial) if job.pauses else Finished(job.trial, FILE)


if __name__ == "__main__":
    main(sys.argv[1:])
