"""The ledger's schema, version by version."""

import sqlite3
from pathlib import Path

from src.base.errors import UserError
from src.ledger.columns import TABLES, put, select

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
    """
ALTER TABLE failures RENAME COLUMN work TO job;
ALTER TABLE failures RENAME COLUMN kind TO cause;
ALTER TABLE invocations RENAME COLUMN amounts TO budget;
ALTER TABLE invocations RENAME COLUMN viewed TO mirrored;
ALTER TABLE trials ADD COLUMN stopped_early INTEGER DEFAULT 0;
ALTER TABLE trials ADD COLUMN fold INTEGER;
ALTER TABLE trials ADD COLUMN partition INTEGER;
ALTER TABLE trials ADD COLUMN threads TEXT DEFAULT '[]';
ALTER TABLE points ADD COLUMN changed INTEGER DEFAULT 0;
ALTER TABLE trials ADD COLUMN changed INTEGER DEFAULT 0;
ALTER TABLE epochs ADD COLUMN changed INTEGER DEFAULT 0;
ALTER TABLE probes ADD COLUMN changed INTEGER DEFAULT 0;
ALTER TABLE evaluations ADD COLUMN changed INTEGER DEFAULT 0;
ALTER TABLE failures ADD COLUMN changed INTEGER DEFAULT 0;
ALTER TABLE invocations ADD COLUMN changed INTEGER DEFAULT 0;
UPDATE points SET configuration = 'null' WHERE json_extract(configuration, '$.invalid') IS NOT NULL;
UPDATE trials SET stopped_early = 1 WHERE state = 'finished' AND reason != '';
UPDATE trials SET origin = CASE WHEN instr(origin, ' trial ') = 0 THEN 'null' ELSE json_object(
    'sweep', substr(origin, 1, length(rtrim(origin, '0123456789')) - 7),
    'trial', CAST(substr(origin, length(rtrim(origin, '0123456789')) + 1) AS INTEGER)) END;
""",
]
DAMAGES = (sqlite3.DatabaseError, UnicodeDecodeError)  # what reading a damaged database raises


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a new or older ledger to today's schema, in one transaction. Raises UserError for one of a later version,
    DatabaseError where its rows are not what was written."""
    before = check_version(connection, path)
    if before == len(SCHEMAS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if before:
            verify(connection)
        for statement in ";".join(SCHEMAS[before:]).split(";"):
            connection.execute(statement)
        if before:
            seal(connection)
        connection.execute(f"PRAGMA user_version={len(SCHEMAS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def verify(connection: sqlite3.Connection) -> None:
    """Raises DatabaseError for a row whose checksum says that it is not what was written."""
    for table in TABLES.values():
        for _ in select(connection, table):
            pass


def seal(connection: sqlite3.Connection) -> None:
    """Give every row the checksum of what a migration made of it; rows without a key are written anew."""
    for table in TABLES.values():
        rows = list(select(connection, table, trust=True))
        connection.execute(f"DELETE FROM {table}")
        for row in rows:
            put(connection, table, row)


def check_version(connection: sqlite3.Connection, path: Path) -> int:
    """The schema's version; 0 for an empty file. Raises UserError for a later one than ours, DatabaseError for damage."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)
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
