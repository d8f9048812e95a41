"""Figures of a space's keys: effects, pairs, parallel coordinates. Each is None where it would say nothing."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from src.analysis.ranking import PointResult, point_results
from src.base.text import last, number_of
from src.figures.axes import bins, focus, heights, is_continuous, is_logarithmic, ordered, use_decades
from src.figures.style import BLUE, GREY, ORANGE, new_figure, shorten, tidy
from src.ledger.history import History
from src.ledger.records import Role

MAP = "cividis"


def effects(history: History) -> Figure | None:
    """Each key's values against the objective: a dot a point, a line through the medians."""
    found = point_results(history, Role.SEARCH)
    keys = keys_that_vary(found)
    if not keys or len(found) < 3:
        return None
    columns = min(3, len(keys))
    lines = math.ceil(len(keys) / columns)
    figure = new_figure(3.1 * columns, 2.6 * lines)
    limits = focus([result.mean(history.objective.name) for result in found])
    grid = list(figure.subplots(lines, columns, squeeze=False, sharey=True).flat)
    for axes, key in zip(grid, keys, strict=False):
        draw_effect(axes, found, key, history.objective.name)
        axes.set_ylim(*limits)
        tidy(axes, "y")
    for axes in grid[len(keys) :]:
        axes.set_axis_off()
    figure.supylabel(history.objective.name, fontsize=9)
    note_hidden(figure, found, history.objective.name, limits)
    return figure


def draw_effect(axes: Axes, found: Sequence[PointResult], key: str, objective: str) -> None:
    """One key."""
    values: list[Any] = [result.point.values.get(key) for result in found]
    results = np.array([result.mean(objective) for result in found])
    axes.set_xlabel(last(key), fontsize=9)
    if is_continuous(values):
        axes.plot(values, results, "o", color=BLUE, markersize=3.5, alpha=0.6)
        if is_logarithmic(values):
            use_decades(axes)
        return
    order = ordered(values)
    at = np.array([order.index(str(value)) for value in values])
    shift = np.random.default_rng(0).uniform(-0.12, 0.12, len(at))
    axes.plot(at + shift, results, "o", color=BLUE, markersize=3.5, alpha=0.5)
    medians = [np.median(results[at == place]) for place in range(len(order))]
    axes.plot(range(len(order)), medians, "-", color=ORANGE, linewidth=1.4, marker="D", markersize=4.5)
    many = len(order) > 4 or max(map(len, order)) > 8
    axes.set_xticks(
        range(len(order)),
        [shorten(v, 14) for v in order],
        fontsize=8,
        rotation=45 if many else 0,
        ha="right" if many else "center",
    )
    axes.set_xlim(-0.5, len(order) - 0.5)


def heat_map(history: History, first: str, second: str) -> Figure | None:
    """The mean objective for each pair of values of two keys; empty where no point has both."""
    found = point_results(history, Role.SEARCH)
    (across, columns), (down, lines) = (bins([s.point.values.get(key) for s in found]) for key in (first, second))
    if not (2 <= len(columns) <= 12 and 2 <= len(lines) <= 12):
        return None
    cells = np.full((len(lines), len(columns)), np.nan)
    for row, line in enumerate(lines):
        for column, name in enumerate(columns):
            own = [
                s.mean(history.objective.name)
                for s, a, d in zip(found, across, down, strict=True)
                if (a, d) == (name, line)
            ]
            cells[row, column] = np.mean(own) if own else np.nan
    figure = new_figure(2.2 + 0.85 * len(columns), 1.4 + 0.5 * len(lines))
    axes = figure.subplots()
    low, high = focus(cells[np.isfinite(cells)])
    picture = axes.imshow(cells, cmap=MAP, vmin=low, vmax=high, aspect="auto")
    for (row, column), value in np.ndenumerate(cells):
        colour = "white" if value < (low + high) / 2 else "black"
        axes.text(
            column,
            row,
            f"{value:.3f}" if np.isfinite(value) else "–",
            ha="center",
            va="center",
            fontsize=8,
            color=colour if np.isfinite(value) else GREY,
        )
    axes.set_xticks(range(len(columns)), columns, fontsize=8)
    axes.set_yticks(range(len(lines)), lines, fontsize=8)
    axes.set_xlabel(last(first), fontsize=9)
    axes.set_ylabel(last(second), fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(picture, ax=axes, shrink=0.9)
    bar.set_label(f"mean {history.objective}", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def parallel(history: History) -> Figure | None:
    """Parallel coordinates: a line a point through its values, coloured by the objective, the best on top."""
    found = point_results(history, Role.SEARCH)
    keys = keys_that_vary(found)
    if len(keys) < 2 or len(found) < 3:
        return None
    results = [result.mean(history.objective.name) for result in found]
    low, high = focus(results)
    figure = new_figure(max(7.0, 1.25 * (len(keys) + 1)), 3.8)
    axes = figure.subplots()
    columns = [heights([s.point.values.get(key) for s in found]) for key in keys]
    columns.append(([min(max((r - low) / (high - low), 0), 1) for r in results], {0: f"{low:.3f}", 1: f"{high:.3f}"}))
    jitter = np.random.default_rng(0).uniform(-0.018, 0.018, (len(found), len(keys)))
    colours = ScalarMappable(Normalize(low, high), MAP)
    best = int(np.argmin([result.score for result in found], axis=0)[0])
    for index in reversed(range(len(found))):
        line = [
            column[0][index] + (jitter[index, place] if place < len(keys) else 0)
            for place, column in enumerate(columns)
        ]
        style: dict[str, Any] = {
            "color": colours.to_rgba(np.array(results[index])),
            "alpha": 0.75 if len(found) < 100 else 0.35,
            "linewidth": 1,
        }
        axes.plot(range(len(columns)), line, **(style if index != best else {"color": ORANGE, "linewidth": 2.5}))
    for place, (_, ticks) in enumerate(columns):
        draw_scale(axes, place, ticks)
    axes.set_xticks(
        range(len(columns)), [*map(last, keys), history.objective.name], fontsize=8, rotation=20 if len(keys) > 6 else 0
    )
    axes.set(yticks=[], ylim=(-0.07, 1.07), xlim=(-0.1, len(columns) - 0.6))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def draw_scale(axes: Axes, place: int, ticks: dict[float, str]) -> None:
    """An upright axis at a place, with labels at heights from 0 to 1."""
    axes.axvline(place, color=GREY, linewidth=0.8)
    box = {"facecolor": "white", "alpha": 0.75, "pad": 0.8, "linewidth": 0}
    for height, label in ticks.items():
        axes.text(place + 0.03, height, shorten(label, 12), fontsize=7, va="center", bbox=box)


def keys_that_vary(found: Sequence[PointResult]) -> list[str]:
    """Keys of the space with more than one value among the points."""
    keys = found[0].point.values if found else {}
    return [key for key in keys if len({str(result.point.values.get(key)) for result in found}) > 1]


def note_hidden(figure: Figure, found: Sequence[PointResult], objective: str, limits: tuple[float, float]) -> None:
    """Say how many points lie outside of what is shown."""
    values = [result.mean(objective) for result in found]
    below, above = sum(value < limits[0] for value in values), sum(value > limits[1] for value in values)
    for count, where, value in ((below, "below", min(values)), (above, "above", max(values))):
        if count:
            words = (
                f"{number_of(count, 'point')} {where} (down to {value:.3f})"
                if where == "below"
                else f"{number_of(count, 'point')} above (up to {value:.3f})"
            )
            figure.axes[0].annotate(
                words, (0.02, 0.02 if where == "below" else 0.94), xycoords="axes fraction", fontsize=7, color=ORANGE
            )
