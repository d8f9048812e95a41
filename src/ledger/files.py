"""The files that a ledger names: written whole, read only as written."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.base.disk import write_durably
from src.ledger.records import File

Arrays = dict[str, NDArray[Any]]


class DamagedError(Exception):
    """A file of the sweep that is missing, or not what its ledger says it is."""


def write_arrays(folder: Path, path: str, arrays: Arrays) -> File:
    """Write named arrays as one .npz file: whole and on disk, or not at all."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    content = buffer.getbuffer()
    write_durably(folder / path, content)
    return File(path, hashlib.sha256(content).hexdigest())


def write_file(folder: Path, path: str, save: Callable[[Path], object]) -> File:
    """A file that something else writes, whole and on disk, or not at all."""
    with TemporaryDirectory() as scratch:
        temporary = Path(scratch) / Path(path).name
        save(temporary)
        content = temporary.read_bytes()
    write_durably(folder / path, content)
    return File(path, hashlib.sha256(content).hexdigest())


def inside(folder: Path, file: File) -> Path:
    """Where a file of the sweep is. Raises DamagedError for one outside of its folder."""
    path = (folder / file.path).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DamagedError(f"{folder}/ledger.db names a file outside of its folder: {file.path}")
    return path


def read_file(folder: Path, file: File) -> bytes:
    """A file that the ledger names. Raises DamagedError where it is not the one written."""
    try:
        content = inside(folder, file).read_bytes()
    except OSError as error:
        raise DamagedError(f"{folder / file.path} cannot be read ({error.strerror})") from error
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise DamagedError(f"{folder / file.path} is not what was written: its checksum differs")
    return content


def read_arrays(folder: Path, file: File) -> Arrays:
    """The arrays of a file that the ledger names. Raises DamagedError where they are not those written."""
    content = read_file(folder, file)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, zipfile.BadZipFile) as error:
        raise DamagedError(f"{folder / file.path} cannot be read ({error})") from error
