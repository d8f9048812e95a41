"""The data, before anything is trained on it: what it is in words, and its first images."""

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from src.base.errors import UserError
from src.base.text import number_of
from src.config.trial import Training
from src.data.dataset import Dataset, Part
from src.reporting.boards import new_table, print_board

CLASSES = 12  # that are counted one by one
SAMPLE = 1000  # images, of which the typical size of a pixel is taken
DARK = 1 / 8  # where no pixel reaches that much inside the model it may be the factor; uint8 of 5 bits does not
BRIGHT, TYPICAL = 8, 3  # where pixels exceed both, by the largest and by the root mean square: 1 if standardised
UNLIKE = 16  # times larger pixels in one part than in another: perhaps one of them was divided by 255


def print_data(console: Console, data: Dataset) -> None:
    """What there is, how it was split, and whether parts share images."""
    height, width, channels = data.shape
    console.print(
        f"[b]{data.label}[/b]: {data.num_classes} classes, images {height}×{width}×{channels} {data.train.x.dtype}, "
        f"pixels times {data.scale:.6g} inside the model; {prepared(data)}",
        soft_wrap=True,
    )
    print_board(console, board_of_parts(data))
    for question in question_pixels(data):
        console.print(question, style="yellow", markup=False, soft_wrap=True)
    if shared := count_shared(data):
        which = f"{number_of(shared, 'test image')} {'is' if shared == 1 else 'are'}"
        console.print(f"[yellow]{which} also among those trained on or chosen by.[/yellow]", soft_wrap=True)
    console.print(f"[dim]digest:[/dim] {data.digest}", soft_wrap=True)


def describe_images(data: Dataset, training: Training | None = None) -> list[str]:
    """What a sweep begins with: a sentence on the images, then what looks like a mistake, if anything does."""
    height, width, channels = data.shape
    low, high = reach(data.train)
    said = [
        f"{len(data.train):,} training images {height}×{width}×{channels} {data.train.x.dtype}, "
        f"pixels from {show_pixel(low)} to {show_pixel(high)}, times {data.scale:.6g} inside the model; {prepared(data)}"
    ]
    said += question_pixels(data)
    images = (training.epoch_size if training else None) or len(data.train)
    if training and training.batch_size > images:
        size = f"training.batch_size={training.batch_size}"
        said.append(f"{size} is more than the {images:,} images of an epoch: each epoch is a single step.")
    return said


def question_pixels(data: Dataset) -> list[str]:
    """What looks like a mistake in the range of pixels, or in the factor on them."""
    low, high = reach(data.train)
    if low == high:
        return [f"Every pixel of x_train is {show_pixel(low)}: is this the right array?"]
    said, largest, other = [], max(abs(low), abs(high)), max(map(abs, reach(data.test)))
    is_large = largest * data.scale > BRIGHT and typical_size(data.train) * data.scale > TYPICAL
    if is_large or largest * data.scale < DARK:
        kind = "uint8" if data.train.x.dtype == np.uint8 else "float"
        extent = f"up to {show_pixel(high)}" if low >= 0 else f"from {show_pixel(low)} to {show_pixel(high)}"
        factor = "" if data.scale == 1 else f", times {data.scale:.3g} inside the model"
        full = 255 if 127 < largest <= 255 and low >= 0 else largest
        said.append(f"x_train is {kind} {extent}{factor}: did you mean data.scale={1 / full:.3g}?")
    if not 1 / UNLIKE < other / largest < UNLIKE:
        parts = f"Test images reach {show_pixel(other)}, training images {show_pixel(largest)}"
        said.append(f"{parts}: are their pixels in the same units?")
    return said


def prepared(data: Dataset) -> str:
    """How `src.predict` makes image files like the data's images."""
    return f"image files are prepared as '{data.preprocessing}'"


def reach(part: Part) -> tuple[float, float]:
    """The lowest and the highest pixel."""
    return float(part.x.min()), float(part.x.max())


def show_pixel(value: float) -> str:
    """A pixel to four digits, or to whole numbers."""
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def typical_size(part: Part) -> float:
    """The root mean square of the pixels, of some images."""
    some = part.x[:: max(len(part) // SAMPLE, 1)].astype(np.float64)
    return float(np.sqrt(np.square(some).mean()))


def board_of_parts(data: Dataset) -> Table:
    """The parts of the data: images, pixels, images of each class."""
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    classes = [f"class {label}" for label in range(data.num_classes)] if data.num_classes <= CLASSES else ["a class"]
    board = new_table("part", "images", "pixels", *classes, text=("part",))
    for name, part in parts.items():
        pixels = "–".join(map(show_pixel, reach(part)))
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
