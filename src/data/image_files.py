"""An image file → the array that a model was trained on.

`digits` follows how MNIST was made (LeCun et al., http://yann.lecun.com/exdb/mnist): the ink is fitted into
20×20, keeping its proportions, and centred by its mass in 28×28. How ink is found on a photographed page is in
`src.data.ink`. `threshold` is the plain way (resize, dark becomes ink), `resize` only resizes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from scipy import ndimage

from src.base.errors import UserError
from src.data.ink import MIN_CONTRAST, Grey, find_ink

Pixels = NDArray[Any]  # H×W×C, as the model takes it

UPRIGHT = {  # EXIF's orientation → what turns it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # by number of channels
WORKING_SIDE = 400  # pixels of the longer side, at which ink is looked for
THRESHOLD = 75  # of 255: darker is ink, in the plain way
THICKNESS = 2.0  # of strokes at least, where the ink is 20 pixels high; MNIST's are 2 to 4


def prepare(image: Image.Image, preprocessing: str, shape: tuple[int, int, int], dtype: str) -> Pixels | None:
    """The image as an array H×W×C, uint8 0–255 or floats 0–1; None where the page is empty."""
    if np.ptp(grey(image)) < MIN_CONTRAST:
        return None
    pixels = PREPARATIONS[preprocessing](image, shape)
    return pixels if pixels is None or dtype == "uint8" else (pixels / 255).astype(dtype)


def read(path: Path) -> Image.Image:
    """The first frame of an image file, upright, without transparency. Raises UserError."""
    try:
        with Image.open(path) as file:
            file.load()
            image = upright(file)
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file.") from None
    except Exception as error:  # of a damaged file Pillow raises many kinds
        raise UserError(f"{path}: this is no image that can be read ({error}).") from error
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits a pixel
        values = np.nan_to_num(np.asarray(image, float), posinf=0, neginf=0)
        full = next((top for top in (1, 255, 65535) if values.max() <= top), values.max())
        image = Image.fromarray(np.uint8(np.clip(255 * values / full, 0, 255)))
    return flatten(image.convert("RGBA")) if image.has_transparency_data else image.convert("RGB")


def upright(image: Image.Image) -> Image.Image:
    """As the camera was held. (Pillow's own way reads all tags, and fails if any of them is odd.)"""
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image.transpose(turn) if turn is not None else image.copy()


def flatten(image: Image.Image) -> Image.Image:
    """A transparent image on its own paper if most of it is opaque, else on the other brightness than its ink."""
    pixels = np.asarray(image, float)
    opaque = pixels[..., 3] > 127
    colours = pixels[opaque][:, :3] if opaque.any() else np.zeros((1, 3))
    other = (0, 0, 0) if colours.mean() > 127 else (255, 255, 255)
    red, green, blue = np.median(colours, axis=0).astype(int).tolist() if opaque.mean() > 0.5 else other
    return Image.alpha_composite(Image.new("RGBA", image.size, (red, green, blue)), image).convert("RGB")


def grey(image: Image.Image) -> Grey:
    """Brightness, 0 to 1; where that says little, the colour channel that says most."""
    brightness = np.asarray(image.convert("L"), np.float64) / 255
    if np.ptp(brightness) >= 2 * MIN_CONTRAST:
        return brightness
    channels = np.asarray(image.convert("RGB"), np.float64).transpose(2, 0, 1) / 255
    return max((brightness, *channels), key=np.ptp)


# ---------------------------------------------------------------------------------------- the ways


def resize(image: Image.Image, shape: tuple[int, int, int]) -> Pixels:
    """The whole image at the model's size, in its number of channels."""
    height, width, channels = shape
    small = image.convert(MODES[channels]).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(small, np.uint8).reshape(height, width, channels)


def threshold(image: Image.Image, shape: tuple[int, int, int]) -> Pixels:
    """The plain way for dark ink on light paper: resize, what is darker than 75 of 255 is ink."""
    small = resize(image, (*shape[:2], 1))
    return spread(np.where(small < THRESHOLD, 255, 0).astype(np.uint8), shape)


def digits(image: Image.Image, shape: tuple[int, int, int]) -> Pixels | None:
    """Light ink, fitted into 20/28 of the model's size and centred by its mass; None of an empty page."""
    image = image.copy()
    image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
    ink = find_ink(grey(image))
    small = fit(ink, shape) if ink is not None else None
    return spread(centre(small, shape)[..., np.newaxis], shape) if small is not None and small.any() else None


def spread(pixels: Pixels, shape: tuple[int, int, int]) -> Pixels:
    """One channel as as many as the model takes."""
    return np.repeat(pixels, shape[2], axis=2)


PREPARATIONS: dict[str, Callable[[Image.Image, tuple[int, int, int]], Pixels | None]] = {
    "digits": digits,
    "threshold": threshold,
    "resize": resize,
}

# ------------------------------------------------------------------------------- fitting, centring


def fit(ink: Grey, shape: tuple[int, int, int]) -> Grey:
    """The ink at 20/28 of the model's height and width, keeping its proportions, its darkest at 1."""
    box = shape[0] * 20 / 28, shape[1] * 20 / 28
    ink = thicken(ink, THICKNESS * min(box) / 20 / zoom(ink, box))
    factor = zoom(ink, box)
    height, width = (max(1, round(side * factor)) for side in ink.shape)
    image = Image.fromarray((ink * 255).astype(np.uint8)).resize((width, height), Image.Resampling.LANCZOS)
    small = np.asarray(image, float)
    return np.clip(small / max(float(np.quantile(small, 0.95)), 1.0), 0, 1)


def zoom(ink: Grey, box: tuple[float, float]) -> float:
    """The factor by which the ink fits into a box, keeping its proportions."""
    return float(min(box[0] / ink.shape[0], box[1] / ink.shape[1]))


def thicken(ink: Grey, wanted: float) -> Grey:
    """Strokes as thick as wanted, in pixels, if they are thinner: a fine pen's would fade when made small."""
    depth = ndimage.distance_transform_edt(np.pad(ink > 0.5, 1))
    ridge = depth[(depth > 0) & (depth == ndimage.maximum_filter(depth, 3))]
    missing = (wanted - 2 * np.median(ridge)) / 2 if len(ridge) else 0
    missing = min(missing, max(ink.shape) / 8)
    if missing < 0.5:
        return ink
    radius = int(np.ceil(missing))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    thick: Grey = ndimage.grey_dilation(np.pad(ink, radius), footprint=x * x + y * y <= missing * missing)
    return thick


def centre(ink: Grey, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The ink on a dark page of the model's size, its centre of mass in the middle, as far as it fits."""
    page = np.zeros(shape[:2], np.uint8)
    corner = [
        int(np.clip(round(side / 2 - mass), 0, side - size))
        for side, mass, size in zip(page.shape, ndimage.center_of_mass(ink), ink.shape, strict=True)
    ]
    page[corner[0] : corner[0] + ink.shape[0], corner[1] : corner[1] + ink.shape[1]] = np.round(ink * 255)
    return page
