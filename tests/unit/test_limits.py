"""Files and functions are small enough to be read in one sitting."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINES, FUNCTION_LINES = 300, 40
LONGER = {  # and why
    "tests/unit/test_clean.py": "one command, with a real MLflow store for all of it",
    "tests/unit/test_predict.py": "one command, with models made once for all of it",
}


def sources() -> Iterator[tuple[str, str]]:
    """Each file of ours, and its text."""
    for folder in ("src", "tests", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def test_no_file_is_long() -> None:
    """No file has more than 300 lines, but for those that say why."""
    long = {name for name, text in sources() if text.count("\n") > LINES}
    assert long == set(LONGER)


def test_no_function_is_long() -> None:
    """No function has more than 40 lines."""
    functions = (
        (name, node)
        for name, text in sources()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    long = [
        f"{name}: {node.name}" for name, node in functions if (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    ]
    assert not long


def test_every_folder_of_tests_mirrors_a_package() -> None:
    """Unit tests lie where what they test lies."""
    packages = {path.parent.name for path in (ROOT / "src").glob("*/__init__.py")}
    folders = {path.name for path in (ROOT / "tests/unit").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == packages
