"""Comparisons whole: a table, and what it is worth in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from src.analysis.conclusions import compare_by_key, judge_search, judge_sweeps, judge_values
from src.analysis.contrasts import compare
from src.analysis.groups import by_sweep, full_key, refuse_unlike
from src.analysis.ranking import point_results, rank_points
from src.analysis.tables import sweep_table, trial_table, value_table
from src.base.errors import UserError
from src.ledger.history import History
from src.ledger.records import Role
from src.ledger.sweep_folder import Sweep


@dataclass(frozen=True)
class Findings:
    """A table, the best first, and conclusions from it, in sentences."""

    table: list[dict[str, Any]]
    conclusions: list[str]


def compare_trials(sweep: Sweep, history: History) -> Findings:
    """One row a trial (`trial_table`), and whether the first place is significantly better than the others."""
    return Findings(trial_table(history), judge_search(sweep.path, history))


def compare_values(sweep: Sweep, history: History, key: str) -> Findings:
    """One row a value of a key (`value_table`), paired over equal seeds and equal other settings.

    Raises UserError where the key was not searched, no trial has finished, or a file is damaged.
    """
    if not rank_points(history):
        raise UserError(f"{sweep.name}: no trial has finished, so there is nothing to compare.")
    key = full_key(history, key)
    comparison = compare_by_key(sweep.path, history, key)
    return Findings(value_table(history, key, comparison), judge_values(history, comparison, key))


def compare_sweeps(sweeps: Sequence[Sweep], histories: Sequence[History]) -> Findings:
    """One row a sweep, by its first place (`sweep_table`).

    Raises UserError where they are not on the same images, select by different objectives, or one has no result.
    """
    refuse_unlike(sweeps)
    objective = sweeps[0].objective
    table = sweep_table([(sweep.name, history) for sweep, history in zip(sweeps, histories, strict=True)])
    sizes = [len(point_results(history, Role.SEARCH)) for history in histories]
    pairs = sum(a * b for a, b in combinations(sizes, 2))
    comparison = compare(by_sweep(sweeps, histories), objective.is_higher_better, pairs=pairs)
    order = [group.label for group in comparison.groups]
    table.sort(key=lambda row: order.index(row["sweep"]))
    return Findings(table, judge_sweeps(comparison, objective, max(sizes)))
