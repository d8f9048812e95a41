"""What is printed and drawn of the data, before anything is trained on it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from src.base.errors import UserError
from src.show import main
from tests.unit.examples import arrays, config, write_npz


def show(capsys: pytest.CaptureFixture[str], tmp_path: Path, *overrides: str) -> str:
    """What `python -m src.show` prints, with single spaces, of a configuration whose pictures go to a folder here."""
    assert main(config(f"paths.sweeps={tmp_path / 'sweeps'}", *overrides)) == 0
    return re.sub(" +", " ", capsys.readouterr().out)


def file_of(tmp_path: Path, **changed: Any) -> tuple[str, str]:
    """A data file of the test's own, as a command line names it."""
    return "data=npz", f"data.path={write_npz(tmp_path / 'images.npz', **changed)}"


def test_mnist_5k(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The default data: 4,000 + 500 + 500 digits, ten classes counted one by one, none shared, and a picture."""
    said = show(capsys, tmp_path)
    assert "mnist_5k: 10 classes, images 28×28×1 uint8, pixels times 0.00392157 inside the model" in said
    assert "image files are prepared as 'digits'" in " ".join(said.split())
    tens = {"train": "400", "validation": "50", "test": "50"}
    counts = {"train": "4,000", "validation": "500", "test": "500"}
    for part, each in tens.items():
        assert f"{part} {counts[part]} 0–255 {' '.join([each] * 10)}" in said
    assert "are also among" not in said
    assert re.search(r"digest: [0-9a-f]{64}\n", said)
    with Image.open(tmp_path / "sweeps" / "mnist_5k.png") as picture:
        picture.load()
    assert "mnist_5k.png" in said


def test_many_classes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Of a hundred classes the fewest and most images of one are said, and the picture shows some."""
    labels = np.concatenate([np.arange(1000) % 100, np.full(200, 7)])
    images = np.random.default_rng(0).integers(3, 251, (1200, 6, 5)).astype(np.uint8)
    said = show(capsys, tmp_path, *file_of(tmp_path, x_train=images, y_train=labels))
    assert "images: 100 classes, images 6×5×1 uint8" in said and "a class" in said
    assert "train 960 3–250 8–168" in said
    assert all(f"{part} 120 3–250 1–21" in said for part in ("validation", "test"))
    with Image.open(tmp_path / "sweeps" / "images.png") as picture:
        picture.load()


def test_floats_and_colours(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Floats are not scaled, three channels are said, and classes are counted in their order."""
    images = np.random.default_rng(0).random((60, 8, 8, 3)).astype(np.float32)
    images.reshape(-1)[:2] = -1.5, 2.25
    labels = np.repeat([0, 1], [40, 20])
    said = show(capsys, tmp_path, *file_of(tmp_path, x_train=images, y_train=labels), "data.seed=3")
    assert "2 classes, images 8×8×3 float32, pixels times 1 inside the model" in said
    assert re.search(r"train 48 \S+ 32 16\n", said) and re.search(r"validation 6 \S+ 4 2\n", said)


def test_odd_pixels(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Floats that were not divided by 255 are asked about; divided, they are not."""
    images = arrays()["x_train"].astype(np.float32)
    question = "x_train is float up to 179: did you mean data.scale=0.00392?"
    assert question in show(capsys, tmp_path, *file_of(tmp_path, x_train=images))
    assert "did you mean" not in show(capsys, tmp_path, *file_of(tmp_path, x_train=images), "data.scale=0.00392")


@pytest.mark.parametrize("copies", [0, 1, 7])
def test_test_images_that_are_trained_on(capsys: pytest.CaptureFixture[str], tmp_path: Path, copies: int) -> None:
    """A test image that is also in another part is counted and warned of; without one nothing is said."""
    known, other = arrays(seed=1), arrays(9, seed=2)
    test = np.concatenate([known["x_train"][:copies], other["x_train"]])
    labels = np.concatenate([known["y_train"][:copies], other["y_train"]])
    said = show(capsys, tmp_path, *file_of(tmp_path, **known, x_test=test, y_test=labels))
    warning = re.search(r"(\d+ test images? (?:are|is)) also among those trained on or chosen by", said)
    assert (warning[1] if warning else "") == {0: "", 1: "1 test image is", 7: "7 test images are"}[copies]
    assert f"test {9 + copies} " in said


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    """Where the folder cannot be made, the message says which and what to change."""
    (tmp_path / "sweeps").write_text("in the way")
    data, path = file_of(tmp_path)
    with pytest.raises(UserError, match=r"images\.png cannot be written .*choose another paths\.sweeps="):
        main(config(f"paths.sweeps={tmp_path / 'sweeps'}", data, path))


def test_nothing_is_trained(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Looking leaves one picture and no sweep."""
    show(capsys, tmp_path, *file_of(tmp_path))
    assert [path.name for path in (tmp_path / "sweeps").iterdir()] == ["images.png"]
