"""The folder of a sweep: its name, its frozen configuration, who holds it, and how it is found."""

import json
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from src.base.disk import write_durably
from src.base.errors import RefusedError, UserError, suggest
from src.base.hashing import fingerprint
from src.base.text import command, folder_options, short_path, show_value
from src.config.identity import differences, identity
from src.config.schema import Config
from src.ledger.database import read_history
from src.ledger.history import History
from src.ledger.objective import OBJECTIVES, Objective
from src.ledger.records import TrialState

LAST = ("ledger.db-shm", "ledger.db-wal", "ledger.db", "config.yaml", "lock")  # to be deleted: a sweep is found by them
FIRST = {*LAST, "last.yaml", "holder.json", "sweep.log"}  # all that is in its folder before its first trial


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

    One that was lost is written anew where the sweep's name follows from it. Raises UserError that names the keys which
    differ, or what is missing.
    """
    wanted = json.loads(json.dumps(identity(config, digest)))
    if not (path / "config.yaml").is_file():
        is_new = not (path / "ledger.db").exists()
        if config.name and not is_new:
            raise UserError(explain_lost(path) + " Or choose another name=….")
        if config.name == "latest":
            raise UserError("name=latest: that is what commands call the sweep written last; choose another name.")
        header = (
            "# What decides this sweep's results. Written once; budgets are in the ledger, one row an invocation.\n"
        )
        write_durably(path / "config.yaml", (header + yaml.safe_dump(wanted, sort_keys=False)).encode())
        return is_new
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
            + "\n       Undo these changes, or leave name= out: that is a sweep of its own."
        )
    return False


def open_sweep(path: Path) -> Sweep:
    """The sweep in a folder. Raises UserError where its configuration is missing or cannot be read."""
    try:
        frozen = read_yaml(path / "config.yaml")
        assert isinstance(frozen, dict) and frozen["search"]["objective"] in OBJECTIVES
    except FileNotFoundError as error:
        raise UserError(explain_lost(path)) from error
    except (OSError, yaml.YAMLError, UnicodeDecodeError, AssertionError, KeyError, TypeError) as error:
        raise UserError(f"{path}/config.yaml cannot be read as a sweep's configuration ({error}).") from error
    return Sweep(path, frozen)


def explain_lost(path: Path) -> str:
    """For a sweep whose frozen configuration is missing; where its name follows from it, its command writes it anew."""
    again = last_command(path)
    other = f", or repeat the command that made it: {again}" if again and " name=" not in again else ""
    return f"{short_path(path / 'config.yaml')} is missing: restore it from a backup{other}."


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
    """The folders that hold a sweep, damaged ones included, the one written last first."""
    written = {}
    for ledger in root.glob("*/ledger.db"):
        with suppress(FileNotFoundError):  # it is being removed
            written[ledger.parent] = last_written(ledger.parent)
    return sorted(written, key=lambda path: written[path], reverse=True)


def last_written(path: Path) -> float:
    """When a sweep's ledger was last written; an empty log beside it comes of reading alone."""
    log = path / "ledger.db-wal"
    written = (path / "ledger.db").stat().st_mtime
    return max(written, log.stat().st_mtime) if log.exists() and log.stat().st_size else written


def need_sweeps(root: Path) -> list[Path]:
    """The sweeps of a folder, the one written last first. Raises UserError where there is none."""
    sweeps = list_sweeps(root)
    if not sweeps:
        folder = [f"paths.sweeps={short_path(root)}"] if folder_options(sweeps=root) else []
        raise UserError(f"there is no sweep in {root}/; start one with: {command('sweep', 'search=cnn_grid', *folder)}")
    return sweeps


def find(root: Path, name: str) -> Sweep:
    """A sweep by its name, an unambiguous beginning of it, `latest`, or its path. Raises UserError."""
    root, beginning = (root, name) if os.sep not in name else split_path(Path(name))
    sweeps = need_sweeps(root)
    matches = sweeps[:1] if beginning == "latest" else [path for path in sweeps if path.name == beginning]
    for start in (f"{beginning}-", beginning):  # cnn_grid is no cnn_grid_fast
        matches = matches or [path for path in sweeps if path.name.startswith(start)]
    names = sorted(path.name for path in matches or sweeps)
    if len(matches) > 1:
        raise UserError(f"'{name}' fits several sweeps: {', '.join(names)}. Give more of the name.")
    if not matches and (root / beginning).is_dir():
        raise UserError(f"{root / beginning} is no sweep, since it has no ledger.db{suggest(beginning, names)}.")
    if not matches:
        raise UserError(f"there is no sweep '{name}'{suggest(beginning, names)}.")
    return open_sweep(matches[0])


def split_path(path: Path) -> tuple[Path, str]:
    """The folder and the name of a sweep's path, as a shell completes it; of a folder of sweeps no name."""
    return (path, "") if list_sweeps(path) else (path.parent, path.name)


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
    """Whether a sweep has trials that wait for their end, or may get some."""
    try:
        history = read_history(path, open_sweep(path).objective)
    except UserError:
        return False
    if not history.trials:
        return not history.points or any(point.state.is_open for point in history.points)
    return any(
        trial.state in (TrialState.WAITING, TrialState.RUNNING, TrialState.INTERRUPTED, TrialState.PAUSED)
        for trial in history.trials
    )


@contextmanager
def forget_refused(path: Path, history: History) -> Iterator[None]:
    """A sweep that is refused before any of its trials has begun leaves no folder, unless that holds anything else.

    Its caller holds the sweep's lock.
    """
    try:
        yield
    except RefusedError:
        is_ours = {entry.name for entry in path.iterdir()} <= FIRST
        if is_ours and not any(trial.attempts for trial in history.trials):
            remove(path)
        raise


def remove(path: Path) -> None:
    """Delete a sweep's folder; what it is found by goes last, so that a removal cut short can be repeated."""
    for entry in sorted(path.iterdir(), key=lambda entry: LAST.index(entry.name) if entry.name in LAST else -1):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)
    path.rmdir()


def commands(sweep: Sweep) -> list[str]:
    """What made this sweep, and what shows it."""
    made = last_command(sweep.path)
    shows = shlex.join(["python", "-m", "src.compare", sweep.name, *folder_options(sweeps=sweep.path.parent)])
    return [*([made] if made else []), shows, f"{shows} --report"]
