"""What is known of a sweep from its folder alone: its state, its numbers, and the command that goes on."""

from datetime import datetime
from pathlib import Path
from typing import Any

from src.analysis.ranking import rank_points
from src.analysis.tables import left_out
from src.base.disk import contents
from src.base.errors import UserError
from src.base.text import number_of, numbered
from src.ledger.database import read_history
from src.ledger.history import History
from src.ledger.lock import is_held
from src.ledger.records import PointState, TrialState
from src.ledger.sweep_folder import last_command, last_config, last_written, open_sweep
from src.search.problem import SearchProblem
from src.search.schedule import Schedule, is_bounded, is_complete, trials_to_come


def describe_sweep(path: Path) -> dict[str, Any]:
    """A sweep as a row; one that cannot be read says why.

    Keys: sweep, state (running, complete, interrupted or unreadable), reason, finished, trials (those to come
    included), failed, infeasible (points), objective, best (its mean over `seeds`), seeds, written (ISO 8601), bytes,
    command (of the last invocation; None where none was written down).
    """
    row: dict[str, Any] = {"sweep": path.name, "state": "unreadable", "reason": ""}
    row |= dict.fromkeys(("finished", "trials", "failed", "infeasible", "objective", "best", "seeds"))
    row["written"] = datetime.fromtimestamp(last_written(path)).astimezone().isoformat(timespec="seconds")
    row["bytes"], row["command"] = contents(path)[1], last_command(path) or None
    try:
        history = read_history(path, open_sweep(path).objective)
        row |= count_all(history)
        schedule = last_schedule(path, history)
        row["trials"] += trials_to_come(schedule) if schedule else 0
        row["state"], row["reason"] = find_state(path, schedule, history)
    except Exception as error:  # whatever is wrong with a sweep, the others are listed
        row["reason"] = " ".join(str(error).split()) or type(error).__name__
    return row


def count_all(history: History) -> dict[str, Any]:
    """How many trials and points are where, and the first place."""
    states = [trial.state for trial in history.trials]
    first = next(iter(rank_points(history)), None)
    return {
        "finished": states.count(TrialState.FINISHED),
        "trials": len(states),
        "failed": states.count(TrialState.FAILED),
        "infeasible": sum(point.state == PointState.INFEASIBLE for point in history.points),
        "objective": history.objective.name,
        "best": first.mean(history.objective.name) if first else None,
        "seeds": len(first.trials) if first else 0,
    }


def last_schedule(path: Path, history: History) -> Schedule | None:
    """What was asked of a sweep last; None where that cannot be read."""
    try:
        return Schedule.of(SearchProblem.of(last_config(path)), history)
    except UserError:
        return None


def find_state(path: Path, schedule: Schedule | None, history: History) -> tuple[str, str]:
    """Whether a sweep is running, complete or interrupted, and what there is to say of that."""
    if is_held(path):
        return "running", ""
    if not (is_complete(schedule) if schedule else is_evaluated(history)):
        return "interrupted", ""
    pruned = sum(trial.state == TrialState.PRUNED for trial in history.trials)
    bounded = "within its budget" if schedule and is_bounded(schedule) else ""
    nothing = "nothing can be trained" if not history.trials else ""
    return "complete", ", ".join(filter(None, (bounded, f"with {pruned} pruned" if pruned else "", nothing)))


def is_evaluated(history: History) -> bool:
    """Whether all trials have ended and a model was evaluated; of a sweep of which no more is known."""
    return bool(history.evaluations) and all(trial.state.has_ended for trial in history.trials)


def explain_infeasible(history: History) -> str:
    """Why none of the points can be trained, and what helps where images get too small for a layer."""
    lines = [f"{reason} ({numbered('point', numbers)})" for reason, numbers in left_out(history).items()]
    if any(f" {layer} on " in line for line in lines for layer in ("convolution", "pooling")):
        lines.append(
            "Images stay larger with architecture.padding=same, fewer architecture.blocks, or a smaller "
            "architecture.kernel or architecture.pool."
        )
    return "\n       ".join((f"none of the {number_of(len(history.points), 'point')} can be trained:", *lines))
