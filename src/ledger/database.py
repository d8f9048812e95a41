"""The truth of a sweep on disk: one SQLite file, written by one process, and the checkpoints it names.

Each event is one transaction, on disk before anything follows from it.
"""

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import psutil

from src.base.errors import UserError
from src.ledger.columns import TABLES, Columns, from_columns, put, select, to_row
from src.ledger.events import Event
from src.ledger.files import inside
from src.ledger.history import History
from src.ledger.migrations import DAMAGES, SCHEMAS, check_version, explain_damage, migrate
from src.ledger.objective import Objective
from src.ledger.records import Epoch, Evaluation, Failure, File, Invocation, Point, Probe, Record, Trial

NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smbfs", "smb3", "9p", "lustre", "gpfs", "fuse.sshfs"}


class Ledger:
    """A sweep's rows, in memory and on disk."""

    def __init__(self, connection: sqlite3.Connection, history: History, folder: Path | None) -> None:
        self.connection = connection
        self.history = history
        self.folder = folder
        self.counter = last_change(connection)  # rises with every row written

    @classmethod
    def open(cls, folder: Path, objective: Objective) -> Self:
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
    def in_memory(cls, folder: Path, objective: Objective) -> Self:
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
                for record in changed:
                    self.counter += 1
                    table, columns = to_row(record)
                    put(self.connection, table, {**columns, "changed": self.counter})
        except sqlite3.OperationalError as error:
            raise UserError(
                f"{self.folder}/ledger.db cannot be written ({error}); everything up to the event before is safe."
            ) from error
        self.discard(before - self.files_of(event))

    def files_of(self, event: Event | Record) -> set[File]:
        """The files that count for the trial that an event is about."""
        number = getattr(event, "trial", None) or getattr(getattr(event, "job", None), "trial", None)
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


def read_history(folder: Path, objective: Objective) -> History:
    """The records of a sweep, whether or not it is running. Raises UserError where its ledger cannot be read."""
    try:
        with closing(connect_read_only(folder)) as connection:
            version = check_version(connection, folder / "ledger.db")
            if version == 0:  # its tables are about to be created
                return History(objective)
            if version == len(SCHEMAS):
                return load_history(connection, objective)
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
                connection.backup(copy)
                migrate(copy, folder / "ledger.db")
                return load_history(copy, objective)
    except DAMAGES as error:
        raise UserError(explain_damage(folder / "ledger.db", error)) from error


class LedgerReader:
    """Follows a sweep's ledger, whether or not it is running: each time it reads only what has changed."""

    def __init__(self, folder: Path, objective: Objective) -> None:
        self.folder = folder
        self.history = History(objective)
        self.last = -1  # the last change that the history has

    def read(self) -> History:
        """The records as they are now. Raises UserError where the ledger cannot be read."""
        path = self.folder / "ledger.db"
        try:
            with closing(connect_read_only(self.folder)) as connection:
                version = check_version(connection, path) if self.last < 0 else len(SCHEMAS)
                if version == len(SCHEMAS):
                    self.last = read_changes(connection, self.history, self.last)
                elif version:  # nobody has gone on with it yet
                    return read_history(self.folder, self.history.objective)
            return self.history
        except DAMAGES as error:
            raise UserError(explain_damage(path, error)) from error


def connect_read_only(folder: Path) -> sqlite3.Connection:
    """A connection that reads a ledger and cannot change it."""
    return sqlite3.connect(f"{(folder / 'ledger.db').resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)


def is_network(folder: Path) -> bool:
    """Whether a folder lies on a network file system, where SQLite's write-ahead log does not work."""
    mounts = [p for p in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(p.mountpoint)]
    return bool(mounts) and max(mounts, key=lambda p: len(p.mountpoint)).fstype in NETWORK_FILE_SYSTEMS


def load_history(connection: sqlite3.Connection, objective: Objective) -> History:
    """All records of a ledger, as they are at one moment."""
    history = History(objective)
    read_changes(connection, history)
    return history


def read_changes(connection: sqlite3.Connection, history: History, since: int = -1) -> int:
    """Bring a history to where a ledger is, reading only the rows changed after `since`; returns the last change.

    Raises DatabaseError for rows that are not what was written.
    """
    connection.execute("BEGIN")
    try:
        for kind, table in TABLES.items():
            for row in select(connection, table, since):
                take(history, kind, row)
        return last_change(connection)
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise sqlite3.DatabaseError(f"its rows are not what was written: {error}") from error
    finally:
        connection.execute("COMMIT")


def take(history: History, kind: type[Any], row: Columns) -> None:
    """One row into a history: in the place of the record of its number, or as the next."""
    record = from_columns(kind, row)
    match record:
        case Epoch():
            place(history.trial(row["trial"]).epochs, record)
        case Point():
            place(history.points, record)
        case Trial():
            record.epochs = history.trial(record.number).epochs if record.number <= len(history.trials) else []
            place(history.trials, record)
        case Invocation():
            place(history.invocations, record)
        case Failure():
            history.note_failure(record)
        case Probe():
            history.probes.append(record)
        case Evaluation():
            history.evaluations.append(record)


def place(records: list[Any], record: Any) -> None:
    """A record in the place of its number, which is known or the next."""
    if not 1 <= record.number <= len(records) + 1:
        raise ValueError(f"number {record.number} comes after {len(records)}")
    records[record.number - 1 : record.number] = [record]


def last_change(connection: sqlite3.Connection) -> int:
    """The counter's value at the row that was written last."""
    highest = " UNION ALL ".join(f"SELECT max(changed) AS last FROM {table}" for table in TABLES.values())
    return int(connection.execute(f"SELECT coalesce(max(last), 0) FROM ({highest})").fetchone()[0])
