"""How well a model reads photographs of digits, by each way of preparing them.

    python -m benchmarks.photographs                 the winner of the latest sweep, 40 minutes
    python -m benchmarks.photographs SWEEP 10        every tenth digit, 4 minutes

Takes the test digits of the sweep's own data, which it was neither trained on nor chosen by, draws each of them
as a photograph might show it (see `benchmarks.pages`; every digit by a seed of its own), and prints the accuracy by
condition and way. The first line is the digits as they are in the data; below the rule are the conditions that were
held back while the ways were made.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from benchmarks.pages import CONDITIONS, HELD_BACK, photograph
from src.data.dataset import Part
from src.data.image_files import PREPARATIONS, prepare
from src.data.load import load
from src.ledger.sweep_folder import find, last_config
from src.predict import load as load_network
from src.reporting.boards import new_table


def main(arguments: list[str]) -> None:
    """Print the table."""
    name, step = (arguments + ["latest", "1"][len(arguments) :])[:2]
    test = load(last_config(find(Path("sweeps"), name).path).data).test
    network = load_network(name, Path("sweeps"), Path("mlruns")).model
    from src.training.export import predict

    table = new_table("test digits", *PREPARATIONS, text=("test digits",))
    right = predict(network, test.x).argmax(axis=1) == test.y
    table.add_row("as in the data", *[f"{right.mean():.1%}"] * len(PREPARATIONS))
    for condition, draw in (CONDITIONS | HELD_BACK).items():
        if condition == next(iter(HELD_BACK)):
            table.add_section()
        some = range(0, len(test), int(step))
        pages = [photograph(test.x[index], draw, index) for index in some]
        part = Part(test.x[some], test.y[some])
        table.add_row(condition, *(f"{accuracy(network, pages, part, way):.1%}" for way in PREPARATIONS))
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


if __name__ == "__main__":
    main(sys.argv[1:])
