"""How far a budget reaches, worked out anew from all records: see `recomputed`."""

from dataclasses import dataclass, replace
from statistics import fmean

from src.analysis.ranking import best_trial, point_results
from src.ledger.history import History
from src.ledger.records import Cause, PointState, Role, Trial, TrialState
from src.search.problem import SearchProblem
from src.search.pruners import Costs, Limits, limits

DAMAGES = 5
DONE = (TrialState.FINISHED, TrialState.PAUSED, TrialState.PRUNED)


@dataclass(frozen=True)
class Scope:
    """How far a budget reaches."""

    until: int
    last_point: float
    seeds: dict[Role, int]
    has_budget: bool
    is_reached: bool
    retries: int
    limits: Limits

    @property
    def may_search(self) -> bool:
        """Whether a trial of the search may be begun."""
        return self.has_budget and not self.is_reached


def scope(problem: SearchProblem, history: History) -> Scope:
    """The budget as the history stands."""
    search, epochs = problem.config.search, [problem.config.training.epochs, *(len(t.epochs) for t in history.trials)]
    points = [point.number for point in history.points if point.state == PointState.FEASIBLE]
    limit = len(points) if search.max_trials is None else search.max_trials
    last = points[limit - 1] if limit < len(points) else float("inf")
    seeds = {Role.SEARCH: search.repeats, Role.CONFIRM: search.confirm_repeats if search.confirm else 0}
    has_time = search.max_seconds is None or history.seconds() < search.max_seconds
    has_budget = has_time and (search.max_epochs is None or sum(epochs[1:]) < search.max_epochs)
    is_reached = search.target is not None and any(reaches(history, t, search.target) for t in history.trials)
    seeds[Role.REFIT] = int(search.refit)
    own = Scope(max(epochs), last, seeds, has_budget, is_reached, search.retries, {})
    searched = [trial for trial in history.trials if trial.role == Role.SEARCH and is_asked_for(trial, own)]
    noted = history.invocations[-1].budget.get("validation_images", 0) if history.invocations else 0
    costs = Costs(noted, lambda trial: history.point(trial.point).operations)
    return replace(own, limits=limits(search, searched, own.until, lambda trial: has_ended(history, trial, own), costs))


def reaches(history: History, trial: Trial, target: float) -> bool:
    """Whether a finished trial is as good as a target."""
    if trial.state != TrialState.FINISHED or trial.objective is None:
        return False
    return trial.objective >= target if history.objective.name == "val_accuracy" else trial.objective <= target


def has_ended(history: History, trial: Trial, scope: Scope) -> bool:
    """Whether a trial trains no more."""
    is_lost = trial.state == TrialState.FAILED and not is_tried_again(history, trial, scope)
    return trial.state == TrialState.FINISHED or is_lost


# ------------------------------------------------------------------------------------------ one trial


def is_over(history: History, role: Role, scope: Scope) -> bool:
    """Whether no trial of a role is being trained or will be, were there time for all."""
    scope = replace(scope, has_budget=True)
    trials = (trial for trial in history.trials if trial.role == role)
    return not any(trial.state == TrialState.RUNNING or wants_training(history, trial, scope) for trial in trials)


def wants_training(history: History, trial: Trial, scope: Scope) -> bool:
    """Whether a trial that no worker has should be given to one."""
    if trial.role == Role.REFIT and not is_of_best(history, trial, scope):
        return False
    if trial.state == TrialState.FAILED:
        return is_tried_again(history, trial, scope)
    if trial.state == TrialState.FINISHED and trial.stopped_early:
        return False
    if trial.state in DONE and len(trial.epochs) >= epochs_of(history, trial, scope):
        return False
    return trial.state in (TrialState.INTERRUPTED, TrialState.RUNNING) or is_within_budget(trial, scope)


def is_tried_again(history: History, trial: Trial, scope: Scope) -> bool:
    """Whether a trial that failed has attempts left."""
    own = [failure for failure in history.failures if (failure.job, failure.subject) == ("train", trial.number)]
    if own[-1].cause == Cause.DAMAGED:
        return len(own) <= DAMAGES
    return own[-1].cause == Cause.CRASH and trial.crashes <= scope.retries


def is_of_best(history: History, refit: Trial, scope: Scope) -> bool:
    """Whether a refit is of the best point, once that is known."""
    first = best_trial(history)
    is_known = is_over(history, Role.SEARCH, scope) and is_over(history, Role.CONFIRM, scope)
    return is_known and first is not None and first.point == refit.point


def is_within_budget(trial: Trial, scope: Scope) -> bool:
    """Whether a trial may be begun, or be given more epochs."""
    return is_asked_for(trial, scope) and scope.has_budget and not (scope.is_reached and trial.role == Role.SEARCH)


def is_asked_for(trial: Trial, scope: Scope) -> bool:
    """Whether points and seeds reach to a trial."""
    is_near = trial.role != Role.SEARCH or trial.point <= scope.last_point
    return is_near and trial.repeat < scope.seeds[trial.role]


def epochs_of(history: History, trial: Trial, scope: Scope) -> int:
    """How many epochs a trial is to have."""
    if trial.role != Role.REFIT:
        limit = scope.limits.get(trial.number)
        return max(limit.epochs, len(trial.epochs)) if limit else scope.until
    found = (r for role in (Role.CONFIRM, Role.SEARCH) for r in point_results(history, role))
    own = next((result.trials for result in found if result.point.number == trial.point), None)
    return max(round(fmean(other.best_epoch for other in own)), len(trial.epochs)) if own else scope.until
