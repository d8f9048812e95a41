"""Whatever an image file is like, it is read as the picture that it is, or refused by its name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes
from hypothesis.extra.numpy import arrays as arrays_of
from numpy.typing import NDArray
from PIL import Image, ImageOps

from src.base.errors import UserError
from src.data.image_files import PREPARATIONS, prepare, read
from tests.unit.data.test_image_pages import MODEL, NEAR, Page, difference, draw, see, usual

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
    fields = np.arange(size) // field
    return (255 * ((fields[:, np.newaxis] + fields) % 2)).astype(np.uint8)


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
