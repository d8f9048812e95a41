"""How far each trial of a search may train for now, and why one goes no further: answered from the rows.

A trial trains to a rung, waits there, and goes on from its checkpoint if it is promoted; so a pruner needs no state.
"""

import random
from bisect import insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import assert_never

from src.base.text import number_of
from src.config.schema import Search
from src.ledger.objective import OBJECTIVES
from src.ledger.records import Epoch, Role, Trial, TrialState

MEDIAN_OF = 4  # earlier trials, before one is measured by them


@dataclass(frozen=True)
class Limit:
    """Epochs that a trial may have; `reason` says why it gets no more."""

    epochs: int
    reason: str = ""


Limits = dict[int, Limit]  # by the trial's number; one that is not in it may train to the end
Ended = Callable[[Trial], bool]  # whether a trial trains no more, whatever happens


def limits(search: Search, trials: Sequence[Trial], until: int, has_ended: Ended) -> Limits:
    """The limits of a search's trials, in the order of their numbers; `until` is the last epoch."""
    match search.pruner:
        case "top_k":
            return halve(search, trials, [search.rung, until], has_ended, lambda _: search.keep)
        case "halving":
            return halve(search, trials, rungs(search.rung, search.factor, until), has_ended, share(search.factor))
        case "hyperband":
            found: Limits = {}
            for own, first in brackets(trials, search.rung, search.factor, until):
                steps = rungs(first, search.factor, until)
                found |= halve(search, own, steps, has_ended, share(search.factor))
            return found
        case "asha":
            return asha(search, trials, rungs(search.rung, search.factor, until), has_ended)
        case "median":
            return by_median(search, trials, until)
        case "none":
            return {}
        case other:
            assert_never(other)


def expected_epochs(search: Search, count: int, until: int) -> int:
    """How many epochs a search of so many trials trains in all, if they come in an order of chance and keep their places."""
    ranks = random.Random(0).sample(range(count), count)
    trials = [Trial(number, number, Role.SEARCH, 0, 0) for number in range(1, count + 1)]
    results = [Epoch(1, {"val_accuracy": -rank, "val_loss": rank}, 0, 0) for rank in ranks]
    while True:
        found = limits(search, trials, until, lambda trial: False)
        more = [(t, n) for t in trials if (n := found.get(t.number, Limit(until)).epochs - len(t.epochs)) > 0]
        if not more:
            return sum(len(trial.epochs) for trial in trials)
        for trial, epochs in more:
            trial.epochs += [results[trial.number - 1]] * epochs


def rungs(first: int, factor: int, until: int) -> list[int]:
    """`first` epochs, then `factor` times as many, and so on; the last one is `until`, and none is just before it."""
    steps = [first]
    while steps[-1] * factor**1.5 <= until:
        steps.append(steps[-1] * factor)
    return [step for step in steps if step < until] + [until]


def share(factor: int) -> Callable[[int], int]:
    """How many of so many are promoted: one in `factor`, at least one."""
    return lambda count: max(count // factor, 1)


def halve(
    search: Search, trials: Sequence[Trial], steps: list[int], has_ended: Ended, keep: Callable[[int], int]
) -> Limits:
    """All train to a rung; once all have, the best of them train to the next (Karnin et al., 2013)."""
    found: Limits = {}
    alive = list(trials)
    for step in steps[:-1]:
        if any(len(trial.epochs) < step and not has_ended(trial) for trial in alive):
            return found | {trial.number: Limit(step) for trial in alive}
        ranked = rank(search, alive, step)
        kept = ranked[: keep(len(alive))]
        for place, trial in enumerate(ranked[len(kept) :], len(kept) + 1):
            found[trial.number] = Limit(step, f"place {place} of {len(ranked)} after {spoken(step)}")
        alive = kept
    return found | {trial.number: Limit(steps[-1]) for trial in alive}


def brackets(trials: Sequence[Trial], first: int, factor: int, until: int) -> list[tuple[list[Trial], int]]:
    """Hyperband's brackets (Li et al., 2018): many trials from the first rung, fewer from later ones, over and over."""
    starts = rungs(first, factor, until)
    sizes = bracket_sizes(len(starts), factor)
    own: list[list[Trial]] = [[] for _ in starts]
    for index, trial in enumerate(trials):
        own[place_of(index, sizes)].append(trial)
    return list(zip(own, starts, strict=True))


def bracket_sizes(count: int, factor: int) -> list[int]:
    """How many trials each of so many brackets takes, before the first takes more."""
    return [max(round(count * factor ** (count - 1 - place) / (count - place)), 1) for place in range(count)]


def place_of(index: int, sizes: Sequence[int]) -> int:
    """Which bracket a trial belongs to, by how many came before it."""
    place, rest = 0, index % sum(sizes)
    while rest >= sizes[place]:
        rest -= sizes[place]
        place += 1
    return place


def asha(search: Search, trials: Sequence[Trial], steps: list[int], has_ended: Ended) -> Limits:
    """A trial is promoted as soon as it is among the best of those that have reached its rung (Li et al., 2020)."""
    found = {trial.number: Limit(steps[0]) for trial in trials}
    is_open = any(len(trial.epochs) < found[trial.number].epochs and not has_ended(trial) for trial in trials)
    for step, after in pairwise(steps):
        ranked = rank(search, trials, step)
        count = len(ranked) // search.factor if is_open else max(len(ranked) // search.factor, 1)
        for place, trial in enumerate(ranked, 1):
            if place <= count:
                found[trial.number] = Limit(after)
            elif not is_open and not found[trial.number].reason and found[trial.number].epochs == step:
                found[trial.number] = Limit(step, f"place {place} of {len(ranked)} after {spoken(step)}")
        is_open = is_open or any(len(t.epochs) < found[t.number].epochs and not has_ended(t) for t in trials)
    return found


def by_median(search: Search, trials: Sequence[Trial], until: int) -> Limits:
    """A trial stops where its best is worse than the median of earlier trials' best after as many epochs (Golovin et al., 2017)."""
    found: Limits = {}
    earlier: dict[int, list[float]] = {step: [] for step in range(search.rung, until, search.rung)}  # in order
    for trial in trials:
        objective = OBJECTIVES[search.objective]
        scores = (objective.score(epoch.metrics)[0] for epoch in trial.epochs)
        so_far = list(accumulate(scores, min))
        own = {step: so_far[step - 1] for step in earlier if len(so_far) >= step}
        worse = [step for step in own if len(earlier[step]) >= MEDIAN_OF and own[step] > middle(earlier[step])]
        if worse:
            reason = f"worse than the median of {len(earlier[worse[0]])} after {spoken(worse[0])}"
            found[trial.number] = Limit(worse[0], reason)
        else:
            found[trial.number] = Limit(next((step for step in earlier if step not in own), until))
        for step, value in own.items():
            insort(earlier[step], value)
    return found


def middle(ordered: Sequence[float]) -> float:
    """The median of values in order."""
    count = len(ordered)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


def rank(search: Search, trials: Sequence[Trial], step: int) -> list[Trial]:
    """Those that have got so far, the best first."""
    reached = [
        trial for trial in trials if len(trial.epochs) >= step or (trial.state == TrialState.FINISHED and trial.epochs)
    ]
    return sorted(reached, key=lambda trial: (*result(search, trial, step), trial.number))


def result(search: Search, trial: Trial, step: int) -> tuple[float, float]:
    """The best within so many epochs; lower is better."""
    objective = OBJECTIVES[search.objective]
    return objective.score(objective.best_epoch(trial.epochs[:step]).metrics)


def spoken(epochs: int) -> str:
    """`1 epoch`, `3 epochs`."""
    return number_of(epochs, "epoch")
