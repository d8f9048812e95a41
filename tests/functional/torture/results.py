"""What a sweep came to, and how it differs from one that nobody killed."""

import sqlite3
from pathlib import Path
from typing import Any

from src.ledger.database import read_history
from src.ledger.files import read_arrays
from src.ledger.sweep_folder import list_sweeps, open_sweep
from tests.functional.torture.sweeps import Arena

Result = dict[str, Any]


def result_of(folder: Path) -> Result:
    """All that must be equal: points, trials, every metric of every epoch, final weights, winner, test."""
    (path,) = list_sweeps(folder / "sweeps")
    history = read_history(path, open_sweep(path).objective)
    weights = {t.number: read_arrays(path, t.weights) for t in history.trials if t.weights}
    validation = {t.number: read_arrays(path, t.validation) for t in history.trials if t.validation}
    return {
        "points": [(p.number, p.values, p.state) for p in history.points],
        "trials": [(t.number, t.point, t.role, t.seed, t.state, t.reason, t.best_epoch) for t in history.trials],
        "metrics": [[(e.number, e.metrics) for e in t.epochs] for t in history.trials],
        "weights": {n: {k: a.tobytes() for k, a in arrays.items()} for n, arrays in weights.items()},
        "validation": {n: {k: a.tobytes() for k, a in arrays.items()} for n, arrays in validation.items()},
        "test": [(e.trial, e.epoch, e.loss, e.accuracy) for e in history.evaluations],
        "in MLflow": [bool(t.run_id) for t in history.trials],
        "files": sorted(file.name for file in (path / "models").iterdir()),
    }


def compare(arena: Arena, folder: Path, expected: Result) -> None:
    """What differs from the sweep that nobody killed, and what is wrong in MLflow."""
    try:
        found = result_of(folder)
    except Exception as error:
        arena.found(f"unreadable: {error}")
        return
    numbers = [trial[0] for trial in found["trials"]]
    arena.found("trials lost", max(len(expected["trials"]) - len(set(numbers)), 0))
    arena.found("trials duplicated", len(numbers) - len(set(numbers)))
    for key in expected:
        arena.found(f"other {key}", int(found[key] != expected[key]))
    inspect_mlflow(arena, folder)


def inspect_mlflow(arena: Arena, folder: Path) -> None:
    """Looked at in the database itself, to be quick."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as connection:

        def number(query: str) -> int:
            return int(connection.execute(query).fetchone()[0])

        trials = len(result_of(folder)["trials"])
        arena.found("MLflow runs missing", max(trials + 1 - number("SELECT count(*) FROM runs"), 0))
        arena.found("MLflow runs too many", max(number("SELECT count(*) FROM runs") - trials - 1, 0))
        arena.found("MLflow runs left open", number("SELECT count(*) FROM runs WHERE status != 'FINISHED'"))
        twice = "SELECT count(*) FROM (SELECT 1 FROM metrics GROUP BY run_uuid, key, step HAVING count(*) > 1)"
        arena.found("MLflow points twice", number(twice))
    connection.close()
