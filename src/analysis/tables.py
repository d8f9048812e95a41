"""Tables of trials, points, values and sweeps."""

import math
from collections.abc import Sequence
from statistics import fmean, median, stdev
from typing import Any

import numpy as np

from src.analysis.contrasts import Comparison, Group
from src.analysis.groups import full_key
from src.analysis.ranking import (
    PointResult,
    best,
    evaluation_of,
    final_trial,
    own_score,
    point_results,
    rank_points,
    rank_trials,
)
from src.base.errors import UserError
from src.ledger.history import History
from src.ledger.records import PointState, Role, Trial

METRICS = ("val_accuracy", "val_loss")  # that every trial has


def trial_table(history: History) -> list[dict[str, Any]]:
    """One row a trial, the best first, those without a result last.

    Columns: trial, point, role, repeat, state, reason, each key of the space, the objective and the other metrics
    at the best epoch, best_epoch, epochs, seconds (of training), parameters, run_id (MLflow's), drift (of the
    versions that trained it), origin (the trial of another sweep that it was taken from).
    """
    ranked, measured = rank_trials(history), metrics_of(history)
    order = {trial.number: index for index, trial in enumerate(ranked)}
    table = []

    def place(trial: Trial) -> tuple[Any, ...]:
        score = own_score(history, trial) if trial.objective is not None else (math.inf, math.inf, trial.number)
        return order.get(trial.number, len(order)), -len(trial.epochs), *score

    for trial in sorted(history.trials, key=place):
        point = history.point(trial.point)
        metrics = best(trial).metrics if trial.best_epoch else {}
        table.append(
            {
                "trial": trial.number,
                "point": trial.point,
                "role": trial.role.value,
                "repeat": trial.repeat,
                "state": trial.state.value,
                "reason": trial.reason,
                **point.values,
                **{name: metrics.get(name) for name in measured},
                "best_epoch": trial.best_epoch or None,
                "epochs": len(trial.epochs),
                "seconds": round(sum(epoch.seconds for epoch in trial.epochs), 2),
                "parameters": point.parameters,
                "run_id": trial.run_id or None,
                "drift": trial.drift,
                "origin": str(trial.origin or ""),
            }
        )
    return table


def metrics_of(history: History) -> list[str]:
    """Those of validation images that trials have: accuracy and loss, then the others that were asked for."""
    first: dict[str, float] = next((trial.epochs[0].metrics for trial in history.trials if trial.epochs), {})
    return [*METRICS, *sorted(name for name in first if name.startswith("val_") and name not in METRICS)]


def point_table(history: History) -> list[dict[str, Any]]:
    """One row a point that has a result, the best first: means and standard deviations over `seeds` trials.

    Columns: point, trials (their numbers), role, each key of the space, seeds, val_accuracy, val_accuracy_sd,
    val_loss, val_loss_sd, the same of other metrics, best_epoch and seconds (means), parameters.
    """
    measured = metrics_of(history)
    return [describe(result, measured) for result in rank_points(history)]


def describe(result: PointResult, measured: Sequence[str] = METRICS) -> dict[str, Any]:
    """A point's row."""
    metrics: dict[str, Any] = {}
    for metric in measured:
        metrics |= {metric: result.mean(metric), f"{metric}_sd": result.deviation(metric)}
    return {
        "point": result.point.number,
        "trials": sorted(trial.number for trial in result.trials),
        "role": result.role.value,
        **result.point.values,
        "seeds": len(result.trials),
        **metrics,
        "best_epoch": float(np.mean([trial.best_epoch for trial in result.trials])),
        "seconds": round(result.seconds(), 2),
        "parameters": result.point.parameters,
    }


def left_out(history: History) -> dict[str, list[int]]:
    """Why points are not trained → their numbers."""
    reasons: dict[str, list[int]] = {}
    for point in history.points:
        if point.state in (PointState.INFEASIBLE, PointState.DUPLICATE):
            reasons.setdefault(f"{point.state}: {point.reason}", []).append(point.number)
    return reasons


def value_table(history: History, key: str, comparison: Comparison) -> list[dict[str, Any]]:
    """One row a value of a key: the best of them, then the others by how far they are behind it; by their means, if
    nothing is compared.

    Columns: the key, trials (trained to the end), the objective's mean and sd over these, seconds (median of their
    training), and how far the first is ahead (positive: it is better): behind, behind_low, behind_high (95 %), over so
    many pairs of trials. Of these trials alone: matched (how many), the objective's mean and sd with `matched_` before
    its name, and with `first_` the first's mean in the same pairs, so that `behind` is the difference of these means.
    """
    key, metric = full_key(history, key), history.objective.name
    ahead = {contrast.b: contrast for contrast in comparison.ahead}
    trials = [t for result in point_results(history, Role.SEARCH) for t in result.trials]
    table = []
    for group in comparison.groups:
        own = [trial for trial in trials if str(history.point(trial.point).values.get(key)) == group.label]
        values = [best(trial).metrics[metric] for trial in own]
        contrast = ahead.get(group.label)
        table.append(
            {
                key: group.label,
                "trials": len(own),
                metric: fmean(values),
                f"{metric}_sd": stdev(values) if len(values) > 1 else None,
                "seconds": round(median(sum(epoch.seconds for epoch in trial.epochs) for trial in own), 2),
                "behind": number(contrast.difference) if contrast else None,
                "behind_low": number(contrast.low) if contrast else None,
                "behind_high": number(contrast.high) if contrast else None,
                "pairs": contrast.blocks if contrast else None,
                **matched_means(comparison, group, metric),
            }
        )
    if not any(contrast.blocks for contrast in comparison.ahead):
        table.sort(key=lambda row: row[metric], reverse=history.objective.is_higher_better)
    return table


def matched_means(comparison: Comparison, group: Group, metric: str) -> dict[str, Any]:
    """The objective over a group's blocks that are compared, and the first's over the same."""
    first, blocks = comparison.groups[0], comparison.matched(group)
    values = [float(group.blocks[block].mean()) for block in blocks]
    of_first = [float(first.blocks[block].mean()) for block in blocks] if group is not first else []
    return {
        "matched": len(blocks),
        f"matched_{metric}": fmean(values) if values else None,
        f"matched_{metric}_sd": stdev(values) if len(values) > 1 else None,
        f"first_{metric}": fmean(of_first) if of_first else None,
    }


def number(value: float) -> float | None:
    """None instead of NaN, which JSON has no word for."""
    return None if math.isnan(value) else value


def sweep_table(sweeps: Sequence[tuple[str, History]]) -> list[dict[str, Any]]:
    """One row a sweep: its name, its first place (`describe`), the keys in words, and the test accuracy of its model."""
    table = []
    for name, history in sweeps:
        found = rank_points(history)
        if not found:
            raise UserError(f"{name}: no trial has finished, so there is nothing to compare.")
        model = final_trial(history)
        evaluation = evaluation_of(history, model) if model else None
        row = {key: value for key, value in describe(found[0]).items() if key not in found[0].point.values}
        words = found[0].point.title
        table.append(
            {"sweep": name, "best": words, **row, "test_accuracy": evaluation.accuracy if evaluation else None}
        )
    return table
