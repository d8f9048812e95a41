"""How well a model reads photographs of digits, by each way of preparing them.

    python -m benchmarks.photographs                 the winner of the latest sweep, 5 minutes
    python -m benchmarks.photographs SWEEP

Takes the test digits of the sweep's own data, which it was neither trained on nor chosen by, draws each of them
as a photograph might show it (every digit by a seed of its own), and prints the accuracy by condition and way.
The first line is the digits as they are in the data.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from scipy import ndimage

from src.data.dataset import Part
from src.data.image_files import PREPARATIONS, prepare
from src.data.load import load
from src.ledger.sweep_folder import find, last_config
from src.predict import load as load_network
from src.reporting.boards import new_table

Page = NDArray[np.float64]  # brightness, 0 to 1
Draw = Callable[[Page, np.random.Generator], Page]


def main(arguments: list[str]) -> None:
    """Print the table."""
    name = (arguments or ["latest"])[0]
    test = load(last_config(find(Path("sweeps"), name).path).data).test
    network = load_network(name, Path("sweeps"), Path("mlruns")).model
    from src.training.export import predict

    table = new_table("test digits", *PREPARATIONS, text=("test digits",))
    right = predict(network, test.x).argmax(axis=1) == test.y
    table.add_row("as in the data", *[f"{right.mean():.1%}"] * len(PREPARATIONS))
    for condition, draw in CONDITIONS.items():
        pages = [photograph(image, draw, index) for index, image in enumerate(test.x)]
        table.add_row(condition, *(f"{accuracy(network, pages, test, way):.1%}" for way in PREPARATIONS))
    Console(width=100).print(table)


def accuracy(network: object, pages: list[Image.Image], test: Part, way: str) -> float:
    """Share of the pages read right; one taken for empty is read wrong."""
    from src.training.export import predict

    height, width, channels = test.x.shape[1:]
    prepared = [prepare(page, way, (height, width, channels), str(test.x.dtype)) for page in pages]
    found = [index for index, pixels in enumerate(prepared) if pixels is not None]
    stack = np.stack([pixels for pixels in prepared if pixels is not None])
    predicted = predict(network, stack).argmax(axis=1)
    return float((predicted == test.y[found]).sum() / len(pages))


# ------------------------------------------------------------------------------------ photographs


def photograph(image: NDArray[np.uint8], draw: Draw, seed: int) -> Image.Image:
    """A digit H×W×1 as a page that shows it."""
    rng = np.random.default_rng(seed)
    page = draw(image[..., 0] / 255, rng)
    return Image.fromarray((np.clip(page, 0, 1) * 255).astype(np.uint8))


def large(ink: Page, rng: np.random.Generator) -> Page:
    """Dark on white, eight times as large."""
    return 1 - enlarge(ink, 8 * ink.shape[0])


def thin(ink: Page, rng: np.random.Generator) -> Page:
    """The middle of the strokes alone, three pixels wide of 280."""
    depth = ndimage.distance_transform_edt(enlarge(ink, 280) > 0.5)
    middle = (depth > 1) & (depth >= ndimage.maximum_filter(depth, 5) - 1)
    page: Page = 1 - ndimage.binary_dilation(middle).astype(np.float64)
    return page


def small(ink: Page, rng: np.random.Generator) -> Page:
    """Dark on white, a fifth to a half of the page's height, anywhere on it."""
    page = np.ones((240, 320))
    digit = enlarge(ink, int(rng.integers(50, 120)))
    row, column = (int(rng.integers(0, page.shape[axis] - digit.shape[axis])) for axis in (0, 1))
    page[row : row + digit.shape[0], column : column + digit.shape[1]] -= digit
    return page


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
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : page.shape[0] * 1j, -1 : 1 : page.shape[1] * 1j]
    light: Page = 0.66 + 0.34 * (x * np.cos(angle) + y * np.sin(angle)) / np.sqrt(2)
    return page * light


def everything(ink: Page, rng: np.random.Generator) -> Page:
    """Small, off-centre, grey on grainy paper, light from one side."""
    page = uneven(ink, rng)
    return page + rng.normal(0, 0.04, page.shape)


def enlarge(ink: Page, side: int) -> Page:
    """Ink at another size."""
    image = Image.fromarray((ink * 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64) / 255


CONDITIONS: dict[str, Draw] = {
    "large": large,
    "large, with a thin pen": thin,
    "small, off-centre": small,
    "the same, light on black": inverted,
    "the same, grey on grainy paper": noisy,
    "the same, uneven light": uneven,
    "the same, uneven light and grain": everything,
}

if __name__ == "__main__":
    main(sys.argv[1:])
