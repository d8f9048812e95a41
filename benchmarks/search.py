"""How much of the grid's training do strategies and pruners need, and how good is the network that they choose?

    python -m benchmarks.search                 replays the stored curves, some minutes on 2 cores
    python -m benchmarks.search +train=3        trains them anew with 3 seeds, an hour or two, and stores them

`curves.csv` has the 40 points of `cnn_grid` that can be built, trained on mnist_5k for ten passes over its 4,000 images
with each of some seeds, and looked at after every 1,000 images (an epoch of `training.epoch_size=1000`): how many of the
500 validation images were right, the loss, and which images were right at the best epoch. A replay is a sweep by the
project's own loop, on a backend that reads a trial's epochs from the table. So that replays differ, each point's curve
is that of a seed drawn for this point. What a point is worth is its mean over all seeds; the regret of a choice is what
the best point has more. Two points differ significantly where the interval of their difference at 95 % (by seeds and images,
for this one pair) leaves zero out.

The column of multiply-adds weighs each epoch by its network's size, as a share of the whole grid's: what training takes,
without what each trial takes to begin. What the curves cannot say: seconds, rungs of fewer than 1,000 images, and what a
shorter training would be worth, since a point's worth is that of all ten passes.
"""

import csv
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import fmean, median

import numpy as np
from hydra import compose, initialize_config_dir
from numpy.typing import NDArray
from rich.console import Console

from src.analysis.contrasts import Group, compare
from src.analysis.ranking import best_trial
from src.base.processes import Interrupt
from src.config.compose import CONF, resolve, validate
from src.config.identity import validate_trial
from src.config.schema import Config
from src.config.shapes import measure
from src.execution.coordinator import Coordinator, run
from src.execution.simulator import FILE, Simulator
from src.ledger.database import Ledger, read_history
from src.ledger.events import Checked, EpochEnded, Event, Finished, Paused
from src.ledger.files import read_arrays
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob, TrainJob
from src.ledger.records import Epoch, Evaluation, Invocation, Probe, TrialState, point_key
from src.ledger.sweep_folder import open_sweep
from src.reporting.boards import new_table
from src.search.points import configure
from src.search.problem import SearchProblem
from src.search.schedule import Schedule

CURVES = Path(__file__).with_name("curves.csv")
IMAGES, EPOCHS, SEARCHES = 500, 40, 20
SHAPE, CLASSES = (28, 28, 1), 10
LITTLE = 0.003 + 1e-9  # a regret that a short search may have
COLUMNS = (
    "epochs",
    "of the grid's",
    "multiply-adds",
    "regret",
    "largest",
    "at most 0.3",
    "not different",
    "the best",
)
BASE = ["search=cnn_grid", "training.epoch_size=1000", f"training.epochs={EPOCHS}", "tracking=none"]
RANDOM, TPE, GAUSS = "search.strategy=random", "search.strategy=tpe", "search.strategy=bayesian"
FAST = f"{RANDOM} search.max_trials=20 search.pruner=halving search.rung=2 search.factor=5"  # as in cnn_grid_fast
SEARCHES_OF = [  # strategies and pruners with their amounts
    "",
    "search.pruner=median search.rung=4",
    "search.pruner=asha",
    "search.pruner=hyperband search.rung=4",
    "search.pruner=top_k search.rung=4 search.keep=4",
    "search.pruner=top_k search.keep=4",
    "search.pruner=top_k search.keep=2",
    "search.pruner=halving",
    "search.pruner=halving search.factor=4",
    "search.pruner=top_k search.keep=4 search.prefer=cheaper",
    "search.pruner=halving search.prefer=cheaper",
    *(f"{FAST}{more}" for more in ("", " search.prefer=cheaper")),
    *(f"{one} search.max_trials=20{more}" for one in (RANDOM, TPE, GAUSS) for more in ("", " search.pruner=halving")),
    f"{RANDOM} search.max_trials=20 search.pruner=halving search.prefer=cheaper",
    f"{RANDOM} search.max_trials=3",
]


@dataclass(frozen=True)
class Curve:
    """One training of a point: right images and loss after each epoch; which images were right at the best one."""

    parameters: int
    right: tuple[int, ...]
    loss: tuple[float, ...]
    images: bytes  # packed bits


@dataclass(frozen=True)
class Found:
    """The point that a search chooses, and how many epochs each point was trained."""

    point: int
    epochs: dict[int, int]


Curves = dict[int, list[Curve]]  # by point, one a seed


def main(arguments: list[str]) -> None:
    """Train if asked to; then replay every search and print what it spent and found."""
    own = dict(argument[1:].split("=") for argument in arguments if argument.startswith("+"))
    if "train" in own:
        train(int(own["train"]), [argument for argument in arguments if not argument.startswith("+")])
    curves = read_curves()
    console = Console(width=160, highlight=False)
    seeds = len(next(iter(curves.values())))
    console.print(f"{len(curves)} points, {seeds} seeds, {EPOCHS} epochs of 1,000 images; {SEARCHES} searches each")
    table = new_table("search", *COLUMNS, text=("search",))
    table.add_row("any point", "0", "0.0%", "0.0%", *worth(curves, [Found(point, {}) for point in curves]))
    with ProcessPoolExecutor() as pool:
        for search in SEARCHES_OF:
            found = list(pool.map(partial(replay, search), range(SEARCHES)))
            table.add_row(search.replace("search.", "") or "grid", *shares(curves, found), *worth(curves, found))
    console.print(table)


def shares(curves: Curves, found: list[Found]) -> list[str]:
    """Epochs of a search, their share of the grid's, and the share of the grid's multiply-adds; medians."""
    sizes = operations()
    whole = EPOCHS * sum(sizes[point] for point in curves)
    epochs = median(sum(own.epochs.values()) for own in found)
    work = median(sum(sizes[point] * count for point, count in own.epochs.items()) for own in found)
    return [f"{epochs:.0f}", f"{epochs / EPOCHS / len(curves):.1%}", f"{work / whole:.1%}"]


def worth(curves: Curves, found: list[Found]) -> list[str]:
    """Mean and largest regret in points of accuracy, and shares of choices: of at most 0.3 points, not significantly
    different from the best, and that are it."""
    regrets = [regret(curves, own.point) for own in found]
    near = [own <= LITTLE for own in regrets]
    same = [is_as_good(curves, own.point) for own in found]
    best = [own.point == best_point(curves) for own in found]
    return [
        f"{100 * fmean(regrets):.2f}",
        f"{100 * max(regrets):.2f}",
        *(f"{fmean(own):.0%}" for own in (near, same, best)),
    ]


def mean_accuracy(curves: Curves, point: int) -> float:
    """Over the seeds, each at its best epoch."""
    return fmean(max(curve.right) for curve in curves[point]) / IMAGES


def best_point(curves: Curves) -> int:
    """That of the highest mean accuracy; of equal ones the first."""
    return max(curves, key=lambda point: (mean_accuracy(curves, point), -point))


def regret(curves: Curves, point: int) -> float:
    """What the best point has more."""
    return mean_accuracy(curves, best_point(curves)) - mean_accuracy(curves, point)


def is_as_good(curves: Curves, point: int) -> bool:
    """Whether a point is not significantly different from the best."""
    best = best_point(curves)
    if point == best:
        return True
    groups = [Group(str(one), dict(enumerate(map(bits, curves[one])))) for one in (best, point)]
    return bool(compare(groups, True, pairs=1, is_ordered=True).not_told_apart())


def bits(curve: Curve) -> NDArray[np.float64]:
    """1 or 0 for each validation image."""
    return np.unpackbits(np.frombuffer(curve.images, np.uint8), count=IMAGES).astype(np.float64)


# ------------------------------------------------------------------------------------------ replays


def replay(search: str, seed: int) -> Found:
    """What a search finds."""
    curves = read_curves()
    problem = SearchProblem.of(configuration(search, seed))
    numbers = {point_key(values): number for number, values in enumerate(problem.space.grid, 1)}
    drawn = np.random.default_rng(seed).integers(0, len(next(iter(curves.values()))), 1 + max(curves))
    with closing(Ledger.in_memory(Path("none"), problem.objective)) as ledger:
        history = ledger.history

        def number_of(point: int) -> int:
            return numbers[history.point(point).key]

        def answer_job(job: Job) -> Iterator[Event]:
            about_trial = isinstance(job, TrainJob | EvaluateJob)
            number = number_of(history.trial(job.subject).point if about_trial else job.subject)
            return answer(job, curves[number][drawn[number]] if number in curves else None)

        schedule = Schedule.of(problem, history)
        ledger.save(Invocation(1, 0.0, 0.0, "none", 1, {"validation_images": IMAGES}, {}))
        run(Coordinator(schedule, ledger, Simulator(answer_job), Interrupt(), lambda event: None))
        first = best_trial(history)
        assert first
        return Found(number_of(first.point), {number_of(trial.point): len(trial.epochs) for trial in history.trials})


def configuration(search: str, seed: int) -> Config:
    """The sweep that is replayed."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        overrides = [*BASE, *search.split(), f"search.seed={seed}"]
        return validate(resolve(compose("config", overrides=overrides)))


def answer(job: Job, curve: Curve | None) -> Iterator[Event]:
    """What a worker would say, from the table; a point that is not in it cannot be built."""
    match job:
        case CheckJob():
            size = measure(job.configuration, SHAPE, CLASSES)
            yield Checked(job.point, "" if curve else "cannot be built", size.parameters, size.operations)
        case ProbeJob():
            yield Probe(job.point, job.operations, 1.0, 0.001)
        case TrainJob():
            assert curve
            for number in range(len(job.epochs) + 1, job.until + 1):
                metrics = {"val_accuracy": curve.right[number - 1] / IMAGES, "val_loss": curve.loss[number - 1]}
                yield EpochEnded(job.trial, Epoch(number, metrics, 1.0, 0.0), FILE)
            yield Paused(job.trial) if job.pauses else Finished(job.trial, FILE)
        case EvaluateJob():
            yield Evaluation(job.trial, job.epoch, 0.0, 0.0, 0.0)


# ------------------------------------------------------------------------------------------- curves


def train(seeds: int, arguments: list[str]) -> None:
    """Train the grid with so many seeds, and store what came of it."""
    command = [sys.executable, "-m", "src.sweep", *BASE, f"search.repeats={seeds}", "name=curves", *arguments]
    subprocess.run(command, check=True)
    write_curves(Path("sweeps/curves"))


def write_curves(folder: Path) -> None:
    """Store the curves of a sweep, one line a trial, of the seeds that all points have been trained with."""
    history = read_history(folder, open_sweep(folder).objective)
    trained = [trial for trial in history.trials if trial.state == TrialState.FINISHED]
    seeds = min(Counter(trial.point for trial in trained).values())
    with open(CURVES, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        epochs = range(1, EPOCHS + 1)
        writer.writerow(
            ["point", "parameters", *(f"right{n}" for n in epochs), *(f"loss{n}" for n in epochs), "images"]
        )
        for trial in sorted(trained, key=lambda trial: (trial.point, trial.repeat)):
            if trial.repeat >= seeds:
                continue
            right = [round(epoch.metrics["val_accuracy"] * IMAGES) for epoch in trial.epochs]
            loss = [f"{epoch.metrics['val_loss']:.4f}" for epoch in trial.epochs]
            assert trial.validation
            images = np.packbits(read_arrays(folder, trial.validation)["right"]).tobytes().hex()
            writer.writerow([trial.point, history.point(trial.point).parameters, *right, *loss, images])


@cache
def operations() -> dict[int, int]:
    """Multiply-adds of each of the grid's networks for an image; 0 of one that cannot be built."""
    problem = SearchProblem.of(configuration("", 0))
    trials = [
        validate_trial(configure(problem.plain, problem.space.dimensions, values)) for values in problem.space.grid
    ]
    return {number: measure(own, SHAPE, CLASSES).operations for number, own in enumerate(trials, 1)}


@cache
def read_curves() -> Curves:
    """The stored curves."""
    curves: Curves = {}
    with open(CURVES, newline="") as file:
        for point, parameters, *values, images in list(csv.reader(file))[1:]:
            right, loss = tuple(map(int, values[:EPOCHS])), tuple(map(float, values[EPOCHS:]))
            curves.setdefault(int(point), []).append(Curve(int(parameters), right, loss, bytes.fromhex(images)))
    return curves


if __name__ == "__main__":
    main(sys.argv[1:])
