"""Configuration → training, validation and test images, checked and split once."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.base.errors import UserError
from src.config.schema import Data, KerasData, Npz
from src.data.dataset import Dataset, Images, Labels, Part, digest
from src.data.likeness import choose_preprocessing
from src.data.sources import read_source
from src.data.split import split


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
    preprocessing = config.preprocessing if config.preprocessing != "auto" else choose_preprocessing(train.x)
    return Dataset(name_of(config), *parts, num_classes, scale, digest(parts), preprocessing)


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


def check_part(x: NDArray[Any], y: NDArray[Any], where: str, part: str) -> Part:
    """Images as N×H×W×C of uint8 or float32 and labels as N int32, or a UserError that says what is wrong."""
    images = check_images(x, f"{where}: x_{part}")
    if y.shape[:1] != (len(x),) or y.ndim > 2:
        raise UserError(
            f"{where}: {len(x)} images in x_{part}, but y_{part} has shape {y.shape}; give one label an image."
        )
    return Part(images, check_labels(y, f"{where}: y_{part}"))


def check_images(x: NDArray[Any], name: str) -> Images:
    """Images as N×H×W×C of uint8 or float32; whole numbers 0–255 of other types are taken as uint8. Raises UserError."""
    if x.ndim not in (3, 4) or 0 in x.shape:
        raise UserError(f"{name} has shape {x.shape}; images must be N×H×W or N×H×W×C, not empty.")
    if x.dtype.kind not in "biuf":
        raise UserError(f"{name} holds {x.dtype}; images must be whole numbers 0–255, or floats.")
    if x.dtype.kind in "iu" and (x.min() < 0 or x.max() > 255):
        raise UserError(
            f"{name} holds {x.dtype} from {x.min()} to {x.max()}; images must be whole numbers 0–255, or floats: "
            "save it as x.astype('float32')."
        )
    images: Images = x.astype(np.float32 if x.dtype.kind == "f" else np.uint8, copy=False)
    if not np.isfinite(images).all():
        bad = int(np.argmin(np.isfinite(images).reshape(len(x), -1).all(axis=1)))
        raise UserError(f"{name}: image {bad} holds NaN or infinity; fix or remove it.")
    images = images[..., np.newaxis] if images.ndim == 3 else images
    return np.ascontiguousarray(images)


def check_labels(y: NDArray[Any], name: str) -> Labels:
    """Labels N, N×1 or one-hot N×K, as N int32; booleans, and floats that are whole, are taken too. Raises UserError."""
    if y.dtype.kind not in "biuf":
        raise UserError(f"{name} holds {y.dtype}; labels must be whole numbers 0 … classes-1: number the classes.")
    if y.ndim == 2:
        y = y[:, 0] if y.shape[1] == 1 else read_one_hot(y, name)
    if y.dtype.kind == "f" and not (whole := np.floor(y) == y).all():
        first = int(np.argmin(whole))
        raise UserError(f"{name} holds {y[first]:g} for image {first}; labels must be whole numbers 0 … classes-1.")
    if y.min() < 0 or y.max() >= 100_000:
        raise UserError(f"{name} has labels from {y.min()} to {y.max()}; they must be 0 … classes-1.")
    return y.astype(np.int32)


def read_one_hot(y: NDArray[Any], name: str) -> NDArray[np.intp]:
    """The place of the only 1 in each row. Raises UserError where a row holds anything else."""
    is_right = (y != 0).sum(axis=1) == 1
    is_right &= (y == 1).sum(axis=1) == 1
    if not is_right.all():
        raise UserError(
            f"{name} has shape {y.shape}, but its row {int(np.argmin(is_right))} is not one-hot (a single 1, else 0): "
            "give one label an image."
        )
    labels: NDArray[np.intp] = y.argmax(axis=1)
    return labels


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
