"""The folder of a sweep: its name, its frozen configuration, who holds it, and how it is found."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from src.base.disk import write_durably
from src.base.errors import UserError, suggest
from src.base.hashing import fingerprint
from src.base.text import show_value
from src.config.identity import differences, identity
from src.config.schema import Config
from src.ledger.database import read_history
from src.ledger.objective import OBJECTIVES, Objective
from src.ledger.records import TrialState


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
    def objective(self) -> Objective:
        """What it selects by."""
        return OBJECTIVES[self.frozen["search"]["objective"]]


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
            "# What decides this sweep's results. Written once; budgets are in the ledger, one row an invocation.\n"
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
        assert isinstance(frozen, dict) and frozen["search"]["objective"] in OBJECTIVES
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
        trial.state in (TrialState.WAITING, TrialState.RUNNING, TrialState.INTERRUPTED, TrialState.PAUSED)
        for trial in history.trials
    )


def remove(path: Path) -> None:
    """Delete a sweep's folder; what it is found by goes last, so that a removal cut short can be repeated."""
    last = ("ledger.db-shm", "ledger.db-wal", "ledger.db", "config.yaml", "lock")
    for entry in sorted(path.iterdir(), key=lambda entry: last.index(entry.name) if entry.name in last else -1):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
    path.rmdir()


def commands(sweep: Sweep) -> list[str]:
    """What made this sweep, and what shows it."""
    made = last_command(sweep.path)
    return [
        *([made] if made else []),
        f"python -m src.compare {sweep.name}",
        f"python -m src.compare {sweep.name} --report",
    ]
