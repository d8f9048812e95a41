"""Ranking: points by the mean of their trials, trials in the order of their points.

The functions answer from a whole history. `Ranking` gives the same answers while records change, at O(log n) a change.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from statistics import fmean, stdev

from sortedcontainers import SortedList

from src.ledger.history import History
from src.ledger.objective import Objective
from src.ledger.records import Epoch, Evaluation, Point, Record, Role, Trial

Key = tuple[float, float, int, int]  # score, parameters, number


@dataclass(frozen=True)
class PointResult:
    """A point with its finished trials of one role, one a seed, the best first."""

    point: Point
    role: Role
    trials: list[Trial]
    objective: Objective

    @cached_property
    def score(self) -> tuple[float, float]:
        """The mean of its trials' scores; lower is better."""
        first, second = zip(*(self.objective.score(best(trial).metrics) for trial in self.trials), strict=True)
        return fmean(first), fmean(second)

    @property
    def key(self) -> Key:
        """Lower is better: by the objective; ties by the other of accuracy and loss, then by fewer parameters, then by
        number."""
        return (*self.score, self.point.parameters, self.point.number)

    def mean(self, metric: str) -> float:
        """Of a metric at the trials' best epochs."""
        return fmean(best(trial).metrics[metric] for trial in self.trials)

    def deviation(self, metric: str) -> float | None:
        """The standard deviation over seeds; None of one trial."""
        values = [best(trial).metrics[metric] for trial in self.trials]
        return stdev(values) if len(values) > 1 else None

    def seconds(self) -> float:
        """Of training, the mean of its trials."""
        return fmean(sum(epoch.seconds for epoch in trial.epochs) for trial in self.trials)


def best(trial: Trial) -> Epoch:
    """A trial's best epoch."""
    return trial.epochs[trial.best_epoch - 1]


def has_result(trial: Trial) -> bool:
    """Whether a trial is ranked."""
    return trial.state.is_finished and bool(trial.epochs)


def own_score(history: History, trial: Trial) -> tuple[float, float, int]:
    """A trial's own score; lower is better."""
    return (*history.objective.score(best(trial).metrics), trial.number)


def result_of(history: History, point: int, role: Role, trials: Iterable[Trial]) -> PointResult:
    """The result of a point's finished trials of a role."""
    ordered = sorted(trials, key=lambda trial: own_score(history, trial))
    return PointResult(history.point(point), role, ordered, history.objective)


# ------------------------------------------------------------------------------ of a whole history


def point_results(history: History, role: Role) -> list[PointResult]:
    """Points ranked by the mean of their finished trials of a role, the best first."""
    trials: dict[int, list[Trial]] = {}
    for trial in history.trials:
        if trial.role == role and has_result(trial):
            trials.setdefault(trial.point, []).append(trial)
    found = [result_of(history, number, role, own) for number, own in trials.items()]
    return sorted(found, key=lambda result: result.key)


def rank_points(history: History) -> list[PointResult]:
    """Every point with a result, the best first: confirmed points by their fresh seeds, once all of these have ended;
    the others, by their search, follow."""
    is_open = any(trial.role == Role.CONFIRM and trial.state.is_open for trial in history.trials)
    confirmed = [] if is_open else point_results(history, Role.CONFIRM)
    numbers = {result.point.number for result in confirmed}
    return confirmed + [s for s in point_results(history, Role.SEARCH) if s.point.number not in numbers]


def rank_trials(history: History) -> list[Trial]:
    """Finished trials, the best first: in the order of their points, those on fresh seeds before those of the search."""
    place = {result.point.number: index for index, result in enumerate(rank_points(history))}
    ranked = [t for t in history.trials if has_result(t) and t.role != Role.REFIT and t.point in place]
    return sorted(ranked, key=lambda trial: (place[trial.point], trial.role != Role.CONFIRM, own_score(history, trial)))


def best_trial(history: History) -> Trial | None:
    """The best finished trial."""
    return next(iter(rank_trials(history)), None)


def final_trial(history: History) -> Trial | None:
    """The trial whose model is the sweep's result: the best, or what was trained of it on all images."""
    first = best_trial(history)
    refits = (t for t in history.trials if first and t.role == Role.REFIT and t.point == first.point)
    return next((trial for trial in refits if trial.state.is_finished), first)


def evaluation_of(history: History, trial: Trial) -> Evaluation | None:
    """The trial's best epoch on the test data, if it has been evaluated."""
    return next((e for e in history.evaluations if (e.trial, e.epoch) == (trial.number, trial.best_epoch)), None)


# ----------------------------------------------------------------------------- while records change


class Ranking:
    """The ranking of a history, kept up to date with its records."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.trials: dict[tuple[Role, int], dict[int, Trial]] = {}  # ranked trials by role and point
        self.keys: dict[tuple[Role, int], Key] = {}
        self.order: dict[Role, SortedList[Key]] = {role: SortedList() for role in Role}
        self.open_confirmations: set[int] = set()
        for trial in history.trials:
            self.follow(trial)
        history.followers.append(self.follow)

    def follow(self, record: Record) -> None:
        """Take up a record that has changed."""
        if isinstance(record, Trial):
            own = self.trials.setdefault((record.role, record.point), {})
            if has_result(record):
                own[record.number] = record
            elif own.pop(record.number, None) is None and record.role != Role.CONFIRM:
                return
            if record.role == Role.CONFIRM:
                known = self.open_confirmations
                (known.add if record.state.is_open else known.discard)(record.number)
            if record.role != Role.REFIT:  # it has no validation images to be ranked by
                self.rank(record.role, record.point)
        elif isinstance(record, Point):  # its parameters decide ties
            for role in Role:
                if (role, record.number) in self.keys:
                    self.rank(role, record.number)

    def rank(self, role: Role, point: int) -> None:
        """Put a point where it belongs."""
        if (before := self.keys.pop((role, point), None)) is not None:
            self.order[role].remove(before)
        if self.trials[role, point]:
            self.keys[role, point] = key = self.result(role, point).key
            self.order[role].add(key)

    def result(self, role: Role, point: int) -> PointResult:
        """A point's result."""
        return result_of(self.history, point, role, self.trials[role, point].values())

    def results(self, role: Role) -> Iterator[PointResult]:
        """As `point_results`."""
        return (self.result(role, number) for *_, number in self.order[role])

    def points(self) -> Iterator[PointResult]:
        """As `rank_points`."""
        is_open = bool(self.open_confirmations)
        if not is_open:
            yield from self.results(Role.CONFIRM)
        for *_, number in self.order[Role.SEARCH]:
            if is_open or (Role.CONFIRM, number) not in self.keys:
                yield self.result(Role.SEARCH, number)

    def best_trials(self) -> Iterator[Trial]:
        """As `rank_trials`."""
        for result in self.points():
            for role in (Role.CONFIRM, Role.SEARCH):
                own = self.trials.get((role, result.point.number), {}).values()
                yield from sorted(own, key=lambda trial: own_score(self.history, trial))

    def best_trial(self) -> Trial | None:
        """As the function of this name."""
        return next(self.best_trials(), None)

    def final_trial(self) -> Trial | None:
        """As the function of this name."""
        first = self.best_trial()
        refits = self.trials.get((Role.REFIT, first.point), {}) if first else {}
        return refits[min(refits)] if refits else first

    def first_points(self, count: int) -> list[int]:
        """The numbers of the best points of the search."""
        return [number for *_, number in islice(self.order[Role.SEARCH], count)]
