"""Test digits as photographs might show them, each by a seed of its own.

`CONDITIONS` are those that `src.data.ink` was tuned on (with few digits); `HELD_BACK` were drawn afterwards,
and nothing was changed after they were read.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Page = NDArray[np.float64]  # brightness, 0 to 1; of ink 0 is none
Draw = Callable[[Page, np.random.Generator], Page]
SHEET = (420, 320)  # pixels of a sheet of paper, before it is photographed
VIEW = (360, 480)  # of the photograph of a table


def photograph(image: NDArray[np.uint8], draw: Draw, seed: int) -> Image.Image:
    """A digit H×W×1 as a page that shows it."""
    rng = np.random.default_rng(seed)
    return Image.fromarray((np.clip(draw(image[..., 0] / 255, rng), 0, 1) * 255).astype(np.uint8))


def large(ink: Page, rng: np.random.Generator) -> Page:
    """Dark on white, eight times as large."""
    return 1 - enlarge(ink, 8 * ink.shape[0])


def thin(ink: Page, rng: np.random.Generator) -> Page:
    """The middle of the strokes alone, three pixels wide of 280."""
    return 1 - trace(enlarge(ink, 280))


def small(ink: Page, rng: np.random.Generator) -> Page:
    """Dark on white, a fifth to a half of the page's height, anywhere on it."""
    return 1 - place(enlarge(ink, int(rng.integers(50, 120))), (240, 320), rng)


def inverted(ink: Page, rng: np.random.Generator) -> Page:
    """Light on black."""
    return 1 - small(ink, rng)


def noisy(ink: Page, rng: np.random.Generator) -> Page:
    """Grey ink on grainy paper."""
    page = 0.85 - 0.6 * (1 - small(ink, rng))
    return page + rng.normal(0, 0.05, page.shape)


def uneven(ink: Page, rng: np.random.Generator) -> Page:
    """Light from one side, three times as strong there."""
    page = 0.95 - 0.75 * (1 - small(ink, rng))
    return page * light(page.shape, 0.34, rng)


def everything(ink: Page, rng: np.random.Generator) -> Page:
    """Small, off-centre, grey on grainy paper, light from one side."""
    return uneven(ink, rng) + rng.normal(0, 0.04, (240, 320))


def on_a_table(ink: Page, rng: np.random.Generator) -> Page:
    """A tilted sheet whose edges are in view, on a table that is darker or lighter, with a shadow beside it."""
    sheet = 0.92 - 0.75 * place(enlarge(ink, int(rng.integers(80, 180))), SHEET, rng, margin=36)
    scene = lay(sheet, np.full(VIEW, rng.choice((0.15, 0.3, 0.5, 0.7))), rng)
    return camera(scene * light(VIEW, 0.15, rng), rng)


def in_shadow(ink: Page, rng: np.random.Generator) -> Page:
    """A page with a shadow across, whose edge is sharp or soft."""
    page = 0.92 - 0.75 * place(enlarge(ink, int(rng.integers(80, 200))), VIEW, rng)
    return camera(page * shadow(VIEW, rng), rng)


def lined(ink: Page, rng: np.random.Generator) -> Page:
    """Paper with lines across, a little tilted."""
    digit = place(enlarge(ink, int(rng.integers(80, 200))), VIEW, rng)
    return camera(0.92 - 0.75 * np.maximum(digit, ruling(VIEW, rng.uniform(18, 32), rng, squares=False)), rng)


def squared(ink: Page, rng: np.random.Generator) -> Page:
    """Paper with squares, a little tilted."""
    return squared_page(enlarge(ink, int(rng.integers(80, 200))), rng)


def on_wood(ink: Page, rng: np.random.Generator) -> Page:
    """A lined sheet on a wooden table, its edges in view, with a shadow across both."""
    digit = place(enlarge(ink, int(rng.integers(80, 180))), SHEET, rng, margin=36)
    sheet = 0.92 - 0.75 * np.maximum(digit, ruling(SHEET, rng.uniform(18, 32), rng, squares=False))
    return camera(lay(sheet, wood(VIEW, rng), rng) * shadow(VIEW, rng), rng)


def fine_pen(ink: Page, rng: np.random.Generator) -> Page:
    """Squared paper, written on with a pen that is three pixels wide."""
    return squared_page(trace(enlarge(ink, int(rng.integers(100, 200)))), rng)


def on_a_board(ink: Page, rng: np.random.Generator) -> Page:
    """Chalk on a dark board in a light frame, with a lamp's light on it."""
    digit = place(enlarge(ink, int(rng.integers(80, 180))), SHEET, rng, margin=36)
    board = 0.2 + 0.6 * digit + 0.15 * np.exp(-(across(SHEET, 0.5) ** 2 + across(SHEET, 2.0) ** 2) / 1e4)
    return camera(lay(board, np.full(VIEW, rng.uniform(0.5, 0.8)), rng), rng)


def folded(ink: Page, rng: np.random.Generator) -> Page:
    """A sheet that was folded twice: four parts that are not equally light, with creases between."""
    page = 0.92 - 0.75 * place(enlarge(ink, int(rng.integers(80, 200))), VIEW, rng)
    for angle in (rng.uniform(-0.1, 0.1), np.pi / 2 + rng.uniform(-0.1, 0.1)):
        distance = across(VIEW, angle) - rng.uniform(-0.1, 0.1) * VIEW[0]
        page = page * np.where(distance < 0, rng.uniform(0.7, 1), 1) * (1 - 0.25 * np.exp(-(distance**2) / 3))
    return camera(page, rng)


def punched(ink: Page, rng: np.random.Generator) -> Page:
    """A sheet with two dark holes at its side, upon another sheet of which a part is in view."""
    sheet = 0.92 - 0.75 * place(enlarge(ink, int(rng.integers(80, 160))), (SHEET[0], SHEET[1] - 60), rng, margin=36)
    sheet = np.pad(sheet, ((0, 0), (60, 0)), constant_values=0.92)
    y, x = np.mgrid[: SHEET[0], : SHEET[1]]
    for row in (130, 290):
        sheet[(y - row) ** 2 + (x - 25) ** 2 < 80] = 0.15
    return camera(lay(sheet, lay(np.full(SHEET, 0.8), np.full(VIEW, 0.35), rng, turn=0.5), rng), rng)


def under_a_lamp(ink: Page, rng: np.random.Generator) -> Page:
    """Light from a lamp with a sharp edge, as a round spot somewhere."""
    page = 0.92 - 0.75 * place(enlarge(ink, int(rng.integers(80, 200))), VIEW, rng)
    away = np.hypot(*(across(VIEW, angle) - rng.uniform(-0.3, 0.3) * VIEW[0] for angle in (0, np.pi / 2)))
    bright = 1 / (1 + np.exp(np.clip((away - rng.uniform(80, 180)) / rng.uniform(2, 20), -50, 50)))
    return camera(page * (1 - rng.uniform(0.3, 0.6) * (1 - bright)), rng)


# ------------------------------------------------------------------------------------- held back


def on_a_cloth(ink: Page, rng: np.random.Generator) -> Page:
    """A pad with a grid of dots on a checked cloth."""
    sheet = 0.9 - 0.7 * place(enlarge(ink, int(rng.integers(80, 180))), SHEET, rng, margin=36)
    apart = int(rng.integers(14, 22))
    sheet[apart // 2 :: apart, apart // 2 :: apart] -= 0.2
    fields = np.add.outer(np.arange(VIEW[0]) // 30 % 2, np.arange(VIEW[1]) // 30 % 2)
    return camera(lay(sheet, 0.25 + 0.2 * fields, rng), rng)


def on_a_whiteboard(ink: Page, rng: np.random.Generator) -> Page:
    """Grey marker on a board in a dark frame, with a window's reflection on it."""
    digit = place(enlarge(ink, int(rng.integers(80, 180))), SHEET, rng, margin=36)
    board = 0.65 - rng.uniform(0.25, 0.5) * digit
    distance = np.hypot(across(SHEET, 0) - rng.uniform(-100, 100), across(SHEET, np.pi / 2) - rng.uniform(-100, 100))
    board = board + 0.3 / (1 + np.exp(np.clip((distance - 60) / 8, -50, 50)))
    return camera(lay(board, np.full(VIEW, rng.uniform(0.1, 0.4)), rng), rng)


def under_a_hand(ink: Page, rng: np.random.Generator) -> Page:
    """Rough paper with the shadow of a hand on it, fingers spread."""
    rough = ndimage.gaussian_filter(rng.normal(0, 1, VIEW), 1.5)
    page = (0.85 + 0.03 * rough / rough.std()) * (1 - 0.8 * place(enlarge(ink, int(rng.integers(80, 200))), VIEW, rng))
    angle, start = rng.uniform(0, 2 * np.pi), rng.uniform(-0.1, 0.2) * VIEW[0]
    along, beside = across(VIEW, angle) - start, across(VIEW, angle + np.pi / 2)
    fingers = (along > 0) & (np.abs(beside) < 150) & ((np.abs(beside + 150) % 75 < 45) | (along > 140))
    return camera(page * (1 - rng.uniform(0.3, 0.6) * ndimage.gaussian_filter(fingers.astype(float), 3)), rng)


def in_pencil(ink: Page, rng: np.random.Generator) -> Page:
    """Grey strokes on a lined sheet with a margin, its edges in view."""
    digit = place(enlarge(ink, int(rng.integers(80, 160))), (SHEET[0], SHEET[1] - 60), rng, margin=36)
    lines = ruling(SHEET, rng.uniform(18, 32), rng, squares=False)
    lines[:, 52:54] = 0.4
    sheet = 0.92 - 0.45 * np.maximum(np.pad(digit, ((0, 0), (60, 0))), 0.6 * lines)
    return camera(lay(sheet, np.full(VIEW, rng.uniform(0.2, 0.7)), rng) * light(VIEW, 0.15, rng), rng)


# ----------------------------------------------------------------------------------- parts of pages


def squared_page(digit: Page, rng: np.random.Generator) -> Page:
    """A digit anywhere on paper with squares."""
    ink = np.maximum(place(digit, VIEW, rng), ruling(VIEW, rng.uniform(14, 24), rng, squares=True))
    return camera(0.92 - 0.75 * ink, rng)


def enlarge(ink: Page, side: int) -> Page:
    """Ink at another size."""
    image = Image.fromarray((ink * 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64) / 255


def trace(ink: Page) -> Page:
    """The middle of its strokes, three pixels wide."""
    depth = ndimage.distance_transform_edt(ink > 0.5)
    middle = (depth > 1) & (depth >= ndimage.maximum_filter(depth, 5) - 1)
    return np.asarray(ndimage.binary_dilation(middle), np.float64)


def place(digit: Page, shape: tuple[int, int], rng: np.random.Generator, margin: int = 0) -> Page:
    """A digit anywhere on a page without ink, so far from its borders."""
    page = np.zeros(shape)
    row, column = (int(rng.integers(margin, page.shape[axis] - margin - digit.shape[axis])) for axis in (0, 1))
    page[row : row + digit.shape[0], column : column + digit.shape[1]] = digit
    return page


def across(shape: tuple[int, ...], angle: float) -> Page:
    """How far each place lies in a direction: 0 in the middle, in pixels."""
    y, x = np.mgrid[: shape[0], : shape[1]] - np.reshape(shape, (2, 1, 1)) / 2
    return np.asarray(x * np.cos(angle) + y * np.sin(angle))


def light(shape: tuple[int, ...], change: float, rng: np.random.Generator) -> Page:
    """Light from one side: by so much brighter there, and darker at the other."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    brightness: Page = 1 - change + change * (x * np.cos(angle) + y * np.sin(angle)) / np.sqrt(2)
    return brightness


def shadow(shape: tuple[int, int], rng: np.random.Generator) -> Page:
    """A part of the page gets a third to three quarters of the light."""
    distance = across(shape, rng.uniform(0, 2 * np.pi)) - rng.uniform(-0.2, 0.2) * min(shape)
    share = 1 / (1 + np.exp(np.clip(-distance / rng.uniform(0.5, 10), -50, 50)))
    return 1 - rng.uniform(0.25, 0.67) * share


def ruling(shape: tuple[int, int], period: float, rng: np.random.Generator, squares: bool) -> Page:
    """Printed lines, paler than ink, one or two pixels wide, tilted by up to eight degrees."""
    angle, width, darkness = np.pi / 2 + rng.uniform(-0.14, 0.14), rng.uniform(1, 2), rng.uniform(0.2, 0.8)
    lines = np.zeros(shape)
    for turn in (0, np.pi / 2)[: 1 + squares]:
        distance = np.abs((across(shape, angle + turn) + period / 3) % period - period / 2)
        lines = np.maximum(lines, np.clip(width / 2 + 0.5 - distance, 0, 1))
    return darkness * lines


def wood(shape: tuple[int, int], rng: np.random.Generator) -> Page:
    """A table with a grain along it, dark or light."""
    grain = ndimage.gaussian_filter(rng.normal(0, 1, shape), (1, 40))
    table: Page = rng.uniform(0.2, 0.6) * (1 + 0.25 * np.clip(grain / grain.std(), -2, 2))
    return table


def lay(sheet: Page, table: Page, rng: np.random.Generator, turn: float = 0.2) -> Page:
    """A sheet on a table, turned, seen at a slant and from any side, so that some of its edges are in view."""
    height, width = table.shape
    size = rng.uniform(0.75, 1.05)
    angle, tilt = rng.uniform(-turn, turn), rng.uniform(-0.12, 0.12, (4, 2))
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (1 + tilt) * size
    corners = corners * np.array(sheet.shape[::-1]) / max(sheet.shape) * height / 2
    turned = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    seen = turned + np.array([width, height]) / 2 + rng.uniform(-0.08, 0.08, 2) * height
    paper, mask = (warp(layer, seen, table.shape) for layer in (sheet, np.ones_like(sheet)))
    beside = ndimage.gaussian_filter(np.roll(mask, rng.integers(-4, 5, 2), (0, 1)), 3)  # its shadow
    return np.asarray(mask * paper + (1 - mask) * table * (1 - 0.4 * beside))


def warp(layer: Page, corners: Page, shape: tuple[int, ...]) -> Page:
    """A layer whose corners (from the upper left, clockwise, as x and y) come to lie elsewhere; outside is 0."""
    height, width = layer.shape
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    way = np.linalg.solve(np.array(rows, float), np.array(values, float)).tolist()
    image = Image.fromarray((layer * 255).astype(np.uint8))
    image = image.transform((shape[1], shape[0]), Image.Transform.PERSPECTIVE, way, Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64) / 255


def camera(page: Page, rng: np.random.Generator) -> Page:
    """Slightly out of focus, with some noise."""
    return np.asarray(ndimage.gaussian_filter(page, rng.uniform(0.3, 1.0)) + rng.normal(0, 0.02, page.shape))


CONDITIONS: dict[str, Draw] = {
    "large": large,
    "large, with a thin pen": thin,
    "small, off-centre": small,
    "the same, light on black": inverted,
    "the same, grey on grainy paper": noisy,
    "the same, uneven light": uneven,
    "the same, uneven light and grain": everything,
    "a sheet on a table, tilted": on_a_table,
    "a shadow across the page": in_shadow,
    "lined paper": lined,
    "squared paper": squared,
    "a lined sheet on wood, a shadow across": on_wood,
    "squared paper, a fine pen": fine_pen,
    "chalk on a board in a frame": on_a_board,
    "a folded sheet": folded,
    "a punched sheet upon another": punched,
    "a lamp's round spot": under_a_lamp,
}
HELD_BACK: dict[str, Draw] = {
    "a dotted pad on a checked cloth": on_a_cloth,
    "a whiteboard with a reflection": on_a_whiteboard,
    "rough paper, the shadow of a hand": under_a_hand,
    "pencil on a lined sheet, its edges in view": in_pencil,
}
