"""Which points a sweep has: proposed from configuration and rows, each checked for what can be told without building it."""

from collections.abc import Sequence
from itertools import chain, islice
from statistics import fmean, median
from typing import Any

from src.analysis.ranking import best
from src.base.errors import UserError
from src.base.hashing import fingerprint
from src.config.identity import flatten, validate_trial
from src.ledger.history import History
from src.ledger.records import Point, PointState, Role, TrialState, Values, point_key
from src.search.budget import budget_of, wants_training
from src.search.constraints import holds
from src.search.points import configure
from src.search.problem import Plan
from src.search.samplers import GUIDED, STARTUP, propose

MISSES = 200  # points in a row that cannot be trained, before no more are proposed
FEW = 1000  # points of a space that are all tried, whatever comes of them


def new_points(plan: Plan, history: History) -> list[Point]:
    """Points to add to the rows, duplicates and misfits named: as many as the budget may need, or the next one of a
    strategy that goes by results."""
    note_points(plan, history)
    left = points_to_come(plan, history)
    new: list[Point] = []
    while left > 0 and is_due(plan, history, new):
        known = results(history, new) if is_guided(plan, history, new) else []
        values = propose(plan.config.search, plan.space, plan.noted, plan.seen, known)
        if values is None:
            plan.exhausted = True
            break
        point = describe(plan, plan.noted + 1, values)
        new.append(point)
        note(plan, point)
        if point.state == PointState.UNCHECKED:
            left -= 1
        elif is_hopeless(plan, history, new):
            break
    return new


def points_to_come(plan: Plan, history: History) -> float:
    """How many points are still to be proposed, at most; told without proposing any."""
    if plan.exhausted or is_hopeless(plan, history):
        return 0
    limit, left = plan.config.search.max_trials, plan.space.count - len(history.points)
    return max(left if limit is None else min(left, limit - count_open(history.points)), 0)


def is_hopeless(plan: Plan, history: History, new: Sequence[Point] = ()) -> bool:
    """Whether a strategy that draws should give up: so many points in a row could not be trained, of a large space."""
    if plan.config.search.strategy == "grid" or plan.space.count <= FEW:
        return False
    known = (point for point in chain(reversed(new), reversed(history.points)) if point.state != PointState.UNCHECKED)
    last = list(islice(known, MISSES))
    return len(last) == MISSES and all(point.state in (PointState.INFEASIBLE, PointState.DUPLICATE) for point in last)


def count_open(points: list[Point]) -> int:
    """Points that can be trained, or may turn out to."""
    return sum(point.state in (PointState.FEASIBLE, PointState.UNCHECKED) for point in points)


def is_guided(plan: Plan, history: History, new: list[Point]) -> bool:
    """Whether results say which point comes next: there are enough for a strategy that goes by them."""
    return plan.config.search.strategy in GUIDED and count_open(history.points) + count_open(new) >= STARTUP


def is_due(plan: Plan, history: History, new: list[Point]) -> bool:
    """Whether a point should be proposed now: one that goes by results, once those of all before it are in."""
    if not is_guided(plan, history, new):
        return True
    budget = budget_of(plan.config, history)
    if not budget.may_search or any(point.state == PointState.UNCHECKED for point in [*history.points, *new]):
        return False
    searched = (trial for trial in history.trials if trial.role == Role.SEARCH and trial.state != TrialState.RUNNING)
    return not any(wants_training(history, trial, budget) for trial in searched)


def results(history: History, new: list[Point]) -> list[tuple[Values, float]]:
    """Points with their scores, for a strategy that goes by these: the worst of all for what cannot be trained, the
    median for what is being trained. Empty as long as nothing has a score."""
    scores: dict[int, list[float]] = {}
    for trial in history.trials:
        if trial.role == Role.SEARCH and trial.epochs and trial.state != TrialState.FAILED:
            scores.setdefault(trial.point, []).append(history.objective.score(best(trial).metrics)[0])
    means = {point: fmean(own) for point, own in scores.items()}
    if not means:
        return []
    worst, middle = max(means.values()), median(means.values())
    under_way = {trial.point for trial in history.trials if trial.state != TrialState.FAILED}
    rest = ((p, middle if p.number in under_way else worst) for p in [*history.points, *new] if p.number not in means)
    known = [(history.point(number).values, mean) for number, mean in means.items()]
    return known + [(point.values, value) for point, value in rest if point.state != PointState.DUPLICATE]


def note_points(plan: Plan, history: History) -> None:
    """Remember the rows' points that are not yet remembered."""
    for point in history.points[plan.noted :]:
        note(plan, point)


def note(plan: Plan, point: Point) -> None:
    """Remember one point."""
    plan.seen.add(point_key(point.values))
    if point.configuration:
        plan.first.setdefault(fingerprint(point.configuration.identity()), point.number)
    plan.noted += 1


def describe(plan: Plan, number: int, values: dict[str, Any]) -> Point:
    """A proposal as a row: unchecked, or infeasible by schema or constraint, or a duplicate."""
    plain = configure(plan.config.as_written(), plan.space.dimensions, values)
    try:
        configuration = validate_trial(plain)
    except UserError as error:
        return Point(number, values, None, PointState.INFEASIBLE, str(error))
    broken = [text for text, node in plan.constraints.items() if not holds(node, {**flatten(plain), **values})]
    if broken:
        return Point(number, values, None, PointState.INFEASIBLE, f"constraint: {broken[0]}")
    first = plan.first.get(fingerprint(configuration.identity()))
    if first:
        return Point(
            number, values, configuration, PointState.DUPLICATE, f"the same network and training as point {first}"
        )
    return Point(number, values, configuration)
