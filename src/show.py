"""Look at the data before training on it: shapes, pixels, classes, digest, and the first images as a picture.

python -m src.show data=mnist_5k
python -m src.show data=npz data.path=FILE
"""

import os
from pathlib import Path

import numpy as np
from rich.console import Console

from src.base.errors import UserError
from src.config.compose import compose_and_run
from src.config.schema import Config
from src.data.dataset import Dataset, Part
from src.data.load import load
from src.figures import of_images, style
from src.reporting.console import new_console, new_table

CLASSES = 12  # that are counted one by one


def main(config: Config) -> int:
    """Print what the data is and draw its first images."""
    data = load(config.data)
    console = new_console()
    describe(console, data)
    path = Path(config.paths.sweeps) / f"{data.label}.png"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        style.save(of_images.samples(data.train), path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}): choose another paths.sweeps=….") from error
    console.print(f"[dim]first training images of each class:[/dim] {os.path.relpath(path)}", soft_wrap=True)
    return 0


def describe(console: Console, data: Dataset) -> None:
    """What there is, how it was split, and whether parts share images."""
    height, width, channels = data.shape
    console.print(
        f"[b]{data.label}[/b]: {data.num_classes} classes, images {height}×{width}×{channels} {data.train.x.dtype}, "
        f"pixels times {data.scale:.6g} inside the model"
    )
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    classes = [f"class {label}" for label in range(data.num_classes)] if data.num_classes <= CLASSES else ["a class"]
    table = new_table("part", "images", "pixels", *classes, text=("part",))
    for name, part in parts.items():
        table.add_row(name, f"{len(part):,}", f"{part.x.min():.4g}–{part.x.max():.4g}", *count(part, data.num_classes))
    console.print(table)
    if shared := count_shared(data):
        console.print(f"[yellow]{shared} test images are also among those trained on or chosen by.[/yellow]")
    console.print(f"[dim]digest:[/dim] {data.digest}", soft_wrap=True)


def count(part: Part, num_classes: int) -> list[str]:
    """Images of each class, or the fewest and most."""
    counts = np.bincount(part.y, minlength=num_classes)
    return [f"{n:,}" for n in counts] if num_classes <= CLASSES else [f"{counts.min():,}–{counts.max():,}"]


def count_shared(data: Dataset) -> int:
    """Test images that are the same, pixel by pixel, as one of the other parts."""
    known = {image.tobytes() for part in (data.train, data.validation) for image in part.x}
    return sum(image.tobytes() in known for image in data.test.x)


if __name__ == "__main__":
    compose_and_run(main)
