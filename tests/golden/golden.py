"""Does the training code still give the bits it gave? Tiny trials, and the hash of all that each leaves.

`python -m tests.golden.golden` compares them with those in `bits.json`, after a change to the training code. Where they
are the same it writes down that the changed sources have been looked at. Where they differ, TRIAL_CODE must be raised.

A trial whose configuration is changed, here or by a default in `conf/`, needs another name: it is another trial.
"""

import ast
import hashlib
import json
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from src.ledger.environment import TRIAL_CODE, describe, device, instructions
from tests.golden.trials import compute

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (  # globs, of the code that decides a trial's bits
    "src/training/*.py",
    "src/base/hashing.py",
    "src/data/dataset.py",
    "src/execution/worker.py",
    "src/ledger/objective.py",
)
STORED = Path(__file__).with_name("bits.json")
THREADS = (1, 2)

Bits = dict[str, dict[str, str]]  # threads → trial → hash
Stored = dict[str, Any]  # trial_code, sources, versions, and bits: of each machine

# ------------------------------------------------------------------------------------------ sources


def digest_sources() -> str:
    """64 hex digits of what the training code says; comments, docstrings and layout do not count."""
    files = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern))
    return hashlib.sha256("\n".join(skeleton(path.read_text("utf-8")) for path in files).encode()).hexdigest()


def skeleton(source: str) -> str:
    """A module's syntax tree, as text. (That of `ast.dump` is another in each version of Python.)"""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return repr(plain(tree))


def plain(node: Any) -> Any:
    """A syntax tree as nested tuples, without what is empty."""
    if isinstance(node, list):
        return tuple(plain(one) for one in node)
    if not isinstance(node, ast.AST):
        return node
    fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return (type(node).__name__, *((name, plain(value)) for name, value in fields))


# ---------------------------------------------------------------------------------------- environment


def machine() -> str:
    """The device, its instructions, and the C library, whose exp, pow and cos TensorFlow calls."""
    return ", ".join(filter(None, (device(), instructions(), " ".join(platform.libc_ver()))))


def versions() -> dict[str, str]:
    """Of what bits come from, besides this project."""
    here = describe()
    return {name: here[name] for name in ("tensorflow", "keras", "numpy", "onednn")}


# ------------------------------------------------------------------------------------ stored and here


def compute_all() -> Bits:
    """The bits with each number of threads, in a fresh process each, at the same time."""
    with ProcessPoolExecutor(len(THREADS), get_context("spawn"), max_tasks_per_child=1) as pool:
        return {str(threads): bits for threads, bits in zip(THREADS, pool.map(compute, THREADS), strict=True)}


def look() -> Stored:
    """What would be stored of here."""
    here = {"trial_code": TRIAL_CODE, "sources": digest_sources(), "versions": versions()}
    return {**here, "bits": {machine(): compute_all()}}


def differing(stored: Bits, here: Bits) -> list[str]:
    """The trials that both know and whose bits differ."""
    return [
        f"'{trial}' with {threads} thread{'s' if threads != '1' else ''}"
        for threads, bits in here.items()
        for trial, found in bits.items()
        if stored.get(threads, {}).get(trial, found) != found
    ]


def decide(stored: Stored, here: Stored) -> tuple[Stored | None, str]:
    """What is to be stored, or nothing, and a sentence on why."""
    if stored.get("trial_code") != here["trial_code"]:
        return here, f"The bits of trial code {here['trial_code']} are stored in place of all that were."
    [(name, bits)] = here["bits"].items()
    changed = stored["sources"] != here["sources"]
    if stored["versions"] != here["versions"]:
        if changed:
            return None, (
                f"Versions and training sources have both changed, so nothing can be compared: install {stored['versions']}, "
                "or store the bits of the sources as they were first."
            )
        return here, "The bits of these versions are stored in place of all that were."
    before = stored["bits"].get(name)
    if before and (others := differing(before, bits)):
        return None, (
            f"The training code gives other bits than before, in {', '.join(others)}: undo this, or raise TRIAL_CODE in "
            "src/ledger/environment.py, say so in the CHANGELOG, and run this again. Nothing was stored."
        )
    none = f"Nothing was compared, since no bits of {name} were stored; they are now"
    said = "The bits are those stored" if before else none
    said += "; the training sources are stored as looked at." if changed else "."
    return {**here, "bits": {**stored["bits"], name: bits}}, said


def read() -> Stored:
    """What is stored."""
    stored: Stored = json.loads(STORED.read_text("utf-8")) if STORED.exists() else {}
    return stored


def main() -> int:
    """Compare, store, and say so; 1 where nothing could be stored."""
    stored, said = decide(read(), look())
    print(said)
    if stored is None:
        return 1
    STORED.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
