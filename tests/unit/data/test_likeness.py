"""Image files are prepared as the training images were made, and a file that is unlike these is told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from src.data.likeness import SAMPLE, choose_preprocessing, explain_unlike, facts_of, match_range, measure
from src.data.sources import read_mnist_5k
from tests.unit.examples import dataset, write_npz

DIGITS = read_mnist_5k()[0][..., np.newaxis]  # 5,000 of 28×28×1, uint8
NOISE = np.random.default_rng(0).integers(0, 256, (300, 28, 28, 1), dtype=np.uint8)


def resized(images: NDArray[Any], side: int) -> NDArray[Any]:
    """Images at another size."""
    small = [
        np.asarray(Image.fromarray(image[..., 0]).resize((side, side), Image.Resampling.BILINEAR)) for image in images
    ]
    return np.stack(small)[..., np.newaxis]


# --------------------------------------------------------------------------------- how files are prepared


@pytest.mark.parametrize(
    "images",
    [
        DIGITS,
        DIGITS[:50],
        (DIGITS / 255).astype(np.float32),
        DIGITS.astype(np.float32),
        ((DIGITS - 33.3) / 78.6).astype(np.float32),
        DIGITS // 16,
        (DIGITS > 127).astype(np.uint8),
        np.maximum(DIGITS, 60),
        resized(DIGITS[::10], 56),
        resized(DIGITS[::10], 14),
    ],
    ids=["uint8", "few", "shares", "floats", "standardised", "4 bits", "two tones", "on grey", "56", "14"],
)
def test_digits_as_mnist_has_them(images: NDArray[Any]) -> None:
    """Light ink on dark, as large and as centred as MNIST's, is digits, in whatever units and size."""
    assert choose_preprocessing(images) == "digits"


@pytest.mark.parametrize(
    "images",
    [
        255 - DIGITS,
        np.roll(DIGITS, 4, axis=1),
        resized(DIGITS[::10, 4:24, 4:24], 28),
        np.pad(DIGITS, ((0, 0), (4, 4), (4, 4), (0, 0))),
        np.where(DIGITS == 0, 255, DIGITS // 2),
        np.repeat(DIGITS, 3, axis=3),
        DIGITS[:, :, :24],
        resized(DIGITS[::10], 8),
        NOISE,
        np.zeros_like(NOISE),
        np.full_like(NOISE, 255),
        np.concatenate([DIGITS[:200], NOISE]),
        np.zeros((5, 1, 1, 1), np.float32),
    ],
    ids=[
        "dark on light", "moved", "without margins", "wide margins", "grey on light", "colours", "not square",
        "8", "noise", "black", "white", "a part", "one pixel",
    ],
)  # fmt: skip
def test_other_images(images: NDArray[Any]) -> None:
    """All else is only resized."""
    assert choose_preprocessing(images) == "resize"


def test_auto_is_decided_when_data_are_read(tmp_path: Path) -> None:
    """`data=npz` reads MNIST's digits as digits and other images not; what was chosen by hand stays."""
    labels = read_mnist_5k()[1]
    digits = write_npz(tmp_path / "digits.npz", x_train=DIGITS[::10], y_train=labels[::10])
    noise = write_npz(tmp_path / "noise.npz")
    assert dataset(digits).preprocessing == "digits" and dataset(noise).preprocessing == "resize"
    for way in ("digits", "threshold", "resize"):
        assert dataset(digits, f"data.preprocessing={way}").preprocessing == way
        assert dataset(noise, f"data.preprocessing={way}").preprocessing == way
    assert dataset(digits).digest == dataset(digits, "data.preprocessing=resize").digest


# ------------------------------------------------------------------------------------- what is measured


def test_what_is_known_of_images(tmp_path: Path) -> None:
    """The range of pixels in their own units; of the images' means and shares of light pixels, in that range."""
    images = np.zeros((4, 2, 5, 1), np.float32)
    images[1, 0] = 8
    images[2] = 2
    images[3, 0, 0] = -8
    assert measure(images) == {"pixels": [-8, 8], "brightness": [0.45, 0.75], "ink": [0, 1]}
    assert measure(np.full((3, 2, 2, 1), 7, np.uint8)) == {"pixels": [7, 7], "brightness": [0, 0], "ink": [0, 0]}
    data = dataset(write_npz(tmp_path / "data.npz"), "data.preprocessing=digits")
    assert facts_of(data) == {"preprocessing": "digits", "images": measure(data.train.x)}


def test_images_from_all_over_are_measured() -> None:
    """Of many images some are looked at, from the first to the last."""
    images = np.zeros((3 * SAMPLE, 1, 1, 1), np.uint8)
    images[-3:] = 200
    assert measure(images)["pixels"] == [0, 200]


# ------------------------------------------------------------------------------------------ what is told


@pytest.mark.parametrize("scale", [1, 1 / 255])
def test_images_like_those_of_training(scale: float) -> None:
    """Other images of the same data are not told."""
    images = DIGITS if scale == 1 else (DIGITS * scale).astype(np.float32)
    known = measure(images[::2])
    assert not any(explain_unlike(image, known) for image in images[1::20])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda image: 255 - image, "mean brightness is 0.8"),
        (lambda image: np.full_like(image, 130), "mean brightness is 0.51, theirs 0.03 to 0.30"),
        (lambda image: np.where(NOISE[0] > 140, 130, 0), "the share of light pixels is 0.4"),
    ],
)
def test_images_unlike_those_of_training(change: Any, reason: str) -> None:
    """What sets an image apart is told: it is too light, or has too much ink."""
    assert str(explain_unlike(change(DIGITS[0]), measure(DIGITS))).startswith(reason)


def test_images_of_every_brightness() -> None:
    """Nothing is unlike training images that were of every kind."""
    known = measure(np.concatenate([DIGITS[:100], 255 - DIGITS[:100]]))
    assert not any(explain_unlike(image, known) for image in (DIGITS[0], 255 - DIGITS[0], NOISE[0]))


@pytest.mark.parametrize(
    "known", [None, {}, [], "x", {"pixels": [0, 255]}, {"pixels": 3, "brightness": [0], "ink": []}]
)
def test_nothing_is_known(known: Any) -> None:
    """A model without these facts, or with others, is given images as they are, and nothing is told."""
    image = NOISE[0]
    assert explain_unlike(image, known) is None and match_range(image, known) is image
