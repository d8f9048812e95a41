"""Whatever an image file is like, a model sees the digit on it as it saw those it was trained on."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from hypothesis.extra.numpy import arrays as arrays_of
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps
from scipy import ndimage

from src.base.errors import UserError
from src.data.image_files import PREPARATIONS, prepare, read, resize

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


# ------------------------------------------------------------------------------------------- files


def save_rotated(page: Page, path: Path) -> None:
    """As a phone saves it: lying on its side, with a note how to turn it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    page.rotate(90, expand=True).save(path, exif=exif)


def transparent(page: Page, colour: int) -> Image.Image:
    """Ink of a colour on nothing; what is transparent has the other colour, which is not to be seen."""
    alpha = ImageOps.invert(page.point(lambda value: 255 if value > 200 else value))
    image = Image.merge("LA", (Image.new("L", page.size, colour), alpha))
    return image.convert("RGBA")


def save_transparent_palette(page: Page, path: Path) -> None:
    """A palette whose first colour, the paper's, is transparent."""
    image = Image.fromarray((np.asarray(page) < 128).astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.save(path, transparency=0)


def save_animated(page: Page, path: Path) -> None:
    """Of two frames, the second one empty."""
    page.save(path, save_all=True, append_images=[Image.new("L", page.size, 240)], duration=100)


def deep(page: Page) -> Image.Image:
    """With 16 bits a pixel."""
    return Image.fromarray(np.asarray(page).astype(np.uint16) * 200 + 1000)


FILES: dict[str, Callable[[Page, Path], object]] = {
    "grey.png": lambda page, path: page.save(path),
    "colour.png": lambda page, path: page.convert("RGB").save(path),
    "palette.png": lambda page, path: page.convert("RGB").quantize(8).save(path),
    "two_tones.png": lambda page, path: page.convert("1", dither=Image.Dither.NONE).save(path),
    "two_tones.bmp": lambda page, path: page.convert("1", dither=Image.Dither.NONE).save(path),
    "16_bit.png": lambda page, path: deep(page).save(path),
    "16_bit.tiff": lambda page, path: deep(page).save(path),
    "32_bit.tiff": lambda page, path: page.convert("I").save(path),
    "float.tiff": lambda page, path: page.convert("F").save(path),
    "dark_ink.png": lambda page, path: transparent(page, 0).save(path),
    "white_ink.png": lambda page, path: transparent(page, 255).save(path),
    "grey_alpha.png": lambda page, path: transparent(page, 0).convert("LA").save(path),
    "transparent_palette.png": save_transparent_palette,
    "transparent_palette.gif": save_transparent_palette,
    "transparent_grey.png": lambda page, path: page.save(path, transparency=240),
    "still.gif": lambda page, path: page.save(path),
    "animated.gif": save_animated,
    "animated.png": save_animated,
    "grey.bmp": lambda page, path: page.save(path),
    "colour.bmp": lambda page, path: page.convert("RGB").save(path),
    "grey.jpg": lambda page, path: page.save(path),
    "poor.jpg": lambda page, path: page.save(path, quality=20),
    "print.jpg": lambda page, path: page.convert("CMYK").save(path),
    "print.tiff": lambda page, path: page.convert("CMYK").save(path),
    "rotated.jpg": save_rotated,
    "rotated.png": save_rotated,
    "photo.webp": lambda page, path: page.convert("RGB").save(path),
    "wrong_suffix.png": lambda page, path: page.save(path, "JPEG"),
    "no suffix": lambda page, path: page.save(path, "PNG"),
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_shows_the_same(tmp_path: Path, name: str) -> None:
    """Whatever an image is stored as, it is upright, in colours, without transparency, and the same digit is seen."""
    FILES[name](draw("7"), tmp_path / name)
    image = read(tmp_path / name)
    assert image.mode == "RGB" and image.size == (280, 280)
    assert difference(usual("7"), see(image)) < NEAR / 2


def test_nothing_but_transparency_is_empty(tmp_path: Path) -> None:
    """An image that is transparent everywhere is an empty page, whatever colours it hides."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 4), dtype=np.uint8)
    noise[..., 3] = 0
    Image.fromarray(noise).save(tmp_path / "a.png")
    assert prepare(read(tmp_path / "a.png"), "digits", MODEL, "uint8") is None


def test_a_file_is_closed(tmp_path: Path) -> None:
    """An image can be used after its file is gone."""
    path = tmp_path / "a.png"
    draw("0").save(path)
    image = read(path)
    path.unlink()
    assert see(image).any()


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    """A path with nothing there is said so."""
    with pytest.raises(UserError, match=r"missing\.png: there is no such file"):
        read(tmp_path / "missing.png")


def truncate(path: Path) -> None:
    """The first half of an image."""
    draw("7").save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp"])
@pytest.mark.parametrize(
    "make",
    [
        truncate,
        lambda path: path.write_text("no image\n"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40)),
        lambda path: path.write_bytes(b"GIF89a\x00\x00\x00\x00"),
        lambda path: path.mkdir(),
    ],
    ids=["truncated", "text", "nothing", "header only", "no size", "folder"],
)
def test_a_file_that_is_no_image_is_named(tmp_path: Path, make: Callable[[Path], object], suffix: str) -> None:
    """What cannot be read as an image is an error that names the file, never half an image."""
    path = tmp_path / f"broken.{suffix}"
    make(path)
    with pytest.raises(UserError, match=rf"broken\.{suffix}: this is no image that can be read"):
        read(path)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP"]))
def test_damaged_files_are_images_or_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, kind: str
) -> None:
    """A file with any bytes changed or cut off is read as an image, or refused by its name."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    draw("7", page=(20, 20)).save(path, kind)
    content = bytearray(path.read_bytes())
    for place, value in data.draw(st.dictionaries(st.integers(0, len(content) - 1), st.integers(0, 255))).items():
        content[place] = value
    path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    try:
        assert read(path).mode == "RGB"
    except UserError as error:
        assert "damaged: this is no image" in str(error)


# ---------------------------------------------------------------------------------- strange images

NOISE = np.random.default_rng(0).integers(0, 256, (300, 200), dtype=np.uint8)


def all_but_one(height: int, width: int) -> NDArray[np.uint8]:
    """One black pixel on white."""
    pixels = np.full((height, width), 255, np.uint8)
    pixels[height // 2, width // 3] = 0
    return pixels


def frame(height: int, width: int, thick: int) -> NDArray[np.uint8]:
    """Ink along all borders."""
    pixels = np.full((height, width), 255, np.uint8)
    pixels[:thick] = pixels[-thick:] = 0
    pixels[:, :thick] = pixels[:, -thick:] = 0
    return pixels


def checkerboard(size: int, field: int) -> NDArray[np.uint8]:
    """As much black as white."""
    rank_points = np.arange(size) // field
    return (255 * ((rank_points[:, np.newaxis] + rank_points) % 2)).astype(np.uint8)


STRANGE: dict[str, NDArray[np.uint8]] = {
    "one pixel": np.zeros((1, 1), np.uint8),
    "two pixels": np.array([[0, 255]], np.uint8),
    "a row": NOISE[:1],
    "a column": NOISE[:, :1],
    "a row of 5000": np.tile(NOISE[:1], 25),
    "a column of 5000": np.tile(NOISE[:1], 25).T,
    "2 by 3000, half black": np.repeat(np.array([[0, 255]], np.uint8), 1500, axis=1).repeat(2, axis=0),
    "all but a pixel, 2 by 2": all_but_one(2, 2),
    "all but a pixel, 28 by 28": all_but_one(28, 28),
    "all but a pixel, 400 by 400": all_but_one(400, 400),
    "a frame": frame(40, 40, 2),
    "a frame of 400": frame(400, 400, 1),
    "a cross to all borders": 255 - frame(60, 60, 29),
    "fields of 1": checkerboard(30, 1),
    "fields of 4": checkerboard(64, 4),
    "fields of 100": checkerboard(400, 100),
    "noise": NOISE,
    "two tones of noise": np.where(NOISE > 127, 255, 0).astype(np.uint8),
    "mostly ink": np.where(NOISE > 200, 255, 0).astype(np.uint8),
    "half black": np.repeat(np.array([[0, 255]], np.uint8), 50, axis=1).repeat(100, axis=0),
    "a gradient": np.repeat(np.arange(256, dtype=np.uint8)[np.newaxis], 40, axis=0),
}


def check_prepared(image: Image.Image, way: str, shape: tuple[int, int, int], dtype: str) -> None:
    """Pixels of the right shape, type and range, with something on them; or none."""
    pixels = prepare(image, way, shape, dtype)
    if pixels is not None:
        assert pixels.shape == shape and pixels.dtype == dtype
        assert 0 <= pixels.min() <= pixels.max() <= (255 if dtype == "uint8" else 1)
        assert way != "digits" or pixels.max() > 0


@pytest.mark.parametrize("way", PREPARATIONS)
@pytest.mark.parametrize("name", STRANGE)
def test_strange_images_are_pixels_or_nothing(name: str, way: str) -> None:
    """Whatever is on a page, it gives pixels of the model's shape, type and range, or is empty."""
    for shape in ((28, 28, 1), (5, 9, 3), (64, 64, 1)):
        check_prepared(Image.fromarray(STRANGE[name]), way, shape, "uint8")


@settings(max_examples=300, deadline=None)
@given(
    pixels=arrays_of(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40)),
    mode=st.sampled_from(["L", "RGB", "1", "CMYK", "P"]),
    way=st.sampled_from(sorted(PREPARATIONS)),
    shape=st.tuples(st.integers(4, 40), st.integers(4, 40), st.integers(1, 3)),
    dtype=st.sampled_from(["uint8", "float32"]),
)
def test_any_pixels_are_prepared(
    pixels: NDArray[np.uint8], mode: str, way: str, shape: tuple[int, int, int], dtype: str
) -> None:
    """No pixels of any size and mode stop a preparation for a model of any size."""
    check_prepared(Image.fromarray(pixels).convert(mode), way, shape, dtype)


def test_a_page_is_left_as_it_is() -> None:
    """Preparing an image does not change it, so that it can be prepared again."""
    page = draw("0", page=(800, 800)).convert("RGB")
    before = page.tobytes(), page.size
    first = see(page)
    assert (page.tobytes(), page.size) == before and np.array_equal(first, see(page))
