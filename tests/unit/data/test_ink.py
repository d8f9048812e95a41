"""A digit is found beside whatever else is on a photograph: a table, a shadow, printed lines."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from src.data.image_files import prepare
from src.data.ink import disc, find_ink, is_narrow
from tests.unit.data.test_image_pages import DIGITS, FAR, MODEL, NEAR, Page, difference, draw, grainy, see, usual

# ------------------------------------------------------------------------------- what else is in view


def on_a_table(page: Page, table: int = 60, size: tuple[int, int] = (520, 400), turn: float = 0) -> Page:
    """A sheet as it lies in the middle of a table, turned by some degrees."""
    mask = Image.new("L", page.size, 255).rotate(turn, Image.Resampling.BICUBIC, expand=True)
    sheet = page.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    scene = Image.new("L", size, table)
    scene.paste(sheet, ((size[0] - sheet.width) // 2, (size[1] - sheet.height) // 2), mask)
    return scene.filter(ImageFilter.GaussianBlur(0.7))


def shadowed(page: Page, share: float, soft: float = 1) -> Page:
    """With a shadow over one side, whose edge runs through the middle."""
    y, x = np.mgrid[-1 : 1 : page.height * 1j, -1 : 1 : page.width * 1j]
    dark = 1 / (1 + np.exp(-np.clip((x + 0.4 * y) * 100 / soft, -50, 50)))
    return Image.fromarray((np.asarray(page, float) * (1 - share * dark)).astype(np.uint8))


def ruled(page: Page, brightness: int, width: int = 1, apart: int = 24, squares: bool = False) -> Page:
    """With printed lines across, or squares."""
    lines = Image.new("L", page.size, 255)
    pen = ImageDraw.Draw(lines)
    for at in range(10, 2 * max(page.size), apart):
        pen.line((0, at - 20, page.width, at), fill=brightness, width=width)
        if squares:
            pen.line((at, 0, at - 20, page.height), fill=brightness, width=width)
    return Image.fromarray(np.minimum(np.asarray(page), np.asarray(lines)))


def spot(page: Page, at: tuple[float, float] = (0.3, 0.3)) -> Page:
    """With a lamp's round spot, whose edge is sharp, and half as much light elsewhere."""
    y, x = np.mgrid[0 : 1 : page.height * 1j, 0 : 1 : page.width * 1j]
    light = np.where(np.hypot(x - at[0], y - at[1]) < 0.25, 1, 0.5)
    return Image.fromarray((np.asarray(page, float) * light).astype(np.uint8))


SCENES: dict[str, Callable[[str], Page]] = {
    "on a dark table": lambda digit: on_a_table(draw(digit)),
    "on a black table": lambda digit: on_a_table(draw(digit), 5),
    "on a light table": lambda digit: on_a_table(draw(digit), 190),
    "on a lighter table": lambda digit: on_a_table(draw(digit, paper=180), 250),
    "on a table as dark as ink": lambda digit: on_a_table(draw(digit), 20),
    "one edge in view": lambda digit: on_a_table(draw(digit, page=(400, 300)), size=(400, 330)).crop((40, 0, 360, 300)),
    "light on a dark board, in a frame": lambda digit: on_a_table(ImageOps.invert(draw(digit)), 200),
    "small on a sheet, grainy": lambda digit: grainy(on_a_table(draw(digit, size=0.3)), 6),
    "a sheet that is turned": lambda digit: on_a_table(draw(digit), turn=1.5),
    "a soft shadow": lambda digit: shadowed(draw(digit), 0.5, soft=10),
    "a sharp shadow": lambda digit: shadowed(draw(digit), 0.5),
    "a deep shadow": lambda digit: shadowed(draw(digit), 0.7),
    "a shadow on sheet and table": lambda digit: shadowed(on_a_table(draw(digit)), 0.5),
    "a lamp's spot": lambda digit: spot(draw(digit, size=0.4)),
    "pale lines": lambda digit: ruled(draw(digit), 200),
    "dark lines": lambda digit: ruled(draw(digit), 90),
    "dark lines, two pixels wide": lambda digit: ruled(draw(digit), 90, width=2),
    "squares": lambda digit: ruled(draw(digit), 150, squares=True),
    "dark squares": lambda digit: ruled(draw(digit), 90, squares=True),
    "a squared sheet on a table": lambda digit: on_a_table(ruled(draw(digit), 150, squares=True)),
    "all of it": lambda digit: grainy(shadowed(on_a_table(ruled(draw(digit), 150), turn=2), 0.4), 5),
}


@pytest.mark.parametrize("digit", DIGITS)
@pytest.mark.parametrize("scene", SCENES)
def test_the_digit_is_seen_and_nothing_else(scene: str, digit: str) -> None:
    """Whatever is in view beside a digit, the model is given nearly the same 28×28 as without, and no other digit's."""
    seen = see(SCENES[scene](digit))
    assert difference(usual(digit), seen) < NEAR
    assert all(difference(usual(other), seen) > FAR for other in DIGITS if other != digit)


def test_a_stroke_that_stands_apart() -> None:
    """On a sheet in view of its edges, a digit in two parts keeps both; what is far from it is left out."""
    page = draw("1", size=0.4, at=(0.35, 0.5), page=(300, 300))
    page.paste(20, (128, 100, 140, 200))
    seen = see(on_a_table(page))
    assert len(np.flatnonzero(np.diff((seen[14] > 127).astype(int)) == 1)) == 2
    far = draw("1", size=0.4, at=(0.35, 0.5), page=(300, 300))
    far.paste(20, (270, 100, 278, 200))
    assert difference(see(on_a_table(far)), usual("1")) < NEAR


def test_a_digit_that_is_cut_off() -> None:
    """What reaches over one side of the page is still a digit: it is read as far as it is there."""
    page = draw("7", size=0.9, at=(0.5, 0.42))
    seen = see(page)
    assert difference(seen, usual("7")) < NEAR * 2


def test_thick_ink_is_whole() -> None:
    """Strokes that are as wide as a sheet of paper is, beside the size of what is written, are not cut to a part."""
    page = Image.new("L", (280, 280), 240)
    pen = ImageDraw.Draw(page)
    pen.ellipse((40, 40, 240, 240), outline=20, width=75)
    ink = find_ink(np.asarray(page) / 255)
    assert ink is not None and ink.shape == (201, 201) and ink[100, 40] > 0.9 and ink[100, 100] == 0


@pytest.mark.parametrize("table", [20, 100, 200])
@pytest.mark.parametrize("turn", [0, 5])
def test_a_scene_without_a_digit(table: int, turn: float) -> None:
    """Of an empty sheet on a table something may be taken for ink, but nothing fails."""
    pixels = prepare(on_a_table(Image.new("L", (280, 280), 240), table, turn=turn), "digits", MODEL, "uint8")
    assert pixels is None or pixels.any()


# ---------------------------------------------------------------------------------------------- parts


def bar(height: int, width: int) -> NDArray[np.bool_]:
    """A mask of one bar."""
    return np.ones((height, width), bool)


@pytest.mark.parametrize(
    ("height", "width", "narrow"), [(50, 5, True), (50, 24, True), (50, 30, False), (50, 50, False)]
)
def test_strokes_are_narrow(height: int, width: int, narrow: bool) -> None:
    """What is half as wide as long is a stroke, and what is wider is not."""
    assert is_narrow(bar(height, width), height) is narrow


def test_ink_is_a_share() -> None:
    """Ink is 0 to 1, and cut to where there is some."""
    for page in (draw("0"), on_a_table(draw("0"))):
        ink = find_ink(np.asarray(page) / 255)
        assert ink is not None and ink.min() == 0 and ink.max() == 1
        assert all(side.any() for side in (ink[0], ink[-1], ink[:, 0], ink[:, -1]))
        assert ink.shape[0] == pytest.approx(0.6 * 280, abs=4)


def test_discs() -> None:
    """A disc covers all places within half its diameter."""
    assert disc(1).tolist() == [[True]] and disc(2).all() and disc(4).sum() == 12 and disc(5).sum() == 21
