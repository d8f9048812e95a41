"""However a digit stands on its page, a model sees it as it saw those it was trained on."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps
from scipy import ndimage

from src.data.image_files import PREPARATIONS, prepare, resize

Page = Image.Image  # grey, dark ink on light paper
MODEL = (28, 28, 1)
DIGITS = ("0", "1", "7")
NEAR, FAR = 8, 20  # mean differences of pixels: of the same digit, of other digits


# --------------------------------------------------------------------------------- pages, drawn here


def draw(
    digit: str,
    size: float = 0.6,
    at: tuple[float, float] = (0.5, 0.5),
    stroke: float = 0.15,
    page: tuple[int, int] = (280, 280),
    paper: int = 240,
    ink: int = 20,
) -> Page:
    """A digit on a page: its height as a share of the page's shorter side, its stroke as a share of its height."""
    image = Image.new("L", page, paper)
    pen = ImageDraw.Draw(image)
    height = size * min(page)
    width = max(1, round(stroke * height))
    x, y = at[0] * page[0], at[1] * page[1]
    left, right, top, bottom = x - 0.35 * height, x + 0.35 * height, y - height / 2, y + height / 2
    if digit == "0":
        pen.ellipse((left, top, right, bottom), outline=ink, width=width)
    elif digit == "1":
        pen.rectangle((x - width / 2, top, x + width / 2, bottom), fill=ink)
    else:
        corner = top + width / 2
        pen.line([(left, corner), (right, corner), (x - 0.1 * height, bottom)], fill=ink, width=width, joint="curve")
    return image


def grainy(page: Page, deviation: float, seed: int = 0) -> Page:
    """With a camera's noise."""
    values = np.asarray(page, float)
    noise = np.random.default_rng(seed).normal(0, deviation, values.shape)
    return Image.fromarray(np.clip(values + noise, 0, 255).astype(np.uint8))


def shaded(page: Page, across: float = 0.0, around: float = 0.0) -> Page:
    """Darker towards a corner, or away from a place."""
    values = np.asarray(page, float)
    y, x = np.mgrid[0 : 1 : values.shape[0] * 1j, 0 : 1 : values.shape[1] * 1j]
    light = 1 - across * (x + y) / 2 - around * ((x - 0.3) ** 2 + (y - 0.6) ** 2)
    return Image.fromarray((values * light).astype(np.uint8))


def dirty(page: Page) -> Page:
    """With specks far from the digit."""
    pen = ImageDraw.Draw(page)
    for x, y in ((20, 20), (250, 30), (30, 240)):
        pen.ellipse((x, y, x + 6, y + 6), fill=0)
    return page


def coloured(page: Page, paper: tuple[int, int, int], ink: tuple[int, int, int]) -> Page:
    """The same page in two colours."""
    share = np.asarray(page, float)[..., np.newaxis] / 255
    return Image.fromarray((share * paper + (1 - share) * ink).astype(np.uint8))


def see(image: Image.Image) -> NDArray[Any]:
    """What a model of MNIST digits is given: 28×28."""
    pixels = prepare(image, "digits", MODEL, "uint8")
    assert pixels is not None and pixels.shape == MODEL and pixels.dtype == np.uint8
    return pixels[..., 0]


@cache
def usual(digit: str) -> NDArray[Any]:
    """A digit as it is seen on a page without any trouble."""
    return see(draw(digit))


def difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Mean difference of two images' pixels, where one may be moved by a pixel."""
    moved = (np.roll(b, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1))
    return min(float(np.abs(a.astype(float) - other).mean()) for other in moved)


# ------------------------------------------------------------------------------------- pages, seen

CONDITIONS: dict[str, Callable[[str], Image.Image]] = {
    "light on dark": lambda digit: ImageOps.invert(draw(digit)),
    "grey paper, dark ink": lambda digit: draw(digit, paper=128),
    "grey paper, light ink": lambda digit: draw(digit, paper=128, ink=240),
    "pale ink": lambda digit: draw(digit, paper=200, ink=165),
    "in a corner": lambda digit: draw(digit, size=0.35, at=(0.22, 0.75)),
    "small": lambda digit: draw(digit, size=0.2),
    "small on a large page": lambda digit: draw(digit, size=0.25, page=(1500, 1500)),
    "as high as the page": lambda digit: draw(digit, size=0.98),
    "on a wide page": lambda digit: draw(digit, page=(900, 280)),
    "on a high page": lambda digit: draw(digit, page=(280, 900)),
    "on a page of 56 pixels": lambda digit: draw(digit, page=(56, 56)),
    "grainy": lambda digit: grainy(draw(digit), 8),
    "very grainy": lambda digit: grainy(draw(digit), 25),
    "uneven light": lambda digit: shaded(draw(digit), across=0.5),
    "uneven light, pale ink": lambda digit: shaded(draw(digit, ink=140), across=0.6),
    "a lamp beside it": lambda digit: shaded(draw(digit), around=0.5),
    "a lamp beside it, pale ink": lambda digit: shaded(draw(digit, ink=160), around=0.9),
    "uneven light, light on dark": lambda digit: shaded(ImageOps.invert(draw(digit, ink=80)), across=0.3),
    "uneven light and grainy": lambda digit: grainy(shaded(draw(digit), across=0.4), 8),
    "specks": lambda digit: dirty(draw(digit)),
    "red on white": lambda digit: coloured(draw(digit), (255, 255, 255), (200, 0, 0)),
    "yellow on blue": lambda digit: coloured(draw(digit), (0, 0, 255), (255, 255, 0)),
    "two tones": lambda digit: draw(digit).convert("1", dither=Image.Dither.NONE),
    "a palette": lambda digit: draw(digit).convert("RGB").quantize(8),
}


@cache
def under(condition: str, digit: str) -> NDArray[Any]:
    """A digit as it is seen under a condition."""
    return see(CONDITIONS[condition](digit))


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_same_digit_is_seen(condition: str, digit: str) -> None:
    """However a digit stands on its page, the model is given nearly the same 28×28, and no other digit's."""
    seen = under(condition, digit)
    assert difference(usual(digit), seen) < NEAR
    assert all(difference(usual(other), seen) > FAR for other in DIGITS if other != digit)


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_ink_is_fitted_and_centred_as_in_mnist(condition: str, digit: str) -> None:
    """The ink is light, as high as 20 pixels, never larger, and its centre of mass is in the middle within a pixel."""
    seen = under(condition, digit)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert np.ptp(rows) + 1 == 20 and np.ptp(columns) + 1 <= 20
    assert seen.max() > 240 and np.median(seen) == 0
    assert np.abs(np.array(ndimage.center_of_mass(seen.astype(float))) - 13.75).max() <= 1


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_what_cannot_be_centred_is_whole(turn: int) -> None:
    """Where most of the ink is at one end, all of it stays on the page, moved to its border rather than cut off."""
    page = Image.new("L", (280, 280), 240)
    pen = ImageDraw.Draw(page)
    pen.line((140, 40, 140, 240), fill=20, width=10)
    pen.ellipse((45, 30, 235, 90), fill=20)
    seen = np.rot90(see(page.rotate(turn, fillcolor=240)), -turn // 90)
    rows = np.flatnonzero(seen.any(axis=1))
    assert np.ptp(rows) + 1 == 20 and rows[-1] == 27


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28, 3), (56, 56, 1), (14, 14, 1), (28, 40, 1), (40, 28, 2)])
@pytest.mark.parametrize("page", [(300, 60), (60, 300)])
def test_proportions_are_kept(shape: tuple[int, int, int], page: tuple[int, int]) -> None:
    """In a model of any size a bar five times as long as wide stays so, in a box of 20/28, in equal channels."""
    image = Image.new("L", (400, 400), 255)
    image.paste(0, (20, 30, 20 + page[0], 30 + page[1]))
    pixels = prepare(image, "digits", shape, "uint8")
    assert pixels is not None and pixels.shape == shape
    assert all(np.array_equal(pixels[..., 0], pixels[..., channel]) for channel in range(shape[2]))
    box = [side * 20 / 28 for side in shape[:2]]
    factor = min(box[0] / page[1], box[1] / page[0])
    extent = [int(np.ptp(np.flatnonzero(pixels[..., 0].any(axis=axis)))) + 1 for axis in (1, 0)]
    assert extent == pytest.approx([page[1] * factor, page[0] * factor], abs=1.1)


@pytest.mark.parametrize("stroke", [0.005, 0.02, 0.05])
@pytest.mark.parametrize("digit", DIGITS)
def test_thin_strokes_become_thicker(digit: str, stroke: float) -> None:
    """A fine pen's strokes are as bright and thick as MNIST's thinnest, two pixels, not a grey shadow."""
    seen = see(draw(digit, size=0.8, stroke=stroke)) / 255
    across = seen[14].sum() / (2 if digit == "0" else 1)  # row 14 crosses a ring twice
    assert 1.5 <= across <= 3.5 and seen[14].max() > 0.8


def test_thick_strokes_stay() -> None:
    """A stroke that is thick enough is not made thicker: 20 pixels high, three wide."""
    assert see(draw("1"))[14].sum() / 255 == pytest.approx(3, abs=0.5)


def test_what_stands_apart_is_no_speck() -> None:
    """A digit in two parts keeps both; a speck beside it neither shows nor moves it."""
    page = draw("1", size=0.4, at=(0.35, 0.5))
    page.paste(20, (180, 84, 197, 196))
    both = see(page)
    assert len(np.flatnonzero(np.diff((both[14] > 127).astype(int)) == 1)) == 2
    assert np.array_equal(see(dirty(draw("7"))) > 0, see(draw("7")) > 0)


# -------------------------------------------------------------------------------------- empty pages


@pytest.mark.parametrize("paper", [0, 30, 128, 255])
@pytest.mark.parametrize("way", PREPARATIONS)
def test_a_blank_page_is_empty(paper: int, way: str) -> None:
    """A page of one brightness has nothing on it, whichever way it is prepared."""
    assert prepare(Image.new("RGB", (90, 120), (paper, paper, paper)), way, MODEL, "uint8") is None


@pytest.mark.parametrize("size", [(28, 28), (120, 90), (600, 450)])
@pytest.mark.parametrize("deviation", [0, 2, 10, 30])
@pytest.mark.parametrize(("across", "around"), [(0, 0), (0.6, 0), (0, 0.6)])
def test_grain_and_shade_are_no_ink(size: tuple[int, int], deviation: float, across: float, around: float) -> None:
    """No digit is read from a page that is grainy, unevenly lit, or both."""
    page = grainy(shaded(Image.new("L", size, 220), across, around), deviation)
    assert prepare(page, "digits", MODEL, "uint8") is None


@pytest.mark.parametrize("ink", [225, 235])
def test_what_hardly_stands_out_is_no_ink(ink: int) -> None:
    """A contrast below 8 of 100 is not taken for a digit, one above it is."""
    assert prepare(draw("0", ink=ink), "digits", MODEL, "uint8") is None
    assert prepare(draw("0", ink=210), "digits", MODEL, "uint8") is not None


# ---------------------------------------------------------------------------------- the other ways


def test_threshold_is_the_plain_way() -> None:
    """Resized as it is, what is darker than 75 is 255 and all else 0."""
    rows = np.repeat(np.array([[0, 74, 75, 76, 128, 255]], np.uint8), 6, axis=0)
    pixels = prepare(Image.fromarray(rows), "threshold", (6, 6, 1), "uint8")
    assert pixels is not None and pixels[..., 0].tolist() == [[255, 255, 0, 0, 0, 0]] * 6
    page = draw("7", size=0.4, at=(0.3, 0.3))
    small = np.asarray(page.resize((28, 28), Image.Resampling.LANCZOS))
    pixels = prepare(page, "threshold", MODEL, "uint8")
    assert pixels is not None and np.array_equal(pixels[..., 0], np.where(small < 75, 255, 0))


@pytest.mark.parametrize("channels", [1, 3])
def test_threshold_fills_all_channels(channels: int) -> None:
    """A model of colour images gets the same ink in each channel, where all of a colour page counts."""
    page = coloured(draw("0"), (255, 255, 255), (0, 0, 90))
    pixels = prepare(page, "threshold", (28, 28, channels), "uint8")
    assert pixels is not None and pixels.shape == (28, 28, channels)
    assert set(np.unique(pixels)) == {0, 255} and (np.ptp(pixels, axis=2) == 0).all()


def test_resize_keeps_colours() -> None:
    """Three channels keep their colours in place; one channel is their brightness."""
    image = Image.new("RGB", (40, 40), (255, 0, 0))
    image.paste((0, 0, 255), (20, 0, 40, 40))
    pixels = prepare(image, "resize", (8, 8, 3), "uint8")
    assert pixels is not None and pixels[4, 0].tolist() == [255, 0, 0] and pixels[4, 7].tolist() == [0, 0, 255]
    single = prepare(image, "resize", (8, 8, 1), "uint8")
    assert single is not None and single.shape == (8, 8, 1)
    assert single[4, [0, 7], 0].tolist() == pytest.approx([255 * 0.299, 255 * 0.114], abs=1)


def test_resize_changes_nothing_but_the_size() -> None:
    """An image of the model's own size is given pixel by pixel."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)
    assert np.array_equal(resize(Image.fromarray(noise), (12, 20, 3)), noise)


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("way", PREPARATIONS)
def test_float_models_get_shares(way: str, dtype: str) -> None:
    """A model of floats gets the same pixels, from 0 to 1; one of bytes gets 0 to 255."""
    page = draw("0", ink=0, paper=255)
    shares, whole = prepare(page, way, MODEL, dtype), prepare(page, way, MODEL, "uint8")
    assert shares is not None and whole is not None
    assert shares.dtype == dtype and whole.dtype == np.uint8
    assert np.allclose(shares, whole / 255, atol=1e-3)
    assert whole.max() == 255 and shares.max() == 1 and shares.min() == whole.min() == 0


def test_a_page_is_left_as_it_is() -> None:
    """Preparing an image does not change it, so that it can be prepared again."""
    page = draw("0", page=(800, 800)).convert("RGB")
    before = page.tobytes(), page.size
    first = see(page)
    assert (page.tobytes(), page.size) == before and np.array_equal(first, see(page))
