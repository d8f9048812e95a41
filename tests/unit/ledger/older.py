"""Ledgers of older schemas, with rows as the code of their time wrote them."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from src.ledger.columns import put
from src.ledger.history import History
from src.ledger.migrations import SCHEMAS
from src.ledger.objective import ACCURACY
from src.ledger.records import (
    Cause,
    Epoch,
    Evaluation,
    Failure,
    Invocation,
    Origin,
    Point,
    PointState,
    Probe,
    Role,
    Trial,
    TrialState,
)
from tests.unit.examples import file, trial_config

OLDER = range(1, len(SCHEMAS))
STORED = Path(__file__).parents[2] / "functional" / "stored" / "activations-mnist_5k-3b9dcfbe"
CONFIGURATION = trial_config("architecture=dnn", "architecture.units=[8]")
METRICS = {"loss": 1.0, "accuracy": 0.5, "val_loss": 0.25, "val_accuracy": 0.75, "learning_rate": 0.001}
FILE = {name: json.dumps({"path": f"checkpoints/{name}.npz", "sha256": "0" * 64}) for name in "abcde"}

# Rows as each of the older versions wrote them, in the columns of the last; those before it had fewer.
TRIAL: dict[str, Any] = {
    **{"repeat": 0, "seed": 7, "reason": "", "attempts": 1, "crashes": 0, "best_epoch": 0, "objective": None},
    **{"checkpoint": "null", "checkpoint_epoch": 0, "weights": "null", "run_id": "", "drift": ""},
    **{"validation": "null", "origin": ""},
}
RESULT = {"state": "finished", "best_epoch": 1, "objective": 0.75, "weights": FILE["a"], "validation": FILE["b"]}
POINT = {"reason": "", "parameters": 0, "operations": 0, "state_bytes": 0}
PLAIN = json.dumps(CONFIGURATION.identity())
ROWS: dict[str, list[dict[str, Any]]] = {
    "points": [
        {**POINT, "number": 1, "values": '{"a": [1]}', "configuration": PLAIN, "state": "feasible", "parameters": 10},
        {**POINT, "number": 2, "values": '{"a": [2]}', "configuration": '{"invalid": 2}', "state": "infeasible"},
        {**POINT, "number": 3, "values": '{"a": 1}', "configuration": PLAIN, "state": "duplicate"},
    ],
    "trials": [
        {**TRIAL, "number": 1, "point": 1, "role": "search", **RESULT, "reason": "early stopping: no better …"},
        {**TRIAL, "number": 2, "point": 1, "role": "confirm", **RESULT, "origin": "my trial 3 of many trial 12"},
        {**TRIAL, "number": 3, "point": 1, "role": "search", "state": "failed", "reason": "its end", "crashes": 3},
        {**TRIAL, "number": 4, "point": 1, "role": "search", "state": "pruned", "reason": "rung 1", "drift": "numpy …"},
        {**TRIAL, "number": 5, "point": 1, "role": "refit", "state": "interrupted", "checkpoint": FILE["c"]},
    ],
    "epochs": [
        {"trial": trial, "number": number, "metrics": json.dumps(METRICS), "seconds": 2.5, "ended": 10.0 * trial}
        for trial, number in ((1, 1), (1, 2), (2, 1))
    ],
    "probes": [{"point": 1, "operations": 20, "prepare": 0.5, "per_image": per_image} for per_image in (1e-4, 2e-4)],
    "evaluations": [
        {"trial": 1, "epoch": 1, "loss": 0.125, "accuracy": 0.875, "ended": 13.5}
        | {"predictions": FILE["d"], "model": FILE["e"]},
    ],
    "failures": [
        {"number": 1, "work": "train", "subject": 3, "kind": "crash", "message": "x", "traceback": "y", "time": 12.0},
        {"number": 2, "work": "check", "subject": 2, "kind": "disk", "message": "x", "traceback": "", "time": 13.0},
    ],
    "invocations": [
        {"number": 1, "started": 1.5, "ended": 14.0, "host": "höst", "pid": 7, "amounts": '{"search": {"repeats": 1}}'}
        | {"environment": '{"python": "3"}', "viewed": "where, and with what"},
    ],
}


def expected(version: int) -> History:
    """The records that these rows are; what a version did not know yet is empty."""

    def known(since: int, value: Any, before: Any = None) -> Any:
        return value if version >= since else before

    done = {"best_epoch": 1, "objective": 0.75, "weights": file("a"), "validation": known(3, file("b")), "attempts": 1}
    reason, origin = "early stopping: no better …", known(4, Origin("my trial 3 of many", 12))
    first = Trial(1, 1, Role.SEARCH, 0, 7, TrialState.FINISHED, reason, stopped_early=True, **done)
    first.epochs = [Epoch(number, METRICS, 2.5, 10.0) for number in (1, 2)]
    second = Trial(2, 1, Role.CONFIRM, 0, 7, TrialState.FINISHED, origin=origin, **done)
    second.epochs = [Epoch(1, METRICS, 2.5, 20.0)]
    third = Trial(3, 1, Role.SEARCH, 0, 7, TrialState.FAILED, "its end", attempts=1, crashes=3)
    fourth = Trial(4, 1, Role.SEARCH, 0, 7, TrialState.PRUNED, "rung 1", attempts=1, drift=known(2, "numpy …", ""))
    fifth = Trial(5, 1, Role.REFIT, 0, 7, TrialState.INTERRUPTED, attempts=1, checkpoint=file("c"))
    history = History(
        ACCURACY,
        [
            Point(1, {"a": [1]}, CONFIGURATION, PointState.FEASIBLE, "", 10),
            Point(2, {"a": [2]}, None, PointState.INFEASIBLE),
            Point(3, {"a": 1}, CONFIGURATION, PointState.DUPLICATE),
        ],
        [first, second, third, fourth, fifth],
        [Probe(1, 20, 0.5, 1e-4), Probe(1, 20, 0.5, 2e-4)],
        [Evaluation(1, 1, 0.125, 0.875, 13.5, known(2, file("d")), known(2, file("e")))],
        invocations=[Invocation(1, 1.5, 14.0, "höst", 7, {"search": {"repeats": 1}}, {"python": "3"})],
    )
    history.invocations[0].mirrored = "where, and with what"
    history.note_failure(Failure(1, "train", 3, Cause.CRASH, "x", "y", 12.0))
    history.note_failure(Failure(2, "check", 2, Cause.DISK, "x", "", 13.0))
    return history


def make_older(folder: Path, version: int) -> Path:
    """A ledger as a version left it: its tables, its columns, its checksums where it had any."""
    folder.mkdir(exist_ok=True)
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as connection:
        connection.executescript("".join(SCHEMAS[:version]))
        connection.execute("BEGIN")
        for table, rows in ROWS.items():
            names = columns_of(connection, table)
            for row in rows:
                written = {name: value for name, value in row.items() if name in names}
                if "checksum" in names:
                    put(connection, table, written)
                else:
                    insert(connection, table, written)
        connection.execute(f"PRAGMA user_version={version}")
        connection.execute("COMMIT")
    return folder


def insert(connection: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """As before rows had checksums."""
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """Their names."""
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def version_of(folder: Path) -> int:
    """Of a ledger's schema."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def dump(folder: Path) -> list[str]:
    """Everything in a ledger, as SQL, and its version."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        return [*connection.iterdump(), str(version_of(folder))]
