"""Comparisons in words: what is best, by how much, and what is not significantly different from it."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from src.analysis.baseline import judge_learning, judge_test
from src.analysis.contrasts import Comparison, Contrast, compare
from src.analysis.groups import by_key, by_point
from src.analysis.ranking import PointResult, point_results, rank_points
from src.base.errors import UserError
from src.base.text import last, number_of
from src.data.dataset import Dataset
from src.ledger.history import History
from src.ledger.objective import Objective
from src.ledger.records import Role, TrialState
from src.ledger.sweep_folder import Sweep

LISTED = 5  # groups that a sentence names one by one
FEWEST_PAIRS = 3  # of trials that a statement on a value needs: one tells nothing of seeds, two next to nothing


def judge(comparison: Comparison, objective: Objective, name: Callable[[str], str] = str) -> list[str]:
    """Sentences on the first of the groups and how the others compare to it. `name` puts labels into words."""
    best, worse, few = name(comparison.groups[0].label), comparison.worse(), comparison.not_judged()
    equal = [contrast for contrast in comparison.not_told_apart() if contrast.has_interval]
    apart = comparison.not_compared()
    if not comparison.ahead:
        return [f"There is only {best}; nothing to compare it with."]
    if not equal + worse + few:
        return ["No two trials differ in this alone, so nothing can be compared."]
    said = []
    if equal:
        said.append(say_equal(best, equal, objective, name))
    elif not worse:
        chance = f"{count_pairs(few)} {be(max(one.blocks for one in few))} too few to say how much of that is chance"
        said.append(f"{upper(best)} has the best {objective} ({ranged(few, objective)}): {chance}.")
    elif not few + apart:
        others = name(worse[0].b) if len(worse) == 1 else "all others"
        over = over_images(comparison)
        said.append(f"{upper(best)} is significantly better than {others}{over} ({ranged(worse, objective)}).")
    if worse and equal + few + apart:
        which = enumerate_some([name(contrast.b) for contrast in worse])
        said.append(f"{upper(which)} {be(len(worse))} significantly worse than {best} ({ranged(worse, objective)}).")
    return said + say_limits(comparison, objective, name)


def say_equal(best: str, equal: Sequence[Contrast], objective: Objective, name: Callable[[str], str]) -> str:
    """A sentence on those that are not significantly different from the first."""
    if len(equal) == 1:
        both = f"{upper(best)} and {name(equal[0].b)}"
        return f"{both} are not significantly different ({described(equal[0], objective)})."
    which = enumerate_some([name(contrast.b) for contrast in equal])
    said = f"{upper(best)} has the best {objective}, but is not significantly different from {which}"
    return f"{said} ({ranged(equal, objective)})."


def say_limits(comparison: Comparison, objective: Objective, name: Callable[[str], str]) -> list[str]:
    """Sentences on what a comparison does not cover: groups that share few trials with the first or none, and seeds."""
    best, few, apart = name(comparison.groups[0].label), comparison.not_judged(), comparison.not_compared()
    said = []
    if few and any(contrast.has_interval for contrast in comparison.ahead):
        which, verb = enumerate_some([name(contrast.b) for contrast in few]), "has" if len(few) == 1 else "have"
        said.append(
            f"{upper(which)} {verb} only {count_pairs(few)} in common with {best}, too few for an interval "
            f"({ranged(few, objective)})."
        )
    if apart:
        which = enumerate_some([name(contrast.b) for contrast in apart])
        said.append(f"No trials compare {which} with {best}, all else equal.")
    if over_images(comparison):
        said.append("An interval from one pair of trials covers the variation between images only, not between seeds.")
    return said


def judge_values(history: History, comparison: Comparison, key: str) -> list[str]:
    """Sentences on the values of a key, and which trials had no part in the comparison."""
    said = judge(comparison, history.objective, wording(key))
    if comparison.not_judged() and not any(contrast.has_interval for contrast in comparison.ahead):
        said.append(f"More seeds make more pairs: search.repeats={FEWEST_PAIRS}.")
    pruned = sum(trial.role == Role.SEARCH and trial.state == TrialState.PRUNED for trial in history.trials)
    alone = sum(len(group.blocks) - len(comparison.matched(group)) for group in comparison.groups)
    parts = [number_of(pruned, "pruned trial")] if pruned else []
    if alone and any(contrast.blocks for contrast in comparison.ahead):
        parts.append(f"{number_of(alone, 'trial')} without a partner that differs in {last(key)} alone")
    return [*said, f"Left out: {' and '.join(parts)}."] if parts else said


def judge_sweeps(comparison: Comparison, objective: Objective, chosen_from: int) -> list[str]:
    """Sentences on sweeps by their first places, each the best of up to so many points."""
    said = judge(comparison, objective)
    seeds = {group.label: len(group.blocks) for group in comparison.groups}
    if any(one.blocks and one.blocks < max(seeds[one.a], seeds[one.b]) for one in comparison.ahead):
        said.append("Differences are over the seeds that both have; the means are over all seeds of each.")
    if chosen_from > 1 and any(contrast.has_interval for contrast in comparison.ahead):
        said.append("Each is the best of its search on the same images: the intervals allow for that choice.")
    return said


def judge_search(folder: Path, history: History) -> list[str]:
    """Whether the first place of a search, or of its confirmation, is significantly better than the others."""
    try:
        confirmed = [result for result in rank_points(history) if result.role == Role.CONFIRM]
        return judge_confirmation(folder, history) if confirmed else judge_first(folder, history)
    except UserError as error:  # a damaged file: the table is right without it
        return [str(error)]


def judge_first(folder: Path, history: History) -> list[str]:
    """Is the first place of a search significantly better than the others?"""
    found = point_results(history, Role.SEARCH)
    if len(found) < 2:
        return []
    comparison = compare_to_first(folder, history, found)
    first, others = called(found[0], found), len(found) - 1
    equal, seeds = others - len(comparison.worse()), {len(result.trials) for result in found}
    basis = "one seed each" if seeds == {1} else f"{'up to ' * (len(seeds) > 1)}{max(seeds)} seeds each"
    more = advice(history, seeds)
    if not any(contrast.has_interval for contrast in comparison.ahead):
        few = f"{basis}: too few to say how much of that is chance"
        return [f"{upper(first)} has the best {history.objective} ({few}){more}."]
    to_the_end = " trained to the end" if any(trial.state == TrialState.PRUNED for trial in history.trials) else ""
    if equal:
        which = f"{'any' if equal == others else equal} of the {others} others" if others > 1 else "the other"
        which += to_the_end
        return [f"{upper(first)} is not significantly different from {which} ({basis}){more}."]
    which = ("all others" if others > 1 else "the other") + to_the_end
    ahead = f"{upper(first)} is significantly better than {which}{over_images(comparison)}"
    return [f"{ahead} ({basis}, {ranged(comparison.ahead, history.objective)}){more if seeds == {1} else ''}."]


def advice(history: History, seeds: set[int]) -> str:
    """What would tell more, unless the sweep is about to do it."""
    is_asked_for = history.invocations and history.invocations[-1].budget.get("search", {}).get("confirm")
    if is_asked_for:
        return ""
    if any(trial.state.is_open for trial in history.trials):
        return "; some trials have not finished yet"
    if seeds == {1}:
        return ": search.confirm=3 trains the best again on fresh seeds"
    return f": more seeds may show a difference (search.repeats={2 * max(seeds)})"


def judge_confirmation(folder: Path, history: History) -> list[str]:
    """Does the first place hold on fresh seeds, and significantly?"""
    fresh, searched = point_results(history, Role.CONFIRM), point_results(history, Role.SEARCH)
    first, winner = searched[0].point.number, fresh[0].point.number
    seeds = len(fresh[0].trials)
    words = {str(s.point.number): f"point {s.point.number}" for s in fresh}
    if len(fresh) == 1:
        mean = f"{fresh[0].mean(history.objective.name):.4f}"
        return [f"On {number_of_seeds(seeds)} point {winner} has a mean {history.objective} of {mean}."]
    comparison = compare_to_first(folder, history, fresh)
    best, on = f"point {winner} ({fresh[0].point.title})", f"on {number_of_seeds(seeds)}"
    if first == winner and comparison.not_told_apart():
        said = [f"The first place of the search comes first again {on}, but not significantly: {best}."]
    elif first == winner:
        said = [f"The first place holds {on}: {best}."]
    elif str(first) in words:
        said = [f"The first place does not hold: point {first} was ahead in the search; {on} it is {best}."]
    else:
        said = [f"The best {on} is {best}; point {first}, ahead in the search, has no result on fresh seeds."]
    said += judge(comparison, history.objective, lambda label: words[label])
    equal = {contrast.b for contrast in comparison.not_told_apart()}
    candidates = [fresh[0], *(result for result in fresh[1:] if str(result.point.number) in equal)]
    if len({result.point.parameters for result in candidates}) > 1:
        small = min(candidates, key=lambda result: (result.point.parameters, result.seconds()))
        said.append(f"The smallest of these is point {small.point.number}, with {small.point.parameters:,} parameters.")
    return said


def called(result: PointResult, among: Sequence[PointResult]) -> str:
    """`trial 7`, or `point 7` where points have several trials."""
    several = any(len(one.trials) > 1 for one in among)
    return f"point {result.point.number}" if several else f"trial {result.trials[0].number}"


def compare_to_first(folder: Path, history: History, found: Sequence[PointResult]) -> Comparison:
    """Points against the first of them."""
    return compare(by_point(folder, history, found), history.objective.is_higher_better, is_ordered=True)


def compare_by_key(folder: Path, history: History, key: str) -> Comparison:
    """The values of a key against the best of them, in pairs of trials that differ in nothing else."""
    groups = by_key(folder, history, key)
    return compare(groups, history.objective.is_higher_better, fewest_blocks=FEWEST_PAIRS)


def over_images(comparison: Comparison) -> str:
    """What intervals cover, where some are from one pair of trials."""
    is_single = any(contrast.blocks == 1 and contrast.has_interval for contrast in comparison.ahead)
    return " over the validation images only" if is_single else ""


def describe_taken(history: History) -> str:
    """How many trials have what other sweeps had trained, whole or to begin with, and which sweeps these are."""
    taken = [trial for trial in history.trials if trial.origin]
    if not taken:
        return ""
    whole = sum(trial.attempts == 1 for trial in taken)
    counts = ((whole, "taken"), (len(taken) - whole, "begun with what was taken"))
    words = " and ".join(f"{number_of(count, 'trial')} {was(count)} {what}" for count, what in counts if count)
    names = enumerate_some(sorted({trial.origin.sweep for trial in taken if trial.origin}))
    return f"{words} from other sweeps (search.reuse=false trains anew): {names}."


def was(count: int) -> str:
    """`1 was`, `3 were`."""
    return "was" if count == 1 else "were"


# ------------------------------------------------------------------------------------------ pieces


def wording(key: str) -> Callable[[str], str]:
    """Values of a key in words: `relu`, but `kernel=3`."""
    return lambda value: value if value[:1].islower() else f"{key.rpartition('.')[2]}={value}"


def be(count: int) -> str:
    """`1 is`, `3 are`."""
    return "is" if count == 1 else "are"


def count_pairs(contrasts: Sequence[Contrast]) -> str:
    """How many pairs of trials: `one pair of trials`, `one or two pairs of trials`."""
    words = [word for count, word in enumerate(("one", "two"), 1) if any(one.blocks == count for one in contrasts)]
    return f"{' or '.join(words)} {'pair' if words == ['one'] else 'pairs'} of trials"


def number_of_seeds(count: int) -> str:
    """`1 fresh seed`, `5 fresh seeds`."""
    return number_of(count, "fresh seed")


def described(contrast: Contrast, objective: Objective) -> str:
    """`difference 0.02 points, 95% interval -0.11 to 0.15`."""
    scale = objective.factor
    difference = f"difference {scale * contrast.difference:.2f}{objective.unit}"
    if math.isnan(contrast.low):
        return difference
    return f"{difference}, 95% interval {scale * contrast.low:.2f} to {scale * contrast.high:.2f}"


def ranged(contrasts: Sequence[Contrast], objective: Objective) -> str:
    """The differences of several, and how far their intervals reach."""
    known = [contrast for contrast in contrasts if contrast.blocks]
    if len(known) == 1:
        return described(known[0], objective)
    scale = objective.factor
    differences = [scale * contrast.difference for contrast in known]
    low, high = f"{min(differences):.2f}", f"{max(differences):.2f}"
    between = f"differences {low} to {high}" if low != high else f"difference {low}"
    between += objective.unit
    reaches = [contrast for contrast in known if not math.isnan(contrast.low)]
    if not reaches:
        return between
    lowest, highest = scale * min(c.low for c in reaches), scale * max(c.high for c in reaches)
    return f"{between}, 95% intervals within {lowest:.2f} to {highest:.2f}"


def enumerate_some(names: Sequence[str]) -> str:
    """`a, b and c`, or `a, b and 7 more`."""
    shown = list(names) if len(names) <= LISTED else [*names[: LISTED - 1], f"{len(names) - LISTED + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def upper(text: str) -> str:
    """With its first letter as at the beginning of a sentence, unless it is a value's name."""
    return text[:1].upper() + text[1:] if text.startswith(("point ", "trial ")) else text


def answer(sweep: Sweep, history: History, data: Dataset | None = None) -> list[str]:
    """What the reader came for; what a test accuracy is worth follows from `data`."""
    found = rank_points(history)
    if not found:
        return ["No trial has finished."]
    first = found[0]
    seeds = f" over {len(first.trials)} seeds" if len(first.trials) > 1 else ""
    said = [
        f"First: {called(first, found)} ({first.point.title}), {history.objective} "
        f"{first.mean(history.objective.name):.4f}{seeds}, {first.point.parameters:,} parameters."
    ]
    said += judge_search(sweep.path, history) + judge_learning(history, data)
    return said + judge_test(sweep.path, history, data)
