"""Figures of a whole sweep: who is ahead, what mattered, what it cost. Each is None where it would say nothing."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from src.contrasts import Comparison
from src.estimate import show_seconds
from src.plots import BLUE, GREY, ORANGE, new_figure
from src.rows import History, Trial
from src.scales import bins, focus, heights, is_continuous, is_logarithmic, ordered
from src.standing import PointResult, own_score, point_results, rank_points
from src.writing import last

COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
UNITS = (
    ("seconds", 1, 120),
    ("minutes", 60, 7200),
    ("hours", 3600, math.inf),
)  # of the sweep's time, up to so many seconds
SHOWN = 20  # points that a figure names
MAP = "cividis"
Band = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def ahead(comparison: Comparison, objective: str, words: dict[str, str]) -> Figure | None:
    """How far each is behind the first, with its interval; those that may be equal in blue."""
    contrasts = [contrast for contrast in comparison.ahead if contrast.blocks][:SHOWN]
    if not contrasts:
        return None
    labels = [textwrap.fill(words.get(contrast.b, contrast.b), 70) for contrast in contrasts]
    lines = max(label.count("\n") for label in labels) + 1
    figure = new_figure(10, 0.9 + (0.15 + 0.13 * lines) * len(contrasts))
    axes = figure.subplots()
    worse = comparison.worse()
    scale = 100 if objective == "val_accuracy" else 1
    low, high = focus([0, *(scale * contrast.difference for contrast in contrasts)])
    shown = [c for c in contrasts if low <= scale * c.difference <= high]
    ends = [0, *(scale * end for c in shown for end in (c.low, c.high) if not math.isnan(end))]
    low, high = min(low, *ends), max(high, *ends)
    for place, contrast in enumerate(contrasts):
        colour = ORANGE if contrast in worse else BLUE
        if contrast in shown:
            axes.plot([scale * contrast.low, scale * contrast.high], [place, place], color=colour, linewidth=2)
            axes.plot(scale * contrast.difference, place, "o", color=colour, markersize=5)
        else:
            text = f"{scale * contrast.difference:.1f} →"
            axes.annotate(text, (high, place), color=colour, fontsize=8, ha="right", va="center")
    axes.axvline(0, color=GREY, linewidth=0.8)
    margin = 0.03 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    unit = "percentage points" if scale == 100 else objective
    axes.set(xlabel=f"{unit} behind point {comparison.groups[0].label}", ylim=(len(contrasts) - 0.5, -0.5))
    tidy(axes, "x")
    axes.set_yticks(range(len(contrasts)), labels, fontsize=7)
    return figure


def curves_by(history: History, key: str) -> Figure | None:
    """Validation accuracy and loss by epoch, for each value of a key: the median, and a band that holds two thirds."""
    found = point_results(history, "search")
    labels = list(dict.fromkeys(str(s.point.values.get(key)) for s in found))  # the best first
    if not 2 <= len(labels) <= len(COLOURS) + 1:
        return None
    figure = new_figure(9, 3.8)
    for axes, metric in zip(figure.subplots(1, 2), ("val_accuracy", "val_loss"), strict=True):
        bands = []
        for index, label in enumerate(labels):
            histories = [
                [epoch.metrics[metric] for epoch in trial.epochs]
                for standing in found
                if str(standing.point.values.get(key)) == label
                for trial in standing.trials
            ]
            style = (COLOURS[index % len(COLOURS)], "-" if index < len(COLOURS) else "--")
            bands.append(draw_band(axes, histories, label, *style))
        low, high = focus(np.concatenate([middle for _, middle, _ in bands]))
        near = [band for band in bands if low <= band[1][-1] <= high]
        away = [name for name, band in zip(labels, bands, strict=True) if not low <= band[1][-1] <= high]
        limits = (min(low, *(band[0].min() for band in near)), max(high, *(band[2].max() for band in near)))
        axes.set(xlabel="epoch", title=metric, ylim=limits)
        if away:
            words = textwrap.fill(f"out of view: {', '.join(away)}", 50)
            axes.text(0.98, 0.02, words, transform=axes.transAxes, fontsize=7, color=GREY, ha="right", va="bottom")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(axes, "y")
    axes.legend(title=last(key), frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def draw_band(axes: Axes, histories: Sequence[Sequence[float]], label: str, colour: str, line: str) -> Band:
    """The median of curves, as far as all of them go, and where the middle two thirds lie; returns low, median, high."""
    length = min(len(history) for history in histories)
    values = np.array([history[:length] for history in histories])
    epochs, (low, middle, high) = np.arange(1, length + 1), np.quantile(values, [1 / 6, 1 / 2, 5 / 6], axis=0)
    axes.plot(epochs, middle, line, color=colour, label=shorten(label, 24), linewidth=1.6, marker="o", markersize=2.5)
    if len(values) > 1:
        axes.fill_between(epochs, low, high, color=colour, alpha=0.15, linewidth=0)
    return low, middle, high


def importance_bars(shares: dict[str, float], explained: float) -> Figure:
    """The share of each key."""
    keys = list(shares)[:SHOWN]
    figure = new_figure(6.5, 0.8 + 0.3 * len(keys))
    axes = figure.subplots()
    axes.barh(range(len(keys)), [shares[key] for key in keys], color=BLUE, height=0.6)
    for place, key in enumerate(keys):
        axes.text(shares[key] + 0.01, place, f"{shares[key]:.0%}", va="center", fontsize=8, color=GREY)
    axes.set_yticks(range(len(keys)), keys, fontsize=8)
    axes.set(xlim=(0, min(1.12, max(shares.values()) * 1.2 + 0.02)), ylim=(len(keys) - 0.5, -0.5), xticks=[])
    axes.set_title(
        f"a forest of these keys foretells {max(explained, 0):.0%} of the differences", fontsize=9, color=GREY
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def effects(history: History) -> Figure | None:
    """Each key's values against the objective: a dot a point, a line through the medians."""
    found = point_results(history, "search")
    keys = keys_that_vary(found)
    if not keys or len(found) < 3:
        return None
    columns = min(3, len(keys))
    lines = math.ceil(len(keys) / columns)
    figure = new_figure(3.1 * columns, 2.6 * lines)
    limits = focus([standing.mean(history.objective) for standing in found])
    grid = list(figure.subplots(lines, columns, squeeze=False, sharey=True).flat)
    for axes, key in zip(grid, keys, strict=False):
        draw_effect(axes, found, key, history.objective)
        axes.set_ylim(*limits)
        tidy(axes, "y")
    for axes in grid[len(keys) :]:
        axes.set_axis_off()
    figure.supylabel(history.objective, fontsize=9)
    note_hidden(figure, found, history.objective, limits)
    return figure


def draw_effect(axes: Axes, found: Sequence[PointResult], key: str, objective: str) -> None:
    """One key."""
    values: list[Any] = [standing.point.values.get(key) for standing in found]
    results = np.array([standing.mean(objective) for standing in found])
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
    found = point_results(history, "search")
    (across, columns), (down, lines) = (bins([s.point.values.get(key) for s in found]) for key in (first, second))
    if not (2 <= len(columns) <= 12 and 2 <= len(lines) <= 12):
        return None
    cells = np.full((len(lines), len(columns)), np.nan)
    for row, line in enumerate(lines):
        for column, name in enumerate(columns):
            own = [
                s.mean(history.objective) for s, a, d in zip(found, across, down, strict=True) if (a, d) == (name, line)
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
    axes.set(xlabel=last(first), ylabel=last(second))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(picture, ax=axes, label=f"mean {history.objective}", shrink=0.9)
    return figure


def parallel(history: History) -> Figure | None:
    """Parallel coordinates: a line a point through its values, coloured by the objective, the best on top."""
    found = point_results(history, "search")
    keys = keys_that_vary(found)
    if len(keys) < 2 or len(found) < 3:
        return None
    results = [standing.mean(history.objective) for standing in found]
    low, high = focus(results)
    figure = new_figure(max(7.0, 1.25 * (len(keys) + 1)), 3.8)
    axes = figure.subplots()
    columns = [heights([s.point.values.get(key) for s in found]) for key in keys]
    columns.append(([min(max((r - low) / (high - low), 0), 1) for r in results], {0: f"{low:.3f}", 1: f"{high:.3f}"}))
    jitter = np.random.default_rng(0).uniform(-0.018, 0.018, (len(found), len(keys)))
    colours = ScalarMappable(Normalize(low, high), MAP)
    best = int(np.argmin([standing.score for standing in found], axis=0)[0])
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
        axes.axvline(place, color=GREY, linewidth=0.8)
        for height, label in ticks.items():
            axes.text(
                place + 0.03,
                height,
                shorten(label, 12),
                fontsize=7,
                va="center",
                bbox={"facecolor": "white", "alpha": 0.75, "pad": 0.8, "linewidth": 0},
            )
    axes.set_xticks(
        range(len(columns)), [*map(last, keys), history.objective], fontsize=8, rotation=20 if len(keys) > 6 else 0
    )
    axes.set(yticks=[], ylim=(-0.07, 1.07), xlim=(-0.1, len(columns) - 0.6))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def trade_off(history: History) -> Figure | None:
    """The objective against training time and against parameters; no point is better and cheaper than those on the line."""
    found = rank_points(history)
    if len(found) < 3:
        return None
    figure = new_figure(9, 3.6)
    results = [standing.mean(history.objective) for standing in found]
    costs = {
        "seconds of training": [s.seconds() for s in found],
        "parameters": [float(s.point.parameters) for s in found],
    }
    limits = focus(results)
    for axes, (what, cost) in zip(figure.subplots(1, 2, sharey=True), costs.items(), strict=True):
        axes.plot(cost, results, "o", color=BLUE, markersize=4, alpha=0.45)
        front = pareto(cost, [standing.score[0] for standing in found])
        axes.step(
            [cost[i] for i in front],
            [results[i] for i in front],
            "-o",
            where="post",
            color=ORANGE,
            markersize=5,
            linewidth=1.2,
        )
        for index in front[-6:]:
            axes.annotate(
                str(found[index].point.number),
                (cost[index], results[index]),
                xytext=(0, 5),
                textcoords="offset points",
                fontsize=8,
                ha="center",
            )
        axes.set(xlabel=what, ylim=limits)
        if max(cost) > 5 * min(cost) > 0:
            use_decades(axes)
        tidy(axes, "y")
    figure.axes[0].set_ylabel(history.objective)
    figure.suptitle("numbers are points; on the line nothing is both cheaper and better", fontsize=9, color=GREY)
    note_hidden(figure, found, history.objective, limits)
    return figure


def pareto(cost: Sequence[float], score: Sequence[float]) -> list[int]:
    """Indices of those that no other beats in both, the cheapest first; lower is better in both."""
    front: list[int] = []
    for index in sorted(range(len(cost)), key=lambda i: (cost[i], score[i])):
        if not front or score[index] < score[front[-1]]:
            front.append(index)
    return front


def progress(history: History) -> Figure | None:
    """The best objective so far against the sweep's own time (pauses left out), and each trial where it ended."""
    searched = [t for t in history.trials if t.role == "search" and t.objective is not None]
    trials = [t for t in searched if t.state == "finished"]
    pruned = [t for t in searched if t.state == "pruned"]
    if len(trials) + len(pruned) < 3 or not trials:
        return None
    trials.sort(key=lambda trial: trial.epochs[-1].ended)
    best, line = trials[0], []
    for trial in trials:
        best = min(best, trial, key=lambda one: own_score(history, one))
        line.append(float(best.objective or 0))
    total = active_seconds(history, max(trial.epochs[-1].ended for trial in trials + pruned))
    unit, divisor = next((u, d) for u, d, most in UNITS if total < most)
    figure = new_figure(9, 3)
    axes = figure.subplots()
    for own, style, colour, label in ((trials, "o", BLUE, "a trial"), (pruned, "x", GREY, "a pruned one")):
        x, y = times(history, own, divisor), [float(trial.objective or 0) for trial in own]
        axes.plot(x, y, style, color=colour, markersize=3.5, alpha=0.5, label=label if own else None)
    axes.step(times(history, trials, divisor), line, where="post", color=ORANGE, linewidth=1.6, label="best so far")
    axes.set(
        xlabel=f"{unit} since the start, pauses left out ({show_seconds(total)} in all)",
        ylabel=history.objective,
        ylim=focus([float(trial.objective or 0) for trial in trials + pruned]),
    )
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncol=3)
    tidy(axes, "y")
    return figure


def times(history: History, trials: Sequence[Trial], divisor: float) -> list[float]:
    """When trials had their last epoch, in the sweep's own time."""
    return [active_seconds(history, trial.epochs[-1].ended) / divisor for trial in trials]


def active_seconds(history: History, moment: float) -> float:
    """The sweep's own time at a moment: that of all invocations up to then."""
    return sum(max(min(i.ended, moment) - i.started, 0) for i in history.invocations)


# ------------------------------------------------------------------------------------------ pieces


def keys_that_vary(found: Sequence[PointResult]) -> list[str]:
    """Keys of the space with more than one value among the points."""
    keys = found[0].point.values if found else {}
    return [key for key in keys if len({str(standing.point.values.get(key)) for standing in found}) > 1]


def note_hidden(figure: Figure, found: Sequence[PointResult], objective: str, limits: tuple[float, float]) -> None:
    """Say how many points lie outside of what is shown."""
    values = [standing.mean(objective) for standing in found]
    below, above = sum(value < limits[0] for value in values), sum(value > limits[1] for value in values)
    for count, where, value in ((below, "below", min(values)), (above, "above", max(values))):
        if count:
            words = (
                f"{count} {'point' if count == 1 else 'points'} {where} (down to {value:.3f})"
                if where == "below"
                else f"{count} {'point' if count == 1 else 'points'} above (up to {value:.3f})"
            )
            figure.axes[0].annotate(
                words, (0.02, 0.02 if where == "below" else 0.94), xycoords="axes fraction", fontsize=7, color=ORANGE
            )


def tidy(axes: Axes, grid: str) -> None:
    """A light grid along one axis, and no frame."""
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def use_decades(axes: Axes) -> None:
    """A logarithmic axis whose labels are plain: 20, 50, 100k."""
    axes.set_xscale("log")
    few = math.log10(axes.get_xlim()[1] / axes.get_xlim()[0]) < 2.5
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))


def compact(value: float) -> str:
    """`100k`, `2M`, `0.001`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def shorten(text: str, length: int) -> str:
    """Not longer than that."""
    return text if len(text) <= length else f"{text[: length - 2]} …"
