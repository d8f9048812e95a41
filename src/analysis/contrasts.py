"""Which of several is better, by how much, and is it more than chance?

What is compared are groups (values of a key, points, sweeps). Each was measured in blocks (a seed with the other
settings), in each block on every validation image. Two groups are compared in the blocks that both have, image by
image, so that what seeds, settings and images share cancels out. The interval takes blocks and images both as
drawn at random: the variance of a mean over two crossed random factors, with Satterthwaite's degrees of freedom
(Searle, Casella, McCulloch: Variance Components, 1992). `python -m benchmarks.calibration` shows how often it is right.

Where there is too little to estimate an interval from, there is none: of a single value, and of two blocks whose
difference decides (less than two degrees of freedom, so that an interval would be hundreds of points wide).
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
LEAST_FREEDOM = 2.0  # degrees of freedom that an interval needs
Values = NDArray[np.float64]  # one a validation image: 1 or 0 for right or wrong, or its loss


@dataclass
class Group:
    """Something to compare: its name, and what was measured in each block."""

    label: str
    blocks: dict[Hashable, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class Contrast:
    """How much more `a` has than `b`: the mean over `blocks` in common, and its interval; NaN where there is none."""

    a: str
    b: str
    blocks: int
    difference: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        """Whether there was enough to estimate an interval from."""
        return not math.isnan(self.low)

    def turned(self) -> "Contrast":
        """The same of values that are better when lower."""
        return Contrast(self.a, self.b, self.blocks, -self.difference, -self.high, -self.low)

    def without_interval(self) -> "Contrast":
        """The difference alone."""
        return replace(self, low=math.nan, high=math.nan)


@dataclass(frozen=True)
class Comparison:
    """The best group and the others, with the advantage of the best over each of these (positive: it is better)."""

    groups: list[Group]
    ahead: list[Contrast]

    def matched(self, group: Group) -> list[Hashable]:
        """A group's blocks that are compared: those shared with the first; the first's own, shared with any other."""
        first, *others = self.groups
        partners = others if group is first else [first]
        return [block for block in group.blocks if any(block in partner.blocks for partner in partners)]

    def not_told_apart(self) -> list[Contrast]:
        """Those that may be as good as the first."""
        return [contrast for contrast in self.ahead if contrast.blocks and not contrast.low > 0]

    def worse(self) -> list[Contrast]:
        """Those that are significantly worse than the first."""
        return [contrast for contrast in self.ahead if contrast.low > 0]

    def not_judged(self) -> list[Contrast]:
        """Those with a difference, and too few blocks for an interval."""
        return [contrast for contrast in self.ahead if contrast.blocks and not contrast.has_interval]

    def not_compared(self) -> list[Contrast]:
        """Those that have no block in common with the first."""
        return [contrast for contrast in self.ahead if not contrast.blocks]


def compare(
    groups: Sequence[Group],
    higher_is_better: bool,
    pairs: int | None = None,
    is_ordered: bool = False,
    fewest_blocks: int = 1,
) -> Comparison:
    """The best against each of the others, those nearest to it first; the groups are in the same order.

    `is_ordered`: the groups are ranked already, and keep their order. Contrasts over fewer blocks than `fewest_blocks`
    have no interval. The intervals hold together at 95 % for all pairs (Bonferroni's), since any of the groups could
    have been the best; or for so many `pairs`, where more is compared, or the groups were chosen from more.
    """
    sign = 1 if higher_is_better else -1
    effect = dict(zip([group.label for group in groups], sign * effects(groups), strict=True))
    order = list(groups) if is_ordered else sorted(groups, key=lambda group: -effect[group.label])
    tail = (1 - LEVEL) / 2 / max(pairs or len(groups) * (len(groups) - 1) // 2, 1)
    ahead = [contrast(order[0], other, tail) for other in order[1:]]
    ahead = [one if one.blocks >= fewest_blocks else one.without_interval() for one in ahead]
    ahead = ahead if higher_is_better else [one.turned() for one in ahead]
    if is_ordered:
        return Comparison(order, ahead)
    ahead.sort(key=lambda one: (not one.blocks, round(one.difference, 9) if one.blocks else 0))
    groups_of = {group.label: group for group in order}
    return Comparison([*order[:1], *(groups_of[one.b] for one in ahead)], ahead)


def effects(groups: Sequence[Group]) -> Values:
    """How much each group has, but for a constant: what fits all differences within blocks best.

    Where all have the same blocks these are their means. Rounded, so that equal ones are equal.
    """
    blocks = {block: place for place, block in enumerate({block: 0 for group in groups for block in group.blocks})}
    has, values = np.zeros((2, len(groups), len(blocks)))
    for place, group in enumerate(groups):
        for block, measured in group.blocks.items():
            has[place, blocks[block]], values[place, blocks[block]] = 1, measured.mean()
    shared = has @ has.T
    gains = (has * (has.sum(axis=0) * values - values.sum(axis=0))).sum(axis=1)
    fitted: Values = np.linalg.pinv(np.diag(shared.sum(axis=1)) - shared, hermitian=True) @ gains
    return fitted.round(9)


def contrast(a: Group, b: Group, tail: float) -> Contrast:
    """The paired difference of two groups; `tail` is the chance left on each side."""
    from scipy.special import stdtrit  # takes a moment, and a mistake in the command line is answered before

    common = [block for block in a.blocks if block in b.blocks]
    if not common:
        return Contrast(a.label, b.label, 0, math.nan, math.nan, math.nan)
    pairs = [(a.blocks[block], b.blocks[block]) for block in common]
    if len({len(values) for pair in pairs for values in pair}) > 1:  # of some only the mean over images is known
        pairs = [(one.mean(keepdims=True), other.mean(keepdims=True)) for one, other in pairs]
    differences = np.array([one - other for one, other in pairs])
    mean, error, freedom = mean_and_error(differences)
    margin = float(stdtrit(freedom, 1 - tail)) * error if freedom >= LEAST_FREEDOM else math.nan
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
        return mean, 0.0, float(freedoms.max())
    freedom = max(total**2 / (squares**2 / freedoms).sum(), freedoms.min())
    return mean, float(np.sqrt(total / values.size)), float(freedom)
