"""Words, numbers and tables as text: what terminal, report and files share."""

import csv
import io
import json
import math
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def show_value(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, dict) and "name" in value:
        return str(value["name"])  # of a group's option
    if isinstance(value, list):
        return f"[{','.join(map(show_value, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def render(table: list[dict[str, Any]], kind: str) -> str:
    """A table as `csv` or `json`."""
    if kind == "json":
        return json.dumps(table, indent=2)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]) if table else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().rstrip("\n")


def last(key: str) -> str:
    """The last part of a dotted key; `units[0]` for an entry of a list."""
    head, _, tail = key.rpartition(".")
    return f"{last(head)}[{tail}]" if tail.isdigit() else tail


def short_keys(keys: Sequence[str]) -> list[str]:
    """The last parts of dotted keys, as long as they differ; a parent before it where they do not."""
    ends = [last(key) for key in keys]
    return [key if ends.count(short) > 1 else short for key, short in zip(keys, ends, strict=True)]


def show(value: Any) -> str:
    """A cell."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def show_metric(value: float | None) -> str:
    """A metric to four places."""
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.2e}"


def number_of(count: int, what: str) -> str:
    """`1 point`, `2 points`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def command(entry: str, *words: str, **folders: str | Path) -> str:
    """How to run an entry from this shell: by `python` where that is our interpreter, else by its path.

    `folders` become options, as `folder_options` says.
    """
    found = shutil.which("python")
    ours = found is not None and Path(found).parent == Path(sys.executable).parent
    python = "python" if ours else shlex.quote(os.path.relpath(sys.executable))
    return " ".join((python, "-m", f"src.{entry}", shlex.join([*words, *folder_options(**folders)]))).rstrip()


def folder_options(**folders: str | Path) -> list[str]:
    """`--sweeps A` for sweeps=A; nothing for the default, the folder of the option's own name in the working one."""
    others = {name: folder for name, folder in folders.items() if Path(folder).resolve() != Path(name).resolve()}
    return [word for name, folder in others.items() for word in (f"--{name}", short_path(folder))]


def short_path(path: str | Path) -> str:
    """A path from the working folder if it is inside it, else from the root."""
    whole, here = Path(path).absolute(), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def again() -> str:
    """The command line that is running, to be repeated."""
    return command(Path(sys.argv[0]).stem, *sys.argv[1:])


def numbered(what: str, numbers: Sequence[int]) -> str:
    """`point 3`, `points 37–40, 45`."""
    return f"{what}{'' if len(numbers) == 1 else 's'} {spans(numbers)}"


def spans(numbers: Sequence[int]) -> str:
    """`37–40, 45`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{part[0]}–{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


def show_seconds(seconds: float) -> str:
    """`40 s`, `7 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def show_bytes(count: float) -> str:
    """`12 MB`, `3.4 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{math.ceil(count / 1e6)} MB"
