"""Records as rows of their tables, with checksums."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields
from enum import StrEnum
from typing import Any, get_type_hints

from src.config.trial import TrialConfig
from src.ledger.records import Epoch, Evaluation, Failure, File, Invocation, Origin, Point, Probe, Record, Trial

TABLES: dict[type[Any], str] = {
    Point: "points",
    Trial: "trials",
    Epoch: "epochs",
    Probe: "probes",
    Evaluation: "evaluations",
    Failure: "failures",
    Invocation: "invocations",
}
Columns = dict[str, Any]
PLAIN = (int, float, str, float | None, int | None)  # what SQLite has a type for


def to_row(record: Record) -> tuple[str, Columns]:
    """A record's table and columns, but for its checksum and when it was changed."""
    if isinstance(record, tuple):
        trial, epoch = record
        return TABLES[Epoch], {"trial": trial.number, **to_columns(epoch)}
    return TABLES[type(record)], to_columns(record)


def to_columns(record: Any) -> Columns:
    """A dataclass as columns: numbers and text as they are, all else as JSON; a trial's epochs are rows of their own."""
    return {name: encode(getattr(record, name)) for name, _ in READERS[type(record)]}


def encode(value: Any) -> Any:
    """A value as SQLite stores it."""
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, TrialConfig):
        return json.dumps(value.identity())
    if isinstance(value, File | Origin):
        return json.dumps(asdict(value))
    return json.dumps(value) if isinstance(value, dict | list) else value


def from_columns(kind: type[Any], columns: Columns) -> Any:
    """The dataclass of a table's row."""
    return kind(**{name: read(columns[name]) if read else columns[name] for name, read in READERS[kind]})


def reader(hint: Any) -> Callable[[Any], Any] | None:
    """How a column of a type is read; None: as it is."""
    if hint in PLAIN:
        return None
    if hint is bool or (isinstance(hint, type) and issubclass(hint, StrEnum)):
        return hint
    makers: dict[Any, Callable[[Any], Any]] = {
        File | None: lambda found: File(**found),
        Origin | None: lambda found: Origin(**found),
        TrialConfig | None: TrialConfig.model_validate,
    }
    make = makers.get(hint, lambda found: found)
    return lambda text: None if text is None or (found := json.loads(text)) is None else make(found)


def make_readers(kind: type[Any]) -> list[tuple[str, Callable[[Any], Any] | None]]:
    """A dataclass' columns, and how each is read."""
    hints = get_type_hints(kind)
    return [(f.name, reader(hints[f.name])) for f in fields(kind) if (kind, f.name) != (Trial, "epochs")]


READERS = {kind: make_readers(kind) for kind in TABLES}


def select(connection: sqlite3.Connection, table: str, since: int = -1, trust: bool = False) -> Iterator[Columns]:
    """A table's rows that were changed after `since`, in order; raises DatabaseError for one that is not what was
    written, unless they are to be trusted."""
    order = "trial, number" if table == "epochs" else "rowid"
    where = "" if since < 0 else f"WHERE changed > {since}"
    cursor = connection.execute(f"SELECT * FROM {table} {where} ORDER BY {order}")
    names = [column[0] for column in cursor.description]
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        stored = row.pop("checksum", "")
        if stored and not trust and stored != checksum(row):
            raise sqlite3.DatabaseError(f"a row of its {table} is not what was written: {row}")
        yield row


def put(connection: sqlite3.Connection, table: str, columns: Columns) -> None:
    """Insert or replace one row, with its checksum."""
    row = {**columns, "checksum": checksum(columns)}
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def checksum(columns: Columns) -> str:
    """16 hex digits that change with any value of a row."""
    values = [plain(value) for _, value in sorted(columns.items())]
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def plain(value: Any) -> Any:
    """A value as SQLite gives it back: without the kind of a number or the sign of zero, and None for NaN."""
    if not isinstance(value, int | float):
        return value
    return None if value != value else float(value) + 0.0
