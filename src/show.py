"""Look at the data before training on it: shapes, pixels, classes, digest, and the first images as a picture.

python -m src.show data=mnist_5k
python -m src.show data=npz data.path=FILE
"""

import os

from rich.console import Console

from src import api
from src.config.compose import compose_and_run
from src.config.schema import Config
from src.data.dataset import Dataset
from src.reporting.boards import board_of_data
from src.reporting.console import new_console


def main(config: Config) -> int:
    """Print what the data is and draw its first images."""
    data = api.load_data(config)
    console = new_console()
    print_data(console, data)
    picture = os.path.relpath(api.draw_samples(config, data))
    console.print(f"[dim]first training images of each class:[/dim] {picture}", soft_wrap=True)
    return 0


def print_data(console: Console, data: Dataset) -> None:
    """What there is, how it was split, and whether parts share images."""
    height, width, channels = data.shape
    console.print(
        f"[b]{data.label}[/b]: {data.num_classes} classes, images {height}×{width}×{channels} {data.train.x.dtype}, "
        f"pixels times {data.scale:.6g} inside the model"
    )
    console.print(board_of_data(data))
    if shared := api.count_shared(data):
        console.print(f"[yellow]{shared} test images are also among those trained on or chosen by.[/yellow]")
    console.print(f"[dim]digest:[/dim] {data.digest}", soft_wrap=True)


if __name__ == "__main__":
    compose_and_run(main)
