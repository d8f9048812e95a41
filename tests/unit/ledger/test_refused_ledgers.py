"""A ledger that cannot be read as one is refused with a sentence, and left as it is."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from src.base.errors import UserError
from src.ledger.database import Ledger, read_history
from src.ledger.migrations import SCHEMAS
from src.ledger.objective import ACCURACY
from tests.unit.ledger.test_database import EVENTS


def open_and_close(folder: Path) -> None:
    """As a sweep does."""
    Ledger.open(folder, ACCURACY).close()


def read(folder: Path) -> None:
    """As the reading entries do."""
    read_history(folder, ACCURACY)


def preview(folder: Path) -> None:
    """As a preview does."""
    Ledger.in_memory(folder, ACCURACY).close()


@pytest.mark.parametrize("action", [open_and_close, preview, read])
def test_a_later_schema_is_refused(tmp_path: Path, action: Callable[[Path], None]) -> None:
    """A ledger of a later version is left as it is, and the message says to update."""
    open_and_close(tmp_path)
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute(f"PRAGMA user_version={len(SCHEMAS) + 1}")
    connection.close()
    before = (tmp_path / "ledger.db").read_bytes()
    with pytest.raises(UserError, match="later version"):
        action(tmp_path)
    assert (tmp_path / "ledger.db").read_bytes() == before


@pytest.mark.parametrize("action", [open_and_close, read, preview])
@pytest.mark.parametrize("content", [b"no database, but long enough to be looked at\n" * 40])
def test_what_is_no_database_is_refused(tmp_path: Path, action: Callable[[Path], None], content: bytes) -> None:
    """A file that is no ledger is named and left as it is."""
    (tmp_path / "ledger.db").write_bytes(content)
    with pytest.raises(UserError, match=r"ledger\.db cannot be read"):
        action(tmp_path)
    assert (tmp_path / "ledger.db").read_bytes() == content


def test_reading_does_not_create(tmp_path: Path) -> None:
    """Reading a sweep without a ledger is an error that leaves no file."""
    with pytest.raises(UserError, match=r"ledger\.db cannot be used"):
        read(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM points WHERE number = 1",
        "DELETE FROM trials WHERE number = 1",
        "DELETE FROM epochs WHERE number = 1",
        "UPDATE trials SET state = 'sleeping', checksum = ''",
        "UPDATE trials SET checkpoint = '{}', checksum = ''",
        "UPDATE points SET configuration = '{\"a\": 1}', checksum = ''",
        "UPDATE invocations SET budget = 'many', checksum = ''",
        "UPDATE epochs SET trial = trial + 90, checksum = ''",
        "UPDATE failures SET cause = 'bad luck', checksum = ''",
    ],
)
def test_records_that_cannot_be_are_refused(ledger: Ledger, tmp_path: Path, spoil: str) -> None:
    """Rows that are missing in between, or hold what no record can, are damage that is named, not a traceback."""
    for event in EVENTS:
        ledger.save(event)
    ledger.connection.execute(spoil)
    ledger.close()
    before = (tmp_path / "ledger.db").read_bytes()
    for action in (read, open_and_close, preview):
        with pytest.raises(UserError, match=r"ledger\.db cannot be read as a sweep's ledger"):
            action(tmp_path)
    assert (tmp_path / "ledger.db").read_bytes() == before
