"""Who stands where: points by the mean of their trials, trials in the order of their points."""

from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev

from src.ledger.history import History
from src.ledger.objective import Objective
from src.ledger.records import Epoch, Evaluation, Point, Role, Trial, TrialState

OPEN = ("waiting", "running", "interrupted")


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


def point_results(history: History, role: Role) -> list[PointResult]:
    """Points by the mean of their finished trials, the best first: by the objective; ties by the other of
    accuracy and loss, then by fewer parameters, then by number."""
    trials: dict[int, list[Trial]] = {}
    for trial in history.trials:
        if trial.role == role and trial.state == TrialState.FINISHED and trial.epochs:
            trials.setdefault(trial.point, []).append(trial)
    found = [
        PointResult(
            history.point(number), role, sorted(own, key=lambda trial: own_score(history, trial)), history.objective
        )
        for number, own in trials.items()
    ]
    return sorted(found, key=lambda s: (*s.score, s.point.parameters, s.point.number))


def own_score(history: History, trial: Trial) -> tuple[float, float, int]:
    """A trial's own place; lower is better."""
    return (*history.objective.score(best(trial).metrics), trial.number)


def rank_points(history: History) -> list[PointResult]:
    """Every point's standing, the best first: confirmed points by their fresh seeds, once all of these have ended;
    the others, by their search, follow."""
    is_open = any(trial.role == Role.CONFIRM and trial.state in OPEN for trial in history.trials)
    confirmed = [] if is_open else point_results(history, Role.CONFIRM)
    numbers = {standing.point.number for standing in confirmed}
    return confirmed + [s for s in point_results(history, Role.SEARCH) if s.point.number not in numbers]


def rank_trials(history: History) -> list[Trial]:
    """Finished trials, the best first: in the order of their points, those on fresh seeds before those of the search."""
    place = {standing.point.number: index for index, standing in enumerate(rank_points(history))}
    finished = [
        t
        for t in history.trials
        if t.state == TrialState.FINISHED and t.epochs and t.role != Role.REFIT and t.point in place
    ]
    return sorted(
        finished, key=lambda trial: (place[trial.point], trial.role != Role.CONFIRM, own_score(history, trial))
    )


def best_trial(history: History) -> Trial | None:
    """The best finished trial."""
    return next(iter(rank_trials(history)), None)


def final_trial(history: History) -> Trial | None:
    """The trial whose model is the sweep's result: the winner, or what was trained of it on all images."""
    first = best_trial(history)
    refits = (
        t
        for t in history.trials
        if first and (t.role, t.point, t.state) == (Role.REFIT, first.point, TrialState.FINISHED)
    )
    return next(refits, first)


def evaluation_of(history: History, trial: Trial) -> Evaluation | None:
    """The trial's best epoch on the test data, if it has been looked at."""
    return next((e for e in history.evaluations if (e.trial, e.epoch) == (trial.number, trial.best_epoch)), None)
