"""Records come back from their rows to the last bit and type; a row that was changed is known."""

import json
import sqlite3
from typing import Any

import pytest

from src.ledger.columns import TABLES, checksum, from_columns, put, select, to_row
from src.ledger.migrations import SCHEMAS
from src.ledger.records import (
    Cause,
    Epoch,
    Evaluation,
    Failure,
    File,
    Invocation,
    Origin,
    Point,
    PointState,
    Probe,
    Record,
    Role,
    Trial,
    TrialState,
)
from tests.unit.examples import epoch, file, trial_config

FULL = Trial(
    3,
    2,
    Role.CONFIRM,
    1,
    2**31 - 1,
    TrialState.FINISHED,
    "early stopping: …",
    stopped_early=True,
    attempts=2,
    crashes=1,
    best_epoch=4,
    objective=0.1 + 0.2,
    checkpoint=file("a"),
    checkpoint_epoch=4,
    weights=file("b"),
    validation=file("c"),
    run_id="abc",
    drift="numpy 1 → 2",
    origin=Origin("öther", 7),
    fold=0,
    partition=3,
    threads=[[1, 1], [3, 2]],
)
RECORDS: list[Record] = [
    Point(1, {"kernel": 3, "rate": 1e-7, "filters": [8, 16], "pool": None, "norm": True}, trial_config()),
    Point(2, {}, None, PointState.INFEASIBLE, "block1: a 'quoted' reason\n", 10, 2**40, 30),
    Trial(1, 1, Role.SEARCH, 0, 1),
    FULL,
    (FULL, Epoch(5, {"loss": 1 / 3, "val_accuracy": 0.1 + 0.2}, 2.5, 1e9 + 1 / 3)),
    Probe(1, 20, 0.5, 1e-4),
    Evaluation(1, 2, 0.1, 0.9, 12.5),
    Evaluation(1, 2, 1 / 3, 1.0, 12.5, file("predictions"), file("model")),
    Failure(1, "train", 3, Cause.CRASH, "its end", "Traceback …", 12.5),
    Invocation(1, 1.5, 2.5, "höst", 7, {"search": {"max_trials": None}}, {"python": "3"}, "revision"),
]


@pytest.fixture
def connection() -> sqlite3.Connection:
    """The tables of a ledger, empty."""
    opened = sqlite3.connect(":memory:", isolation_level=None)
    opened.executescript("".join(SCHEMAS))
    return opened


def store(connection: sqlite3.Connection, record: Record, changed: int = 1) -> str:
    """Write one record; its table."""
    table, columns = to_row(record)
    put(connection, table, {**columns, "changed": changed})
    return table


def test_every_kind_of_record_is_here() -> None:
    """The list above holds each of them that has a table."""
    assert {Epoch if isinstance(record, tuple) else type(record) for record in RECORDS} == set(TABLES)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back(connection: sqlite3.Connection, record: Record) -> None:
    """Through its table, as it was, its enumerations, files and configuration as what they are."""
    (row,) = select(connection, store(connection, record))
    wanted = record[1] if isinstance(record, tuple) else record
    assert repr(from_columns(type(wanted), row)) == repr(wanted)


def test_what_is_stored_of_a_trial() -> None:
    """Words and numbers as they are, files and lists as JSON: not what their classes are called."""
    assert to_row(FULL) == (
        "trials",
        {
            **{"number": 3, "point": 2, "role": "confirm", "repeat": 1, "seed": 2**31 - 1, "state": "finished"},
            **{"reason": "early stopping: …", "stopped_early": True, "attempts": 2, "crashes": 1, "best_epoch": 4},
            **{"objective": 0.1 + 0.2, "checkpoint": json.dumps({"path": "checkpoints/a.npz", "sha256": "0" * 64})},
            **{"checkpoint_epoch": 4, "weights": json.dumps({"path": "checkpoints/b.npz", "sha256": "0" * 64})},
            **{"validation": json.dumps({"path": "checkpoints/c.npz", "sha256": "0" * 64}), "run_id": "abc"},
            **{"drift": "numpy 1 → 2", "origin": '{"sweep": "\\u00f6ther", "trial": 7}', "fold": 0, "partition": 3},
            "threads": "[[1, 1], [3, 2]]",
        },
    )
    assert all(type(value) in (int, float, str, bool) for value in to_row(FULL)[1].values())


def test_what_is_not_there_is_null() -> None:
    """SQL's null, or JSON's, which older ledgers have: both are read as nothing."""
    _, trial = to_row(Trial(1, 1, Role.SEARCH, 0, 1))
    absent = ("objective", "checkpoint", "weights", "validation", "origin", "fold", "partition")
    assert {name: trial[name] for name in absent} == dict.fromkeys(absent)
    old = {**trial, **dict.fromkeys(("checkpoint", "weights", "validation", "origin"), "null")}
    assert from_columns(Trial, old) == from_columns(Trial, trial) == Trial(1, 1, Role.SEARCH, 0, 1)
    _, point = to_row(Point(2, {}, None))
    assert from_columns(Point, {**point, "configuration": "null"}) == from_columns(Point, point) == Point(2, {}, None)


def test_a_configuration_is_stored_as_before() -> None:
    """Every key in its place, but for those of a later version, so that rows of then are equal to rows of now."""
    stored = (
        '{"architecture": {"name": "dnn", "units": [8], "input_dropout": 0.0, "dropout": [0.0], "batch_norm": false, '
        '"head": "softmax"}, "activation": {"name": "tanh"}, "optimizer": {"learning_rate": 0.001, '
        '"weight_decay": null, "name": "adam", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": false}, '
        '"schedule": {"name": "constant", "warmup_epochs": 0}, "training": {"batch_size": 64, "threads": 1, '
        '"precision": "float32", "early_stopping": {"patience": null, "min_delta": 0.0}, "reduce_lr": '
        '{"patience": null, "factor": 0.5, "min_delta": 0.0, "min_lr": 0.0}}}'
    )
    point = Point(1, {}, trial_config("architecture=dnn", "architecture.units=[8]", "activation=tanh"))
    _, columns = to_row(point)
    assert columns["configuration"] == stored
    assert from_columns(Point, columns) == point


# ------------------------------------------------------------------------------------------ checksums


@pytest.mark.parametrize(
    ("written", "read"),
    [(1, 1.0), (True, 1), (-0.0, 0.0), (float("nan"), None), (2**60, float(2**60)), ("ö", "ö"), (None, None)],
)
def test_a_checksum_does_not_depend_on_how_sqlite_gives_a_value(written: Any, read: Any) -> None:
    """SQLite knows no booleans, no NaN and no negative zero, and keeps whole numbers as such or not."""
    assert checksum({"a": written, "b": 2}) == checksum({"b": 2, "a": read})


@pytest.mark.parametrize("other", [{"a": 2, "b": "x"}, {"a": 1, "b": "y"}, {"a": 1}, {"a": "1", "b": "x"}, {"a": None}])
def test_a_checksum_changes_with_any_value(other: dict[str, Any]) -> None:
    """Numbers, words, and what is missing."""
    assert checksum(other) != checksum({"a": 1, "b": "x"})


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_changed_row_is_known(connection: sqlite3.Connection, record: Record) -> None:
    """Whichever column was changed behind our back, its row is refused, with its table; unless it is to be trusted."""
    table = store(connection, record)
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    for name in names:
        if name != "checksum":
            connection.execute("SAVEPOINT before")
            connection.execute(f'UPDATE {table} SET "{name}" = 17')
            with pytest.raises(sqlite3.DatabaseError, match=f"a row of its {table} is not what was written"):
                list(select(connection, table))
            assert len(list(select(connection, table, trust=True))) == 1
            connection.execute("ROLLBACK TO before")


def test_a_row_without_a_checksum_is_taken(connection: sqlite3.Connection) -> None:
    """The first ledgers had none."""
    table = store(connection, RECORDS[2])
    connection.execute("UPDATE trials SET checksum = '', seed = 5")
    assert [row["seed"] for row in select(connection, table)] == [5]


# ------------------------------------------------------------------------------------------- changes


def test_only_what_changed_since_is_read(connection: sqlite3.Connection) -> None:
    """Rows come in the order of their numbers, epochs by trial; of all, those that were written after a moment."""
    for number in (2, 1, 3):
        store(connection, Trial(number, 1, Role.SEARCH, 0, 1), changed=10 - number)
    for trial, number, changed in ((2, 1, 4), (1, 2, 5), (1, 1, 6)):
        store(connection, (Trial(trial, 1, Role.SEARCH, 0, 1), epoch(number)), changed)
    assert [row["number"] for row in select(connection, "trials")] == [1, 2, 3]
    assert [row["number"] for row in select(connection, "trials", since=7)] == [1, 2]
    assert [(row["trial"], row["number"]) for row in select(connection, "epochs")] == [(1, 1), (1, 2), (2, 1)]
    assert [(row["trial"], row["number"]) for row in select(connection, "epochs", since=4)] == [(1, 1), (1, 2)]


def test_a_row_is_replaced(connection: sqlite3.Connection) -> None:
    """A record that is written again stands in the place of the one before."""
    for state in (TrialState.WAITING, TrialState.RUNNING):
        store(connection, Trial(1, 1, Role.SEARCH, 0, 1, state))
    assert [row["state"] for row in select(connection, "trials")] == ["running"]


def test_files_are_read_as_files(connection: sqlite3.Connection) -> None:
    """A path and its checksum, which tell what a worker wrote."""
    (row,) = select(connection, store(connection, FULL))
    assert from_columns(Trial, row).checkpoint == File("checkpoints/a.npz", "0" * 64)
