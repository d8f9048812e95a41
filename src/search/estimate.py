"""How long the rest of a sweep takes and how much disk it needs, from what has been measured so far."""

from collections import Counter
from dataclasses import dataclass
from heapq import heapreplace
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

# In multiples of the time that a session took to start. They were measured on one machine; another one that takes twice as
# long to import TensorFlow takes about twice as long for these, too.
TRACING = 0.3  # to make the graphs of a trial
REPORT = 0.4  # to begin the evaluation, and to write the report
MLFLOW = 3.3  # from the beginning until MLflow is prepared, in a process of its own
LAST = 0.2  # to write the last to MLflow, and to end

SHARE = 0.3  # of a core: what that process has while trials train on all of them, since they go first
FORWARD = 1 / 3  # of a training step's work
PASSES = 2  # over the test images


@dataclass(frozen=True)
class Conditions:
    """What time depends on besides the schedule: images, workers, cores, and seconds since the session began: until a
    worker began its first job, and until now."""

    train_images: int
    test_images: int
    workers: int
    cores: int
    start: float
    passed: float


@dataclass(frozen=True)
class Speed:
    """Seconds an image of training = base + slope * operations; `prepare` seconds once a trial."""

    base: float
    slope: float
    prepare: float

    def per_image(self, operations: int) -> float:
        """Seconds an image of training and its share of validation."""
        return self.base + self.slope * operations

    def times(self, factor: float) -> "Speed":
        """All of it by a factor."""
        return Speed(self.base * factor, self.slope * factor, self.prepare * factor)


def measure(history: History, epoch_images: int, start: float) -> Speed | None:
    """The line through the probes, as much slower as trials were since; through the trials where there was no probe.

    None as long as nothing is measured.
    """
    trained = [trial for trial in history.trials if trial.epochs and not trial.origin]
    sizes = {trial.number: history.point(trial.point).operations for trial in trained}
    if probes := [probe for probe in history.probes if probe.per_image > 0]:
        base, slope = fit_line([(probe.operations, probe.per_image) for probe in probes])
        speed = Speed(base, slope, float(np.mean([probe.prepare for probe in probes])))
        expected = [
            speed.prepare + len(trial.epochs) * epoch_images * speed.per_image(sizes[trial.number]) for trial in trained
        ]
        took = [sum(epoch.seconds for epoch in trial.epochs) for trial in trained]
        return speed.times(float(np.median(np.divide(took, expected)))) if trained else speed
    if not trained:
        return None
    tracing = TRACING * start
    epochs = [(sizes[trial.number], epoch_seconds(trial, tracing) / epoch_images) for trial in trained]
    return Speed(*fit_line(epochs), tracing)


def fit_line(points: list[tuple[int, float]]) -> tuple[float, float]:
    """Base and slope, neither of them negative."""
    x, y = np.array(points, dtype=float).T
    slope = max(float(np.polyfit(x, y, 1)[0]), 0.0) if np.ptp(x) > 0 else 0.0
    return max(float(np.mean(y - slope * x)), 0.0), slope


def epoch_seconds(trial: Trial, tracing: float) -> float:
    """Of a trial's mean epoch; in the first one its graphs were made."""
    first, *others = (epoch.seconds for epoch in trial.epochs)
    return float(np.mean(others)) if others else max(first - tracing, first / 2)


def seconds_left(schedule: Schedule, conditions: Conditions) -> float | None:
    """Until the command ends: training, the evaluation on test images, the report and MLflow; None as long as nothing is
    measured."""
    config, history = schedule.problem.config, schedule.history
    images = config.training.epoch_size or conditions.train_images  # of an epoch
    speed = measure(history, images, conditions.start)
    if speed is None:
        return None
    training = training_left(schedule, speed, images, conditions.workers)
    evaluation = PASSES * FORWARD * conditions.test_images * speed.per_image(mean_operations(history))
    after = evaluation + REPORT * conditions.start
    if isinstance(config.tracking, Mlflow):
        is_full = conditions.workers * config.training.num_threads >= conditions.cores
        beside = conditions.passed - conditions.start + training
        after = max(after, (MLFLOW - 1) * conditions.start - beside * (SHARE if is_full else 1))
    return training + after + LAST * conditions.start


def training_left(schedule: Schedule, speed: Speed, images: int, workers: int) -> float:
    """Seconds of training for all trials that are not finished; `images` are those of an epoch."""
    search, history = schedule.problem.config.search, schedule.history
    epoch = images * speed.per_image(mean_operations(history))  # seconds, of a point as large as the mean
    total = 0.0
    for role, costs in costs_left(schedule, speed, images).items():
        seconds = spread(costs, workers)
        if role == Role.SEARCH and search.pruner != "none":
            work = starts_left(schedule) * speed.prepare + epochs_left(schedule) * epoch
            seconds = max(work / workers, max(costs, default=0.0))
        total += seconds
    if search.max_epochs is not None:
        total = min(total, max(search.max_epochs - schedule.index.total_epochs, 0) * epoch / workers)
    return total if search.max_seconds is None else min(total, max(search.max_seconds - history.seconds(), 0.0))


def costs_left(schedule: Schedule, speed: Speed, images: int) -> dict[Role, list[float]]:
    """Seconds of each trial that is not finished, those that do not exist yet included; one role after the other."""
    history = schedule.history
    epoch = images * speed.per_image(mean_operations(history))
    costs: dict[Role, list[float]] = {role: [] for role in (Role.SEARCH, Role.CONFIRM, Role.REFIT)}
    for trial in unfinished(schedule):
        own = images * speed.per_image(history.point(trial.point).operations)
        is_prepared = trial.epochs or shares_graphs(history)
        left = schedule.index.epochs_of(trial) - len(trial.epochs)
        costs[trial.role].append((0.0 if is_prepared else speed.prepare) + left * own)
    for role, count in trials_to_add(schedule).items():
        costs[role] += [speed.prepare + schedule.until * epoch] * count
    return costs


def shares_graphs(history: History) -> bool:
    """Whether trials train with graphs that were made already: all are seeds of one network."""
    return bool(history.trials[0].epochs) and len({trial.point for trial in history.trials}) == 1


def spread(costs: list[float], workers: int) -> float:
    """Seconds until the last of some trials ends, each given to the first worker that is free."""
    busy = [0.0] * workers
    for seconds in costs:
        heapreplace(busy, busy[0] + seconds)
    return max(busy)


def trials_to_add(schedule: Schedule) -> dict[Role, int]:
    """Trials that do not exist yet: of points to be proposed, on fresh seeds, on all images."""
    search, history = schedule.problem.config.search, schedule.history
    known = Counter(trial.role for trial in history.trials)
    points = min(search.confirm, len({trial.point for trial in history.trials}))
    return {
        Role.SEARCH: trials_to_come(schedule),
        Role.CONFIRM: max(points * search.confirm_repeats - known[Role.CONFIRM], 0),
        Role.REFIT: max(search.refit - known[Role.REFIT], 0) if history.trials else 0,
    }


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
