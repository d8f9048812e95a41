"""How far an invocation's amounts reach: which trials are begun, and which are given more epochs."""

from dataclasses import dataclass, replace
from statistics import fmean

from src.analysis.ranking import best_trial, point_results
from src.config.schema import Config, Search
from src.ledger.history import History
from src.ledger.jobs import TrainJob
from src.ledger.objective import Objective
from src.ledger.records import Cause, PointState, Role, Trial, TrialState
from src.search.pruners import Limits, limits

DAMAGES = 5  # failures of a trial after which damaged checkpoints are not made again


@dataclass(frozen=True)
class Budget:
    """How far this invocation's amounts reach."""

    until: int  # epochs of every trial
    last_point: float  # number of the last point to train
    seeds: dict[Role, int]  # by role
    has_budget: bool  # of seconds and epochs
    is_reached: bool  # the target
    retries: int
    limits: Limits  # of the pruner

    @property
    def may_search(self) -> bool:
        """Whether a trial of the search may be begun."""
        return self.has_budget and not self.is_reached


def budget_of(config: Config, history: History) -> Budget:
    """The amounts as the rows bear them."""
    search = config.search
    points = [p.number for p in history.points if p.state == PointState.FEASIBLE]
    limit = len(points) if search.max_trials is None else search.max_trials
    last = points[limit - 1] if limit < len(points) else float("inf")
    seeds = {
        Role.SEARCH: search.repeats,
        Role.CONFIRM: search.confirm_repeats if search.confirm else 0,
        Role.REFIT: int(search.refit),
    }
    has_time = search.max_seconds is None or history.seconds() < search.max_seconds
    spent = sum(len(trial.epochs) for trial in history.trials) if search.max_epochs else 0
    has_budget = has_time and (search.max_epochs is None or spent < search.max_epochs)
    is_reached = search.target is not None and any(
        reaches(trial, search.target, history.objective) for trial in history.trials
    )
    budget = Budget(target(config, history), last, seeds, has_budget, is_reached, search.retries, {})
    return replace(budget, limits=limits_of(search, history, budget))


def target(config: Config, history: History) -> int:
    """Epochs of every trial: those asked for, or as many as a trial has had before, so that all stay comparable."""
    return max(config.training.epochs, max((len(trial.epochs) for trial in history.trials), default=0))


def limits_of(search: Search, history: History, budget: Budget) -> Limits:
    """How far the pruner lets trials train; of those that are asked for."""
    if search.pruner == "none":
        return {}
    trials = [trial for trial in history.trials if trial.role == Role.SEARCH and is_asked_for(trial, budget)]

    def has_ended(trial: Trial) -> bool:
        return trial.state == TrialState.FINISHED or (
            trial.state == TrialState.FAILED and not is_tried_again(history, trial, budget)
        )

    return limits(search, trials, budget.until, has_ended)


def reaches(trial: Trial, target: float, objective: Objective) -> bool:
    """Whether a finished trial is as good as a target."""
    if trial.state != TrialState.FINISHED or trial.objective is None:
        return False
    return objective.is_reached(trial.objective, target)


def is_over(history: History, role: Role, budget: Budget) -> bool:
    """Whether no trial of a role is being trained or will be, were there time for all."""
    budget = replace(budget, has_budget=True)
    trials = (trial for trial in history.trials if trial.role == role)
    return not any(trial.state == TrialState.RUNNING or wants_training(history, trial, budget) for trial in trials)


def wants_training(history: History, trial: Trial, budget: Budget) -> bool:
    """Whether a trial that no worker has should be given to one."""
    if trial.role == Role.REFIT and not is_of_winner(history, trial, budget):
        return False
    if trial.state == TrialState.FAILED:
        return is_tried_again(history, trial, budget)
    if trial.state == TrialState.FINISHED and trial.stopped_early:
        return False
    if trial.state in (TrialState.FINISHED, TrialState.PAUSED, TrialState.PRUNED) and len(trial.epochs) >= epochs_of(
        history, trial, budget
    ):
        return False
    return trial.state in (TrialState.INTERRUPTED, TrialState.RUNNING) or is_within_budget(trial, budget)


def is_tried_again(history: History, trial: Trial, budget: Budget) -> bool:
    """Whether a trial that failed has attempts left."""
    last = history.last_failures[TrainJob.kind, trial.number]
    if last.cause == Cause.DAMAGED:
        return history.crashes[TrainJob.kind, trial.number] <= DAMAGES
    return last.cause == Cause.CRASH and trial.crashes <= budget.retries


def is_of_winner(history: History, refit: Trial, budget: Budget) -> bool:
    """Whether a refit is of the point that has won, once that is known."""
    first = best_trial(history)
    is_known = is_over(history, Role.SEARCH, budget) and is_over(history, Role.CONFIRM, budget)
    return is_known and first is not None and first.point == refit.point


def is_within_budget(trial: Trial, budget: Budget) -> bool:
    """Whether a trial may be begun, or be given more epochs."""
    return is_asked_for(trial, budget) and budget.has_budget and not (budget.is_reached and trial.role == Role.SEARCH)


def is_asked_for(trial: Trial, budget: Budget) -> bool:
    """Whether the amounts reach to a trial."""
    is_near = trial.role != Role.SEARCH or trial.point <= budget.last_point
    return is_near and trial.repeat < budget.seeds[trial.role]


def epochs_of(history: History, trial: Trial, budget: Budget) -> int:
    """How many epochs a trial is to have: as many as its pruner allows; a refit as many as were best, on average."""
    if trial.role != Role.REFIT:  # never fewer than it has had: a pruner may come later than the epochs
        limit = budget.limits.get(trial.number)
        return max(limit.epochs, len(trial.epochs)) if limit else budget.until
    found = (
        s for role in (Role.CONFIRM, Role.SEARCH) for s in point_results(history, role) if s.point.number == trial.point
    )
    own = next(found, None)  # there is none while its trials are given more epochs
    return max(round(fmean(other.best_epoch for other in own.trials)), len(trial.epochs)) if own else budget.until
