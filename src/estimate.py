"""How long the rest of a sweep takes and how much disk it needs, from what has been measured so far."""

import math
import shutil
from collections import Counter
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from src.plan import trials_to_come, unfinished
from src.proposals import Plan
from src.pruners import expected_epochs
from src.rows import Rows
from src.schema import Mlflow
from src.scope import Scope, epochs_of, is_asked_for, scope_of

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
    search, images = plan.config.search, plan.config.training.epoch_size or train_images  # of an epoch
    speed = measure(rows, images)
    if speed is None:
        return None
    scope = scope_of(plan.config, rows)
    epoch = images * speed.per_image(mean_operations(rows))  # seconds, of a point as large as the mean
    trials = unfinished(rows, scope)
    starts, epochs = further_trials(plan, rows, scope)
    if search.pruner != "none":
        trials = [trial for trial in trials if trial.role != "search"]
        starts, epochs = starts + starts_left(plan, rows, scope), epochs + epochs_left(plan, rows, scope)
    total = starts * speed.prepare + epochs * epoch
    for trial in trials:
        own = images * speed.per_image(rows.point(trial.point).operations)
        total += speed.prepare + (epochs_of(rows, trial, scope) - len(trial.epochs)) * own
    if search.max_epochs is not None:
        total = min(total, max(search.max_epochs - sum(len(t.epochs) for t in rows.trials), 0) * epoch)
    total /= workers
    return total if search.max_seconds is None else min(total, max(search.max_seconds - rows.seconds(), 0.0))


def further_trials(plan: Plan, rows: Rows, scope: Scope) -> tuple[int, int]:
    """Trials that are not in the rows yet, and their epochs: on fresh seeds, on all images, of points to be proposed."""
    search = plan.config.search
    known = Counter(trial.role for trial in rows.trials)
    points = min(search.confirm, len({trial.point for trial in rows.trials}))
    count = max(points * search.confirm_repeats - known["confirm"], 0)
    count += max(search.refit - known["refit"], 0) if rows.trials else 0
    count += trials_to_come(plan, rows) if search.pruner == "none" else 0
    return count, count * scope.until


def starts_left(plan: Plan, rows: Rows, scope: Scope) -> int:
    """Trials of a search with a pruner that have not begun."""
    searched = [trial for trial in rows.trials if trial.role == "search" and is_asked_for(trial, scope)]
    return sum(not trial.epochs for trial in searched) + trials_to_come(plan, rows)


def epochs_left(plan: Plan, rows: Rows, scope: Scope) -> int:
    """Epochs that a pruner is expected to let a search train, less those that it has had."""
    had = sum(len(trial.epochs) for trial in rows.trials if trial.role == "search")
    return max(search_epochs(plan, rows, scope) - had, 0) if scope.may_search else 0


def search_epochs(plan: Plan, rows: Rows, scope: Scope) -> int:
    """How many epochs a search with a pruner is expected to train in all."""
    count = sum(trial.role == "search" and is_asked_for(trial, scope) for trial in rows.trials)
    size = count + trials_to_come(plan, rows), scope.until
    if size not in plan.expected:
        plan.expected[size] = expected_epochs(plan.config.search, *size)
    return plan.expected[size]


def mean_operations(rows: Rows) -> int:
    """Of the trials' points."""
    return int(np.mean([rows.point(trial.point).operations for trial in rows.trials])) if rows.trials else 0


def bytes_needed(plan: Plan, rows: Rows) -> tuple[int, int]:
    """For the checkpoints and for MLflow, of all trials that are not finished."""
    config = plan.config
    trained = [rows.point(trial.point) for trial in rows.trials]
    points = [rows.point(trial.point) for trial in unfinished(rows, scope_of(config, rows))]
    points += islice(cycle(trained), trials_to_come(plan, rows))  # as large as those known
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
