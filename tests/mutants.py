"""Do the unit tests notice small faults? Random mutants of the core modules, by Cosmic Ray, in a copy of the project.

    python -m tests.mutants                                 60 mutants, half an hour and more
    python -m tests.mutants --count 20 --module src/search/budget.py

A mutant has one comparison, boolean, sum, product or number changed. It is killed when a test of its module fails or
does not end; those that survive are printed with their change.
"""

import random
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[1]
CORE = {  # modules, and the tests that should notice
    "src/search/budget.py": "tests/unit/search",
    "src/search/constraints.py": "tests/unit/search/test_constraints.py",
    "src/search/index.py": "tests/unit/search",
    "src/search/points.py": "tests/unit/search",
    "src/search/proposals.py": "tests/unit/search",
    "src/search/pruners.py": "tests/unit/search",
    "src/search/rungs.py": "tests/unit/search",
    "src/search/schedule.py": "tests/unit/search",
    "src/search/space.py": "tests/unit/search",
    "src/analysis/contrasts.py": "tests/unit/analysis/test_contrasts.py",
    "src/analysis/ranking.py": "tests/unit/analysis/test_ranking.py tests/unit/search/test_index.py",
    "src/ledger/columns.py": "tests/unit/ledger",
    "src/ledger/database.py": "tests/unit/ledger",
    "src/ledger/history.py": "tests/unit/ledger",
    "src/execution/coordinator.py": "tests/unit/execution/test_coordinator.py",
    "src/execution/reuse.py": "tests/unit/execution/test_reuse.py tests/unit/execution/test_reuse_in_part.py",
}
OPERATORS = re.compile(
    r"core/(ReplaceComparisonOperator_(Lt|LtE|Gt|GtE|Eq|NotEq)_(Lt|LtE|Gt|GtE|Eq|NotEq)|NumberReplacer|ReplaceTrueWithFalse|ReplaceFalseWithTrue|AddNot"
    r"|ReplaceAndWithOr|ReplaceOrWithAnd|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Add|FloorDiv_Mul|Div_Mul|Mod_Mul))"
)
TIMEOUT = 300  # seconds of a mutant's tests, after which it counts as noticed


def main(
    count: Annotated[int, typer.Option(help="Mutants in all.")] = 60,
    module: Annotated[list[str] | None, typer.Option(help="Only of these modules.")] = None,
    seed: Annotated[int, typer.Option(help="Of the choice.")] = 0,
) -> None:
    """Choose mutants, run the tests of each, and print how many were killed. Exits with 1 below nine of ten."""
    modules = module or list(CORE)
    with TemporaryDirectory() as folder:
        copy = copy_project(Path(folder) / "project")
        sessions = {name: make_session(copy, name) for name in modules}
        choose(sessions, count, random.Random(seed))
        killed = survived = 0
        for session in sessions.values():
            run(copy, "exec", session.with_suffix(".toml"), session)
            for outcome, where, diff in results(session):
                killed, survived = killed + (outcome == "KILLED"), survived + (outcome != "KILLED")
                print(f"{outcome.lower():9} {where}", *([diff] if outcome != "KILLED" else []), sep="\n", flush=True)
    print(f"{killed} of {killed + survived} mutants were killed")
    sys.exit(0 if killed >= 0.9 * (killed + survived) else 1)


def copy_project(folder: Path) -> Path:
    """The files that git knows, in a folder of their own: mutants never touch the project."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in (name for name in listed if (ROOT / name).is_file()):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def make_session(copy: Path, module: str) -> Path:
    """Cosmic Ray's session of all mutants of a module, less those of other kinds."""
    session = copy / f"{module.replace('/', '-')}.sqlite"
    tests = f"{sys.executable} -m pytest -x -q -p no:cacheprovider --no-header {CORE.get(module, 'tests/unit')}"
    settings = [
        f'module-path = "{module}"',
        f"timeout = {TIMEOUT}",
        "excluded-modules = []",
        f'test-command = "{tests}"',
    ]
    text = "\n".join(["[cosmic-ray]", *settings, "[cosmic-ray.distributor]", 'name = "local"', ""])
    session.with_suffix(".toml").write_text(text)
    run(copy, "init", session.with_suffix(".toml"), session)
    return session


def choose(sessions: dict[str, Path], count: int, rng: random.Random) -> None:
    """Leave so many mutants of all sessions together."""
    found = []
    for session in sessions.values():
        with closing(sqlite3.connect(session)) as connection:
            place = "start_pos_row, start_pos_col, operator_name, occurrence"
            rows = connection.execute(f"SELECT job_id, operator_name FROM mutation_specs ORDER BY {place}").fetchall()
        found += [(session, job) for job, operator in rows if OPERATORS.fullmatch(operator)]
    chosen = set(rng.sample(found, min(count, len(found))))
    for session in sessions.values():
        kept = [job for own, job in chosen if own == session]
        marks = ", ".join("?" * len(kept))
        with closing(sqlite3.connect(session)) as connection, connection:
            for table in ("mutation_specs", "work_items"):
                connection.execute(f"DELETE FROM {table} WHERE job_id NOT IN ({marks})", kept)


def results(session: Path) -> list[tuple[str, str, str]]:
    """Of each mutant: whether it was killed, where it is, and its change."""
    query = """SELECT coalesce(r.test_outcome, r.worker_outcome), s.module_path, s.start_pos_row, s.operator_name, r.diff
        FROM mutation_specs s JOIN work_results r ON r.job_id = s.job_id ORDER BY s.start_pos_row"""
    with closing(sqlite3.connect(session)) as connection:
        rows = connection.execute(query).fetchall()
    return [(str(outcome), f"{path}:{row} {operator}", diff) for outcome, path, row, operator, diff in rows]


def run(copy: Path, *arguments: str | Path) -> None:
    """A command of Cosmic Ray, in the copy."""
    subprocess.run([sys.executable, "-m", "cosmic_ray.cli", *map(str, arguments)], cwd=copy, check=True)


if __name__ == "__main__":
    typer.run(main)
