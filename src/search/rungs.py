"""A pruner's limits while trials train: each rung's order is kept, so that a result costs O(log n).

`pruners.limits` says from a whole history what is kept here; successive halving is reduced, ASHA and the median rule are
worked out anew, only when a trial reaches a rung or ends.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import assert_never

from sortedcontainers import SortedList

from src.config.schema import Search
from src.ledger.objective import OBJECTIVES
from src.ledger.records import Trial
from src.search.pruners import (
    UNKNOWN,
    Costs,
    Limit,
    Limits,
    bracket_sizes,
    limits,
    num_certain,
    num_kept,
    part,
    place_of,
    rungs,
)

Ended = Callable[[Trial], bool]


Mark = tuple[float, float] | tuple[()] | None  # at a rung: a result; lost before it; on the way


@dataclass
class Rungs:
    """The limits of a search's trials, which are added in the order of their numbers. `changed` are those whose limits
    have changed since it was last emptied."""

    search: Search
    until: int
    has_ended: Ended
    costs: Costs = UNKNOWN
    limits: Limits = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    brackets: list["Halving"] = field(default_factory=list)
    recomputed: "Recomputed | None" = None
    bracket_of: dict[int, "Halving"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        search, until = self.search, self.until
        match search.pruner:
            case "top_k":
                self.brackets = [Halving(self, [search.rung, until])]
            case "halving":
                self.brackets = [Halving(self, rungs(search.rung, search.factor, until))]
            case "hyperband":
                starts = rungs(search.rung, search.factor, until)
                self.brackets = [Halving(self, rungs(first, search.factor, until)) for first in starts]
            case "asha":
                self.recomputed = Recomputed(self, rungs(search.rung, search.factor, until))
            case "median":
                self.recomputed = Recomputed(self, [*range(search.rung, until, search.rung), until])
            case "none":
                pass
            case other:
                assert_never(other)

    def begin(self, trials: Sequence[Trial]) -> None:
        """Take up the first trials, all at once."""
        if self.recomputed:
            self.recomputed.begin(trials)
        if self.brackets:
            for trial in trials:
                self.bracket(trial).trials[trial.number] = trial
            for bracket in self.brackets:
                bracket.start_anew()
                bracket.settle()

    def update(self, trial: Trial) -> None:
        """Take up a trial of the search, new or changed."""
        if self.recomputed:
            self.recomputed.update(trial)
        if self.brackets:
            self.bracket(trial).update(trial)

    def bracket(self, trial: Trial) -> "Halving":
        """Where a trial belongs."""
        if trial.number not in self.bracket_of:
            sizes = bracket_sizes(len(self.brackets), self.search.factor)
            self.bracket_of[trial.number] = self.brackets[place_of(len(self.bracket_of), sizes)]
        return self.bracket_of[trial.number]

    def set(self, number: int, limit: Limit | None) -> None:
        """Give a trial another limit, or none."""
        if self.limits.get(number) != limit:
            self.changed.add(number)
            if limit:
                self.limits[number] = limit
            else:
                del self.limits[number]


class Halving:
    """Successive halving of some trials: all train to a rung, and the best of them to the next.

    Those whose promotion is certain go on before the others are there. At the next rung they count once all are.
    """

    def __init__(self, rungs: Rungs, steps: list[int]) -> None:
        self.rungs, self.steps = rungs, steps
        self.trials: dict[int, Trial] = {}
        self.level = 0
        self.alive: set[int] = set()
        self.pending: set[int] = set()  # alive, neither at the rung nor at an end before it
        self.reached: SortedList[tuple[float, float, int]] = SortedList()
        self.marks: dict[int, list[Mark]] = {}  # what each trial was at the rungs so far

    def update(self, trial: Trial) -> None:
        """Take up a trial, new or changed."""
        is_new = trial.number not in self.trials
        self.trials[trial.number] = trial
        if (is_new and self.level > 0) or (not is_new and self.has_changed(trial)):
            self.start_anew()
        elif is_new or trial.number in self.pending:
            if is_new:
                self.alive.add(trial.number)
                self.marks[trial.number] = []
            self.pending.discard(trial.number)
            self.join(trial)
            self.promote_around(trial)
        self.settle()

    def promote_around(self, trial: Trial) -> None:
        """Tell those anew whose place may have become certain, or is not any more: the trial, and those about the last."""
        count = self.num_certain()
        self.promote(max(count - 2, 0), count + 2)
        here = self.marks[trial.number][self.level :]
        if here and (mark := here[0]):
            place = self.reached.index((*mark, trial.number))
            self.promote(place, place + 1)

    def has_changed(self, trial: Trial) -> bool:
        """Whether a trial is another at a rung than it was: it is tried again after all, or has other results."""
        known = self.marks[trial.number]
        return known != marks(self.rungs, trial, self.steps[: len(known)])

    def start_anew(self) -> None:
        """From the first rung, with all trials."""
        self.marks = {number: [] for number in self.trials}
        self.enter(0, set(self.trials))

    def enter(self, level: int, alive: set[int]) -> None:
        """Begin a rung with the trials alive."""
        self.level, self.alive = level, alive
        self.pending, self.reached = set(), SortedList()
        for number in sorted(alive):
            self.join(self.trials[number])
        self.promote(0, len(self.reached))

    def join(self, trial: Trial) -> None:
        """Let a trial train to the rung, and put it among those that are there, on their way to it, or lost."""
        step = self.steps[self.level]
        self.rungs.set(trial.number, Limit(step))
        if self.is_last():
            return
        (mark,) = marks(self.rungs, trial, [step])
        if mark is None:
            self.pending.add(trial.number)
            return
        self.marks[trial.number].append(mark)
        if mark:
            self.reached.add((*mark, trial.number))

    def is_last(self) -> bool:
        """Whether the rung is the last epoch, where nothing is decided."""
        return self.level == len(self.steps) - 1

    def decides(self) -> bool:
        """Whether nothing is pruned after the rung: those promoted train to the end, or only one is left."""
        return self.level == len(self.steps) - 2 or num_kept(self.rungs.search, len(self.alive)) == 1

    def num_certain(self) -> int:
        """How many of the best at the rung go on, whatever comes of those on their way."""
        return num_certain(self.rungs.search, len(self.alive), len(self.pending), self.decides())

    def promote(self, first: int, last: int) -> None:
        """Have those of some places go on if that is certain, and wait otherwise."""
        if self.is_last():
            return
        count = self.num_certain()
        for place, (*_, number) in enumerate(self.reached[first:last], first):
            self.rungs.set(number, Limit(self.steps[self.level + (place < count)]))

    def settle(self) -> None:
        """Promote the best as long as all have reached the rung."""
        while self.alive and not self.pending and not self.is_last():
            for number in self.alive - {number for *_, number in self.reached}:
                self.rungs.set(number, None)
            ranked = [self.trials[number] for *_, number in self.reached]
            costs = self.rungs.costs if self.decides() else UNKNOWN
            kept, pruned = part(self.rungs.search, ranked, self.num_certain(), self.steps[self.level], costs)
            for number, limit in pruned.items():
                self.rungs.set(number, limit)
            self.enter(self.level + 1, {trial.number for trial in kept})


class Recomputed:
    """Limits that are worked out anew when a trial reaches one of some steps, or ends."""

    def __init__(self, rungs: Rungs, steps: list[int]) -> None:
        self.rungs, self.steps = rungs, steps
        self.trials: dict[int, Trial] = {}
        self.places: dict[int, tuple[int, list[Mark]]] = {}
        self.nowhere = 0, [None] * len(steps)  # the place of a trial before its first rung

    def begin(self, trials: Sequence[Trial]) -> None:
        """Take up the first trials, all at once."""
        self.trials = {trial.number: trial for trial in trials}
        self.places = {trial.number: self.place(trial) for trial in trials}
        self.work_out()

    def update(self, trial: Trial) -> None:
        """Take up a trial, new or changed."""
        self.trials[trial.number] = trial
        before, place = self.places.get(trial.number), self.place(trial)
        self.places[trial.number] = place
        if before is None and place == self.nowhere == self.places.get(trial.number - 1):
            self.rungs.set(trial.number, Limit(self.steps[0]))  # one more that waits changes nothing for the others
        elif before != place:
            self.work_out()

    def place(self, trial: Trial) -> tuple[int, list[Mark]]:
        """All that its limit, and those of others, depend on."""
        passed = sum(len(trial.epochs) >= step for step in self.steps)
        return passed, marks(self.rungs, trial, self.steps)

    def work_out(self) -> None:
        """From all trials."""
        found = limits(self.rungs.search, list(self.trials.values()), self.rungs.until, self.rungs.has_ended)
        for number in self.trials:
            self.rungs.set(number, found.get(number))


def marks(rungs: Rungs, trial: Trial, steps: Sequence[int]) -> list[Mark]:
    """What a trial is at some rungs: its best result until then, if it has got so far or has finished before."""
    objective = OBJECTIVES[rungs.search.objective]
    best = list(accumulate((objective.score(epoch.metrics) for epoch in trial.epochs), min))
    rest: Mark = () if rungs.has_ended(trial) else None
    is_there = [len(best) >= step or (trial.state.is_finished and bool(best)) for step in steps]
    return [best[min(step, len(best)) - 1] if there else rest for step, there in zip(steps, is_there, strict=True)]
