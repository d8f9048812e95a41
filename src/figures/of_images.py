"""Figures of images: samples, predictions, mistakes, what a network saw."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.data.dataset import Part
from src.figures.style import BLUE, GREY, ORANGE, new_figure

rcParams["text.parse_math"] = False  # file names and labels may hold a $


def samples(part: Part, rows: int = 3, columns: int = 10) -> Figure:
    """The first images of each class, a class a column; of many classes, some from the first to the last."""
    classes = np.unique(part.y)
    classes = classes[np.unique(np.linspace(0, len(classes) - 1, min(columns, len(classes))).astype(int))]
    chosen = [np.flatnonzero(part.y == label)[:rows] for label in classes]
    figure, grid = image_grid(rows, len(classes), title=0.2)
    for column, indices in zip(grid.T, chosen, strict=True):
        for axes, index in zip(column, indices, strict=False):
            draw_image(axes, part.x[index], str(part.y[index]))
    return figure


def first_predictions(part: Part, probabilities: NDArray[Any], count: int = 10) -> Figure:
    """The first image of each class, or the first ones where there are few classes: label, prediction and its probability."""
    firsts = [int(np.flatnonzero(part.y == label)[0]) for label in np.unique(part.y)][:count]
    others = [index for index in range(len(part)) if index not in firsts]
    chosen = (firsts + others)[:count]
    return draw_predictions(
        part, probabilities, chosen, "the first test image of each class: label → prediction, its probability"
    )


def mistakes(part: Part, probabilities: NDArray[Any], count: int = 20) -> Figure:
    """The wrong predictions that were most certain, the worst first."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != part.y)
    worst = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:count]
    heading = f"{len(wrong)} of {len(part):,} test images wrong" + (
        ", the most certain first: label → prediction" if len(wrong) else ""
    )
    return draw_predictions(part, probabilities, worst.tolist(), heading)


def draw_predictions(part: Part, probabilities: NDArray[Any], chosen: Sequence[int], heading: str) -> Figure:
    """Images in rows of ten; a prediction that is wrong stands out."""
    figure, grid = image_grid(max(math.ceil(len(chosen) / 10), 1), 10, title=0.4, heading=heading)
    for axes, index in zip(grid.flat, chosen, strict=False):
        label, predicted = part.y[index], probabilities[index].argmax()
        words = f"{label} → {predicted}\n{probabilities[index, predicted]:.0%}"
        draw_image(axes, part.x[index], words, "black" if label == predicted else ORANGE)
    return figure


def image_grid(rows: int, columns: int, title: float, heading: str = "") -> tuple[Figure, NDArray[Any]]:
    """Room for images of 0.85 inches with a title of so many inches above each, rows×columns; a heading above all.

    Its places are computed here: Matplotlib's own layout of so many axes takes longer than all the rest of a figure.
    """
    side, gap, above = 0.85, 0.1, 0.35 if heading else 0.05
    width, height = columns * (side + gap) + gap, rows * (side + title + gap) + above
    figure = new_figure(width, height, layout=None)
    if heading:
        figure.suptitle(heading, fontsize=10, color=GREY, y=1 - 0.1 / height, va="top")
    margins = {"left": gap / width, "right": 1 - gap / width, "bottom": gap / height}
    between = {"top": 1 - (above + title) / height, "wspace": gap / side, "hspace": (title + gap) / side}
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw={**margins, **between})
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, grid


def confusion(part: Part, probabilities: NDArray[Any]) -> Figure:
    """How often each class (row) was taken for each (column); the diagonal is right and not shaded."""
    classes = probabilities.shape[1]
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (part.y, probabilities.argmax(axis=1)), 1)
    side = min(max(3.2, 0.55 * classes), 12)
    figure = new_figure(side + 0.6, side)
    axes = figure.subplots()
    wrong = np.where(np.eye(classes, dtype=bool), 0, counts)
    axes.imshow(np.ma.masked_equal(wrong, 0), cmap="Oranges", vmin=0, vmax=max(wrong.max(), 1) * 1.6)
    if classes <= 20:
        for (row, column), count in np.ndenumerate(counts):
            right = row == column
            axes.text(
                column,
                row,
                f"{count:,}" if count else "·",
                ha="center",
                va="center",
                fontsize=8,
                color=BLUE if right else "black" if count else "#bbbbbb",
                fontweight="bold" if right else "normal",
            )
        axes.set(xticks=range(classes), yticks=range(classes))
    share = np.trace(counts) / max(counts.sum(), 1)
    axes.set(xlabel="predicted", ylabel="label")
    axes.set_title(f"{share:.2%} of {counts.sum():,} test images right", fontsize=10, color=GREY)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def seen(images: Sequence[tuple[str, NDArray[Any], NDArray[Any]]], columns: int = 2) -> Figure:
    """Names, pixels H×W×C and probabilities: what a network saw, beside how probable it finds each class."""
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    figure = new_figure(4.6 * columns, 1.9 * rows)
    places = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1, 1.5] * columns).reshape(-1, 2)
    for image, bars in places[len(images) :]:
        image.set_axis_off()
        bars.set_axis_off()
    for (name, pixels, probabilities), (image, bars) in zip(images, places, strict=False):
        image.set_axis_off()
        draw_image(image, pixels, name if len(name) < 28 else f"{name[:24]} …")
        draw_bars(bars, probabilities)
    return figure


def draw_bars(axes: Axes, probabilities: NDArray[Any], limit: int = 10) -> None:
    """Probabilities of the classes, in their order; of many classes the most probable."""
    shown = np.sort(np.argsort(-probabilities, kind="stable")[:limit])
    colours = [ORANGE if label == probabilities.argmax() else "#bbbbbb" for label in shown]
    axes.barh(range(len(shown)), probabilities[shown], color=colours)
    best = int(np.flatnonzero(shown == probabilities.argmax())[0])
    end, inside = float(probabilities.max()), probabilities.max() > 0.8
    side, colour = ("right", "white") if inside else ("left", "black")
    place = end + (-0.02 if inside else 0.02)
    axes.text(place, best, f"{end:.1%}", va="center", ha=side, color=colour, fontsize=8)
    axes.set(xlim=(0, 1), xticks=[0, 0.5, 1], ylim=(len(shown) - 0.5, -0.5))
    axes.set_yticks(range(len(shown)), [str(label) for label in shown], fontsize=7)
    axes.tick_params(length=0, labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def draw_image(axes: Axes, image: NDArray[Any], title: str, colour: str = "black") -> None:
    """One image H×W×C of any range, dark on light if it is grey."""
    values = image.astype(float)
    values = (values - values.min()) / max(float(np.ptp(values)), 1e-9)
    axes.imshow(values[..., :3] if values.shape[-1] >= 3 else values[..., 0], cmap="gray_r", interpolation="nearest")
    axes.set_title(title, fontsize=8, pad=2, color=colour)
