"""The data, before anything is trained on it: what it is in words, and its first images."""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from src.base.errors import UserError
from src.data.dataset import Dataset, Part
from src.reporting.boards import new_table

CLASSES = 12  # that are counted one by one


def print_data(console: Console, data: Dataset) -> None:
    """What there is, how it was split, and whether parts share images."""
    height, width, channels = data.shape
    console.print(
        f"[b]{data.label}[/b]: {data.num_classes} classes, images {height}×{width}×{channels} {data.train.x.dtype}, "
        f"pixels times {data.scale:.6g} inside the model"
    )
    console.print(board_of_parts(data))
    if shared := count_shared(data):
        console.print(f"[yellow]{shared} test images are also among those trained on or chosen by.[/yellow]")
    console.print(f"[dim]digest:[/dim] {data.digest}", soft_wrap=True)


def board_of_parts(data: Dataset) -> Table:
    """The parts of the data: images, pixels, images of each class."""
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    classes = [f"class {label}" for label in range(data.num_classes)] if data.num_classes <= CLASSES else ["a class"]
    board = new_table("part", "images", "pixels", *classes, text=("part",))
    for name, part in parts.items():
        pixels = f"{part.x.min():.4g}–{part.x.max():.4g}"
        board.add_row(name, f"{len(part):,}", pixels, *show_counts(part, data.num_classes))
    return board


def show_counts(part: Part, num_classes: int) -> list[str]:
    """Images of each class, or the fewest and most."""
    counts = np.bincount(part.y, minlength=num_classes)
    return [f"{n:,}" for n in counts] if num_classes <= CLASSES else [f"{counts.min():,}–{counts.max():,}"]


def count_shared(data: Dataset) -> int:
    """Test images that are the same, pixel by pixel, as one of the other parts."""
    known = {image.tobytes() for part in (data.train, data.validation) for image in part.x}
    return sum(image.tobytes() in known for image in data.test.x)


def draw_samples(data: Dataset, folder: Path) -> Path:
    """A picture of the first training images of each class. Raises UserError where it cannot be written."""
    from src.figures import of_images, style  # draws

    path = folder / f"{data.label}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return style.save(of_images.samples(data.train), path)
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}): choose another paths.sweeps=….") from error
