"""How far each trial of a search may train for now, and why one goes no further: answered from the rows.

A trial trains to a rung, waits there, and goes on from its checkpoint if it is promoted; so a pruner needs no state.
"""

import math
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
from src.search.samplers import GUIDED

WAITING = ("top_k", "halving", "hyperband")  # all trials are waited for at a rung
MEDIAN_OF = 4  # earlier trials, before one is measured by them


@dataclass(frozen=True)
class Limit:
    """Epochs that a trial may have; `reason` says why it gets no more."""

    epochs: int
    reason: str = ""


@dataclass(frozen=True)
class Costs:
    """What search.prefer=cheaper goes by."""

    images: int  # of validation; 0: unknown, so that nothing is preferred
    operations: Callable[[Trial], int]  # multiply-adds of a trial's network


Limits = dict[int, Limit]  # by the trial's number; one that is not in it may train to the end
Ended = Callable[[Trial], bool]  # whether a trial trains no more, whatever happens
UNKNOWN = Costs(0, lambda trial: 0)


def limits(search: Search, trials: Sequence[Trial], until: int, has_ended: Ended, costs: Costs = UNKNOWN) -> Limits:
    """The limits of a search's trials, in the order of their numbers; `until` is the last epoch."""
    match search.pruner:
        case "top_k":
            return halve(search, trials, [search.rung, until], has_ended, costs)
        case "halving":
            return halve(search, trials, rungs(search.rung, search.factor, until), has_ended, costs)
        case "hyperband":
            found: Limits = {}
            for own, first in brackets(trials, search.rung, search.factor, until):
                found |= halve(search, own, rungs(first, search.factor, until), has_ended, costs)
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


def num_kept(search: Search, count: int) -> int:
    """How many of so many trials at a rung are promoted: `search.keep`, or one in `search.factor` and at least one."""
    return search.keep if search.pruner == "top_k" else max(count // search.factor, 1)


def num_certain(search: Search, count: int, still_open: int, is_last: bool) -> int:
    """How many of the best at a rung are promoted, whatever comes of those that are still on their way to it.

    Nothing is certain where more trials may join, nor where costs decide, which is done at the last rung that prunes.
    """
    if still_open and (search.strategy in GUIDED or (is_last and search.prefer == "cheaper")):
        return 0
    return max(num_kept(search, count) - still_open, 0)


def halve(search: Search, trials: Sequence[Trial], steps: list[int], has_ended: Ended, costs: Costs) -> Limits:
    """All train to a rung, and the best of them to the next (Karnin et al., 2013), each as soon as that is certain."""
    found: Limits = {}
    alive = list(trials)
    for step, after in pairwise(steps):
        still_open = sum(len(trial.epochs) < step and not has_ended(trial) for trial in alive)
        is_last = after == steps[-1] or num_kept(search, len(alive)) == 1
        count = num_certain(search, len(alive), still_open, is_last)
        ranked = rank(search, alive, step)
        if still_open:
            certain = {trial.number: Limit(after) for trial in ranked[:count]}
            return found | {trial.number: Limit(step) for trial in alive} | certain
        alive, pruned = part(search, ranked, count, step, costs if is_last else UNKNOWN)
        found |= pruned
    return found | {trial.number: Limit(steps[-1]) for trial in alive}


def part(search: Search, ranked: Sequence[Trial], count: int, step: int, costs: Costs) -> tuple[list[Trial], Limits]:
    """Those of a rung's trials that go on, and the limits of the others."""
    kept = cheapest_first(search, ranked, step, costs)[:count]
    numbers = {trial.number for trial in kept}
    pruned: Limits = {}
    for place, trial in enumerate(ranked, 1):
        if trial.number not in numbers:
            cheaper = "; one within a standard error costs less" if place <= count else ""
            pruned[trial.number] = Limit(step, f"place {place} of {len(ranked)} after {spoken(step)}{cheaper}")
    return kept, pruned


def cheapest_first(search: Search, ranked: Sequence[Trial], step: int, costs: Costs) -> list[Trial]:
    """With search.prefer=cheaper, those whose accuracy is within a standard error of the best one's, by multiply-adds;
    then the others (Breiman et al., Classification and Regression Trees, 1984)."""
    if search.prefer == "best" or not costs.images or not ranked:
        return list(ranked)
    wrong = {trial.number: round((1 + result(search, trial, step)[0]) * costs.images) for trial in ranked}
    fewest = wrong[ranked[0].number]
    most = fewest + math.sqrt(fewest * (1 - fewest / costs.images))
    return sorted(ranked, key=lambda t: (0, costs.operations(t)) if wrong[t.number] <= most else (1, 0))


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
