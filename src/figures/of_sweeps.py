"""Figures of a whole sweep: who is ahead, curves, what it cost. Each is None where it would say nothing."""

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from src.analysis.contrasts import Comparison, Contrast
from src.analysis.ranking import own_score, point_results, rank_points
from src.base.text import last, show_seconds
from src.figures.axes import focus, use_decades
from src.figures.of_keys import note_hidden
from src.figures.style import BLUE, COLOURS, GREY, ORANGE, new_figure, shorten, tidy
from src.ledger.history import History
from src.ledger.objective import Objective
from src.ledger.records import Role, Trial, TrialState

UNITS = (
    ("seconds", 1, 120),
    ("minutes", 60, 7200),
    ("hours", 3600, math.inf),
)  # of the sweep's time, up to so many seconds
SHOWN = 20  # points that a figure names
JUDGEMENTS = {  # of a difference to the first → its colour
    "not significantly different from the first": BLUE,
    "significantly worse": ORANGE,
    "too few seeds for an interval": GREY,
}
Band = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


def ahead(comparison: Comparison, objective: Objective, words: dict[str, str]) -> Figure | None:
    """How far each is behind the first, with its interval, coloured by what can be said of it (`JUDGEMENTS`)."""
    contrasts = [contrast for contrast in comparison.ahead if contrast.blocks][:SHOWN]
    if not contrasts:
        return None
    labels = [textwrap.fill(words.get(contrast.b, contrast.b), 70) for contrast in contrasts]
    lines = max(label.count("\n") for label in labels) + 1
    figure = new_figure(10, 1.2 + (0.15 + 0.13 * lines) * len(contrasts))
    axes = figure.subplots()
    low, high = limits_of(contrasts, objective.factor)
    axes.set_xlim(low, high)
    for place, contrast in enumerate(contrasts):
        draw_contrast(axes, place, contrast, objective.factor)
    axes.axvline(0, color=GREY, linewidth=0.8)
    first = comparison.groups[0].label
    first = shorten(words.get(first, f"point {first}"), 70)
    axes.set(xlabel=f"{objective.axis} behind {first}", ylim=(len(contrasts) - 0.5, -0.5))
    tidy(axes, "x")
    axes.set_yticks(range(len(contrasts)), labels, fontsize=7)
    judged = {judge(contrast) for contrast in contrasts}
    handles = [
        Line2D([], [], color=colour, marker="o", markersize=5, linewidth=2 if colour != GREY else 0, label=label)
        for label, colour in JUDGEMENTS.items()
        if label in judged
    ]
    place_legend(axes, handles)
    return figure


def judge(contrast: Contrast) -> str:
    """What can be said of a difference to the first."""
    equal, worse, unknown = JUDGEMENTS
    return unknown if not contrast.has_interval else worse if contrast.low > 0 else equal


def limits_of(contrasts: Sequence[Contrast], scale: float) -> tuple[float, float]:
    """The part of the axis that is worth looking at: the bulk of the differences, and around them the narrower intervals.

    Wide intervals are cut off, so that the differences can be seen.
    """
    low, high = focus([0, *(scale * contrast.difference for contrast in contrasts)])
    near = [c for c in contrasts if c.has_interval and low <= scale * c.difference <= high]
    narrowest = min((scale * (c.high - c.low) / 2 for c in near), default=0)
    reach = 2 * max(high, -low, narrowest)
    low = min([low, *(max(scale * c.low, -reach) for c in near)])
    high = max([high, *(min(scale * c.high, high + reach) for c in near)])
    margin = 0.03 * (high - low)
    return low - margin, high + margin


def draw_contrast(axes: Axes, place: int, contrast: Contrast, scale: float) -> None:
    """A difference and its interval; where it is out of view, a number at the border."""
    colour, (left, right) = JUDGEMENTS[judge(contrast)], axes.get_xlim()
    difference, low, high = scale * contrast.difference, scale * contrast.low, scale * contrast.high
    if not left <= difference <= right:
        side, text = ("right", f"{difference:.1f} →") if difference > right else ("left", f"← {difference:.1f}")
        edge = right if difference > right else left
        axes.annotate(text, (edge, place), color=colour, fontsize=8, ha=side, va="center")
        return
    axes.plot(difference, place, "o", color=colour, markersize=5)
    if contrast.has_interval:
        axes.plot([max(low, left), min(high, right)], [place, place], color=colour, linewidth=2)
        for is_cut, edge, marker in ((low < left, left, "<"), (high > right, right, ">")):
            if is_cut:
                axes.plot(edge, place, marker, color=colour, markersize=5, clip_on=False)


def place_legend(axes: Axes, handles: list[Line2D] | None = None) -> None:
    """A legend in one row above the axes."""
    axes.legend(
        handles=handles, frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncol=3, borderaxespad=0.2
    )


def curves_by(history: History, key: str, labels: Sequence[str]) -> Figure | None:
    """Validation accuracy and loss by epoch, for each value of a key: the median, and a band that holds two thirds.

    The legend names those that are seen, in the order of `labels`.
    """
    if not 2 <= len(labels) <= len(COLOURS) + 1:
        return None
    curves, seen = curves_of(history, key), set[str]()
    figure = new_figure(9, 3.8)
    for axes, metric in zip(figure.subplots(1, 2), ("val_accuracy", "val_loss"), strict=True):
        bands = []
        for index, label in enumerate(labels):
            style = (COLOURS[index % len(COLOURS)], "-" if index < len(COLOURS) else "--")
            histories = [[epoch.metrics[metric] for epoch in trial.epochs] for trial in curves[label]]
            bands.append(draw_band(axes, histories, label, *style))
        low, high = focus(np.concatenate([middle for _, middle, _ in bands]))
        near = [band for band in bands if low <= band[1][-1] <= high]
        away = [name for name, band in zip(labels, bands, strict=True) if not low <= band[1][-1] <= high]
        limits = (min(low, *(band[0].min() for band in near)), max(high, *(band[2].max() for band in near)))
        axes.set(xlabel="epoch", title=metric, ylim=limits)
        seen |= set(labels) - set(away)
        if away:
            note_away(axes, away, is_rising=metric == "val_accuracy")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(axes, "y")
    handles = [line for line, label in zip(axes.lines, labels, strict=True) if label in seen]
    place = {"loc": "center left", "bbox_to_anchor": (1, 0.5), "handlelength": 3}  # long enough for dashes to be seen
    axes.legend(handles=handles, title=last(key), title_fontsize=9, frameon=False, fontsize=8, **place)
    return figure


def note_away(axes: Axes, labels: Sequence[str], is_rising: bool) -> None:
    """Name the curves that are out of view, where rising or falling ones leave room."""
    words = textwrap.fill(f"out of view: {', '.join(labels)}", 50)
    height, side = (0.02, "bottom") if is_rising else (0.98, "top")
    axes.text(0.98, height, words, transform=axes.transAxes, fontsize=7, color=GREY, ha="right", va=side)


def curves_of(history: History, key: str) -> dict[str, list[Trial]]:
    """The trials with each value of a key that were trained to the end."""
    found: dict[str, list[Trial]] = {}
    for result in point_results(history, Role.SEARCH):
        found.setdefault(str(result.point.values.get(key)), []).extend(result.trials)
    return found


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
        f"a random forest of these keys predicts {max(explained, 0):.0%} of the differences", fontsize=9, color=GREY
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def trade_off(history: History) -> Figure | None:
    """The objective against training time and against parameters; no point is better and cheaper than those on the line."""
    found = rank_points(history)
    if len(found) < 3:
        return None
    figure = new_figure(9, 3.6)
    results = [result.mean(history.objective.name) for result in found]
    costs = {
        "seconds of training": [s.seconds() for s in found],
        "parameters": [float(s.point.parameters) for s in found],
    }
    limits = focus(results)
    for axes, (what, cost) in zip(figure.subplots(1, 2, sharey=True), costs.items(), strict=True):
        axes.plot(cost, results, "o", color=BLUE, markersize=4, alpha=0.45)
        front = pareto(cost, [result.score[0] for result in found])
        x, y = [cost[index] for index in front], [results[index] for index in front]
        axes.step(x, y, "-o", where="post", color=ORANGE, markersize=5, linewidth=1.2)
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
    figure.axes[0].set_ylabel(history.objective.name)
    figure.suptitle("numbers are points; on the line nothing is both cheaper and better", fontsize=9, color=GREY)
    note_hidden(figure, found, history.objective.name, limits)
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
    searched = [t for t in history.trials if t.role == Role.SEARCH and t.objective is not None]
    trials = [t for t in searched if t.state == TrialState.FINISHED]
    pruned = [t for t in searched if t.state == TrialState.PRUNED]
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
    for own, style, colour, label in ((trials, "o", BLUE, "trained to the end"), (pruned, "x", GREY, "pruned")):
        x, y = times(history, own, divisor), [float(trial.objective or 0) for trial in own]
        axes.plot(x, y, style, color=colour, markersize=3.5, alpha=0.5, label=label if own else None)
    axes.step(times(history, trials, divisor), line, where="post", color=ORANGE, linewidth=1.6, label="best so far")
    axes.set(
        xlabel=f"{unit} since the start, pauses left out ({show_seconds(total)} in all)",
        ylabel=history.objective.name,
        ylim=focus([float(trial.objective or 0) for trial in trials + pruned]),
    )
    axes.ticklabel_format(axis="y", useOffset=False)
    place_legend(axes)
    tidy(axes, "y")
    return figure


def times(history: History, trials: Sequence[Trial], divisor: float) -> list[float]:
    """When trials had their last epoch, in the sweep's own time."""
    return [active_seconds(history, trial.epochs[-1].ended) / divisor for trial in trials]


def active_seconds(history: History, moment: float) -> float:
    """The sweep's own time at a moment: that of all invocations up to then."""
    return sum(max(min(i.ended, moment) - i.started, 0) for i in history.invocations)
