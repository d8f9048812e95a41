"""Which points a sweep has: proposed from configuration and rows, each checked for what can be told without building it."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from statistics import fmean, median
from typing import Any

from src.config import IDENTITY, UserError, fingerprint, flatten, validate_trial
from src.constraints import holds
from src.constraints import parse as parse_constraint
from src.rows import History, Point
from src.schema import Config
from src.scope import budget_of, wants_training
from src.space import GRID_LIMIT, Choice, Dimension, Space, Values, configure, options, parse, parse_start, size
from src.standing import best
from src.strategies import GUIDED, STARTUP, point_key, propose
from src.values import score

FIXED = {"training", "training.epochs", "training.epoch_size", "training.threads"}  # the same for all trials
MISSES = 200  # points in a row that cannot be trained, before no more are proposed
FEW = 1000  # points of a space that are all tried, whatever comes of them


@dataclass
class Plan:
    """A configuration with its space. What it remembers can be computed anew from the rows."""

    config: Config
    space: Space
    constraints: dict[str, ast.expr]  # by what was written
    seen: set[str] = field(default_factory=set)  # keys of the points proposed
    first: dict[str, int] = field(default_factory=dict)  # fingerprint of a configuration → its first point
    noted: int = 0  # points in `seen` and `first`
    exhausted: bool = False
    expected: dict[tuple[int, int], int] = field(default_factory=dict)  # trials and epochs → epochs with the pruner
    training: bool = True  # False: check and probe only
    drift: str = ""  # how versions differ from those that trained so far: see `environment`

    @classmethod
    def of(cls, config: Config) -> "Plan":
        """Raises UserError where the space cannot be searched as asked."""
        plain = config.as_written()
        dimensions = parse(config.search.space, plain)
        known = known_keys(plain, dimensions)
        constraints = {text: parse_constraint(text, known) for text in config.search.constraints}
        plan = cls(config, Space(dimensions, parse_start(config.search.start, dimensions)), constraints)
        if config.search.strategy != "grid" and config.search.max_trials is None:
            words = "needs search.max_trials, such as search.max_trials=20"
            raise UserError(f"search.strategy={config.search.strategy} {words}.")
        if fixed := FIXED & {dimension.key for dimension in dimensions}:
            raise UserError(f"search.space.{min(fixed)}: must be the same for all trials; set {min(fixed)}=… instead.")
        if config.search.strategy == "grid":
            for dimension in dimensions:
                options(dimension)  # says what to do about a range without steps
            if (points := size(dimensions)) > GRID_LIMIT:
                words = "use search.strategy=random search.max_trials=100"
                raise UserError(f"search.space has {points:,.0f} points, too many for a grid: {words}.")
        return plan


def ahead_only(plan: Plan) -> Plan:
    """The same plan up to where training would begin."""
    return replace(plan, training=False)


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
        if point.state == "unchecked":
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
    known = (point for point in chain(reversed(new), reversed(history.points)) if point.state != "unchecked")
    last = list(islice(known, MISSES))
    return len(last) == MISSES and all(point.state in ("infeasible", "duplicate") for point in last)


def count_open(points: list[Point]) -> int:
    """Points that can be trained, or may turn out to."""
    return sum(point.state in ("feasible", "unchecked") for point in points)


def is_guided(plan: Plan, history: History, new: list[Point]) -> bool:
    """Whether results say which point comes next: there are enough for a strategy that goes by them."""
    return plan.config.search.strategy in GUIDED and count_open(history.points) + count_open(new) >= STARTUP


def is_due(plan: Plan, history: History, new: list[Point]) -> bool:
    """Whether a point should be proposed now: one that goes by results, once those of all before it are in."""
    if not is_guided(plan, history, new):
        return True
    budget = budget_of(plan.config, history)
    if not budget.may_search or any(point.state == "unchecked" for point in [*history.points, *new]):
        return False
    searched = (trial for trial in history.trials if trial.role == "search" and trial.state != "running")
    return not any(wants_training(history, trial, budget) for trial in searched)


def results(history: History, new: list[Point]) -> list[tuple[Values, float]]:
    """Points with their scores, for a strategy that goes by these: the worst of all for what cannot be trained, the
    median for what is being trained. Empty as long as nothing has a score."""
    scores: dict[int, list[float]] = {}
    for trial in history.trials:
        if trial.role == "search" and trial.epochs and trial.state != "failed":
            scores.setdefault(trial.point, []).append(score(best(trial).metrics, history.objective)[0])
    means = {point: fmean(own) for point, own in scores.items()}
    if not means:
        return []
    worst, middle = max(means.values()), median(means.values())
    under_way = {trial.point for trial in history.trials if trial.state != "failed"}
    rest = ((p, middle if p.number in under_way else worst) for p in [*history.points, *new] if p.number not in means)
    known = [(history.point(number).values, mean) for number, mean in means.items()]
    return known + [(point.values, value) for point, value in rest if point.state != "duplicate"]


def note_points(plan: Plan, history: History) -> None:
    """Remember the rows' points that are not yet remembered."""
    for point in history.points[plan.noted :]:
        note(plan, point)


def known_keys(plain: dict[str, Any], dimensions: list[Dimension]) -> set[str]:
    """What a constraint may speak of: keys of the configuration, of the space, and of the groups that it chooses from."""
    known = set(flatten({key: plain[key] for key in IDENTITY})) | {dimension.key for dimension in dimensions}
    groups = ((d.key, o) for d in dimensions if isinstance(d, Choice) for o in d.options if isinstance(o, dict))
    return known.union(*(flatten(option, key) for key, option in groups))


def note(plan: Plan, point: Point) -> None:
    """Remember one point."""
    plan.seen.add(point_key(point.values))
    plan.first.setdefault(fingerprint(point.configuration), point.number)
    plan.noted += 1


def describe(plan: Plan, number: int, values: dict[str, Any]) -> Point:
    """A proposal as a row: unchecked, or infeasible by schema or constraint, or a duplicate."""
    plain = configure(plan.config.as_written(), plan.space.dimensions, values)
    try:
        configuration = validate_trial(plain)
        del configuration["training"]["epochs"]  # an amount: see `complete`
    except UserError as error:
        return Point(number, values, {"invalid": number}, "infeasible", str(error))
    broken = [text for text, node in plan.constraints.items() if not holds(node, {**flatten(plain), **values})]
    if broken:
        return Point(number, values, {"invalid": number}, "infeasible", f"constraint: {broken[0]}")
    first = plan.first.get(fingerprint(configuration))
    if first:
        return Point(number, values, configuration, "duplicate", f"the same network and training as point {first}")
    return Point(number, values, configuration)
