"""The folder of a sweep: its name, its frozen configuration, who holds it, and how it is found."""

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from filelock import FileLock, Timeout

from src.config import UserError, differences, fingerprint, identity, show_value, suggest
from src.ledger import read_history, write_durably
from src.schema import Config


@dataclass(frozen=True)
class Sweep:
    """A sweep that exists: where it is and what it is."""

    path: Path
    frozen: dict[str, Any]  # config.yaml: data (with digest), architecture, …, search

    @property
    def name(self) -> str:
        """Its folder's name."""
        return self.path.name

    @property
    def objective(self) -> str:
        """What it selects by."""
        return str(self.frozen["search"]["objective"])


def sweep_path(config: Config, label: str, digest: str) -> Path:
    """Where the configuration's sweep lives: by its name, or one that follows from its identity."""
    parts = (config.experiment, config.search.name, label, fingerprint(identity(config, digest))[:8])
    return Path(config.paths.sweeps).resolve() / (config.name or "-".join(filter(None, parts)))


def create_or_check(path: Path, config: Config, digest: str) -> bool:
    """Freeze the configuration of a new sweep, or check it against the frozen one; whether it is new.

    Raises UserError that names the keys which differ.
    """
    wanted = json.loads(json.dumps(identity(config, digest)))
    if not (path / "config.yaml").is_file():
        header = (
            "# What decides this sweep's results. Written once; amounts are in the ledger, one row an invocation.\n"
        )
        write_durably(path / "config.yaml", (header + yaml.safe_dump(wanted, sort_keys=False)).encode())
        return True
    changed = differences(open_sweep(path).frozen, wanted)
    if changed:
        lines = [f"{key}: {show_value(old)} → {show_value(new)}" for key, (old, new) in changed.items()]
        if "training.epochs" in changed:
            lines.append(
                "(its schedule of the learning rate depends on the number of epochs, so it cannot be given more)"
            )
        raise UserError(
            f"{path.name} is a sweep with another configuration:\n       "
            + "\n       ".join(lines)
            + "\n       Take these keys back, or leave name= out for a sweep of its own."
        )
    return False


def open_sweep(path: Path) -> Sweep:
    """The sweep in a folder. Raises UserError where its configuration cannot be read."""
    try:
        frozen = read_yaml(path / "config.yaml")
        assert isinstance(frozen, dict) and frozen["search"]["objective"]
    except (OSError, yaml.YAMLError, UnicodeDecodeError, AssertionError, KeyError, TypeError) as error:
        raise UserError(f"{path}/config.yaml cannot be read as a sweep's configuration ({error}).") from error
    return Sweep(path, frozen)


def read_yaml(path: Path) -> Any:
    """What a file says; by the parser in C where there is one, which is ten times as fast."""
    return yaml.load(path.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def write_last(path: Path, config: Config, command: str) -> None:
    """Write down the whole configuration of this invocation, under the command line that composed it."""
    comment = f"# {command}\n" if command.isprintable() else ""  # a line break would end the comment
    write_durably(path / "last.yaml", (comment + yaml.safe_dump(config.model_dump(), sort_keys=False)).encode())


def last_config(path: Path) -> Config:
    """The whole configuration of the sweep's last invocation. Raises UserError."""
    try:
        return Config.model_validate(read_yaml(path / "last.yaml"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}/last.yaml cannot be read ({error}): run the sweep's own command instead.") from error


def last_command(path: Path) -> str:
    """The command line of the sweep's last invocation; empty where none was written down."""
    try:
        first = (path / "last.yaml").read_text("utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError):
        return ""
    return first.removeprefix("# ") if first.startswith("# ") else ""


def list_sweeps(root: Path) -> list[Path]:
    """The folders that hold a sweep, the one written last first."""
    found = [path.parent for path in root.glob("*/ledger.db") if (path.parent / "config.yaml").is_file()]
    return sorted(found, key=last_written, reverse=True)


def last_written(path: Path) -> float:
    """When a sweep's ledger was last written; an empty log beside it comes of reading alone."""
    log = path / "ledger.db-wal"
    written = (path / "ledger.db").stat().st_mtime
    return max(written, log.stat().st_mtime) if log.exists() and log.stat().st_size else written


def need_sweeps(root: Path) -> list[Path]:
    """The sweeps of a folder, the one written last first. Raises UserError where there is none."""
    sweeps = list_sweeps(root)
    if not sweeps:
        raise UserError(f"there is no sweep in {root}/; start one with: python -m src.sweep search=cnn_grid")
    return sweeps


def find(root: Path, name: str) -> Sweep:
    """A sweep by its name, an unambiguous beginning of it, or `latest`. Raises UserError."""
    sweeps = need_sweeps(root)
    matches = sweeps[:1] if name == "latest" else [path for path in sweeps if path.name == name]
    matches = matches or [path for path in sweeps if path.name.startswith(name)]
    if len(matches) != 1:
        names = [path.name for path in matches or sweeps]
        problem = (
            f"'{name}' fits several sweeps: {', '.join(sorted(names))}."
            if matches
            else f"there is no sweep '{name}'{suggest(name, names)}."
        )
        raise UserError(problem)
    return open_sweep(matches[0])


def similar_sweeps(path: Path, config: Config, digest: str) -> Iterator[tuple[str, dict[str, tuple[Any, Any]]]]:
    """Other sweeps on the same data that may be meant: unfinished, but for a key or two; or of other epochs."""
    wanted = json.loads(json.dumps(identity(config, digest)))
    for other in list_sweeps(path.parent):
        try:
            changed = differences(open_sweep(other).frozen, wanted)
        except UserError:
            continue
        near = len(changed) <= 2 and "data.digest" not in changed
        if other != path and near and (changed.keys() == {"training.epochs"} or is_unfinished(other)):
            yield other.name, changed


def is_unfinished(path: Path) -> bool:
    """Whether a sweep has trials that wait for their end, or none yet."""
    try:
        history = read_history(path, open_sweep(path).objective)
    except UserError:
        return False
    return not history.trials or any(
        trial.state in ("waiting", "running", "interrupted", "paused") for trial in history.trials
    )


def contents(path: Path) -> tuple[int, int]:
    """How many files a folder holds, and their bytes."""
    count = size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):  # gone since
                size += (Path(folder) / name).lstat().st_size
                count += 1
    return count, size


def remove(path: Path) -> None:
    """Delete a sweep's folder; what it is found by goes last, so that a removal cut short can be repeated."""
    last = ("ledger.db-shm", "ledger.db-wal", "ledger.db", "config.yaml", "lock")
    for entry in sorted(path.iterdir(), key=lambda entry: last.index(entry.name) if entry.name in last else -1):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
    path.rmdir()


# ------------------------------------------------------------------------------------------ holding


@contextmanager
def lock_sweep(path: Path, steal: bool) -> Iterator[None]:
    """Be the only process that works on a sweep. The lock dies with its holder.

    Raises UserError that says who holds it.
    """
    lock, note = path / "lock", path / "holder.json"
    path.mkdir(parents=True, exist_ok=True)
    if steal:
        refuse_living(path, read_holder(note))
        lock.unlink(missing_ok=True)
    held = FileLock(lock, timeout=0)
    try:
        held.acquire()
    except Timeout:
        raise UserError(
            f"{path.name} is in use by {describe_holder(read_holder(note))}. Wait for it or stop it; "
            "if it is surely gone and the file system keeps its lock, repeat the sweep's command with resume.steal=true."
        ) from None
    try:
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        note.write_text(json.dumps(holder))
        yield
        note.unlink(missing_ok=True)
    finally:
        held.release()


def read_holder(note: Path) -> dict[str, Any]:
    """Who wrote that they hold the sweep."""
    try:
        holder = json.loads(note.read_text())
        return holder if isinstance(holder, dict) else {}
    except (OSError, ValueError):
        return {}


def describe_holder(holder: dict[str, Any]) -> str:
    """A holder in words."""
    if not holder:
        return "another process"
    return f"process {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"


def refuse_living(path: Path, holder: dict[str, Any]) -> None:
    """Stealing is for locks left behind: a holder on this machine that lives keeps its sweep."""
    if holder.get("host") == socket.gethostname() and is_held(path) and psutil.pid_exists(int(holder.get("pid", 0))):
        raise UserError(
            f"{path.name} is in use by {describe_holder(holder)}, which is alive: stop it first (kill {holder['pid']})."
        )


def is_held(path: Path) -> bool:
    """Whether a process is working on the sweep."""
    if not (path / "lock").exists():
        return False
    probe = FileLock(path / "lock", timeout=0)
    try:
        probe.acquire()
    except Timeout:
        return True
    probe.release()
    return False
