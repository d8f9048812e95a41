"""What a trial leaves as files: its summary, checkpoint and weight dumps."""

from pathlib import Path
from typing import Any

import numpy as np

from src.config.schema import Mlflow
from src.ledger.files import Arrays


def write(folder: Path, model: Any, weights: Arrays, options: Mlflow) -> None:
    """The model's summary, and its weights in every form asked for."""
    lines: list[str] = []
    model.summary(print_fn=lines.append, line_length=100)
    (folder / "summary.txt").write_text("\n".join(lines))
    if options.weights_npz:
        np.savez(folder / "weights.npz", **weights)  # type: ignore[arg-type]
    if options.weights_txt:
        write_weights_text(folder / "weights.txt", weights, options.weights_txt_values)
    if options.checkpoint:
        (folder / "checkpoint").mkdir()
        model.save_weights(folder / "checkpoint" / "best.weights.h5")


def write_weights_text(path: Path, weights: Arrays, limit: int) -> None:
    """Name, shape and all values of every variable; of one with more than `limit` values, its statistics."""
    with open(path, "w") as file:
        for name, array in weights.items():
            file.write(f"{name} {'×'.join(map(str, array.shape)) or 'scalar'} {array.dtype}\n")
            if array.size > limit:
                numbers = (array.mean(), array.std(), array.min(), array.max(), np.abs(array).mean())
                words = ("mean", "std", "min", "max", "mean of absolute values")
                statistics = ", ".join(f"{word} {number:.9g}" for word, number in zip(words, numbers, strict=True))
                file.write(f"  {array.size} values: {statistics}\n\n")
                continue
            for row in array.reshape(-1, array.shape[-1] if array.ndim > 1 else array.size):
                file.write("  " + " ".join(f"{value:.9g}" for value in row.tolist()) + "\n")
            file.write("\n")
