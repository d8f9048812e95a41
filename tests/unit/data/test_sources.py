"""Images come from packages, Keras' loaders and files; what is no whole file of arrays is said with its name."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.base.errors import UserError
from src.data.load import load
from src.data.sources import read_source
from tests.unit.examples import arrays, config, dataset, write_npz

X, Y = arrays()["x_train"], arrays()["y_train"]


# -------------------------------------------------------------------------------------------- files


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    """Its arrays, unchanged; a test part only where there is one; other arrays are left alone."""
    path = write_npz(tmp_path / "a.npz", notes=np.arange(3))
    chosen = config("data=npz", f"data.path={path}").data
    (x, y), test = read_source(chosen)
    assert test is None and np.array_equal(x, X) and np.array_equal(y, Y) and (x.dtype, y.dtype) == (X.dtype, Y.dtype)
    write_npz(path, x_test=X[:3], y_test=Y[:3])
    _, test = read_source(chosen)
    assert test and [array.tolist() for array in test] == [X[:3].tolist(), Y[:3].tolist()]


def truncate(path: Path) -> None:
    """Lose the end of a file."""
    path.write_bytes(path.read_bytes()[:-500])


def damage(path: Path) -> None:
    """Change a byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def damage_compressed(path: Path) -> None:
    """The same in a compressed file, such as Keras' mnist.npz."""
    np.savez_compressed(path, x_train=X, y_train=Y)
    content = bytearray(path.read_bytes())
    start = 30 + int.from_bytes(content[26:28], "little") + int.from_bytes(content[28:30], "little")
    content[start] = 0xFF  # no kind of block that zlib knows
    path.write_bytes(content)


def pickle_one(path: Path) -> None:
    """A file of objects, not of arrays."""
    np.array([{}], dtype=object).dump(path)


def save_one(path: Path) -> None:
    """A single array under a wrong ending."""
    with path.open("wb") as file:
        np.save(file, X)


@pytest.mark.parametrize(
    "spoil",
    [
        Path.unlink,
        lambda path: path.write_text("no images here"),
        lambda path: path.write_bytes(b""),
        truncate,
        damage,
        pytest.param(damage_compressed),
        pickle_one,
        pytest.param(save_one),
    ],
    ids=["missing", "text", "empty", "truncated", "damaged", "compressed", "pickle", "npy"],
)
def test_wrong_files_are_named(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """What is no whole NumPy file of arrays is one sentence with the file's name."""
    path = write_npz(tmp_path / "wrong.npz")
    spoil(path)
    with pytest.raises(UserError, match=r"wrong\.npz"):
        dataset(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """It is said to be a folder, with a file in it if there is one."""
    folder = tmp_path / "images"
    folder.mkdir()
    with pytest.raises(UserError, match=r"data\.path=.*images is a folder: name a \.npz file\.$"):
        dataset(folder)
    path = write_npz(folder / "digits.npz")
    with pytest.raises(UserError, match=rf"images is a folder: name a \.npz file, such as {path}\.$"):
        dataset(folder)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    """Reading a file of objects does not run what is in it."""
    ran = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (ran,)

    path = write_npz(tmp_path / "wrong.npz", x_train=np.array([Bomb()] * 60, dtype=object))
    ran.unlink(missing_ok=True)
    with pytest.raises(UserError):
        dataset(path)
    assert not ran.exists()


# ------------------------------------------------------------------------------------ Keras' data sets


def test_fashion_mnist_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that Keras keeps are read without a network, and split as every other source."""
    monkeypatch.setattr("keras.src.backend.config.keras_home", lambda: str(tmp_path))
    cache = tmp_path / "datasets" / "fashion-mnist"
    cache.mkdir(parents=True)
    for part, count in (("train", 100), ("t10k", 20)):
        labels, pixels = bytes(n % 10 for n in range(count)), bytes(n % 251 for n in range(count * 784))
        (cache / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + labels))
        (cache / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(16) + pixels))
    data = load(config("data=fashion_mnist").data)
    assert [part.x.shape for part in (data.train, data.validation, data.test)] == [
        (90, 28, 28, 1),
        (10, 28, 28, 1),
        (20, 28, 28, 1),
    ]
    assert (data.label, data.num_classes, data.test.y.tolist()) == ("fashion_mnist", 10, [*range(10)] * 2)


def test_mnist_by_keras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras' MNIST has a test part of its own; a tenth of the rest is held out for validation."""
    train, test = arrays(200, size=28, classes=10), arrays(40, size=28, classes=10, seed=1)
    path = write_npz(tmp_path / "mnist.npz", **train, x_test=test["x_train"], y_test=test["y_train"])
    monkeypatch.setattr("keras.src.datasets.mnist.get_file", lambda *_, **__: str(path))
    data = load(config("data=mnist").data)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [180, 20, 40]
    assert (data.test.x[..., 0] == test["x_train"]).all() and data.preprocessing == "digits"


def test_what_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network the message says so, and what can be had without one."""

    def fail(*_: Any, **__: Any) -> None:
        raise Exception("URL fetch failure")

    monkeypatch.setattr("keras.src.datasets.mnist.get_file", fail)
    with pytest.raises(UserError, match=r"data=mnist is not in Keras' cache .*URL fetch failure.* use data=mnist_5k"):
        load(config("data=mnist").data)


def test_mnist_5k_is_images() -> None:
    """The package gives rows of floats; here they are 28×28 bytes."""
    (x, y), test = read_source(config().data)
    assert (x.shape, str(x.dtype), y.shape) == ((5000, 28, 28), "uint8", (5000,)) and test is None
