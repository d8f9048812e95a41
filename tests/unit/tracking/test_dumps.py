"""The weights of a trial as files that other programs read."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from src.config.schema import Mlflow
from src.tracking.dumps import write, write_weights_text
from tests.unit.examples import use_one_thread
from tests.unit.tracking.sweeps import configured

use_one_thread()
WEIGHTS = {
    "dense/kernel": np.array([[0.1, -2.0, 3e-7], [4.0, 5.5, 6.25]], np.float32),
    "dense/bias": np.array([1.0, 2.0], np.float32),
    "seed": np.array(7, np.uint32),
}


def test_weights_as_text(tmp_path: Path) -> None:
    """Name, shape and type, then a row a line, exact to the last bit."""
    write_weights_text(tmp_path / "weights.txt", WEIGHTS, 100)
    assert (tmp_path / "weights.txt").read_text().splitlines() == [
        "dense/kernel 2×3 float32",
        "  0.100000001 -2 3.00000011e-07",
        "  4 5.5 6.25",
        "",
        "dense/bias 2 float32",
        "  1 2",
        "",
        "seed scalar uint32",
        "  7",
        "",
    ]


def test_large_variables_as_statistics(tmp_path: Path) -> None:
    """Of one with more values than asked for, how many there are and how they are spread."""
    write_weights_text(tmp_path / "weights.txt", {"kernel": np.array([-1.0, 1.0, 3.0])}, 2)
    said = (tmp_path / "weights.txt").read_text()
    assert "3 values: mean 1, std 1.63299316, min -1, max 3, mean of absolute values 1.66666667" in said


@pytest.mark.parametrize("name", ["weights_npz", "weights_txt", "checkpoint", "none"])
def test_what_is_asked_for_is_written(tmp_path: Path, name: str) -> None:
    """The summary always, each other form if it is switched on; the checkpoint loads."""
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(3, name="dense")(inputs))
    options = configured(tmp_path).tracking
    assert isinstance(options, Mlflow)
    switches = {key: key == name for key in ("weights_npz", "weights_txt", "checkpoint")}
    folder = tmp_path / "files"
    folder.mkdir()
    write(folder, model, WEIGHTS, options.model_copy(update=switches))
    files = {
        "weights_npz": {"weights.npz"},
        "weights_txt": {"weights.txt"},
        "checkpoint": {"checkpoint"},
        "none": set(),
    }
    assert {path.name for path in folder.iterdir()} == {"summary.txt", *files[name]}
    assert "dense (Dense)" in (folder / "summary.txt").read_text()
    if name == "weights_npz":
        with np.load(folder / "weights.npz") as stored:
            assert all((stored[key] == array).all() for key, array in WEIGHTS.items())
    if name == "checkpoint":
        before: list[Any] = model.get_weights()
        model.set_weights([array + 1 for array in before])
        model.load_weights(folder / "checkpoint" / "best.weights.h5")
        assert all((a == b).all() for a, b in zip(model.get_weights(), before, strict=True))
