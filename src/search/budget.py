"""How far a budget reaches: which trials are begun, which are given more epochs, and which go on whatever it says."""

from dataclasses import dataclass
from enum import Enum

from src.ledger.history import History
from src.ledger.jobs import TrainJob
from src.ledger.records import Cause, Role, Trial, TrialState

DAMAGES = 5  # failures of a trial after which damaged checkpoints are not made again


@dataclass(frozen=True)
class Budget:
    """How far this invocation reaches, as the history stands."""

    until: int  # epochs of every trial
    last_point: float  # number of the last point to train
    seeds: dict[Role, int]  # by role
    has_budget: bool  # of seconds and epochs
    is_reached: bool  # the target
    retries: int

    @property
    def may_search(self) -> bool:
        """Whether a trial of the search may be begun."""
        return self.allows(Role.SEARCH)

    def allows(self, role: Role) -> bool:
        """Whether a trial of a role may be begun, or be given more epochs."""
        return self.has_budget and not (self.is_reached and role == Role.SEARCH)

    def asks_for(self, trial: Trial) -> bool:
        """Whether points and seeds reach to a trial."""
        is_near = trial.role != Role.SEARCH or trial.point <= self.last_point
        return is_near and trial.repeat < self.seeds[trial.role]


class Claim(Enum):
    """What a trial that no worker has may ask for."""

    NOTHING = "it has had all that it is to have"
    BUDGET = "training, if the budget allows it"
    TRAINING = "training, whatever the budget says: it was begun"


def claim_of(history: History, trial: Trial, budget: Budget, epochs: int) -> Claim:
    """What a trial may ask for that is to have so many epochs."""
    if trial.state == TrialState.FAILED:
        return Claim.TRAINING if is_tried_again(history, trial, budget.retries) else Claim.NOTHING
    if trial.state in (TrialState.INTERRUPTED, TrialState.RUNNING):
        return Claim.TRAINING
    is_done = trial.state != TrialState.WAITING and (trial.stopped_early or len(trial.epochs) >= epochs)
    return Claim.BUDGET if not is_done and budget.asks_for(trial) else Claim.NOTHING


def is_tried_again(history: History, trial: Trial, retries: int) -> bool:
    """Whether a trial that failed has attempts left."""
    last = history.last_failures[TrainJob.kind, trial.number]
    if last.cause == Cause.DAMAGED:
        return history.crashes[TrainJob.kind, trial.number] <= DAMAGES
    return last.cause == Cause.CRASH and trial.crashes <= retries


def has_ended(history: History, trial: Trial, retries: int) -> bool:
    """Whether a trial trains no more, whatever happens to others."""
    is_lost = trial.state == TrialState.FAILED and not is_tried_again(history, trial, retries)
    return trial.state.is_finished or is_lost
