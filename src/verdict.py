"""Comparisons in words: what is best, by how much, and what cannot be told apart from it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from src.analysis import by_point
from src.contrasts import Comparison, Contrast, compare
from src.rows import Rows
from src.space import title
from src.standing import Standing, places, standings

LISTED = 5  # groups that a sentence names one by one


def judge(comparison: Comparison, objective: str, name: Callable[[str], str] = str) -> list[str]:
    """Sentences on the first of the groups and how the others compare to it. `name` puts labels into words."""
    first, equal, worse = comparison.groups[0], comparison.not_told_apart(), comparison.worse()
    if not comparison.ahead:
        return [f"There is only {name(first.label)}; nothing to compare it with."]
    said = []
    if not equal:
        said.append(f"{upper(name(first.label))} is the best, beyond chance: {ranged(worse, objective)}.")
    elif len(equal) == 1 and equal[0].blocks:
        said.append(
            f"{upper(name(first.label))} and {name(equal[0].b)} cannot be told apart ({described(equal[0], objective)})."
        )
    else:
        which = enumerate_some([name(contrast.b) for contrast in equal])
        said.append(
            f"{upper(name(first.label))} has the best {objective}, but cannot be told apart from {which} "
            f"({ranged(equal, objective)})."
        )
    if equal and worse:
        which = enumerate_some([name(contrast.b) for contrast in worse])
        verb = "is" if len(worse) == 1 else "are"
        said.append(f"{upper(which)} {verb} worse than {name(first.label)} ({ranged(worse, objective)}).")
    if all(contrast.blocks == 0 for contrast in comparison.ahead):
        return ["No two trials differ only in this key, so its values cannot be compared one against the other."]
    if any(contrast.blocks == 1 for contrast in comparison.ahead):
        said.append("One seed each: the intervals count the chance of images only, not of seeds (search.repeats=5).")
    return said


def judge_search(folder: Path, rows: Rows) -> list[str]:
    """Whether the first place of a search, or of its confirmation, is more than chance."""
    confirmed = places(rows)[:1] and places(rows)[0].role == "confirm"
    if confirmed:
        return judge_confirmation(folder, rows)
    found = standings(rows, "search")
    if len(found) < 2:
        return []
    comparison = compare_to_first(folder, rows, found)
    equal = len(comparison.not_told_apart())
    seeds = max(len(standing.trials) for standing in found)
    basis = "one seed each" if seeds == 1 else f"{seeds} seeds each"
    first = called(found[0], found)
    if not equal:
        return [
            f"{upper(first)} is ahead of all others beyond chance ({basis}, {ranged(comparison.ahead, rows.objective)})."
        ]
    more = "search.confirm=3 trains the best again on fresh seeds" if seeds == 1 else "more of them tell more apart"
    return [f"{upper(first)} cannot be told apart from {equal} of the {len(found) - 1} others ({basis}): {more}."]


def judge_confirmation(folder: Path, rows: Rows) -> list[str]:
    """Does the first place hold on fresh seeds, and beyond chance?"""
    fresh, searched = standings(rows, "confirm"), standings(rows, "search")
    first, winner = searched[0].point.number, fresh[0].point.number
    seeds = len(fresh[0].trials)
    words = {str(s.point.number): f"point {s.point.number}" for s in fresh}
    if len(fresh) == 1:
        mean = f"{fresh[0].mean(rows.objective):.4f}"
        return [f"On {seeds} fresh seeds point {winner} has a mean {rows.objective} of {mean}."]
    comparison = compare_to_first(folder, rows, fresh)
    held = (
        "The first place holds"
        if first == winner
        else f"The first place does not hold: point {first} was ahead in the search"
    )
    said = [f"{held}, on {seeds} fresh seeds: point {winner} ({title(fresh[0].point.values)})."]
    said += judge(comparison, rows.objective, lambda label: words[label])
    if equal := comparison.not_told_apart():
        candidates = [s for s in fresh if s is fresh[0] or str(s.point.number) in {c.b for c in equal}]
        small = min(candidates, key=lambda s: (s.point.parameters, s.seconds()))
        said.append(f"The smallest of these is point {small.point.number}, with {small.point.parameters:,} parameters.")
    return said


def called(standing: Standing, among: Sequence[Standing]) -> str:
    """`trial 7`, or `point 7` where points have several trials."""
    several = any(len(one.trials) > 1 for one in among)
    return f"point {standing.point.number}" if several else f"trial {standing.trials[0].number}"


def compare_to_first(folder: Path, rows: Rows, found: Sequence[Standing]) -> Comparison:
    """Points against the first of them; corrected for all that the search chose from."""
    count = len(standings(rows, "search"))
    comparison = compare(by_point(folder, rows, found), rows.objective == "val_accuracy", max(count - 1, 1))
    return comparison


# ------------------------------------------------------------------------------------------ pieces


def described(contrast: Contrast, objective: str) -> str:
    """`difference 0.02 points, 95% interval -0.11 to 0.15`."""
    unit, scale = unit_of(objective)
    low, high = scale * contrast.low, scale * contrast.high
    return f"difference {scale * contrast.difference:.2f}{unit}, 95% interval {low:.2f} to {high:.2f}"


def ranged(contrasts: Sequence[Contrast], objective: str) -> str:
    """The differences of several, and how far their intervals reach."""
    known = [contrast for contrast in contrasts if contrast.blocks]
    if len(known) == 1:
        return described(known[0], objective)
    if not known:
        return "no trials in common"
    unit, scale = unit_of(objective)
    differences = [scale * contrast.difference for contrast in known]
    low, high = scale * min(c.low for c in known), scale * max(c.high for c in known)
    between = f"differences {min(differences):.2f} to {max(differences):.2f}{unit}"
    return f"{between}, 95% intervals within {low:.2f} to {high:.2f}"


def unit_of(objective: str) -> tuple[str, int]:
    """Accuracy is spoken of in percentage points, a loss as it is."""
    return (" points", 100) if objective == "val_accuracy" else ("", 1)


def enumerate_some(names: Sequence[str]) -> str:
    """`a, b and c`, or `a, b and 7 more`."""
    shown = list(names) if len(names) <= LISTED else [*names[: LISTED - 1], f"{len(names) - LISTED + 1} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def upper(text: str) -> str:
    """With its first letter as at the beginning of a sentence, unless it is a value's name."""
    return text[:1].upper() + text[1:] if text.startswith(("point ", "trial ")) else text
