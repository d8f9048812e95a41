"""Sweeps that were killed half-way by the code of their own time go on: what they had stays, what is new has known bits.

`stored/schema1` to `schema4` hold sweeps whose ledgers have that schema, as a SIGKILL of all their processes left them:
with points, trials, failures and files of every kind that the code of their time knew. `expected.json` beside them has
the command that goes on and all that came of it when the trial code was last raised: `python -m
tests.functional.test_older_schemas` writes it anew, after that alone. `stored/README.md` says how each was made. Nothing
of `src` is imported here, so that what is compared does not change with it.
"""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

PROJECT = Path(__file__).resolve().parents[2]
STORED = Path(__file__).with_name("stored")
CASES = sorted((path.parent.parent.name, path.parent.name) for path in STORED.glob("schema*/*/ledger.db"))
FLAGS = {"avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile", "amx_bf16", "amx_int8", "avx_vnni"}
PACKAGES = ("tensorflow", "keras", "numpy", "keras-tuner", "optuna", "scikit-learn", "scipy")
TAKEN = "SELECT number, origin, drift FROM trials ORDER BY number"
ENDED = {"finished", "failed", "pruned"}

Case = tuple[str, str]  # schema<N>, the sweep's name
Result = dict[str, Any]
Run = tuple[subprocess.CompletedProcess[str], Result, Result]  # the command; the ledger before it and after


def here() -> Result:
    """What bits depend on besides the code: processor and versions."""
    text = Path("/proc/cpuinfo").read_text()
    model, flags = (re.search(rf"{name}\s*:\s*(.+)", text) for name in ("model name", "flags"))
    caches = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    return {
        "model name": model[1].strip() if model else "",
        "flags": sorted(FLAGS & set(flags[1].split())) if flags else [],
        "caches": [
            " ".join((path / name).read_text().strip() for name in ("level", "type", "size")) for path in caches
        ],
        "gpus": len(list(Path("/proc/driver/nvidia/gpus").glob("*"))),
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }


def expectations(schema: str) -> Result:
    """Where the results of a schema's sweeps were recorded, the commands that go on, and what came of them."""
    found: Result = json.loads((STORED / schema / "expected.json").read_text())
    return found


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the project's commands, to its end, without what this process' environment may say to it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "TF_"))}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=PROJECT, env=kept, capture_output=True, text=True, timeout=280)


def select(folder: Path, query: str) -> list[list[Any]]:
    """Rows of a ledger, which is not changed by that."""
    with closing(sqlite3.connect(f"{(folder / 'ledger.db').resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return [list(row) for row in connection.execute(query)]


def version_of(folder: Path) -> int:
    """The schema of a ledger."""
    return int(select(folder, "PRAGMA user_version")[0][0])


def digests(folder: Path, column: str) -> dict[str, str]:
    """By trial: 64 hex digits of the names and bytes of all arrays in the file that a column names, if there is one."""
    found: dict[str, str] = {}
    if column not in (name for _, name, *_ in select(folder, "PRAGMA table_info(trials)")):
        return found
    for number, text in select(folder, f"SELECT number, {column} FROM trials ORDER BY number"):
        if file := json.loads(text or "null"):
            sha = hashlib.sha256()
            with np.load(folder / file["path"], allow_pickle=False) as arrays:
                for name in sorted(arrays.files):
                    sha.update(name.encode() + arrays[name].tobytes())
            found[str(number)] = sha.hexdigest()
    return found


def rows_of(folder: Path) -> Result:
    """The points and trials of a ledger of any schema."""
    points = select(folder, 'SELECT number, "values", state, reason FROM points ORDER BY number')
    columns = "number, point, role, repeat, seed, state, reason, best_epoch, objective"
    return {
        "points": [[number, json.loads(values), *others] for number, values, *others in points],
        "trials": select(folder, f"SELECT {columns} FROM trials ORDER BY number"),
    }


def results_of(folder: Path) -> Result:
    """All that must be equal after a sweep has gone on."""
    epochs = select(folder, "SELECT trial, number, metrics FROM epochs ORDER BY trial, number")
    return rows_of(folder) | {
        "taken and drifted": [[n, taken_from(origin), drift] for n, origin, drift in select(folder, TAKEN)],
        "epochs": [[trial, number, json.loads(metrics)] for trial, number, metrics in epochs],
        "weights": digests(folder, "weights"),
        "validation": digests(folder, "validation"),
        "evaluations": select(folder, "SELECT trial, epoch, loss, accuracy FROM evaluations ORDER BY rowid"),
        "failures": select(folder, "SELECT number, subject, cause FROM failures ORDER BY number"),
    }


def held_by(folder: Path) -> Result:
    """The points and trials of a ledger, and the digests of what it has of each trial."""
    return rows_of(folder) | {column: digests(folder, column) for column in ("weights", "validation")}


def taken_from(origin: str | None) -> str:
    """An origin as it was written up to schema 4."""
    found = json.loads(origin or "null")
    return f"{found['sweep']} trial {found['trial']}" if found else ""


def go_on(schema: str, name: str, sweeps: Path) -> Run:
    """Copies of a stored sweep and of those that it takes results from; its command, to its end."""
    expected = expectations(schema)
    sweep = expected["sweeps"][name]
    for each in (name, *sweep["beside"]):
        shutil.copytree(STORED / schema / each, sweeps / each)
    before = held_by(sweeps / name)
    places = {"{images}": str(STORED / "images.npz"), "{sweeps}": str(sweeps)}
    overrides = [re.sub(r"\{images\}|\{sweeps\}", lambda found: places[found[0]], word) for word in sweep["overrides"]]
    overrides.append("resume.allow_drift=true")
    result = run("src.sweep", *overrides)
    return result, before, results_of(sweeps / name) if result.returncode == 0 else {}


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Case, Future[Run]]]:
    """The stored sweeps that are asked for, on their way to their ends, two at a time."""
    asked = {item.name for item in request.session.items}
    cases = [case for case in CASES if f"test_goes_on[{'-'.join(case)}]" in asked]
    with ThreadPoolExecutor(2) as pool:
        yield {case: pool.submit(go_on, *case, tmp_path_factory.mktemp("sweeps")) for case in cases}


@pytest.mark.parametrize(("schema", "name"), CASES)
def test_is_read(schema: str, name: str, tmp_path: Path) -> None:
    """A ledger of an older schema can be looked at, and stays as it is."""
    shutil.copytree(STORED / schema / name, tmp_path / name)
    before = (tmp_path / name / "ledger.db").read_bytes()
    result = run("src.compare", name, "--sweeps", str(tmp_path), "--format", "json")
    assert result.returncode == 0, result.stderr
    numbers = sorted(row["trial"] for row in json.loads(result.stdout))
    assert numbers == [number for number, *_ in rows_of(tmp_path / name)["trials"]]
    assert version_of(tmp_path / name) == int(schema.removeprefix("schema"))
    assert (tmp_path / name / "ledger.db").read_bytes() == before


@pytest.mark.parametrize(("schema", "name"), CASES)
def test_goes_on(schema: str, name: str, runs: dict[Case, Future[Run]]) -> None:
    """The command of its time brings a sweep to its end: what had finished is as it was, and the rest has the bits that
    it had when they were recorded."""
    result, before, after = runs[schema, name].result()
    assert result.returncode == 0, result.stdout + result.stderr
    assert "(going on)" in result.stdout
    assert after["points"][: len(before["points"])] == before["points"]
    assert [trial[:5] for trial in after["trials"]][: len(before["trials"])] == [t[:5] for t in before["trials"]]
    assert {trial[5] for trial in after["trials"]} <= ENDED
    same = {str(trial[0]) for trial in after["trials"] if trial in before["trials"] and trial[5] == "finished"}
    for column in ("weights", "validation"):
        kept = {number: found for number, found in after[column].items() if number in same & before[column].keys()}
        assert kept.items() <= before[column].items(), f"other {column} of trials that had finished"
    expected = expectations(schema)
    if here() != expected["recorded on"]:
        pytest.skip(
            "it went on and ended, but the bits to compare with are those of another processor, or other versions"
        )
    for part, value in expected["sweeps"][name]["results"].items():
        assert after[part] == value, f"other {part} than recorded"


def record() -> None:
    """Write down what comes of all stored sweeps with the code as it is."""
    for schema in sorted({schema for schema, _ in CASES}):
        expected = expectations(schema) | {"recorded on": here()}
        for name, sweep in expected["sweeps"].items():
            with TemporaryDirectory() as folder:
                result, _, after = go_on(schema, name, Path(folder))
            assert result.returncode == 0, result.stderr
            sweep["results"] = after
        (STORED / schema / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    record()
