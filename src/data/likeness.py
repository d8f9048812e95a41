"""What training images are like: how image files are made like them, and when one is not.

The digits of MNIST are light on black, 20 of 28 pixels high or wide, and centred by their mass
(http://yann.lecun.com/exdb/mnist). Images that are so too are taken to have been made so.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from src.data.dataset import Dataset, Images

Mask = NDArray[np.bool_]

SAMPLE = 2000  # images that are looked at
BOX = 20 / 28  # the longer side of the ink, as a share of the image's
INK = 0.1  # of the range of pixels: what is lighter is ink
NEAR = 1.5  # pixels of 28, or of fewer
SMALLEST, LARGEST = 14, 128  # pixels of a side, of images of digits
MOST = 0.9  # of the images must be so
BEYOND, SLACK = 0.25, 0.05  # an image is unlike others that far outside their range: a share of it, and always
MEASURED = {"pixels": "the range of pixels", "brightness": "mean brightness", "ink": "the share of light pixels"}


def facts_of(data: Dataset) -> dict[str, Any]:
    """What a model of this data must take along: how files are prepared for it, and what its images are like."""
    return {"preprocessing": data.preprocessing, "images": measure(data.train.x)}


# ----------------------------------------------------------------------------------------- the way


def choose_preprocessing(images: Images) -> Literal["digits", "resize"]:
    """How image files are prepared for a model of these images: `digits` if most are like MNIST's, else `resize`."""
    height, width, channels = images.shape[1:]
    if channels != 1 or height != width or not SMALLEST <= height <= LARGEST:
        return "resize"
    light = some_of(images)[..., 0].astype(np.float64)
    low, high = light.min(), light.max()
    if high <= low:
        return "resize"
    light = (light - low) / (high - low)
    return "digits" if is_black_around(light) and np.mean(fits_box(light) & is_centred(light)) >= MOST else "resize"


def is_black_around(light: NDArray[np.float64]) -> bool:
    """Whether the outermost pixels of images N×H×W, 0 to 1, are black, and most others."""
    border = np.ones(light.shape[1:], bool)
    border[1:-1, 1:-1] = False
    return bool(light[:, border].mean() < INK / 4 and np.mean(light < INK) > 0.5)


def fits_box(light: NDArray[np.float64]) -> Mask:
    """Whether the longer side of each image's ink is that of MNIST's, within a pixel and a half."""
    side = light.shape[1]
    ink = light > INK
    longer = np.maximum(lengths(np.any(ink, axis=1)), lengths(np.any(ink, axis=2)))
    near: Mask = np.abs(longer - BOX * side) <= NEAR * max(side / 28, 1)
    return near


def lengths(ink: Mask) -> NDArray[np.int64]:
    """From the first place of ink to the last, of each row."""
    found: NDArray[np.int64] = ink.shape[1] - ink[:, ::-1].argmax(axis=1) - ink.argmax(axis=1)
    return found


def is_centred(light: NDArray[np.float64]) -> Mask:
    """Whether each image's centre of mass is in its middle, within a pixel and a half."""
    side = light.shape[1]
    places = np.arange(side) + 0.5
    mass = np.maximum(light.sum(axis=(1, 2)), 1e-9)
    rows, columns = light.sum(axis=2) @ places / mass, light.sum(axis=1) @ places / mass
    near: Mask = np.maximum(np.abs(rows - side / 2), np.abs(columns - side / 2)) <= NEAR * max(side / 28, 1)
    return near


# ------------------------------------------------------------------------------- what they are like


def measure(images: Images) -> dict[str, list[float]]:
    """What images N×H×W×C range over: their pixels, and of each, as shares of that range, mean and light pixels."""
    some = some_of(images)
    low, high = float(some.min()), float(some.max())
    found = {"pixels": np.array([low, high]), **measure_each(some, low, high)}
    return {name: [round(float(end), 4) for end in (values.min(), values.max())] for name, values in found.items()}


def measure_each(images: NDArray[Any], low: float, high: float) -> dict[str, NDArray[np.float64]]:
    """Of each image its mean brightness, and the share of its pixels that are light, where low is 0 and high is 1."""
    light = (images.reshape(len(images), -1).astype(np.float64) - low) / max(high - low, 1e-9)
    return {"brightness": light.mean(axis=1), "ink": np.mean(light > 0.5, axis=1)}


def some_of(images: Images) -> Images:
    """At most so many of them as are looked at, from all over."""
    return images[:: -(-len(images) // SAMPLE)]


def read_ranges(known: Any) -> dict[str, tuple[float, float]] | None:
    """What was measured, as it is found with a model; None where it is not there, or of another version."""
    try:
        return {name: (float(known[name][0]), float(known[name][1])) for name in MEASURED}
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def match_range(pixels: NDArray[Any], known: Any) -> NDArray[Any]:
    """An image of uint8 0–255 or floats 0–1 in the units of the training images, where these are clearly others."""
    ranges, full = read_ranges(known), 255 if pixels.dtype == np.uint8 else 1
    if not ranges or (ranges["pixels"][0] >= 0 and full / 2 < ranges["pixels"][1] <= full):
        return pixels
    low, high = ranges["pixels"]
    matched = low + pixels.astype(np.float64) / full * (high - low)
    return (np.rint(matched) if pixels.dtype == np.uint8 else matched).astype(pixels.dtype)


def explain_unlike(image: NDArray[Any], known: Any) -> str | None:
    """What sets an image H×W×C, as a model takes it, apart from those that were measured; None if nothing does."""
    ranges = read_ranges(known)
    if not ranges:
        return None
    for name, (value,) in measure_each(image[np.newaxis], *ranges["pixels"]).items():
        low, high = ranges[name]
        beyond = SLACK + BEYOND * (high - low)
        if not low - beyond <= value <= high + beyond:
            return f"{MEASURED[name]} is {value:.2f}, theirs {low:.2f} to {high:.2f}"
    return None
