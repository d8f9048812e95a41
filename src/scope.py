"""How far an invocation's amounts reach: which trials are begun, and which are given more epochs."""

from dataclasses import dataclass, replace
from statistics import fmean

from src.pruners import Limits, limits
from src.rows import Rows, Trial
from src.schema import Config, Search
from src.standing import standings, winner

DAMAGES = 5  # failures of a trial after which damaged checkpoints are not made again


@dataclass(frozen=True)
class Scope:
    """How far this invocation's amounts reach."""

    until: int  # epochs of every trial
    last_point: float  # number of the last point to train
    seeds: dict[str, int]  # by role
    has_budget: bool  # of seconds and epochs
    is_reached: bool  # the target
    retries: int
    limits: Limits  # of the pruner

    @property
    def may_search(self) -> bool:
        """Whether a trial of the search may be begun."""
        return self.has_budget and not self.is_reached


def scope_of(config: Config, rows: Rows) -> Scope:
    """The amounts as the rows bear them."""
    search = config.search
    points = [p.number for p in rows.points if p.state == "feasible"]
    limit = len(points) if search.max_trials is None else search.max_trials
    last = points[limit - 1] if limit < len(points) else float("inf")
    seeds = {"search": search.repeats, "confirm": search.confirm_repeats if search.confirm else 0}
    has_time = search.max_seconds is None or rows.seconds() < search.max_seconds
    spent = sum(len(trial.epochs) for trial in rows.trials) if search.max_epochs else 0
    has_budget = has_time and (search.max_epochs is None or spent < search.max_epochs)
    is_reached = search.target is not None and any(
        reaches(trial, search.target, rows.objective) for trial in rows.trials
    )
    scope = Scope(
        target(config, rows), last, {**seeds, "refit": int(search.refit)}, has_budget, is_reached, search.retries, {}
    )
    return replace(scope, limits=limits_of(search, rows, scope))


def target(config: Config, rows: Rows) -> int:
    """Epochs of every trial: those asked for, or as many as a trial has had before, so that all stay comparable."""
    return max(config.training.epochs, max((len(trial.epochs) for trial in rows.trials), default=0))


def limits_of(search: Search, rows: Rows, scope: Scope) -> Limits:
    """How far the pruner lets trials train; of those that are asked for."""
    if search.pruner == "none":
        return {}
    trials = [trial for trial in rows.trials if trial.role == "search" and is_asked_for(trial, scope)]

    def has_ended(trial: Trial) -> bool:
        return trial.state == "finished" or (trial.state == "failed" and not is_tried_again(rows, trial, scope))

    return limits(search, trials, scope.until, has_ended)


def reaches(trial: Trial, target: float, objective: str) -> bool:
    """Whether a finished trial is as good as a target."""
    if trial.state != "finished" or trial.objective is None:
        return False
    return trial.objective >= target if objective == "val_accuracy" else trial.objective <= target


def is_over(rows: Rows, role: str, scope: Scope) -> bool:
    """Whether no trial of a role is being trained or will be, were there time for all."""
    scope = replace(scope, has_budget=True)
    trials = (trial for trial in rows.trials if trial.role == role)
    return not any(trial.state == "running" or wants_training(rows, trial, scope) for trial in trials)


def wants_training(rows: Rows, trial: Trial, scope: Scope) -> bool:
    """Whether a trial that no worker has should be given to one."""
    if trial.role == "refit" and not is_of_winner(rows, trial, scope):
        return False
    if trial.state == "failed":
        return is_tried_again(rows, trial, scope)
    if trial.state == "finished" and trial.reason:  # stopped early
        return False
    if trial.state in ("finished", "paused", "pruned") and len(trial.epochs) >= epochs_of(rows, trial, scope):
        return False
    return trial.state in ("interrupted", "running") or is_within_budget(trial, scope)


def is_tried_again(rows: Rows, trial: Trial, scope: Scope) -> bool:
    """Whether a trial that failed has attempts left."""
    last = next(f for f in reversed(rows.failures) if (f.work, f.subject) == ("train", trial.number))
    if last.kind == "damaged":
        return rows.crashes["train", trial.number] <= DAMAGES
    return last.kind == "crash" and trial.crashes <= scope.retries


def is_of_winner(rows: Rows, refit: Trial, scope: Scope) -> bool:
    """Whether a refit is of the point that has won, once that is known."""
    first = winner(rows)
    is_known = is_over(rows, "search", scope) and is_over(rows, "confirm", scope)
    return is_known and first is not None and first.point == refit.point


def is_within_budget(trial: Trial, scope: Scope) -> bool:
    """Whether a trial may be begun, or be given more epochs."""
    return is_asked_for(trial, scope) and scope.has_budget and not (scope.is_reached and trial.role == "search")


def is_asked_for(trial: Trial, scope: Scope) -> bool:
    """Whether the amounts reach to a trial."""
    is_near = trial.role != "search" or trial.point <= scope.last_point
    return is_near and trial.repeat < scope.seeds[trial.role]


def epochs_of(rows: Rows, trial: Trial, scope: Scope) -> int:
    """How many epochs a trial is to have: as many as its pruner allows; a refit as many as were best, on average."""
    if trial.role != "refit":  # never fewer than it has had: a pruner may come later than the epochs
        limit = scope.limits.get(trial.number)
        return max(limit.epochs, len(trial.epochs)) if limit else scope.until
    found = (s for role in ("confirm", "search") for s in standings(rows, role) if s.point.number == trial.point)
    own = next(found, None)  # there is none while its trials are given more epochs
    return max(round(fmean(other.best_epoch for other in own.trials)), len(trial.epochs)) if own else scope.until
