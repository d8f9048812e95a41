"""Figures show what they say, for any number of classes and images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from src.data.dataset import Part
from src.figures.of_images import confusion, first_predictions, mistakes, samples, seen
from src.figures.style import ORANGE, save

Shape = tuple[int, int, int]


def part_of(count: int, classes: int, shape: Shape = (8, 8, 1), dtype: str = "uint8") -> Part:
    """Noise, as bytes or as floats around 0, the classes in turn."""
    noise = np.random.default_rng(0).integers(0, 256, (count, *shape))
    images = noise.astype(np.uint8) if dtype == "uint8" else (noise / 100 - 1).astype(dtype)
    return Part(images, (np.arange(count) % classes).astype(np.int32))


def guesses(count: int, classes: int) -> NDArray[np.float32]:
    """Probabilities that have nothing to do with the images."""
    return np.random.default_rng(1).dirichlet(np.ones(classes), count).astype(np.float32)


def certain(labels: list[int], classes: int, probabilities: list[float]) -> NDArray[np.float32]:
    """One class an image, so probable; the rest is shared by the others."""
    shares = np.array(probabilities, np.float32)[:, np.newaxis]
    table: NDArray[np.float32] = np.repeat((1 - shares) / np.float32(classes - 1), classes, axis=1)
    table[np.arange(len(labels)), labels] = probabilities
    return table


def is_png(path: Path) -> bool:
    """A picture that opens and shows something."""
    with Image.open(path) as image:
        image.load()
        return image.format == "PNG" and min(image.size) > 100 and len(image.convert("L").getcolors() or []) > 2


def words(figure: Figure) -> list[str]:
    """The titles of a figure's images, in order."""
    return [axes.get_title() for axes in figure.axes if axes.images]


# -------------------------------------------------------------------------------------- every figure

FIGURES: dict[str, Callable[[Part, NDArray[np.float32]], Figure]] = {
    "samples": lambda part, probabilities: samples(part),
    "first_predictions": first_predictions,
    "mistakes": mistakes,
    "confusion": confusion,
    "seen": lambda part, probabilities: seen(
        [(f"{index}.png", part.x[index], probabilities[index]) for index in range(min(len(part), 5))]
    ),
}
CASES: dict[str, tuple[Part, NDArray[np.float32]]] = {
    "2 classes": (part_of(30, 2), guesses(30, 2)),
    "10 classes": (part_of(60, 10), guesses(60, 10)),
    "100 classes": (part_of(200, 100), guesses(200, 100)),
    "no mistakes": (part_of(30, 10), np.eye(10, dtype=np.float32)[np.arange(30) % 10]),
    "colours": (part_of(30, 3, (8, 6, 3)), guesses(30, 3)),
    "two channels": (part_of(30, 3, (8, 6, 2)), guesses(30, 3)),
    "three images": (part_of(3, 3), guesses(3, 3)),
    "one image": (part_of(1, 1), guesses(1, 2)),
    "floats": (part_of(30, 3, (8, 6, 1), "float32"), guesses(30, 3)),
    "blank images": (Part(np.zeros((30, 8, 8, 1), np.uint8), part_of(30, 3).y), guesses(30, 3)),
    "a class without test images": (Part(part_of(30, 3).x, part_of(30, 3).y * 2), guesses(30, 5)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_can_be_saved(tmp_path: Path, name: str, case: str) -> None:
    """Each figure is a picture for any number of classes and channels, bytes or floats, few images, no mistakes."""
    figure = FIGURES[name](*CASES[case])
    path = save(figure, tmp_path / "figure.png")
    assert path == tmp_path / "figure.png" and is_png(path)


@pytest.mark.parametrize("name", ["samples", "first_predictions", "mistakes", "seen"])
def test_blank_images_are_drawn(name: str) -> None:
    """An image of one brightness is drawn as such, without a hole."""
    figure = FIGURES[name](*CASES["blank images"])
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert shown and not any(np.ma.is_masked(values) for values in shown)


# ------------------------------------------------------------------------------------------- content


def test_samples_show_each_class() -> None:
    """The first three images of each class, a class a column; one that has fewer leaves its place free."""
    part = Part(part_of(8, 1).x, np.array([1, 0, 0, 0, 1, 0, 2, 2], np.int32))
    figure = samples(part)
    assert words(figure) == ["0", "1", "2", "0", "1", "2", "0"]  # row by row
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]
    for image, index in zip(shown, [1, 0, 6, 2, 4, 7, 3], strict=True):
        assert np.corrcoef(image.ravel(), part.x[index].ravel())[0, 1] > 0.999


def test_samples_of_many_classes() -> None:
    """Of a hundred classes ten are shown, from the first to the last."""
    labels = sorted({int(word) for word in words(samples(part_of(300, 100)))})
    assert len(labels) == 10 and labels[0] == 0 and labels[-1] == 99


def test_first_predictions() -> None:
    """The first image of each class with its label, prediction and probability; what is wrong stands out."""
    part = Part(part_of(4, 1).x, np.array([1, 1, 0, 2], np.int32))
    figure = first_predictions(part, certain([1, 0, 1, 2], 3, [0.9, 0.8, 0.7, 0.6]), count=3)
    assert words(figure) == ["0 → 1\n70%", "1 → 1\n90%", "2 → 2\n60%"]
    wrong = [axes.get_title() for axes in figure.axes if same_color(axes.title.get_color(), ORANGE)]
    assert wrong == ["0 → 1\n70%"]


def test_first_predictions_of_few_classes() -> None:
    """With fewer classes than places the first other images follow, none twice."""
    part = Part(np.arange(6, dtype=np.uint8).reshape(-1, 1, 1, 1), np.array([1, 1, 0, 1, 0, 1], np.int32))
    figure = first_predictions(part, certain([1] * 6, 2, [0.95, 0.9, 0.85, 0.8, 0.75, 0.7]), count=5)
    assert [word.partition("\n")[2] for word in words(figure)] == ["85%", "95%", "90%", "80%", "75%"]


def test_mistakes_begin_with_the_most_certain() -> None:
    """Only wrong predictions are shown, the most certain one first, those that are equally certain in their order."""
    part = Part(part_of(7, 1).x, np.array([0, 0, 0, 1, 1, 2, 2], np.int32))
    probabilities = certain([0, 1, 2, 0, 1, 1, 0], 3, [1.0, 0.6, 0.9, 0.5, 0.99, 0.9, 0.7])
    figure = mistakes(part, probabilities)
    assert words(figure) == ["0 → 2\n90%", "2 → 1\n90%", "2 → 0\n70%", "0 → 1\n60%", "1 → 0\n50%"]
    assert heading(figure) == "5 of 7 test images wrong, the most certain first: label → prediction"


def test_mistakes_are_as_many_as_asked_for() -> None:
    """Of many mistakes the most certain ones are shown, and all are counted."""
    part, probabilities = part_of(1500, 10), guesses(1500, 10)
    wrong = probabilities.argmax(axis=1) != part.y
    figure = mistakes(part, probabilities, count=12)
    highest = np.sort(probabilities.max(axis=1)[wrong])[::-1][:12]
    assert [word.partition("\n")[2] for word in words(figure)] == [f"{share:.0%}" for share in highest]
    assert heading(figure).startswith(f"{wrong.sum()} of 1,500 test images wrong")


def test_no_mistakes() -> None:
    """Where nothing is wrong the figure says so and shows no image."""
    figure = mistakes(*CASES["no mistakes"])
    assert heading(figure) == "0 of 30 test images wrong" and words(figure) == []


def heading(figure: Figure) -> str:
    """What stands above a figure."""
    return str(figure.get_suptitle())


def test_confusion_counts() -> None:
    """A row is a label, a column a prediction; the title says how many are right."""
    part = Part(part_of(5, 1).x, np.array([0, 0, 1, 2, 2], np.int32))
    figure = confusion(part, certain([0, 1, 1, 0, 0], 3, [0.9] * 5))
    axes = figure.axes[0]
    cells = {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in axes.texts}
    counts = [[cells[row, column] for column in range(3)] for row in range(3)]
    assert counts == [["1", "1", "·"], ["·", "1", "·"], ["2", "·", "·"]]
    assert axes.get_title() == "40.00% of 5 test images right"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("label", "predicted")
    assert shade(axes, 2, 0) > shade(axes, 0, 1) > 0 and shade(axes, 0, 0) == shade(axes, 1, 1) == 0


def shade(axes: Axes, row: int, column: int) -> float:
    """How dark a cell is; 0 where it is not shaded."""
    values: Any = np.ma.filled(np.ma.masked_array(axes.images[0].get_array()), 0)
    return float(values[row, column])


def test_seen_shows_names_and_probabilities() -> None:
    """Each image has its name, shortened where it is long, and bars of its probabilities, the highest marked."""
    images = part_of(3, 1).x
    names = ["a.png", "b" * 40 + ".png", "c.png"]
    figure = seen([(n, x, p) for n, x, p in zip(names, images, guesses(3, 3), strict=True)])
    assert words(figure) == ["a.png", "b" * 24 + " …", "c.png"]
    bars = [axes for axes in figure.axes if axes.patches]
    for axes, probabilities in zip(bars, guesses(3, 3), strict=True):
        assert [bar.get_width() for bar in axes.patches] == pytest.approx(probabilities.tolist())  # type: ignore[attr-defined]
        marked = [same_color(bar.get_facecolor(), ORANGE) for bar in axes.patches]
        assert marked.index(True) == probabilities.argmax() and sum(marked) == 1


def test_seen_of_many_classes() -> None:
    """Of a hundred classes the ten most probable have bars, in the classes' order, each with its number."""
    probabilities = guesses(1, 100)[0]
    figure = seen([("a.png", part_of(1, 1).x[0], probabilities)])
    axes = next(axes for axes in figure.axes if axes.patches)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [str(label) for label in sorted(np.argsort(probabilities)[-10:])]
