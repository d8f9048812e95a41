"""Comparisons in words: what is best, by how much, and what cannot be told apart from it."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from src.analysis.contrasts import Comparison, Contrast, compare
from src.analysis.groups import by_point
from src.analysis.ranking import PointResult, evaluation_of, final_trial, point_results, rank_points
from src.base.errors import UserError
from src.base.text import number_of
from src.ledger.history import History
from src.ledger.objective import Objective
from src.ledger.records import Role, TrialState
from src.ledger.sweep_folder import Sweep

UNKNOWN = "with one seed and nothing stored of single images, how much of that is chance is not known"
LISTED = 5  # groups that a sentence names one by one


def judge(comparison: Comparison, objective: Objective, name: Callable[[str], str] = str) -> list[str]:
    """Sentences on the first of the groups and how the others compare to it. `name` puts labels into words."""
    first, equal, worse = comparison.groups[0], comparison.not_told_apart(), comparison.worse()
    if not comparison.ahead:
        return [f"There is only {name(first.label)}; nothing to compare it with."]
    if not equal + worse:
        return ["No two trials differ in this alone, so nothing can be compared one against the other."]
    if has_no_interval(comparison):
        return [f"{upper(name(first.label))} has the best {objective} ({ranged(equal, objective)}): {UNKNOWN}."]
    apart = comparison.not_compared()
    chance = chance_of(comparison)
    said = []
    if not equal and not apart:
        said.append(f"{upper(name(first.label))} is the best, beyond {chance}: {ranged(worse, objective)}.")
    elif len(equal) == 1:
        said.append(
            f"{upper(name(first.label))} and {name(equal[0].b)} cannot be told apart ({described(equal[0], objective)})."
        )
    elif equal:
        which = enumerate_some([name(contrast.b) for contrast in equal])
        said.append(
            f"{upper(name(first.label))} has the best {objective}, but cannot be told apart from {which} "
            f"({ranged(equal, objective)})."
        )
    if worse and (equal or apart):
        which = enumerate_some([name(contrast.b) for contrast in worse])
        verb = "is" if len(worse) == 1 else "are"
        said.append(f"{upper(which)} {verb} worse than {name(first.label)} ({ranged(worse, objective)}).")
    if apart:
        which = enumerate_some([name(contrast.b) for contrast in apart])
        said.append(f"No trials compare {which} with {name(first.label)}, all else equal.")
    if chance != "chance":
        few = "One pair of trials each" if all(one.blocks == 1 for one in equal + worse) else "Of one pair of trials"
        said.append(f"{few}: the intervals count the chance of images only, not that of seeds.")
    return said


def judge_sweeps(comparison: Comparison, objective: Objective, chosen_from: int) -> list[str]:
    """Sentences on sweeps by their first places, each the best of up to so many points."""
    said = judge(comparison, objective)
    if chosen_from > 1:
        said.append("Each is the best of its search on the same images: the intervals allow for that choice.")
    return said


def judge_search(folder: Path, history: History) -> list[str]:
    """Whether the first place of a search, or of its confirmation, is more than chance."""
    try:
        confirmed = [result for result in rank_points(history) if result.role == Role.CONFIRM]
        return judge_confirmation(folder, history) if confirmed else judge_first(folder, history)
    except UserError as error:  # a damaged file: the table is right without it
        return [str(error)]


def judge_first(folder: Path, history: History) -> list[str]:
    """Is the first place of a search ahead of the others by more than chance?"""
    found = point_results(history, Role.SEARCH)
    if len(found) < 2:
        return []
    comparison = compare_to_first(folder, history, found)
    first, others = called(found[0], found), len(found) - 1
    if has_no_interval(comparison):
        return [f"{upper(first)} has the best {history.objective}: {UNKNOWN}."]
    equal, seeds = others - len(comparison.worse()), {len(result.trials) for result in found}
    basis = "one seed each" if seeds == {1} else f"{'up to ' * (len(seeds) > 1)}{max(seeds)} seeds each"
    more = advice(history, seeds)
    to_the_end = " trained to the end" if any(trial.state == TrialState.PRUNED for trial in history.trials) else ""
    if equal:
        which = f"{'any' if equal == others else equal} of the {others} others" if others > 1 else "the other"
        which += to_the_end
        return [f"{upper(first)} cannot be told apart from {which} ({basis}){more}."]
    which = ("all others" if others > 1 else "the other") + to_the_end
    ahead = f"{upper(first)} is ahead of {which} beyond {chance_of(comparison)}"
    return [f"{ahead} ({basis}, {ranged(comparison.ahead, history.objective)}){more if seeds == {1} else ''}."]


def advice(history: History, seeds: set[int]) -> str:
    """What would tell more, unless the sweep is about to do it."""
    is_asked_for = history.invocations and history.invocations[-1].budget.get("search", {}).get("confirm")
    if is_asked_for:
        return ""
    return (
        ": search.confirm=3 trains the best again on fresh seeds" if seeds == {1} else ": more of them tell more apart"
    )


def judge_confirmation(folder: Path, history: History) -> list[str]:
    """Does the first place hold on fresh seeds, and beyond chance?"""
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
        said = [f"The first place of the search comes first again, {on}, but not beyond chance: {best}."]
    elif first == winner:
        said = [f"The first place holds, {on}: {best}."]
    elif str(first) in words:
        said = [f"The first place does not hold: point {first} was ahead in the search, {on} it is {best}."]
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


def chance_of(comparison: Comparison) -> str:
    """What the intervals count as chance."""
    return "the chance of images" if any(contrast.blocks == 1 for contrast in comparison.ahead) else "chance"


def has_no_interval(comparison: Comparison) -> bool:
    """Whether there is nothing that an interval could be made of."""
    return all(math.isnan(contrast.low) for contrast in comparison.ahead)


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


def number_of_seeds(count: int) -> str:
    """`1 fresh seed`, `5 fresh seeds`."""
    return f"{count} fresh seed{'' if count == 1 else 's'}"


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


def answer(sweep: Sweep, history: History) -> list[str]:
    """What the reader came for."""
    found = rank_points(history)
    if not found:
        return ["No trial has finished."]
    first = found[0]
    seeds = f" over {len(first.trials)} seeds" if len(first.trials) > 1 else ""
    said = [
        f"First: {called(first, found)} ({first.point.title}), {history.objective} "
        f"{first.mean(history.objective.name):.4f}{seeds}, {first.point.parameters:,} parameters."
    ]
    said += judge_search(sweep.path, history)
    model = final_trial(history)
    if model and (evaluation := evaluation_of(history, model)):
        looks = "once" if len(history.evaluations) == 1 else f"{len(history.evaluations)} times"
        words = ", trained once more on validation images too," if model.role == Role.REFIT else ""
        said.append(
            f"Trial {model.number}{words} has a test accuracy of {evaluation.accuracy:.4f}; test images were looked at {looks}."
        )
    return said
