"""Look at the data before training on it: shapes, pixels, classes, digest, and the first images as a picture.

python -m src.show data=mnist_5k
python -m src.show data=npz data.path=FILE
"""

import os
from pathlib import Path

from src import api
from src.config.compose import compose_and_run
from src.config.schema import Config
from src.reporting.console import new_console
from src.reporting.data import draw_samples, print_data


def main(config: Config) -> int:
    """Print what the data is and draw its first images."""
    data, console = api.load_data(config), new_console()
    print_data(console, data)
    picture = os.path.relpath(draw_samples(data, Path(config.paths.sweeps)))
    console.print(f"[dim]first training images of each class:[/dim] {picture}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    compose_and_run(main)
