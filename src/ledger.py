"""The truth of a sweep on disk: one SQLite file, written by one process, and the checkpoints it names.

Each event is one transaction, on disk before anything follows from it.
"""

import hashlib
import io
import json
import os
import sqlite3
import time
import zipfile
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import asdict, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import psutil
from numpy.typing import NDArray

from src.config import UserError
from src.messages import Event
from src.rows import Failure, History, Invocation, Point, Record, Trial
from src.values import Epoch, Evaluation, File, Probe

SCHEMAS = [  # each brings a ledger of the version before to the next; never changed, only added to
    """
CREATE TABLE points (number INTEGER PRIMARY KEY, "values" TEXT, configuration TEXT, state TEXT, reason TEXT,
    parameters INTEGER, operations INTEGER, state_bytes INTEGER);
CREATE TABLE trials (number INTEGER PRIMARY KEY, point INTEGER REFERENCES points, role TEXT, repeat INTEGER,
    seed INTEGER, state TEXT, reason TEXT, attempts INTEGER, crashes INTEGER, best_epoch INTEGER, objective REAL,
    checkpoint TEXT, checkpoint_epoch INTEGER, weights TEXT, run_id TEXT);
CREATE TABLE epochs (trial INTEGER REFERENCES trials, number INTEGER, metrics TEXT, seconds REAL, ended REAL,
    PRIMARY KEY (trial, number)) WITHOUT ROWID;
CREATE TABLE probes (point INTEGER REFERENCES points, operations INTEGER, prepare REAL, per_image REAL);
CREATE TABLE evaluations (trial INTEGER REFERENCES trials, epoch INTEGER, loss REAL, accuracy REAL, ended REAL);
CREATE TABLE failures (number INTEGER PRIMARY KEY, work TEXT, subject INTEGER, kind TEXT, message TEXT,
    traceback TEXT, time REAL);
CREATE TABLE invocations (number INTEGER PRIMARY KEY, started REAL, ended REAL, host TEXT, pid INTEGER,
    amounts TEXT, environment TEXT, viewed TEXT);
""",
    """
ALTER TABLE evaluations ADD COLUMN predictions TEXT DEFAULT 'null';
ALTER TABLE evaluations ADD COLUMN model TEXT DEFAULT 'null';
ALTER TABLE trials ADD COLUMN drift TEXT DEFAULT '';
ALTER TABLE points ADD COLUMN checksum TEXT DEFAULT '';
ALTER TABLE trials ADD COLUMN checksum TEXT DEFAULT '';
ALTER TABLE epochs ADD COLUMN checksum TEXT DEFAULT '';
ALTER TABLE probes ADD COLUMN checksum TEXT DEFAULT '';
ALTER TABLE evaluations ADD COLUMN checksum TEXT DEFAULT '';
ALTER TABLE failures ADD COLUMN checksum TEXT DEFAULT '';
ALTER TABLE invocations ADD COLUMN checksum TEXT DEFAULT '';
""",
    """
ALTER TABLE trials ADD COLUMN validation TEXT DEFAULT 'null';
UPDATE trials SET checksum = '';
""",
    """
ALTER TABLE trials ADD COLUMN origin TEXT DEFAULT '';
UPDATE trials SET checksum = '';
""",
]
TABLES: dict[type[Any], str] = {
    Point: "points",
    Trial: "trials",
    Probe: "probes",
    Evaluation: "evaluations",
    Failure: "failures",
    Invocation: "invocations",
}
JSON_COLUMNS = {"values", "configuration", "amounts", "environment", "metrics"}
FILE_COLUMNS = {"checkpoint", "weights", "validation", "predictions", "model"}
DAMAGES = (sqlite3.DatabaseError, UnicodeDecodeError)  # what reading a damaged database raises
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smbfs", "smb3", "9p", "lustre", "gpfs", "fuse.sshfs"}


class Ledger:
    """A sweep's rows, in memory and on disk."""

    def __init__(self, connection: sqlite3.Connection, history: History, folder: Path | None) -> None:
        self.connection = connection
        self.history = history
        self.folder = folder

    @classmethod
    def open(cls, folder: Path, objective: str) -> Self:
        """The ledger of a sweep's folder, created if there is none. Its caller holds the sweep's lock."""
        path = folder / "ledger.db"
        journal = "DELETE" if is_network(folder) else "WAL"
        try:
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute(f"PRAGMA journal_mode={journal}")
            connection.execute("PRAGMA synchronous=FULL")
            migrate(connection, path)
            return cls(connection, load_history(connection, objective), folder)
        except DAMAGES as error:
            raise UserError(explain_damage(path, error)) from error

    @classmethod
    def in_memory(cls, folder: Path, objective: str) -> Self:
        """A ledger that is stored nowhere, beginning with what the folder's ledger has, if there is one."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        path = folder / "ledger.db"
        try:
            if path.is_file():
                with closing(connect_read_only(folder)) as source:
                    source.backup(connection)
            migrate(connection, path)
            return cls(connection, load_history(connection, objective), None)
        except DAMAGES as error:
            raise UserError(explain_damage(path, error)) from error

    def save(self, event: Event | Record) -> None:
        """Apply an event to the rows, put what changed on disk, then delete the files it replaced."""
        before = self.files_of(event)
        changed = self.history.apply(event, time.time())
        try:
            with self.connection:
                self.connection.execute("BEGIN IMMEDIATE")
                for row in changed:
                    self.put(row)
        except sqlite3.OperationalError as error:
            raise UserError(
                f"{self.folder}/ledger.db cannot be written ({error}); everything up to the event before is safe."
            ) from error
        self.discard(before - self.files_of(event))

    def put(self, row: Record) -> None:
        """Insert or replace one row."""
        if isinstance(row, tuple):
            trial, epoch = row
            table, columns = "epochs", {"trial": trial.number, **to_columns(epoch)}
        else:
            table, columns = TABLES[type(row)], to_columns(row)
        columns["checksum"] = checksum(columns)
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" * len(columns))
        self.connection.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", list(columns.values()))

    def files_of(self, event: Event | Record) -> set[File]:
        """The files that count for the trial that an event is about."""
        number = getattr(event, "trial", None) or getattr(getattr(event, "work", None), "trial", None)
        if number is None:
            return set()
        return files_of(self.history.trial(number))

    def discard(self, files: Iterable[File]) -> None:
        """Delete files that no row names any more."""
        for file in files:
            if self.folder:
                inside(self.folder, file).unlink(missing_ok=True)

    def delete_orphans(self) -> None:
        """Delete checkpoints and models that no row names: left by a worker that died before its row was written."""
        named = {file.path for trial in self.history.trials for file in files_of(trial)}
        named |= {file.path for one in self.history.evaluations for file in (one.predictions, one.model) if file}
        if self.folder:
            for path in (*self.folder.glob("checkpoints/*"), *self.folder.glob("models/*")):
                if path.relative_to(self.folder).as_posix() not in named:
                    path.unlink()

    def close(self) -> None:
        """Close the file; its write-ahead log goes into it."""
        self.connection.close()


def files_of(trial: Trial) -> set[File]:
    """The files that a trial's row names."""
    return {file for file in (trial.checkpoint, trial.weights, trial.validation) if file}


def read_history(folder: Path, objective: str) -> History:
    """The rows of a sweep, whether or not it is running. Raises UserError where its ledger cannot be read."""
    try:
        with closing(connect_read_only(folder)) as connection:
            is_new = check_version(connection, folder / "ledger.db") == 0  # its tables are about to be created
            return History(objective) if is_new else load_history(connection, objective)
    except DAMAGES as error:
        raise UserError(explain_damage(folder / "ledger.db", error)) from error


def connect_read_only(folder: Path) -> sqlite3.Connection:
    """A connection that reads a ledger and cannot change it."""
    return sqlite3.connect(f"{(folder / 'ledger.db').resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a new or older ledger to today's schema. Raises UserError for one of a later version."""
    before = check_version(connection, path)
    for version, script in enumerate(SCHEMAS[before:], before + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version={version}; COMMIT;")


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema's version; 0 for an empty file. Raises UserError for a later one than ours, DatabaseError for damage."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    conclusions = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if conclusions != "ok":
        raise sqlite3.DatabaseError(conclusions)
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if version == 0 and (tables or any(path.parent.glob("checkpoints/*.npz"))):
        raise sqlite3.DatabaseError("it is empty, though the sweep has begun")
    if version > len(SCHEMAS):
        raise UserError(
            f"{path} was written by a later version of this project (schema {version}): update, or use another name=…."
        )
    return version


def explain_damage(path: Path, error: Exception) -> str:
    """One sentence for a ledger that SQLite refuses."""
    if isinstance(error, sqlite3.OperationalError):
        return f"{path} cannot be used ({error}): is there room on its disk, and may you write it?"
    return f"{path} cannot be read as a sweep's ledger ({error}); restore it from a backup, or start anew with another name=…."


def is_network(folder: Path) -> bool:
    """Whether a folder lies on a network file system, where SQLite's write-ahead log does not work."""
    mounts = [p for p in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(p.mountpoint)]
    return bool(mounts) and max(mounts, key=lambda p: len(p.mountpoint)).fstype in NETWORK_FILE_SYSTEMS


# --------------------------------------------------------------------------------- rows and columns


def load_history(connection: sqlite3.Connection, objective: str) -> History:
    """All rows of a ledger, as they are at one moment."""
    connection.execute("BEGIN")
    try:
        return select_history(connection, objective)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise sqlite3.DatabaseError(f"its rows are not what was written: {error}") from error
    finally:
        connection.execute("COMMIT")


def select_history(connection: sqlite3.Connection, objective: str) -> History:
    """All rows, table by table."""
    read = {kind: [from_columns(kind, row) for row in select(connection, table)] for kind, table in TABLES.items()}
    history = History(
        objective,
        points=read[Point],
        trials=read[Trial],
        probes=read[Probe],
        evaluations=read[Evaluation],
        failures=read[Failure],
        invocations=read[Invocation],
    )
    for row in select(connection, "epochs ORDER BY trial, number"):
        history.trial(row.pop("trial")).epochs.append(from_columns(Epoch, row))
    for failure in history.failures:
        history.crashes[failure.job, failure.subject] += 1
    return history


def select(connection: sqlite3.Connection, table: str) -> Iterable[dict[str, Any]]:
    """A table's rows as dicts."""
    cursor = connection.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in cursor.description]
    found = [dict(zip(names, row, strict=True)) for row in cursor]
    for row in found:
        if (stored := row.pop("checksum", "")) and stored != checksum(row):
            raise sqlite3.DatabaseError(f"a row of its {table.split()[0]} is not what was written: {row}")
    return found


def checksum(columns: dict[str, Any]) -> str:
    """16 hex digits that change with any value of a row."""
    values = [plain(value) for _, value in sorted(columns.items())]
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def plain(value: Any) -> Any:
    """A value as SQLite gives it back: without the kind of a number or the sign of zero, and None for NaN."""
    if not isinstance(value, int | float):
        return value
    return None if value != value else float(value) + 0.0


def to_columns(row: Any) -> dict[str, Any]:
    """A dataclass as the columns of its table."""
    columns = {f.name: getattr(row, f.name) for f in fields(row) if f.name != "epochs"}
    for name in columns.keys() & (JSON_COLUMNS | FILE_COLUMNS):
        value = columns[name]
        columns[name] = json.dumps(asdict(value) if isinstance(value, File) else value)
    return columns


def from_columns(kind: type[Any], columns: dict[str, Any]) -> Any:
    """The dataclass of a table's row."""
    values = dict(columns)
    for name in values.keys() & (JSON_COLUMNS | FILE_COLUMNS):
        value = json.loads(values[name])
        values[name] = File(**value) if name in FILE_COLUMNS and value else value
    return kind(**values)


# -------------------------------------------------------------------------------------- checkpoints

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
