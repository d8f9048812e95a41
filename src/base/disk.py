"""Files that are whole or not there, and room on the disk."""

import os
import shutil
from contextlib import suppress
from pathlib import Path


def write_durably(path: Path, content: bytes | memoryview) -> None:
    """Replace a file's content in one step that survives a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk does not say which file
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def contents(path: Path) -> tuple[int, int]:
    """How many files a folder holds, and their bytes."""
    count = size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):  # gone since
                size += (Path(folder) / name).lstat().st_size
                count += 1
    return count, size


def free_bytes(folder: Path) -> int:
    """Free space where a folder is or will be."""
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    return shutil.disk_usage(existing).free
