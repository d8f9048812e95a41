"""All sweeps of a folder: what runs, what is complete, what was interrupted, and the commands that go on.

python -m src.status
python -m src.status --format json
"""

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from src.analysis.ranking import rank_points
from src.base.disk import contents
from src.base.errors import UserError
from src.base.text import render, show_bytes, show_metric
from src.config.command_line import SweepsFolder, run_reading
from src.ledger.database import read_history
from src.ledger.history import History
from src.ledger.lock import is_held
from src.ledger.records import PointState, TrialState
from src.ledger.sweep_folder import last_command, last_config, last_written, need_sweeps, open_sweep
from src.search.problem import Plan
from src.search.schedule import is_bounded, is_complete, trials_to_come

HEADINGS = ("sweep", "state", "trials", "failed", "infeasible", "best", "written", "disk", "to go on")
TEXTS = ("sweep", "state", "best", "to go on")  # the other columns hold numbers


def main(
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print.")] = "table",
    sweeps: SweepsFolder = Path("sweeps"),
) -> None:
    """Print one row a sweep, the one written last first."""
    found = [describe(path) for path in need_sweeps(sweeps)]
    print(render(found, "json") if format == "json" else board(found, time.time()))


def describe(path: Path) -> dict[str, Any]:
    """A sweep as a row; one that cannot be read says why."""
    row: dict[str, Any] = {"sweep": path.name, "state": "unreadable", "reason": ""}
    row |= dict.fromkeys(("finished", "trials", "failed", "infeasible", "objective", "best", "seeds"))
    row["written"] = datetime.fromtimestamp(last_written(path)).astimezone().isoformat(timespec="seconds")
    row["bytes"], row["command"] = contents(path)[1], last_command(path) or None
    try:
        objective = open_sweep(path).objective
        history = read_history(path, objective)
        row |= counts(history)
        plan = plan_of(path)
        row["trials"] += trials_to_come(plan, history) if plan else 0
        row["state"], row["reason"] = state_of(path, plan, history)
    except Exception as error:  # whatever is wrong with a sweep, the others are listed
        row["reason"] = " ".join(str(error).split()) or type(error).__name__
    return row


def counts(history: History) -> dict[str, Any]:
    """How many trials and points are where, and the first place."""
    states = [trial.state for trial in history.trials]
    row = {
        "finished": states.count(TrialState.FINISHED),
        "trials": len(states),
        "failed": states.count(TrialState.FAILED),
    }
    row["infeasible"] = sum(point.state == PointState.INFEASIBLE for point in history.points)
    first = next(iter(rank_points(history)), None)
    best, seeds = (first.mean(history.objective.name), len(first.trials)) if first else (None, 0)
    return {**row, "objective": history.objective.name, "best": best, "seeds": seeds}


def plan_of(path: Path) -> Plan | None:
    """What was asked of a sweep last; None where that cannot be read."""
    try:
        return Plan.of(last_config(path))
    except UserError:
        return None


def state_of(path: Path, plan: Plan | None, history: History) -> tuple[str, str]:
    """Whether a sweep is running, complete or interrupted, and what there is to say of that."""
    if is_held(path):
        return "running", ""
    if not (is_complete(plan, history) if plan else is_evaluated(history)):
        return "interrupted", ""
    pruned = sum(trial.state == TrialState.PRUNED for trial in history.trials)
    bounded = "within its budget" if plan and is_bounded(plan, history) else ""
    nothing = "nothing can be trained" if not history.trials else ""
    return "complete", ", ".join(filter(None, (bounded, f"with {pruned} pruned" if pruned else "", nothing)))


def is_evaluated(history: History) -> bool:
    """Whether all trials have ended and a model was evaluated; of a sweep of which no more is known."""
    return bool(history.evaluations) and all(
        trial.state in (TrialState.FINISHED, TrialState.FAILED, TrialState.PRUNED) for trial in history.trials
    )


# ----------------------------------------------------------------------------------------- printing


def board(rows: list[dict[str, Any]], now: float) -> str:
    """Aligned columns, never cut: what stands in the last one can be copied."""
    table = [HEADINGS, *(cells(row, now) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for line in table:
        columns = zip(HEADINGS, line, widths, strict=True)
        padded = (cell.ljust(width) if name in TEXTS else cell.rjust(width) for name, cell, width in columns)
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def cells(row: dict[str, Any], now: float) -> tuple[str, ...]:
    """A row as text; a sweep that cannot be read has the reason where others have their command."""
    age = show_age(now - datetime.fromisoformat(row["written"]).timestamp())
    disk = show_bytes(row["bytes"])
    if row["state"] == "unreadable":
        return row["sweep"], row["state"], "–", "–", "–", "–", age, disk, row["reason"]
    best = "–" if row["best"] is None else f"{row['objective']} {show_metric(row['best'])}"
    best += f" (mean of {row['seeds']})" if row["seeds"] > 1 else ""
    done = f"{row['finished']}/{row['trials']}"
    state = f"{row['state']} {row['reason']}".strip()
    numbers = done, str(row["failed"]), str(row["infeasible"])
    return row["sweep"], state, *numbers, best, age, disk, row["command"] or "–"


def show_age(seconds: float) -> str:
    """`40 s`, `3 min`, `2 h`, `5 days`: the largest unit of which two have passed."""
    units = (("days", 86400), ("h", 3600), ("min", 60))
    found = (f"{int(seconds / size)} {unit}" for unit, size in units if seconds >= 2 * size)
    return next(found, f"{max(int(seconds), 0)} s")


if __name__ == "__main__":
    run_reading(main)
