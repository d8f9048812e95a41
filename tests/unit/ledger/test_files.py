"""Files that a ledger names are read only as they were written."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from src.ledger.files import Arrays, DamagedError, read_arrays, read_file, write_arrays, write_file


def test_arrays_round_trip(tmp_path: Path) -> None:
    """Arrays come back with their names, types, shapes and bits; no other file is left."""
    arrays: Arrays = {
        "block1_conv1/kernel": np.array([[np.nan, -0.0], [1 / 3, np.inf]], np.float32),
        "model/0": np.array(7, np.int64),
        "seed": np.array([2**32 - 1], np.uint32),
        "empty": np.zeros((0, 3), np.float32),
    }
    saved = write_arrays(tmp_path, "checkpoints/1.npz", arrays)
    back = read_arrays(tmp_path, saved)
    assert {name: (a.dtype, a.shape, a.tobytes()) for name, a in back.items()} == {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()
    }
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["1.npz"]


def flip(path: Path) -> None:
    """One bit is another."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil",
    [flip, lambda path: os.truncate(path, 100), lambda path: os.truncate(path, 0), Path.unlink],
    ids=["bit", "truncated", "empty", "missing"],
)
def test_damaged_arrays_are_known(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A file that is not, to the bit, what was written is never taken for it."""
    saved = write_arrays(tmp_path, "checkpoints/1-1.npz", {"a": np.arange(3)})
    spoil(tmp_path / saved.path)
    with pytest.raises(DamagedError, match=r"1-1\.npz"):
        read_arrays(tmp_path, saved)


@pytest.mark.parametrize("content", [b"", b"model", bytes(range(256)) * 5000])
def test_files_round_trip(tmp_path: Path, content: bytes) -> None:
    """What something else writes is in the sweep's folder, bit by bit, under the name given, and nothing else is."""
    names: list[str] = []

    def save(path: Path) -> None:
        names.append(path.name)
        path.write_bytes(content)

    saved = write_file(tmp_path, "models/00001-2.keras", save)
    assert names == ["00001-2.keras"]  # Keras looks at the suffix
    assert saved.path == "models/00001-2.keras" and (tmp_path / saved.path).read_bytes() == content
    assert read_file(tmp_path, saved) == content
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / saved.path]


def test_a_file_that_cannot_be_made_leaves_the_old(tmp_path: Path) -> None:
    """Where writing fails half way the file of before is whole, and it can still be read."""
    saved = write_file(tmp_path, "models/1.keras", lambda path: path.write_bytes(b"old"))

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("it broke")

    with pytest.raises(RuntimeError, match="it broke"):
        write_file(tmp_path, "models/1.keras", fail)
    assert read_file(tmp_path, saved) == b"old" and list((tmp_path / "models").iterdir()) == [tmp_path / saved.path]


@pytest.mark.parametrize(
    "spoil",
    [flip, lambda path: os.truncate(path, 3), lambda path: os.truncate(path, 0), Path.unlink],
    ids=["bit", "truncated", "empty", "missing"],
)
def test_a_changed_file_is_known(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """A file that is not, to the bit, what was written is named instead of read."""
    saved = write_file(tmp_path, "models/1.keras", lambda path: path.write_bytes(b"the model"))
    spoil(tmp_path / saved.path)
    with pytest.raises(DamagedError, match=r"models/1\.keras"):
        read_file(tmp_path, saved)
