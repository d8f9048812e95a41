"""Commands are thin: they know the layers below and not each other, and start without what takes long to import."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(path.stem for path in (ROOT / "src").glob("*.py") if path.stem not in ("__init__", "api"))
HEAVY = {"tensorflow", "keras", "keras_tuner", "mlflow", "optuna", "ray", "matplotlib", "sklearn", "mlxtend"}


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports; names of a package's own modules among them."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What of a module runs when it is imported: not its functions, and not what is for type checkers alone."""
    for child in ast.iter_child_nodes(node):
        is_for_types = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not is_for_types:
            yield child
            yield from run_at_import(child)


def file_of(module: str) -> Path | None:
    """The file of a module of ours."""
    path = ROOT / module.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def needs(file: Path) -> frozenset[str]:
    """The modules that a file imports when it is imported."""
    tree = ast.parse(file.read_text())
    return frozenset(name for node in run_at_import(tree) for name in imported(node))


def reached(file: Path) -> dict[str, Path]:
    """Other people's packages that come with a file, with one of our files that imports each."""
    found: dict[str, Path] = {}
    waiting, seen = [file], {file}
    while waiting:
        current = waiting.pop()
        for name in needs(current):
            own = file_of(name) if name.startswith("src.") else None
            if own and own not in seen:
                seen.add(own)
                waiting.append(own)
            elif not name.startswith("src"):
                found[name.partition(".")[0]] = current
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_do_not_know_each_other(command: str) -> None:
    """What several of them need is below them."""
    tree = ast.parse((ROOT / "src" / f"{command}.py").read_text())
    names = {name for node in ast.walk(tree) for name in imported(node)}
    assert not names & {f"src.{other}" for other in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS)
def test_mistakes_are_answered_before_anything_heavy(command: str) -> None:
    """Nothing that a command imports on its way to its first line takes seconds to import."""
    heavy = {name: file for name, file in reached(ROOT / "src" / f"{command}.py").items() if name in HEAVY}
    assert {name: file.relative_to(ROOT).as_posix() for name, file in heavy.items()} == {}


def test_what_is_heavy_would_be_found() -> None:
    """Where it is meant to be imported it is found, through other modules as well."""
    assert "matplotlib" in reached(ROOT / "src" / "reporting" / "html.py")
    assert "matplotlib" not in needs(ROOT / "src" / "reporting" / "html.py")


@pytest.mark.parametrize("command", ["compare", "status", "clean"])
def test_what_reads_is_quick_to_start(command: str) -> None:
    """The same in truth, of the commands that only read ledgers: with all that packages of others import."""
    code = f"import sys, src.{command}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not (HEAVY | {"hydra", "scipy"}) & set(found.stdout.split())
