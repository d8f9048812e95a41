"""Which of several is better, by how much, and is it more than chance?

What is compared are groups (values of a key, points, sweeps). Each was measured in blocks (a seed with the other
settings), in each block on every validation image. Two groups are compared in the blocks that both have, image by
image, so that what seeds, settings and images share cancels out. The interval takes blocks and images both as
drawn at random: the variance of a mean over two crossed random factors, with Satterthwaite's degrees of freedom
(Searle, Casella, McCulloch: Variance Components, 1992). `python -m benchmarks.calibration` shows how often it is right.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
Values = NDArray[np.float64]  # one a validation image: 1 or 0 for right or wrong, or its loss


@dataclass
class Group:
    """Something to compare: its name, and what was measured in each block."""

    label: str
    blocks: dict[Hashable, Values] = field(default_factory=dict)

    def mean(self) -> float:
        """Over all blocks and images."""
        return float(np.mean([values.mean() for values in self.blocks.values()]))


@dataclass(frozen=True)
class Contrast:
    """How much more `a` has than `b`: the mean over `blocks` in common, and its interval; NaN where there is none."""

    a: str
    b: str
    blocks: int
    difference: float
    low: float
    high: float

    def is_beyond_chance(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low > 0 or self.high < 0

    def turned(self) -> "Contrast":
        """How much more `b` has than `a`."""
        return Contrast(self.b, self.a, self.blocks, -self.difference, -self.high, -self.low)


@dataclass(frozen=True)
class Comparison:
    """Groups from the best to the worst, with the first's advantage over each of the others (positive is better)."""

    groups: list[Group]
    ahead: list[Contrast]
    pairs: list[Contrast]  # all, as measured

    def not_told_apart(self) -> list[Contrast]:
        """Those that may be as good as the first."""
        return [contrast for contrast in self.ahead if not contrast.is_beyond_chance()]

    def worse(self) -> list[Contrast]:
        """Those that are worse than the first beyond chance."""
        return [contrast for contrast in self.ahead if contrast.is_beyond_chance()]


def compare(groups: Sequence[Group], higher_is_better: bool, comparisons: int | None = None) -> Comparison:
    """All pairs, with intervals that hold together at 95 % (Bonferroni's, over all pairs or so many `comparisons`)."""
    couples = list(combinations(groups, 2))
    tail = (1 - LEVEL) / 2 / max(comparisons or len(couples), 1)
    pairs = [contrast(a, b, tail) for a, b in couples]
    sign = 1 if higher_is_better else -1
    advantage = {group.label: 0.0 for group in groups}
    for pair in pairs:
        gain = 0.0 if np.isnan(pair.difference) else sign * pair.difference
        advantage[pair.a] += gain
        advantage[pair.b] -= gain
    order = sorted(groups, key=lambda group: -advantage[group.label])
    known = {(pair.a, pair.b): pair for pair in pairs} | {(pair.b, pair.a): pair.turned() for pair in pairs}
    first = [known[order[0].label, other.label] for other in order[1:]]
    return Comparison(
        order, [c if sign > 0 else Contrast(c.a, c.b, c.blocks, -c.difference, -c.high, -c.low) for c in first], pairs
    )


def contrast(a: Group, b: Group, tail: float) -> Contrast:
    """The paired difference of two groups; `tail` is the chance left on each side."""
    from scipy.special import stdtrit  # takes a moment, and a mistake in the command line is answered before

    common = [block for block in a.blocks if block in b.blocks]
    if not common:
        return Contrast(a.label, b.label, 0, float("nan"), float("nan"), float("nan"))
    differences = np.array([a.blocks[block] - b.blocks[block] for block in common])
    mean, error, freedom = mean_and_error(differences)
    margin = float(stdtrit(freedom, 1 - tail)) * error if error else 0.0
    return Contrast(a.label, b.label, len(common), mean, mean - margin, mean + margin)


def mean_and_error(values: NDArray[Any]) -> tuple[float, float, float]:
    """Mean, standard error and degrees of freedom of values blocks×images; the error is NaN of a single value.

    Of one block only the images are counted as chance, of one column only the blocks.
    """
    blocks, images = values.shape
    mean = float(values.mean())
    by_block, by_image = values.mean(axis=1), values.mean(axis=0)
    if blocks == 1 or images == 1:
        single = by_image if blocks == 1 else by_block
        error = float(single.std(ddof=1)) / len(single) ** 0.5 if len(single) > 1 else float("nan")
        return mean, error, max(len(single) - 1, 1)
    residual = values - by_block[:, np.newaxis] - by_image + mean
    squares = np.array(
        [
            images * by_block.var(ddof=1),
            blocks * by_image.var(ddof=1),
            -(residual**2).sum() / ((blocks - 1) * (images - 1)),
        ]
    )
    freedoms = np.array([blocks - 1, images - 1, (blocks - 1) * (images - 1)])
    total = max(squares.sum(), squares.max())
    if total == 0:
        return mean, 0.0, 1.0
    return mean, float(np.sqrt(total / values.size)), float(total**2 / (squares**2 / freedoms).sum())
