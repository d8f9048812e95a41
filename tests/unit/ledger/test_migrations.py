"""Ledgers of every older schema are read as what they say, brought to the newest one in one step, or left alone."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from src.base.errors import UserError
from src.base.hashing import fingerprint
from src.ledger import migrations
from src.ledger.columns import TABLES, checksum, put
from src.ledger.database import Ledger, load_history, read_history
from src.ledger.events import EpochEnded, Finished, Started
from src.ledger.migrations import SCHEMAS, migrate
from src.ledger.objective import ACCURACY
from src.ledger.records import (
    Epoch,
    Role,
    TrialState,
)
from tests.unit.examples import file
from tests.unit.ledger.older import METRICS, OLDER, ROWS, STORED, columns_of, dump, expected, make_older, version_of

# ------------------------------------------------------------------------------------------- schemas


def test_older_schemas_stay() -> None:
    """What has brought ledgers to a version is never changed: those that exist would differ from new ones."""
    assert fingerprint(SCHEMAS[:4]) == "a71cda9fb510f48ac6616d26ffc148f4b45284dddefb07a9d6f860c64b238b26"


@pytest.mark.parametrize("version", OLDER)
def test_an_older_ledger_gets_the_tables_of_a_new_one(tmp_path: Path, version: int) -> None:
    """The same columns of the same types with the same defaults, whichever version a ledger began with."""

    def tables(folder: Path) -> dict[str, set[Any]]:
        with closing(sqlite3.connect(folder / "ledger.db")) as connection:
            return {t: {row[1:] for row in connection.execute(f"PRAGMA table_info({t})")} for t in TABLES.values()}

    for folder in (make_older(tmp_path / "old", version), tmp_path / "new"):
        folder.mkdir(exist_ok=True)
        Ledger.open(folder, ACCURACY).close()
    assert tables(tmp_path / "old") == tables(tmp_path / "new")


# ------------------------------------------------------------------------------------------- records


@pytest.mark.parametrize("version", OLDER)
def test_an_older_ledger_is_brought_to_the_newest(tmp_path: Path, version: int) -> None:
    """Opening gives the records that its rows are, once and again, and everything of today can be written beside them."""
    make_older(tmp_path, version)
    for _ in range(2):
        ledger = Ledger.open(tmp_path, ACCURACY)
        assert ledger.history == expected(version) and ledger.counter == 0
        ledger.close()
        assert version_of(tmp_path) == len(SCHEMAS)
    ledger = Ledger.open(tmp_path, ACCURACY)
    for event in (
        Started(5, 2),
        EpochEnded(5, Epoch(1, METRICS, 2.5, 99.0), None),
        Finished(5, file("f"), True, "early"),
    ):
        ledger.save(event)
    ledger.close()
    assert read_history(tmp_path, ACCURACY) == ledger.history and ledger.history.trial(5).stopped_early


@pytest.mark.parametrize("version", OLDER)
def test_every_row_has_a_checksum_afterwards(tmp_path: Path, version: int) -> None:
    """Of what the migration made of it, so that damage is known from then on."""
    make_older(tmp_path, version)
    Ledger.open(tmp_path, ACCURACY).close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        for table in TABLES.values():
            names = columns_of(connection, table)
            rows = [dict(zip(names, row, strict=True)) for row in connection.execute(f"SELECT * FROM {table}")]
            assert len(rows) == len(ROWS[table])
            assert all(row.pop("checksum") == checksum(row) for row in rows)


@pytest.mark.parametrize("version", OLDER)
def test_reading_leaves_an_older_ledger_as_it_is(tmp_path: Path, version: int) -> None:
    """Reading and previewing give the same records, and neither changes the file nor leaves another."""
    make_older(tmp_path, version)
    before = (tmp_path / "ledger.db").read_bytes()
    assert read_history(tmp_path, ACCURACY) == expected(version)
    preview = Ledger.in_memory(tmp_path, ACCURACY)
    assert preview.history == expected(version)
    preview.save(Started(5, 2))  # its tables, in memory, are the newest
    preview.close()
    assert (tmp_path / "ledger.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]


def test_a_real_ledger_of_the_first_version(tmp_path: Path) -> None:
    """The one that was kept: every point has its configuration, every trial its epochs, and nothing was stopped early."""
    folder = shutil.copytree(STORED, tmp_path / "sweep")
    read = read_history(folder, ACCURACY)
    ledger = Ledger.open(folder, ACCURACY)
    assert ledger.history == read and version_of(folder) == len(SCHEMAS)
    assert all(point.configuration for point in read.points) and all(trial.epochs for trial in read.trials)
    assert {(trial.role, trial.state, trial.stopped_early) for trial in read.trials} == {
        (Role.SEARCH, TrialState.FINISHED, False)
    }
    ledger.close()


# -------------------------------------------------------------------------------- damage, interruptions


@pytest.mark.parametrize("version", OLDER[1:])
@pytest.mark.parametrize("table", ROWS)
def test_a_damaged_row_is_refused(tmp_path: Path, version: int, table: str) -> None:
    """What was changed behind an older version's back is not given a new checksum, and the file stays as it is."""
    make_older(tmp_path, version)
    name = next(name for name, value in ROWS[table][0].items() if isinstance(value, float | str))
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        last = "trial = 2" if table == "epochs" else "rowid = 1"
        connection.execute(f'UPDATE {table} SET "{name}" = 17 WHERE {last}')
    before = dump(tmp_path)
    for action in (read, open_and_close, preview):
        with pytest.raises(UserError, match=f"a row of its {table} is not what was written"):
            action(tmp_path)
    assert dump(tmp_path) == before


def read(folder: Path) -> None:
    """As the reading entries do."""
    read_history(folder, ACCURACY)


def open_and_close(folder: Path) -> None:
    """As a sweep does."""
    Ledger.open(folder, ACCURACY).close()


def preview(folder: Path) -> None:
    """As a preview does."""
    Ledger.in_memory(folder, ACCURACY).close()


@pytest.mark.parametrize("version", OLDER)
@pytest.mark.parametrize("rows", [0, 1, 8, 15])
def test_an_end_in_the_middle_leaves_the_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int, rows: int
) -> None:
    """Whatever ends a migration after so many rows, the ledger is that of before; the next one begins anew."""
    make_older(tmp_path, version)
    before = dump(tmp_path)
    written: list[dict[str, Any]] = []

    def put_some(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
        if len(written) == rows:
            raise KeyboardInterrupt
        written.append(row)
        put(connection, table, row)

    monkeypatch.setattr(migrations, "put", put_some)
    with pytest.raises(KeyboardInterrupt):
        Ledger.open(tmp_path, ACCURACY)
    assert dump(tmp_path) == before and len(written) == rows
    monkeypatch.undo()
    Ledger.open(tmp_path, ACCURACY).close()
    assert read_history(tmp_path, ACCURACY) == expected(version)


def test_a_migration_is_one_transaction(tmp_path: Path) -> None:
    """A reader beside it sees the old ledger until the new one is whole."""
    make_older(tmp_path, 1)
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        seen: list[int] = []
        connection.execute("PRAGMA journal_mode=WAL")
        connection.set_trace_callback(lambda _: seen.append(version_of(tmp_path)))
        migrate(connection, tmp_path / "ledger.db")
        connection.set_trace_callback(None)
        assert len(seen) > 50 and set(seen) == {1}
        assert load_history(connection, ACCURACY) == expected(1) and version_of(tmp_path) == len(SCHEMAS)
