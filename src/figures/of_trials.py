"""Figures of one trial: its curves."""

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from src.figures.style import BLUE, GREY, ORANGE, new_figure
from src.ledger.records import Epoch


def curves(epochs: Sequence[Epoch], best: int, title: str) -> Figure:
    """Accuracy and loss by epoch, training and validation, the best epoch marked."""
    figure = new_figure(9, 3.6)
    figure.suptitle(textwrap.fill(title, 100), fontsize=10, color=GREY)
    for axes, metric in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        draw_curve(axes, epochs, metric, best)
    return figure


def draw_curve(axes: Axes, epochs: Sequence[Epoch], metric: str, best: int) -> None:
    """One metric, training and validation."""
    numbers = [epoch.number for epoch in epochs]
    for key, colour, label in ((metric, BLUE, "training"), (f"val_{metric}", ORANGE, "validation")):
        if key in epochs[0].metrics:
            values = [epoch.metrics[key] for epoch in epochs]
            axes.plot(numbers, values, "o-", color=colour, label=label, markersize=3.5)
    if f"val_{metric}" in epochs[0].metrics:
        value = epochs[best - 1].metrics[f"val_{metric}"]
        words = f"best epoch {best}: {value:.4f}"
        axes.axvline(best, color=GREY, linewidth=0.8, linestyle=":")
        axes.plot([best], [value], "o", color=ORANGE, markersize=8, fillstyle="none", label=words)
    axes.set(xlabel="epoch", title=metric, xlim=(0.5, max(numbers) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
