"""Figures, as matplotlib Figures without a screen. Colours are Okabe and Ito's, safe for colour-blind readers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from src.data import Part
from src.values import Epoch

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"


def curves(epochs: Sequence[Epoch], best: int, title: str) -> Figure:
    """Accuracy and loss by epoch, training and validation, the best epoch marked."""
    figure = new_figure(9, 3.6)
    figure.suptitle(title, fontsize=10, color=GREY)
    for axes, metric in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        draw_curve(axes, epochs, metric, best)
    return figure


def draw_curve(axes: Axes, epochs: Sequence[Epoch], metric: str, best: int) -> None:
    """One metric, training and validation."""
    numbers = [epoch.number for epoch in epochs]
    for key, colour, label in ((metric, BLUE, "training"), (f"val_{metric}", ORANGE, "validation")):
        axes.plot(numbers, [epoch.metrics[key] for epoch in epochs], "o-", color=colour, label=label, markersize=3.5)
    value = epochs[best - 1].metrics[f"val_{metric}"]
    axes.axvline(best, color=GREY, linewidth=0.8, linestyle=":")
    axes.plot(
        [best], [value], "o", color=ORANGE, markersize=8, fillstyle="none", label=f"best epoch {best}: {value:.4f}"
    )
    axes.set(xlabel="epoch", title=metric, xlim=(0.5, max(numbers) + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


def samples(part: Part, rows: int = 3, columns: int = 8) -> Figure:
    """Images from all over a part, which may be sorted by label, with their labels."""
    figure = new_figure(columns * 0.9, rows * 1.05)
    chosen = np.unique(np.linspace(0, len(part) - 1, rows * columns).astype(int))
    for place, axes in enumerate(np.ravel(figure.subplots(rows, columns, squeeze=False))):
        axes.set_axis_off()
        if place < len(chosen):
            index = chosen[place]
            image = part.x[index].astype(float)
            image = (image - image.min()) / max(float(np.ptp(image)), 1e-9)
            axes.imshow(
                image[..., :3] if image.shape[-1] >= 3 else image[..., 0], cmap="gray_r", interpolation="nearest"
            )
            axes.set_title(str(part.y[index]), fontsize=8, pad=2)
    return figure


def new_figure(width: float, height: float) -> Figure:
    """A white figure whose parts keep out of each other's way; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """As PNG, 120 dots an inch."""
    figure.savefig(path, dpi=120)
    return path
