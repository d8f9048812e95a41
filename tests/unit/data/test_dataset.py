"""A data set is known by what its images and labels are, wherever they came from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from src.data.dataset import Dataset, Part, digest
from tests.unit.examples import arrays, dataset, write_npz

X, Y = arrays()["x_train"], arrays()["y_train"]


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    """48 images to train on, 6 to validate, 6 to test."""
    return dataset(write_npz(tmp_path / "a.npz"))


@pytest.mark.parametrize("change", ["pixel", "label", "type"])
def test_the_digest_names_the_content(tmp_path: Path, change: str) -> None:
    """One pixel, one label or another type of number makes other data; another file name does not."""
    x, y = X.copy(), Y.copy()
    if change == "pixel":
        x[7, 3, 3] ^= 1
    if change == "label":
        y[[0, 1]] = y[[1, 0]]
    changed = {"x_train": x.astype(np.float32) if change == "type" else x, "y_train": y}
    same, copy = (dataset(write_npz(tmp_path / name)).digest for name in ("a.npz", "b.npz"))
    assert same == copy != dataset(write_npz(tmp_path / "a.npz", **changed)).digest


def test_the_digest_knows_the_order_of_parts(data: Dataset) -> None:
    """The same images in other parts, or in another order, are other data; how they lie in memory does not matter."""
    parts = (data.train, data.validation, data.test)
    assert digest(parts) == data.digest != digest(parts[::-1])
    assert digest((Part(data.train.x[::-1], data.train.y[::-1]), *parts[1:])) != data.digest
    columns = np.asfortranarray(data.train.x)
    assert digest((Part(columns, data.train.y), *parts[1:])) == data.digest


def test_without_validation(data: Dataset) -> None:
    """A refit trains on the validation images too, after the others; the test images and all else stay."""
    whole = data.without_validation()
    assert np.array_equal(whole.train.x, np.concatenate([data.train.x, data.validation.x]))
    assert whole.train.y.tolist() == [*data.train.y, *data.validation.y]
    assert len(whole.validation) == 0 and whole.validation.x.shape == (0, *data.shape)
    assert replace(whole, train=data.train, validation=data.validation) == data


def test_sizes(data: Dataset) -> None:
    """The length of a part is its number of images, the shape of the data that of one image."""
    assert (len(data.train), len(data.validation), data.shape) == (48, 6, (8, 8, 1))
