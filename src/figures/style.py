"""How figures look."""

from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Figure

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#666666"


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """A white figure whose parts keep out of each other's way, unless they are placed by hand; sizes in inches."""
    figure = Figure(figsize=(width, height), layout=layout, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> Path:
    """As PNG, 120 dots an inch."""
    figure.savefig(path, dpi=120)
    return path


COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")


def tidy(axes: Axes, grid: str) -> None:
    """A light grid along one axis, no frame, and small text."""
    axes.grid(axis=grid, color="#dddddd", linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    for text, size in ((axes.xaxis.label, 9), (axes.yaxis.label, 9), (axes.title, 10)):
        text.set_fontsize(size)


def compact(value: float) -> str:
    """`100k`, `2M`, `0.001`."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def shorten(text: str, length: int) -> str:
    """Not longer than that."""
    return text if len(text) <= length else f"{text[: length - 2]} …"
