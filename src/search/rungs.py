"""A pruner's limits while trials train: each rung's order is kept, so that a result costs O(log n).

`pruners.limits` says from a whole history what is kept here; successive halving is reduced, ASHA and the median rule are
worked out anew, only when a trial reaches a rung or ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from sortedcontainers import SortedList

from src.config.schema import Search
from src.ledger.records import Trial
from src.search.pruners import Limit, Limits, bracket_sizes, limits, place_of, result, rungs, share, spoken

Ended = Callable[[Trial], bool]
Keep = Callable[[int], int]


@dataclass
class Rungs:
    """The limits of a search's trials, which are added in the order of their numbers. `changed` are those whose limits
    have changed since it was last emptied."""

    search: Search
    until: int
    has_ended: Ended
    limits: Limits = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    brackets: list["Halving"] = field(default_factory=list)
    recomputed: "Recomputed | None" = None
    bracket_of: dict[int, "Halving"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        search, until = self.search, self.until
        match search.pruner:
            case "top_k":
                self.brackets = [Halving(self, [search.rung, until], lambda _: search.keep)]
            case "halving":
                self.brackets = [Halving(self, rungs(search.rung, search.factor, until), share(search.factor))]
            case "hyperband":
                starts = rungs(search.rung, search.factor, until)
                steps = [rungs(first, search.factor, until) for first in starts]
                self.brackets = [Halving(self, own, share(search.factor)) for own in steps]
            case "asha":
                self.recomputed = Recomputed(self, rungs(search.rung, search.factor, until))
            case "median":
                self.recomputed = Recomputed(self, [*range(search.rung, until, search.rung), until])

    def update(self, trial: Trial) -> None:
        """Take up a trial of the search, new or changed."""
        if self.recomputed:
            self.recomputed.update(trial)
            return
        if not self.brackets:
            return
        if trial.number not in self.bracket_of:
            sizes = bracket_sizes(len(self.brackets), self.search.factor)
            self.bracket_of[trial.number] = self.brackets[place_of(len(self.bracket_of), sizes)]
        self.bracket_of[trial.number].update(trial)

    def set(self, number: int, limit: Limit | None) -> None:
        """Give a trial another limit, or none."""
        if self.limits.get(number) != limit:
            self.changed.add(number)
            if limit:
                self.limits[number] = limit
            else:
                del self.limits[number]


class Halving:
    """Successive halving of some trials: all train to a rung; once all have, the best of them train to the next."""

    def __init__(self, rungs: Rungs, steps: list[int], keep: Keep) -> None:
        self.rungs, self.steps, self.keep = rungs, steps, keep
        self.trials: dict[int, Trial] = {}
        self.level = 0
        self.alive: set[int] = set()
        self.pending: set[int] = set()  # alive, neither at the rung nor at an end before it
        self.reached: SortedList[tuple[float, float, int]] = SortedList()
        self.short: set[int] = set()  # at a rung although they have fewer epochs: finished under a smaller budget

    def update(self, trial: Trial) -> None:
        """Take up a trial, new or changed."""
        is_new = trial.number not in self.trials
        self.trials[trial.number] = trial
        if is_new and self.level == 0:
            self.alive.add(trial.number)
            self.rungs.set(trial.number, Limit(self.steps[0]) if len(self.steps) > 1 else Limit(self.steps[-1]))
            self.sort_in(trial)
        elif is_new or self.is_back(trial):
            self.start_anew()
        elif trial.number in self.pending:
            self.pending.discard(trial.number)
            self.sort_in(trial)
        self.settle()

    def is_back(self, trial: Trial) -> bool:
        """Whether a trial that counted as ended goes on after all."""
        if trial.number in self.short:
            return not trial.state.is_finished
        is_lost = trial.number in self.alive and trial.number not in self.pending and not is_at(trial, self.step)
        return is_lost and not self.rungs.has_ended(trial)

    def start_anew(self) -> None:
        """From the first rung, with all trials."""
        self.level, self.alive = 0, set(self.trials)
        self.short.clear()
        self.enter()

    @property
    def step(self) -> int:
        """Epochs of the rung that the trials alive are on the way to."""
        return self.steps[self.level]

    def enter(self) -> None:
        """Begin a rung with the trials alive."""
        self.pending, self.reached = set(), SortedList()
        for number in sorted(self.alive):
            self.rungs.set(number, Limit(self.step))
            self.sort_in(self.trials[number])

    def sort_in(self, trial: Trial) -> None:
        """Put a trial among those at the rung, on their way to it, or lost."""
        if is_at(trial, self.step):
            self.reached.add((*result(self.rungs.search, trial, self.step), trial.number))
            if len(trial.epochs) < self.step:
                self.short.add(trial.number)
        elif not self.rungs.has_ended(trial):
            self.pending.add(trial.number)

    def settle(self) -> None:
        """Promote the best as long as all have reached the rung."""
        while self.level < len(self.steps) - 1 and self.alive and not self.pending:
            count = self.keep(len(self.alive))
            for number in self.alive:
                self.rungs.set(number, None)
            for place, (*_, number) in enumerate(self.reached[count:], count + 1):
                reason = f"place {place} of {len(self.reached)} after {spoken(self.step)}"
                self.rungs.set(number, Limit(self.step, reason))
            self.alive = {number for *_, number in self.reached[:count]}
            self.level += 1
            self.enter()


class Recomputed:
    """Limits that are worked out anew when a trial reaches one of some steps, or ends."""

    def __init__(self, rungs: Rungs, steps: list[int]) -> None:
        self.rungs, self.steps = rungs, steps
        self.trials: dict[int, Trial] = {}
        self.places: dict[int, tuple[int, bool, bool]] = {}

    def update(self, trial: Trial) -> None:
        """Take up a trial, new or changed."""
        self.trials[trial.number] = trial
        passed = sum(len(trial.epochs) >= step for step in self.steps)
        place = passed, trial.state.is_finished, self.rungs.has_ended(trial)
        if self.places.get(trial.number) == place:
            return
        self.places[trial.number] = place
        trials = [self.trials[number] for number in sorted(self.trials)]
        found = limits(self.rungs.search, trials, self.rungs.until, self.rungs.has_ended)
        for number in self.trials:
            self.rungs.set(number, found.get(number))


def is_at(trial: Trial, step: int) -> bool:
    """Whether a trial has got so far, or has finished before."""
    return len(trial.epochs) >= step or (trial.state.is_finished and bool(trial.epochs))
