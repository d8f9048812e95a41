"""Limits kept while trials train are those worked out anew from all of them, by every pruner."""

from dataclasses import dataclass, field
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from src.config.schema import Search
from src.ledger.records import Epoch, Role, Trial, TrialState
from src.search.pruners import Costs, Limits, limits
from src.search.rungs import Rungs
from tests.unit.examples import config, epoch

PRUNERS = ("none", "top_k", "halving", "hyperband", "asha", "median")
RESULTS = [(0.1, 1.0), (0.1, 0.9), (0.2, 0.9), (0.5, 0.5), (0.9, 0.2)]  # accuracy and loss, with ties
COSTS = Costs(10, lambda trial: trial.number * 7 % 4)


@cache
def search_of(
    pruner: str, rung: int, factor: int, keep: int, prefers: str = "val_accuracy", strategy: str = "grid"
) -> Search:
    """A pruner's options; `prefers` is the objective, or `cheaper` by accuracy."""
    changed = {"pruner": pruner, "rung": rung, "factor": factor, "keep": keep, "strategy": strategy}
    by_costs = prefers == "cheaper"
    changed |= {"prefer": "cheaper"} if by_costs else {"objective": prefers}
    return config().search.model_copy(update=changed)


@dataclass
class Field:
    """Trials on their way, and the limits kept of them."""

    search: Search
    until: int
    trials: list[Trial] = field(default_factory=list)
    lost: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rungs = Rungs(self.search, self.until, self.has_ended, COSTS)

    def has_ended(self, trial: Trial) -> bool:
        """Whether a trial trains no more."""
        return trial.state == TrialState.FINISHED or trial.number in self.lost

    def expected(self) -> Limits:
        """Worked out anew."""
        return limits(self.search, self.trials, self.until, self.has_ended, COSTS)

    def anew(self) -> Limits:
        """As a session begins with these trials."""
        rungs = Rungs(self.search, self.until, self.has_ended, COSTS)
        rungs.begin(self.trials)
        return rungs.limits

    def change(self, number: int) -> Trial:
        """A trial joins, trains an epoch, ends, fails for good, is tried again, or has another result."""
        kind, number = number % 16, number // 16
        if not self.trials or kind == 0:
            self.trials.append(Trial(len(self.trials) + 1, len(self.trials) + 1, Role.SEARCH, 0, 0))
            return self.trials[-1]
        trial, number = self.trials[number % len(self.trials)], number // len(self.trials)
        if kind == 1:
            self.lost ^= {trial.number}
        elif kind == 2 and trial.epochs:
            trial.state = TrialState.WAITING if trial.state == TrialState.FINISHED else TrialState.FINISHED
        elif kind == 3 and trial.epochs:
            place = number % len(trial.epochs)
            trial.epochs[place] = self.epoch(place + 1, number)
        elif len(trial.epochs) < self.until:
            trial.epochs.append(self.epoch(len(trial.epochs) + 1, number))
        return trial

    def epoch(self, place: int, number: int) -> Epoch:
        """One of a few results."""
        return epoch(place, *RESULTS[number % len(RESULTS)])


@settings(max_examples=400, derandomize=True)
@given(
    st.sampled_from(PRUNERS),
    st.integers(1, 3),
    st.integers(2, 4),
    st.integers(1, 4),
    st.integers(1, 12),
    st.sampled_from(["val_accuracy", "val_loss", "cheaper"]),
    st.sampled_from(["grid", "grid", "tpe"]),
    st.integers(1, 24),
    st.lists(st.integers(0, 2**20), min_size=5, max_size=80),
)
def test_limits_are_kept(
    pruner: str,
    rung: int,
    factor: int,
    keep: int,
    until: int,
    prefers: str,
    strategy: str,
    count: int,
    numbers: list[int],
) -> None:
    """After every change of a trial, in whatever order, and `changed` has those whose limits differ from before."""
    own = Field(search_of(pruner, rung, factor, keep, prefers, strategy), until)
    before: Limits = {}
    for number in [*[0] * count, *numbers]:
        own.rungs.update(own.change(number))
        assert own.rungs.limits == own.expected() == own.anew()
        now = own.rungs.limits
        assert own.rungs.changed >= {number for number in {*before, *now} if before.get(number) != now.get(number)}
        own.rungs.changed.clear()
        before = dict(now)


@pytest.mark.parametrize("pruner", PRUNERS)
def test_a_whole_search(pruner: str) -> None:
    """Sixty trials, each as far as it may, one after the other; then one more joins."""
    own = Field(search_of(pruner, 1, 3, 4), 9)
    for _ in range(60):
        own.rungs.update(own.change(0))
    is_over = False
    while not is_over:
        is_over = True
        for trial in own.trials:
            limit = own.rungs.limits.get(trial.number)
            if len(trial.epochs) < (limit.epochs if limit else 9):
                is_over = False
                trial.epochs.append(own.epoch(len(trial.epochs) + 1, trial.number))
                own.rungs.update(trial)
        assert own.rungs.limits == own.expected()
    own.rungs.update(own.change(0))
    assert own.rungs.limits == own.expected()
