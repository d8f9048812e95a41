"""Files are whole or not there; what a folder holds and what there is room for is counted."""

import errno
import os
from pathlib import Path

import pytest

from src.base.disk import contents, free_bytes, write_durably


@pytest.mark.parametrize("content", [b"", b"new", bytes(range(256)) * 5000])
def test_a_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    """The new content is there bit by bit, in a folder that did not exist, and no other file is."""
    path = tmp_path / "a" / "b" / "file"
    for written in (b"old", content):
        write_durably(path, written)
        assert path.read_bytes() == written and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """If the disk fails on the way, the file is named, its old content whole, and no temporary file is left."""
    path = tmp_path / "a"
    write_durably(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match=f"no space left: '{path}'") as error:
        write_durably(path, b"new")
    assert error.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_an_interruption_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends the writing, it ends as itself, and nothing half-written is left."""
    path = tmp_path / "a"
    write_durably(path, b"old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_contents(tmp_path: Path) -> None:
    """Files of all depths are counted with their bytes; a link counts as itself; nothing is nothing."""
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "a").write_bytes(bytes(10))
    (tmp_path / "deep" / "deeper" / "b").write_bytes(bytes(5))
    assert contents(tmp_path) == (2, 15)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert contents(tmp_path)[0] == 3
    assert contents(tmp_path / "missing") == (0, 0)


def test_free_bytes_of_a_folder_to_be_made(tmp_path: Path) -> None:
    """What is free is asked of the nearest folder that exists."""
    assert free_bytes(tmp_path / "not" / "yet") > 0
