"""Groups of trials to be compared: values of a key, points, sweeps."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from src.analysis.contrasts import Group, Values
from src.analysis.ranking import PointResult, point_results, rank_points
from src.base.errors import UserError, suggest
from src.ledger.files import DamagedError, read_arrays
from src.ledger.history import History
from src.ledger.records import Role, Trial, point_key
from src.ledger.sweep_folder import Sweep


def by_key(folder: Path, history: History, key: str) -> list[Group]:
    """A group for each value of a key of the space; a block for each seed with equal other settings."""
    key = full_key(history, key)
    trials = [trial for result in point_results(history, Role.SEARCH) for trial in result.trials]
    measured = measure(folder, history, trials)
    groups: dict[str, Group] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        values = history.point(trial.point).values
        others = point_key({name: value for name, value in values.items() if name != key})
        label = str(values.get(key))
        groups.setdefault(label, Group(label)).blocks[others, trial.repeat] = measured[trial.number]
    return list(groups.values())


def full_key(history: History, key: str) -> str:
    """A key of the space by its name or the end of it. Raises UserError where there is none, or several."""
    keys = list(history.points[0].values) if history.points else []
    found = [known for known in keys if known == key] or [known for known in keys if known.endswith(f".{key}")]
    if len(found) != 1:
        problem = f"fits several: {', '.join(found)}" if found else f"was not searched{suggest(key, keys)}"
        raise UserError(f"--by {key}: {problem}.")
    return found[0]


def by_point(folder: Path, history: History, chosen: Iterable[PointResult]) -> list[Group]:
    """A group for each point, called by its number; a block for each seed."""
    chosen = list(chosen)
    measured = measure(folder, history, [trial for result in chosen for trial in result.trials])
    return [
        Group(str(result.point.number), {trial.repeat: measured[trial.number] for trial in result.trials})
        for result in chosen
    ]


def by_sweep(sweeps: Sequence[Sweep], histories: Sequence[History]) -> list[Group]:
    """A group for each sweep, called by its name: its first place; a block for each seed."""
    groups = []
    for sweep, history in zip(sweeps, histories, strict=True):
        (group,) = by_point(sweep.path, history, rank_points(history)[:1])
        groups.append(Group(sweep.name, group.blocks))
    return groups


def refuse_unlike(sweeps: Sequence[Sweep]) -> None:
    """Raises UserError where sweeps cannot be put beside each other."""
    if len({sweep.name for sweep in sweeps}) < len(sweeps):
        raise UserError("the same sweep is named twice.")
    first = sweeps[0]
    for other in sweeps[1:]:
        a, b = first.frozen["data"], other.frozen["data"]
        if a["digest"] != b["digest"]:
            raise UserError(
                f"{first.name} and {other.name} are not on the same images (data={a['name']} seed={a['seed']}, "
                f"digest {a['digest'][:8]}; data={b['name']} seed={b['seed']}, digest {b['digest'][:8]}), so their "
                "results cannot be compared."
            )
        if first.objective != other.objective:
            raise UserError(f"{first.name} selects by {first.objective}, {other.name} by {other.objective}.")


def measure(folder: Path, history: History, trials: list[Trial]) -> dict[int, Values]:
    """The objective of each trial on every validation image; on all in one, where an older version stored no more."""
    if all(trial.validation for trial in trials):
        name = history.objective.per_image
        return {trial.number: read_validation(folder, trial)[name].astype(float) for trial in trials}
    return {trial.number: np.array([trial.objective], dtype=float) for trial in trials}


def read_validation(folder: Path, trial: Trial) -> dict[str, Any]:
    """`right` and `loss` of each validation image. Raises UserError where the file is damaged."""
    assert trial.validation
    try:
        return read_arrays(folder, trial.validation)
    except DamagedError as error:
        raise UserError(f"{error}: trial {trial.number} cannot be compared. Restore the file from a backup.") from error
