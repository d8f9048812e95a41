"""Say what image files show, by the winner of a sweep or by another model.

python -m src.predict digit.png photo.jpg                     by the winner of the latest sweep
python -m src.predict *.png --model SWEEP --format json       or models:/…, runs:/…/model, or a .keras file
python -m src.predict digit.png --picture seen.png            what the network saw, and its probabilities
"""

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer
from numpy.typing import NDArray
from PIL.Image import Image
from rich.markup import escape

from src.analysis.ranking import evaluation_of, final_trial
from src.base.errors import UserError
from src.base.processes import silenced
from src.config.command_line import SweepsFolder, run_reading
from src.config.schema import Preprocessing
from src.data import image_files
from src.figures import of_images, style
from src.ledger.database import read_history
from src.ledger.files import DamagedError, read_file
from src.ledger.sweep_folder import find
from src.reporting.console import new_console, new_table

DRAWN = 40  # images at most, in a picture


@dataclass(frozen=True)
class Seen:
    """An image as the network saw it, and its probabilities of each class."""

    file: Path
    pixels: NDArray[Any]
    probabilities: NDArray[np.float32]

    def ranked(self) -> list[tuple[int, float]]:
        """Classes and probabilities, the most probable first."""
        order = np.argsort(-self.probabilities, kind="stable")
        return [(int(label), round(float(self.probabilities[label]), 6)) for label in order]


def main(
    image: Annotated[list[Path], typer.Argument(help="Image files: GIF, PNG, JPEG, BMP and others.")],
    model: Annotated[str, typer.Option(help="A sweep, an MLflow model URI, or a .keras file.")] = "latest",
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
    seen = look(readable, model, preprocessing, sweeps, mlruns) if readable else []
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


def look(
    readable: list[tuple[Path, Image]], model: str, preprocessing: Preprocessing | None, sweeps: Path, mlruns: Path
) -> list[Seen]:
    """The images through the model; an empty page is named and left out."""
    network = load(model, sweeps, mlruns)
    given = network.inputs[0]
    way = preprocessing or way_of(network)
    seen: list[tuple[Path, NDArray[Any]]] = []
    for path, found in readable:
        pixels = image_files.prepare(found, way, tuple(given.shape[1:]), str(given.dtype))
        if pixels is None:
            skip(f"{path}: the page is empty: nothing on it stands out from the paper and its noise.")
        else:
            seen.append((path, pixels))
    if not seen:
        return []
    with silenced():
        from src.training.export import predict

        probabilities = predict(network, np.stack([pixels for _, pixels in seen]))
    if not np.isfinite(probabilities).all():
        raise UserError(f"{model} gives no numbers for these images (NaN): its training has failed.")
    return [Seen(path, pixels, row) for (path, pixels), row in zip(seen, probabilities, strict=True)]


def way_of(network: Any) -> str:
    """How the model wants its images prepared: its input says so, in models of this project."""
    own = str(network.inputs[0].name).rpartition("_")[2]
    return own if own in image_files.PREPARATIONS else "resize"


def load(model: str, sweeps: Path, mlruns: Path) -> Any:
    """A network of images by a sweep's name, an MLflow URI or a .keras file. Raises UserError."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if model.endswith(".keras"):
        return load_file(Path(model))
    if ":/" not in model:
        found = winner_file(model, sweeps)
        print(f"model: {os.path.relpath(found)}", file=sys.stderr)
        return load_file(found)
    from src.tracking.models import download_model

    with tempfile.TemporaryDirectory() as folder:
        return load_file(download_model(model, mlruns, Path(folder)))


def winner_file(name: str, sweeps: Path) -> Path:
    """The model of a sweep's winner, as it was evaluated on the test data. Raises UserError."""
    sweep = find(sweeps, name)
    history = read_history(sweep.path, sweep.objective)
    best = final_trial(history)
    latest = history.evaluations[-1] if history.evaluations else None  # where trials are being given more epochs
    evaluation = (evaluation_of(history, best) if best else None) or latest
    if not evaluation or not evaluation.model:
        raise UserError(
            f"{sweep.name} has no model yet: run its command to the end, or give --model runs:/RUN_ID/model of one trial."
        )
    try:
        read_file(sweep.path, evaluation.model)
    except DamagedError as error:
        raise UserError(f"the model of {sweep.name} cannot be used: {error}.") from error
    return sweep.path / evaluation.model.path


def load_file(path: Path) -> Any:
    """A .keras file. Raises UserError where it is none, or its input is no image."""
    from src.training.export import load_model

    if not path.is_file():
        raise UserError(f"{path}: there is no such file.")
    network = load_model(path)
    inputs, outputs = (shapes(network, end) for end in ("inputs", "outputs"))
    if len(inputs) != 1 or len(inputs[0]) != 4 or None in inputs[0][1:] or inputs[0][3] not in image_files.MODES:
        raise UserError(f"{path}: this model does not take images of one size (N×H×W×C, 1 to 4 channels).")
    if len(outputs) != 1 or len(outputs[0]) != 2 or (outputs[0][1] or 0) < 2:
        raise UserError(f"{path}: this model does not give one score for each of some classes (N×classes).")
    return network


def shapes(network: Any, end: str) -> list[tuple[int | None, ...]]:
    """Of a model's inputs or outputs; none if it was never built."""
    try:
        return [tuple(tensor.shape) for tensor in getattr(network, end)]
    except (AttributeError, ValueError, TypeError):
        return []


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
    """What the network saw beside its probabilities, as a picture."""
    figure = of_images.seen([(one.file.name, one.pixels, one.probabilities) for one in seen[:DRAWN]])
    try:
        style.save(figure, picture)
    except (OSError, ValueError) as error:
        raise UserError(f"--picture {picture} cannot be written: {error}.") from error
    print(f"drawn: {picture}{f' (the first {DRAWN})' if len(seen) > DRAWN else ''}", file=sys.stderr)


if __name__ == "__main__":
    run_reading(main)
