"""The data as it is printed, before anything is trained on it."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from src.base.errors import UserError
from src.data.dataset import Dataset, Part
from src.data.load import load
from src.reporting.data import describe_images, draw_samples, print_data, question_pixels
from tests.unit.examples import arrays, config, write_npz
from tests.unit.examples import dataset as read


def part(labels: list[int], value: int) -> Part:
    """Grey images of these classes, in one corner white."""
    pixels = np.full((len(labels), 4, 4, 1), value, np.uint8)
    pixels[:, 0, 0] = 255
    return Part(pixels, np.array(labels, np.int32))


def dataset(num_classes: int, test_value: int = 9) -> Dataset:
    """An image of each class, and one more of the first, in each part."""
    labels = [*range(num_classes), 0]
    parts = part(labels, 7), part(labels, 8), part(labels, test_value)
    return Dataset("mine", *parts, num_classes, 1 / 255, "0" * 64, "resize")


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
    assert lines[-2] == ["test", str(num_classes + 1), "9–255", *counts]
    assert [line[0] for line in lines[-4:]] == ["train", "validation", "test", "digest:"]


@pytest.mark.parametrize(("value", "count"), [(7, 3), (8, 3), (9, 0)])
def test_images_that_parts_share(value: int, count: int) -> None:
    """Test images that are trained on or chosen by are counted and said; without one nothing is."""
    said = [" ".join(line) for line in printed(dataset(2, value)) if "among" in line]
    assert said == ([f"{count} test images are also among those trained on or chosen by."] if count else [])


def test_one_image_that_parts_share() -> None:
    """A single one is said so."""
    data = dataset(2)
    data.test.x[0] = data.train.x[0]
    said = [" ".join(line) for line in printed(data) if "among" in line]
    assert said == ["1 test image is also among those trained on or chosen by."]


def test_the_picture(tmp_path: Path) -> None:
    """It lies in the folder under the data's name; a folder that cannot be made is said, and what to change."""
    path = draw_samples(dataset(3), tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "mine.png" and Image.open(path).size[0] > 100
    with pytest.raises(UserError, match=r"mine\.png cannot be written .*choose another paths\.sweeps="):
        draw_samples(dataset(3), path)


# ------------------------------------------------------------------------------------------- pixels


NOISE = np.random.default_rng(0).random((60, 8, 8))


@pytest.fixture(scope="module")
def digits() -> Dataset:
    """MNIST, as it comes."""
    return load(config().data)


def data_of(folder: Path, pixels: Any, *overrides: str, **more: Any) -> Dataset:
    """A file of such images, loaded."""
    return read(write_npz(folder / "a.npz", x_train=pixels, **more), *overrides)


def standardised(pixels: Any, axis: Any = None) -> Any:
    """With mean 0 and standard deviation 1: of all pixels together, of each one, or of each image."""
    return (pixels - pixels.mean(axis=axis, keepdims=True)) / (pixels.std(axis=axis, keepdims=True) + 1e-7)


def test_a_sweep_says_range_and_factor(digits: Dataset) -> None:
    """One sentence on the images; of MNIST nothing is odd."""
    assert describe_images(digits, config().training) == [
        "4,000 training images 28×28×1 uint8, pixels from 0 to 255, times 0.00392157 inside the model; "
        "image files are prepared as 'digits'"
    ]


@pytest.mark.parametrize(
    ("pixels", "overrides", "words"),
    [
        (NOISE / NOISE.max() * 254, (), "x_train is float up to 254: did you mean data.scale=0.00392?"),
        (NOISE**9 * 255, (), "did you mean data.scale=0.00392?"),  # mostly black
        (np.round(NOISE * 16), (), "x_train is float up to 16: did you mean data.scale=0.0625?"),
        (NOISE * 65535, (), "x_train is float up to 65[0-9]{3}: did you mean data.scale=1.53e-05?"),
        (NOISE * 255 - 128, (), "x_train is float from -12.* to 12.*: did you mean data.scale=0.0078"),
        (NOISE / 1000, (), "x_train is float up to 0.00099.*: did you mean data.scale=1e.03?"),
        (NOISE / 255, (), "x_train is float up to 0.0039.*: did you mean data.scale=255?"),
        ((NOISE * 16.99).astype(np.uint8), (), "x_train is uint8 up to 16, times 0.00392 inside the model: "),
        ((NOISE * 16.99).astype(np.uint8), (), "did you mean data.scale=0.0625?"),
        ((NOISE > 0.5), (), "x_train is uint8 up to 1, times 0.00392 inside the model: did you mean data.scale=1?"),
        (NOISE, ("data.scale=0.00392",), "x_train is float up to 0.99.*, times 0.00392 inside the model: did you mean"),
        ((NOISE * 255).astype(np.uint8), ("data.scale=1",), "uint8 up to 25[0-4]: did you mean data.scale=0.00392?"),
        (np.zeros((60, 8, 8)), (), "Every pixel of x_train is 0: is this the right array?"),
    ],
)
def test_odd_pixels_are_questioned(tmp_path: Path, pixels: Any, overrides: tuple[str, ...], words: str) -> None:
    """Pixels that are far too large or too small inside the model are asked about, with the factor that would do;
    with it nothing is odd any more."""
    data = data_of(tmp_path, pixels, *overrides)
    (question,) = question_pixels(data)
    assert re.search(words.replace("?", r"\?"), question)
    assert describe_images(data)[1:] == [question] and question.split() in printed(data)
    if factor := re.search(r"data\.scale=\S+(?=\?)", question):
        assert not question_pixels(data_of(tmp_path, pixels, factor[0]))


@pytest.mark.parametrize(
    "pixels",
    [
        NOISE,
        NOISE * 2 - 1,
        NOISE - 0.5,
        (NOISE * 64).astype(np.uint8),  # dark
        (NOISE > 0.99) * np.uint8(255),  # a few white pixels
        standardised(NOISE),
        standardised(NOISE**40),  # a few outliers
        np.random.default_rng(0).normal(size=(60, 8, 8)),
    ],
)
def test_usual_pixels_are_not_questioned(tmp_path: Path, pixels: Any) -> None:
    """Bytes, 0 to 1, -1 to 1 and standardised floats pass without a word."""
    assert not question_pixels(data_of(tmp_path, pixels))


@pytest.mark.parametrize("axis", [None, 0, (1, 2)], ids=["all together", "each pixel", "each image"])
def test_standardised_digits_are_not_questioned(tmp_path: Path, digits: Dataset, axis: Any) -> None:
    """In whichever way, also where a pixel that is seldom lit reaches far."""
    pixels = standardised(digits.train.x[..., 0].astype(float), axis)
    assert axis != 0 or pixels.max() > 50
    assert not question_pixels(data_of(tmp_path, pixels, y_train=digits.train.y))


def test_a_test_part_in_other_units(tmp_path: Path) -> None:
    """Where only one of the parts was divided by 255, this is asked about."""
    test = {"x_test": arrays(9)["x_train"] / 1.0, "y_test": arrays(9)["y_train"]}
    (question,) = question_pixels(data_of(tmp_path, NOISE, **test))
    assert re.match(
        r"Test images reach 1\d\d, training images 0\.99\d+: are their pixels in the same units\?", question
    )


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("training.batch_size=48",), []),
        (("training.batch_size=49",), ["training.batch_size=49 is more than the 48 images of an epoch"]),
        (("training.batch_size=49", "training.epoch_size=100"), []),
        (
            ("training.batch_size=49", "training.epoch_size=9"),
            ["training.batch_size=49 is more than the 9 images of an"],
        ),
    ],
)
def test_a_batch_larger_than_an_epoch(tmp_path: Path, overrides: tuple[str, ...], said: list[str]) -> None:
    """It is said, since each epoch is then one step."""
    lines = describe_images(data_of(tmp_path, NOISE), config(*overrides).training)[1:]
    assert [line.split(" epoch")[0] for line in lines] == [line.split(" epoch")[0] for line in said]
