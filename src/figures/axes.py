"""How values lie on an axis: in which order, at which height, and which part of it is worth looking at."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from src.base.text import show
from src.figures.style import compact


def is_continuous(values: Sequence[Any]) -> bool:
    """Numbers of which hardly any come twice."""
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return numbers and len(set(values)) > 8


def is_logarithmic(values: Sequence[Any]) -> bool:
    """Positive numbers over more than a decade."""
    return bool(min(values) > 0 and max(values) / min(values) > 10)


def ordered(values: Sequence[Any]) -> list[str]:
    """Different values as text: numbers by size, others as they come."""
    different = list(dict.fromkeys(values_as_keys(values)))
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in different)
    return [str(value) for value in (sorted(different) if numbers else different)]


def values_as_keys(values: Sequence[Any]) -> list[Any]:
    """Lists are no keys of a dict: they stand as text."""
    return [str(value) if isinstance(value, list | dict) else value for value in values]


def bins(values: Sequence[Any]) -> tuple[list[str], list[str]]:
    """Each value as text, and all of these in order; of numbers that hardly come twice, the quarter they lie in."""
    if not is_continuous(values):
        return [str(value) for value in values], ordered(values)
    edges: list[float] = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
    names = [f"{a} to\n{b}" for a, b in pairwise(compact(float(f"{edge:.2g}")) for edge in edges)]
    places = np.searchsorted(edges[1:-1], np.array(values, dtype=float), side="right")
    return [names[place] for place in places], list(dict.fromkeys(names))


def heights(values: Sequence[Any]) -> tuple[list[float], dict[float, str]]:
    """Where values lie on an axis from 0 to 1, and its labels."""
    if is_continuous(values):
        numbers = np.log(values) if is_logarithmic(values) else np.array(values, dtype=float)
        low, high = float(numbers.min()), float(numbers.max())
        return ((numbers - low) / (high - low)).tolist(), {0.0: f"{min(values):.3g}", 1.0: f"{max(values):.3g}"}
    order, words = ordered(values), {str(value): show(value) for value in values}
    step = 1 / max(len(order) - 1, 1)
    return [order.index(str(value)) * step for value in values], {
        place * step: words[name] for place, name in enumerate(order)
    }


def focus(results: Any) -> tuple[float, float]:
    """Limits that show the bulk of results, leaving out those far from it, with a margin."""
    values = np.asarray(results, dtype=float)
    first, third = np.quantile(values, [0.25, 0.75])
    reach = 3 * max(third - first, 0.002)
    inside = values[(values >= first - reach) & (values <= third + reach)]
    margin = max(float(np.ptp(inside)) * 0.08, 0.0005)
    return float(inside.min()) - margin, float(inside.max()) + margin


def use_decades(axes: Axes) -> None:
    """A logarithmic axis whose labels are plain: 20, 50, 100k."""
    axes.set_xscale("log")
    few = math.log10(axes.get_xlim()[1] / axes.get_xlim()[0]) < 2.5
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
