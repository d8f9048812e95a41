"""Say what image files show, by the winner of a sweep or by another model.

python -m src.predict digit.png photo.jpg                     by the winner of the latest sweep
python -m src.predict *.png --model SWEEP --format json       or models:/…, runs:/…/model, or a .keras file
python -m src.predict digit.png --picture seen.png            what the network saw, and its probabilities
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer
from numpy.typing import NDArray
from PIL.Image import Image
from rich.markup import escape

from src.analysis.ranking import evaluation_of, final_trial
from src.base.errors import UserError
from src.config.command_line import SweepsFolder, run_reading
from src.config.schema import Preprocessing
from src.data import image_files
from src.data.likeness import explain_unlike
from src.ledger.database import read_history
from src.ledger.files import DamagedError, read_file
from src.ledger.sweep_folder import find
from src.reporting.boards import new_table
from src.reporting.console import new_console
from src.tracking.models import download_model, read_metadata
from src.training.export import Network, Seen, classify, load_network, prepare_images

DRAWN = 40  # images at most, in a picture


def main(
    image: Annotated[list[Path], typer.Argument(help="Image files: GIF, PNG, JPEG, BMP and others.")],
    model: Annotated[str, typer.Option(help="A sweep or its path, an MLflow model URI, or a .keras file.")] = "latest",
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print.")] = "table",
    preprocessing: Annotated[
        Preprocessing | None, typer.Option(help="Another way to prepare images than the model's own.")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw what the network saw to this file.")] = None,
    sweeps: SweepsFolder = Path("sweeps"),
    mlruns: Annotated[Path, typer.Option(help="The folder of MLflow's database.")] = Path("mlruns"),
) -> None:
    """Print the class of each image, its probability, and the runner-up. Exits with 1 if an image was skipped."""
    if picture and picture.suffix != ".png":
        raise UserError(f"--picture {picture}: give the name of a file that ends in .png.")
    readable = [(path, found) for path in image if (found := read(path))]
    seen = look(load(model, sweeps, mlruns), readable, preprocessing, model) if readable else []
    if format == "json":
        print(json.dumps([describe(one) for one in seen], indent=2))
    elif seen:
        show(seen)
    if picture and seen:
        save(seen, picture)
    if len(seen) < len(image):
        raise typer.Exit(1)


def read(path: Path) -> Image | None:
    """The image in a file; None, after saying why, if it has none."""
    try:
        return image_files.read(path)
    except UserError as error:
        skip(str(error))
        return None


def skip(reason: str) -> None:
    """Say that a file is left out."""
    print(f"skipped: {reason}", file=sys.stderr)


# --------------------------------------------------------------------------------------- predicting


def look(network: Network, readable: list[tuple[Path, Image]], way: Preprocessing | None, model: str) -> list[Seen]:
    """The images through the network. An empty page is named and left out, one that is unlike the training images
    is named. Raises UserError."""
    prepared = prepare_images(network, [image for _, image in readable], way)
    pages = [(path, pixels) for (path, _), pixels in zip(readable, prepared, strict=True)]
    for path in (path for path, pixels in pages if pixels is None):
        skip(f"{path}: the page is empty: nothing on it stands out from the paper and its noise.")
    kept = [(path, pixels) for path, pixels in pages if pixels is not None]
    if not kept:
        return []
    for path, pixels in kept:
        warn(path, pixels, network, way or network.preprocessing)
    probabilities = classify(network, [pixels for _, pixels in kept], model)
    return [Seen(path, pixels, row) for (path, pixels), row in zip(kept, probabilities, strict=True)]


def warn(path: Path, pixels: NDArray[Any], network: Network, way: str) -> None:
    """Say so where a file, as the network sees it, looks unlike the images that it was trained on."""
    if reason := explain_unlike(pixels, network.facts.get("images")):
        others = " or ".join(f"--preprocessing {other}" for other in get_args(Preprocessing) if other != way)
        said = f"{path} looks unlike the training images: its {reason}. It was prepared by {way}: try {others}."
        print(f"warning: {said}", file=sys.stderr)


def load(model: str, sweeps: Path, mlruns: Path) -> Network:
    """A network of images by a sweep's name, an MLflow URI or a .keras file. Raises UserError."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if model.endswith(".keras"):
        return load_network(Path(model), read_metadata(Path(model)))
    if ":/" not in model:
        found = winner_file(model, sweeps)
        print(f"model: {os.path.relpath(found)}", file=sys.stderr)
        return load_network(found)
    with tempfile.TemporaryDirectory() as folder:
        file = download_model(model, mlruns, Path(folder))
        return load_network(file, read_metadata(file))


def winner_file(name: str, sweeps: Path) -> Path:
    """The model of a sweep's winner, as it was evaluated on the test data. Raises UserError."""
    sweep = find(sweeps, name)
    history = read_history(sweep.path, sweep.objective)
    best = final_trial(history)
    latest = history.evaluations[-1] if history.evaluations else None  # where trials are being given more epochs
    evaluation = (evaluation_of(history, best) if best else None) or latest
    if not evaluation or not evaluation.model:
        raise UserError(
            f"{sweep.name} has no model yet: run its command to the end, or give --model another sweep's name (python -m "
            "src.status lists them), or a trial's, runs:/RUN_ID/model as MLflow shows it."
        )
    try:
        read_file(sweep.path, evaluation.model)
    except DamagedError as error:
        raise UserError(f"the model of {sweep.name} cannot be used: {error}.") from error
    return sweep.path / evaluation.model.path


# ------------------------------------------------------------------------------------------ showing


def describe(seen: Seen) -> dict[str, Any]:
    """One image as JSON."""
    (label, probability), (second, second_probability) = seen.ranked()[:2]
    return {
        "file": str(seen.file),
        "class": label,
        "probability": probability,
        "runner_up": second,
        "runner_up_probability": second_probability,
    }


def show(seen: list[Seen]) -> None:
    """One line an image."""
    table = new_table("file", "class", "probability", "runner-up", "probability ", text=("file",))
    for one in seen:
        (label, probability), (second, second_probability) = one.ranked()[:2]
        cells = (str(label), f"{probability:.1%}", str(second), f"{second_probability:.1%}")
        table.add_row(escape(str(one.file)), *cells)
    new_console().print(table)


def save(seen: list[Seen], picture: Path) -> None:
    """Draw what the network saw beside its probabilities. Raises UserError where the file cannot be written."""
    from src.figures import of_images, style

    figure = of_images.seen([(one.file.name, one.pixels, one.probabilities) for one in seen[:DRAWN]])
    try:
        style.save(figure, picture)
    except (OSError, ValueError) as error:
        raise UserError(f"--picture {picture} cannot be written: {error}.") from error
    print(f"drawn: {picture}{f' (the first {DRAWN})' if len(seen) > DRAWN else ''}", file=sys.stderr)


if __name__ == "__main__":
    run_reading(main)
