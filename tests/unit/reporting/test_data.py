"""The data as it is printed, before anything is trained on it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from src.base.errors import UserError
from src.data.dataset import Dataset, Part
from src.reporting.data import draw_samples, print_data


def part(labels: list[int], value: int) -> Part:
    """Grey images of these classes."""
    return Part(np.full((len(labels), 4, 4, 1), value, np.uint8), np.array(labels, np.int32))


def dataset(num_classes: int, test_value: int = 9) -> Dataset:
    """An image of each class, and one more of the first, in each part."""
    labels = [*range(num_classes), 0]
    parts = part(labels, 7), part(labels, 8), part(labels, test_value)
    return Dataset("mine", *parts, num_classes, 1.0, "0" * 64, "resize")


def printed(data: Dataset) -> list[list[str]]:
    """The words of each line that is printed."""
    console = Console(width=300, file=io.StringIO(), highlight=False)
    print_data(console, data)
    assert isinstance(console.file, io.StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(("num_classes", "counts"), [(3, ["2", "1", "1"]), (12, ["2", *"1" * 11]), (40, ["1–2"])])
def test_images_of_each_class_are_counted(num_classes: int, counts: list[str]) -> None:
    """Of more than a dozen classes it is the fewest and the most."""
    lines = printed(dataset(num_classes))
    assert lines[-2] == ["test", str(num_classes + 1), "9–9", *counts]
    assert [line[0] for line in lines[-4:]] == ["train", "validation", "test", "digest:"]


@pytest.mark.parametrize(("value", "count"), [(7, 3), (8, 3), (9, 0)])
def test_images_that_parts_share(value: int, count: int) -> None:
    """Test images that are trained on or chosen by are counted and said; without one nothing is."""
    said = [line for line in printed(dataset(2, value)) if line[1:3] == ["test", "images"]]
    assert [line[0] for line in said] == ([str(count)] if count else [])


def test_the_picture(tmp_path: Path) -> None:
    """It lies in the folder under the data's name; a folder that cannot be made is said, and what to change."""
    path = draw_samples(dataset(3), tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "mine.png" and Image.open(path).size[0] > 100
    with pytest.raises(UserError, match=r"mine\.png cannot be written .*choose another paths\.sweeps="):
        draw_samples(dataset(3), path)
