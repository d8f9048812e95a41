"""Do the stated intervals hold the truth as often as they say? Sweeps drawn again and again from one with many seeds.

    python -m benchmarks.calibration                 10 minutes on 2 cores, then a minute; repeated, only the minute
    python -m benchmarks.calibration +resamples=1000

First 8 dense networks are trained on half of mnist_5k with 40 seeds each, and every validation image (2,250) is kept
with each. These are taken for the whole truth. A drawn sweep has a few of the seeds and 500 of the images, both drawn
at random with replacement, the same for all networks, as in a sweep.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from src.analysis.contrasts import Comparison, Group, compare, mean_and_error
from src.analysis.groups import by_point
from src.analysis.ranking import point_results
from src.ledger.database import read_history
from src.ledger.records import Role
from src.ledger.sweep_folder import open_sweep
from src.reporting.boards import new_table

NAME, SEEDS, IMAGES = "calibration", 40, 500
COMMAND = ["architecture=dnn", "search=dnn_grid", "data.validation=0.5", "training.epochs=5", "tracking=none"]
Draw = NDArray[np.int64]


def main(arguments: list[str]) -> None:
    """Train what is not yet trained, then print how often the intervals hold the truth."""
    own = dict(argument[1:].split("=") for argument in arguments if argument.startswith("+"))
    rest = [argument for argument in arguments if not argument.startswith("+")]
    command = [sys.executable, "-m", "src.sweep", *COMMAND, f"search.repeats={SEEDS}", f"name={NAME}", *rest]
    subprocess.run(command, check=True)
    truth = read_truth(Path("sweeps") / NAME)
    resamples = int(own.get("resamples", 200))
    table = new_table("seeds", "one interval", "first against all", "by bootstrap", "wrong winners", "winners named")
    for seeds in (1, 2, 3, 5, 10):
        table.add_row(str(seeds), *measure(truth, seeds, resamples))
    console = Console(width=120, highlight=False)
    console.print(f"{resamples} drawn sweeps of {len(truth)} networks, {IMAGES} images; 95% is what is claimed")
    console.print(table)


def read_truth(path: Path) -> list[NDArray[np.float64]]:
    """Of each network, which images were right: seeds×images."""
    sweep = open_sweep(path)
    history = read_history(path, sweep.objective)
    groups = by_point(path, history, point_results(history, Role.SEARCH))
    return [np.array([group.blocks[repeat] for repeat in range(SEEDS)]) for group in groups]


def measure(truth: list[NDArray[np.float64]], seeds: int, resamples: int) -> list[str]:
    """Shares of drawn sweeps: intervals that hold the truth, and winners named that are not the best."""
    means = np.array([values.mean() for values in truth])
    single, together, bootstrap, wrong, named = [], [], [], [], []
    for history, columns, rng in draws(seeds, truth[0].shape, resamples):
        drawn = [values[np.ix_(history, columns)] for values in truth]
        a, b = rng.choice(len(truth), 2, replace=False)
        single.append(holds(drawn[a] - drawn[b], means[a] - means[b]))
        bootstrap.append(holds_by_bootstrap(drawn[a] - drawn[b], means[a] - means[b], rng))
        comparison = compare(to_groups(drawn), True)
        together.append(all_hold(comparison, means))
        first = int(comparison.groups[0].label)
        is_named = not comparison.not_told_apart()
        named.append(is_named)
        wrong.append(is_named and means[first] < means.max())
    return [f"{np.mean(share):.1%}" for share in (single, together, bootstrap, wrong, named)]


def draws(seeds: int, shape: tuple[int, ...], count: int) -> Iterator[tuple[Draw, Draw, np.random.Generator]]:
    """Seeds and images drawn with replacement."""
    for number in range(count):
        rng = np.random.default_rng([seeds, number])
        yield rng.integers(0, shape[0], seeds), rng.integers(0, shape[1], IMAGES), rng


def to_groups(drawn: list[NDArray[np.float64]]) -> list[Group]:
    """As a sweep's networks are compared."""
    return [Group(str(n), dict(enumerate(values))) for n, values in enumerate(drawn)]


def holds(differences: NDArray[np.float64], truth: float) -> bool:
    """Whether one interval at 95 %, not corrected for others, holds the truth."""
    from scipy.special import stdtrit

    mean, error, freedom = mean_and_error(differences)
    return bool(abs(mean - truth) <= stdtrit(freedom, 0.975) * error)


def all_hold(comparison: Comparison, means: NDArray[np.float64]) -> bool:
    """Whether all intervals of a comparison hold the truth at once; where there is none, nothing is claimed."""
    missed = (not c.low <= means[int(c.a)] - means[int(c.b)] <= c.high for c in comparison.ahead if c.has_interval)
    return not any(missed)


def holds_by_bootstrap(differences: NDArray[np.float64], truth: float, rng: np.random.Generator) -> bool:
    """The same by resampling seeds and images both (the pigeonhole bootstrap), 500 times."""
    seeds, images = differences.shape
    history = rng.multinomial(seeds, np.full(seeds, 1 / seeds), 500) / seeds
    columns = rng.multinomial(images, np.full(images, 1 / images), 500) / images
    means = np.einsum("ks,si,ki->k", history, differences, columns, optimize=True)
    low, high = np.quantile(means, [0.025, 0.975])
    return bool(low <= truth <= high)


if __name__ == "__main__":
    main(sys.argv[1:])
