"""How long the rest of a sweep takes and how much disk it needs, from what has been measured so far."""

from collections import Counter
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from src.config.schema import Mlflow
from src.ledger.history import History
from src.ledger.records import Role, Trial
from src.search.pruners import expected_epochs
from src.search.schedule import Schedule, trials_to_come, unfinished

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


def measure(history: History, epoch_images: int) -> Speed | None:
    """The line through everything measured; None as long as nothing is."""
    probes = [probe for probe in history.probes if probe.per_image > 0]
    points = [(probe.operations, probe.per_image) for probe in probes]
    for trial in history.trials:
        operations = history.point(trial.point).operations
        points += [(operations, epoch.seconds / epoch_images) for epoch in trial.epochs[-1:]]
    if not points:
        return None
    x, y = np.array(points, dtype=float).T
    slope = float(np.polyfit(x, y, 1)[0]) if np.ptp(x) > 0 else 0.0
    slope = max(slope, 0.0)
    base = max(float(np.mean(y - slope * x)), 0.0)
    return Speed(base, slope, float(np.mean([probe.prepare for probe in probes])) if probes else 1.0)


def seconds_left(schedule: Schedule, train_images: int, workers: int) -> float | None:
    """Of training for all trials that are not finished; None as long as nothing is measured."""
    config, history = schedule.problem.config, schedule.history
    search, images = config.search, config.training.epoch_size or train_images  # of an epoch
    speed = measure(history, images)
    if speed is None:
        return None
    epoch = images * speed.per_image(mean_operations(history))  # seconds, of a point as large as the mean
    trials = unfinished(schedule)
    starts, epochs = further_trials(schedule)
    if search.pruner != "none":
        trials = [trial for trial in trials if trial.role != Role.SEARCH]
        starts, epochs = starts + starts_left(schedule), epochs + epochs_left(schedule)
    total = starts * speed.prepare + epochs * epoch
    for trial in trials:
        own = images * speed.per_image(history.point(trial.point).operations)
        total += speed.prepare + (schedule.index.epochs_of(trial) - len(trial.epochs)) * own
    if search.max_epochs is not None:
        total = min(total, max(search.max_epochs - schedule.index.total_epochs, 0) * epoch)
    total /= workers
    return total if search.max_seconds is None else min(total, max(search.max_seconds - history.seconds(), 0.0))


def further_trials(schedule: Schedule) -> tuple[int, int]:
    """Trials that do not exist yet, and their epochs: on fresh seeds, on all images, of points to be proposed."""
    search, history = schedule.problem.config.search, schedule.history
    known = Counter(trial.role for trial in history.trials)
    points = min(search.confirm, len({trial.point for trial in history.trials}))
    count = max(points * search.confirm_repeats - known[Role.CONFIRM], 0)
    count += max(search.refit - known[Role.REFIT], 0) if history.trials else 0
    count += trials_to_come(schedule) if search.pruner == "none" else 0
    return count, count * schedule.until


def starts_left(schedule: Schedule) -> int:
    """Trials of a search with a pruner that have not begun."""
    return sum(not trial.epochs for trial in searched(schedule)) + trials_to_come(schedule)


def epochs_left(schedule: Schedule) -> int:
    """Epochs that a pruner is expected to let a search train, less those that it has had."""
    had = sum(len(trial.epochs) for trial in schedule.history.trials if trial.role == Role.SEARCH)
    return max(search_epochs(schedule) - had, 0) if schedule.budget.may_search else 0


def search_epochs(schedule: Schedule) -> int:
    """How many epochs a search with a pruner is expected to train in all."""
    size = len(searched(schedule)) + trials_to_come(schedule), schedule.until
    if size not in schedule.expected:
        schedule.expected[size] = expected_epochs(schedule.problem.config.search, *size)
    return schedule.expected[size]


def searched(schedule: Schedule) -> list[Trial]:
    """Trials of the search that are asked for."""
    budget = schedule.budget
    return [trial for trial in schedule.history.trials if trial.role == Role.SEARCH and budget.asks_for(trial)]


def mean_operations(history: History) -> int:
    """Of the trials' points."""
    return int(np.mean([history.point(trial.point).operations for trial in history.trials])) if history.trials else 0


def bytes_needed(schedule: Schedule) -> tuple[int, int]:
    """For the checkpoints and for MLflow, of all trials that are not finished."""
    config, history = schedule.problem.config, schedule.history
    trained = [history.point(trial.point) for trial in history.trials]
    points = [history.point(trial.point) for trial in unfinished(schedule)]
    points += islice(cycle(trained), trials_to_come(schedule))  # as large as those known
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
