"""Whole jobs: our command with everything it stores, beside the loop one writes by hand (`benchmarks.loop`).

    python -m benchmarks.jobs data=mnist                                      all jobs, three times: hours
    python -m benchmarks.jobs data=npz data.path=mnist.npz +times=1 +only=lenet+dnn_128_long +picture=jobs.png

Both train on the same training images, and choose on the same validation images; ours evaluates its winner on the test
images, too. They run in turn, start-up included, each in a fresh folder. Prints medians of the seconds, their ratio, and
the validation accuracy of both: the mean over seeds after the last epoch, or of the network that a search chooses.
`+picture` draws the seconds.
"""

import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.documents import configure, options
from src import api
from src.analysis.ranking import rank_points
from src.base.text import show_seconds
from src.data.load import load
from src.figures.style import BLUE, GREY, Figure, new_figure, save, tidy
from src.ledger.history import History
from src.reporting.boards import new_table

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("dnn_128", "dnn_dropout", "cnn_5x5", "lenet", "cnn_double_conv")


@dataclass(frozen=True)
class Case:
    """A job: the network or grid, how often and how long it is trained on so many images, and our command for it."""

    network: str
    images: int
    epochs: int
    seeds: int = 1
    command: tuple[str, ...] = ()  # of a search, instead of the network's own

    def loop(self, folder: Path) -> list[str]:
        """The loop's command."""
        arguments = [str(folder / "loop.npz"), "--seeds", str(self.seeds), "--epochs", str(self.epochs)]
        return ["benchmarks.loop", self.network, *arguments]

    def ours(self, folder: Path) -> list[str]:
        """Our command."""
        own = [f"experiment={self.network}", f"training.epochs={self.epochs}"]
        first = ["src.sweep", "search=single", f"search.repeats={self.seeds}"] if self.seeds > 1 else ["src.train"]
        paths = [f"paths.sweeps={folder}/sweeps", f"paths.mlruns={folder}/mlruns"]
        words = ["src.sweep"] if self.network == "cnn_grid" else [*first, *own]
        return [*words, *self.command, "data=npz", f"data.path={folder}/ours.npz", *paths]


FAST = ("search=cnn_grid_fast", "training.epoch_size=1000", "training.epochs=40")
BFLOAT16 = ("training.precision=mixed_bfloat16",)
CASES = {
    "dnn_128_long": Case("dnn_128", 60_000, 10, seeds=4),
    "dnn_128": Case("dnn_128", 30_000, 4, seeds=4),
    "dnn_dropout": Case("dnn_dropout", 30_000, 3, seeds=4),
    "cnn_5x5": Case("cnn_5x5", 30_000, 3, seeds=4),
    "lenet": Case("lenet", 30_000, 3, seeds=4),
    "cnn_double_conv": Case("cnn_double_conv", 12_000, 2, seeds=2),
    "cnn_double_conv_bfloat16": Case("cnn_double_conv", 12_000, 2, seeds=2, command=BFLOAT16),
    **{f"one_{name}": Case(name, 30_000, 5) for name in DOCUMENTS},
    "cnn_grid": Case("cnn_grid", 5_000, 10, command=FAST),
}


def main(arguments: list[str]) -> None:
    """Run the jobs in turn; print a line as each pair ends, and the table at the end."""
    own, overrides = options(arguments)
    names = own["only"].split("+") if "only" in own else list(CASES)
    data = load(configure(overrides or ["data=mnist"]).data)
    console = Console(width=120, highlight=False)
    table = new_table("job", "loop", "ours", "times faster", "accuracy loop", "ours", text=("job",))
    seconds = {}
    for name in names:
        pairs = []
        for _ in range(int(own.get("times", 3))):
            with TemporaryDirectory() as folder:
                write_images(data, CASES[name].images, Path(folder))
                pairs.append((run_loop(CASES[name], Path(folder)), run_ours(CASES[name], Path(folder))))
            console.print(f"{name}: " + ", ".join(f"{seconds:.1f} s ({score:.4f})" for seconds, score in pairs[-1]))
        table.add_row(name, *summarize(pairs))
        seconds[name] = medians_of(pairs)
    console.print(table)
    if "picture" in own:
        save(draw(seconds), Path(own["picture"]))


def write_images(data: Any, count: int, folder: Path) -> None:
    """The first so many images for us, and the same for the loop, split as ours are."""
    x, y = (np.concatenate([getattr(data.train, n), getattr(data.validation, n)])[:count] for n in "xy")
    np.savez(folder / "ours.npz", x_train=x, y_train=y, x_test=data.test.x, y_test=data.test.y)
    same = load(configure(["data=npz", f"data.path={folder}/ours.npz"]).data)
    train, validation = same.train, same.validation
    np.savez(folder / "loop.npz", x_train=train.x, y_train=train.y, x_val=validation.x, y_val=validation.y)


def run_loop(case: Case, folder: Path) -> tuple[float, float]:
    """Seconds and validation accuracy of the loop."""
    seconds, said = run(case.loop(folder))
    found = re.search(r"best ([\d.]+) mean ([\d.]+)", said)
    assert found, said
    return seconds, float(found[1 if case.network == "cnn_grid" else 2])


def run_ours(case: Case, folder: Path) -> tuple[float, float]:
    """Seconds and validation accuracy of our command."""
    seconds, _ = run(case.ours(folder))
    history = api.read(api.find_sweep(sweeps=folder / "sweeps"))
    return seconds, best(history) if case.network == "cnn_grid" else mean_of_last(history)


def best(history: History) -> float:
    """Of the first place."""
    return -rank_points(history)[0].score[0]


def mean_of_last(history: History) -> float:
    """Over trials, after their last epoch."""
    return statistics.mean(trial.epochs[-1].metrics["val_accuracy"] for trial in history.trials)


def run(command: list[str]) -> tuple[float, str]:
    """Seconds of a whole command, and what it prints."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-500:]} {done.stderr[-500:]}"
    return time.perf_counter() - start, done.stdout


Pairs = list[tuple[tuple[float, float], tuple[float, float]]]  # seconds and accuracy, of the loop and of ours


def medians_of(pairs: Pairs) -> tuple[float, float]:
    """Seconds of the loop and of ours."""
    loop, ours = (statistics.median(pair[side][0] for pair in pairs) for side in (0, 1))
    return loop, ours


def summarize(pairs: Pairs) -> list[str]:
    """A row's figures."""
    loop, ours = medians_of(pairs)
    scores = [f"{statistics.median(pair[side][1] for pair in pairs):.4f}" for side in (0, 1)]
    return [show_seconds(loop), show_seconds(ours), f"{loop / ours:.1f}", *scores]


def draw(seconds: dict[str, tuple[float, float]]) -> Figure:
    """A pair of bars a job, as parts of what the loop takes, with the seconds of both."""
    figure = new_figure(7, 0.6 + 0.42 * len(seconds))
    axes = figure.add_subplot()
    for place, (loop, ours) in enumerate(seconds.values()):
        for shift, value, colour in ((-0.19, loop, GREY), (0.19, ours, BLUE)):
            axes.barh(place + shift, value / loop, height=0.36, color=colour)
            axes.text(value / loop + 0.01, place + shift, show_seconds(value), va="center", fontsize=7, color=colour)
    axes.set_yticks(range(len(seconds)), list(seconds))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12)
    axes.set_xlabel("the whole command (blue), relative to a loop written by hand (grey)")
    tidy(axes, "x")
    return figure


if __name__ == "__main__":
    main(sys.argv[1:])
