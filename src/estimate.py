"""How long the rest of a sweep takes and how much disk it needs, from what has been measured so far."""

import math
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.plan import unfinished
from src.proposals import Plan, points_to_come
from src.pruners import expected_epochs
from src.rows import Rows
from src.schema import Mlflow
from src.scope import epochs_of, is_asked_for, scope_of

WEIGHT_BYTES = 4
TEXT_BYTES = 13  # of one value in weights.txt
FIXED_BYTES = 300_000  # a run's curves, summary and MLflow's own files


@dataclass(frozen=True)
class Speed:
    """Seconds an image of training = base + slope * operations; `prepare` seconds once a trial."""

    base: float
    slope: float
    prepare: float

    def per_image(self, operations: int) -> float:
        """Seconds an image of training and its share of validation."""
        return self.base + self.slope * operations


def measure(rows: Rows, epoch_images: int) -> Speed | None:
    """The line through everything measured; None as long as nothing is."""
    probes = [probe for probe in rows.probes if probe.per_image > 0]
    points = [(probe.operations, probe.per_image) for probe in probes]
    for trial in rows.trials:
        operations = rows.point(trial.point).operations
        points += [(operations, epoch.seconds / epoch_images) for epoch in trial.epochs[-1:]]
    if not points:
        return None
    x, y = np.array(points, dtype=float).T
    slope = float(np.polyfit(x, y, 1)[0]) if np.ptp(x) > 0 else 0.0
    slope = max(slope, 0.0)
    base = max(float(np.mean(y - slope * x)), 0.0)
    return Speed(base, slope, float(np.mean([probe.prepare for probe in probes])) if probes else 1.0)


def seconds_left(plan: Plan, rows: Rows, train_images: int, workers: int) -> float | None:
    """Of training for all trials that are not finished; None as long as nothing is measured."""
    images = plan.config.training.epoch_size or train_images  # of an epoch
    speed = measure(rows, images)
    if speed is None:
        return None
    scope = scope_of(plan.config, rows)
    is_pruned = plan.config.search.pruner != "none"
    total = pruned_search(plan, rows, speed, images) if is_pruned else unproposed(plan, rows, speed, images)
    for trial in unfinished(plan, rows):
        if trial.role != "search" or not is_pruned:
            epochs = epochs_of(rows, trial, scope) - len(trial.epochs)
            total += speed.prepare + epochs * images * speed.per_image(rows.point(trial.point).operations)
    total += confirmation(plan, rows, speed, images)
    total /= workers
    limit = plan.config.search.max_seconds
    return total if limit is None else min(total, max(limit - rows.seconds(), 0.0))


def confirmation(plan: Plan, rows: Rows, speed: Speed, epoch_images: int) -> float:
    """Seconds of the trials that will be added after the search; of points as large as the mean."""
    search = plan.config.search
    if not rows.trials:
        return 0.0
    known = Counter(trial.role for trial in rows.trials)
    points = min(search.confirm, len({trial.point for trial in rows.trials}))
    count = max(points * search.confirm_repeats - known["confirm"], 0) + max(search.refit - known["refit"], 0)
    epochs = scope_of(plan.config, rows).until
    return count * (speed.prepare + epochs * epoch_images * speed.per_image(mean_operations(rows)))


def unproposed(plan: Plan, rows: Rows, speed: Speed, epoch_images: int) -> float:
    """Seconds of trials that the strategy has still to propose; of points as large as the mean."""
    each = speed.prepare + scope_of(plan.config, rows).until * epoch_images * speed.per_image(mean_operations(rows))
    return trials_to_come(plan, rows) * each


def pruned_search(plan: Plan, rows: Rows, speed: Speed, epoch_images: int) -> float:
    """Seconds of the epochs that a pruner lets the search train, less those that it has had."""
    scope, searched = scope_of(plan.config, rows), [trial for trial in rows.trials if trial.role == "search"]
    if not scope.has_budget or scope.is_reached:
        return 0.0
    had = sum(len(trial.epochs) for trial in searched)
    left = max(search_epochs(plan, rows) - had, 0)
    begun = sum(bool(trial.epochs) for trial in searched)
    starts = (len(searched) + trials_to_come(plan, rows) - begun) * speed.prepare
    return starts + left * epoch_images * speed.per_image(mean_operations(rows))


def search_epochs(plan: Plan, rows: Rows) -> int:
    """How many epochs a search with a pruner is expected to train in all."""
    scope = scope_of(plan.config, rows)
    count = sum(trial.role == "search" and is_asked_for(trial, scope) for trial in rows.trials)
    size = count + trials_to_come(plan, rows), scope.until
    if size not in plan.expected:
        plan.expected[size] = expected_epochs(plan.config.search, *size)
    return plan.expected[size]


def trials_to_come(plan: Plan, rows: Rows) -> int:
    """Of points that a strategy has still to propose, as far as the budget may let it."""
    scope, left = scope_of(plan.config, rows), points_to_come(plan, rows)
    return int(left) * plan.config.search.repeats if scope.has_budget and not scope.is_reached else 0


def mean_operations(rows: Rows) -> int:
    """Of the trials' points."""
    return int(np.mean([rows.point(trial.point).operations for trial in rows.trials])) if rows.trials else 0


def bytes_needed(plan: Plan, rows: Rows) -> tuple[int, int]:
    """For the checkpoints and for MLflow, of all trials that are not finished."""
    config = plan.config
    trained = [rows.point(trial.point) for trial in rows.trials]
    points = [rows.point(trial.point) for trial in unfinished(plan, rows)]
    points += (trained * trials_to_come(plan, rows))[: trials_to_come(plan, rows)]  # as large as those known
    points.sort(key=lambda point: -point.parameters)
    kept = points if config.checkpoints.keep == "all" else points[: config.checkpoints.keep + 2]
    checkpoints = sum(point.state_bytes + 2 * WEIGHT_BYTES * point.parameters for point in kept)
    if not isinstance(config.tracking, Mlflow):
        return checkpoints, 0
    logged = points if config.tracking.keep == "all" else points[: config.tracking.keep]
    copies = config.tracking.checkpoint + config.tracking.model + config.tracking.weights_npz
    text = TEXT_BYTES * config.tracking.weights_txt * config.tracking.weights_txt_values
    each = (copies * WEIGHT_BYTES * point.parameters + min(text, TEXT_BYTES * point.parameters) for point in logged)
    return checkpoints, sum(each) + FIXED_BYTES * len(points)


def free_bytes(folder: Path) -> int:
    """Free space where a folder is or will be."""
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    return shutil.disk_usage(existing).free


def show_seconds(seconds: float) -> str:
    """`40 s`, `7 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def show_bytes(count: float) -> str:
    """`12 MB`, `3.4 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{math.ceil(count / 1e6)} MB"
