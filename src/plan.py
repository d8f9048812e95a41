"""What next, and how far? Answered from the configuration and the ledger's rows, and nothing else.

Grid, random, repeats, confirmation, retries, more epochs and resume are one question here: none of them
keeps a state of its own, so a resumed sweep goes on because it asks the same question again.
"""

import ast
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from typing import Any

from src.config import IDENTITY, UserError, fill_in, fingerprint, flatten, validate_trial
from src.constraints import holds
from src.constraints import parse as parse_constraint
from src.messages import CheckWork, Configuration, EvaluateWork, ProbeWork, Pruned, TrainWork, Work
from src.rows import Point, Rows, Trial
from src.schema import Config
from src.scope import Scope, epochs_of, is_over, scope_of, target, wants_training
from src.space import GRID_LIMIT, Choice, Dimension, Space, Values, configure, options, parse, parse_start, size
from src.standing import best, evaluation_of, final, standings, winner
from src.strategies import GUIDED, STARTUP, point_key, propose, stable_seed
from src.values import score

PROBES = 3  # points whose speed is measured before the first trial: the smallest, median and largest
MISSES = 200  # points in a row that cannot be trained, before no more are proposed
CRASHES = 2  # of a probe, before it is left out


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
        if fixed := {"training", "training.epochs", "training.epoch_size", "training.threads"} & {
            dimension.key for dimension in dimensions
        }:
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


# ---------------------------------------------------------------------------------------- new rows


def new_points(plan: Plan, rows: Rows) -> list[Point]:
    """Points to add to the rows, duplicates and misfits named: as many as the budget may need, or the next one of a
    strategy that goes by results."""
    note_points(plan, rows)
    left = points_to_come(plan, rows)
    new: list[Point] = []
    while left > 0 and not plan.exhausted and is_due(plan, rows, new):
        known = results(rows, new) if is_guided(plan, rows, new) else []
        values = propose(plan.config.search, plan.space, plan.noted, plan.seen, known)
        if values is None:
            plan.exhausted = True
            break
        point = describe(plan, plan.noted + 1, values)
        new.append(point)
        note(plan, point)
        left -= point.state == "unchecked"
    return new


def points_to_come(plan: Plan, rows: Rows) -> float:
    """How many points are still to be proposed, at most; told without proposing any."""
    if plan.exhausted or is_hopeless(plan, rows):
        return 0
    limit, left = plan.config.search.max_trials, plan.space.count - len(rows.points)
    return max(left if limit is None else min(left, limit - count_open(rows.points)), 0)


def is_hopeless(plan: Plan, rows: Rows) -> bool:
    """Whether so many points in a row could not be trained, of a space too large to try them all."""
    last = rows.points[-MISSES:]
    return plan.space.count > GRID_LIMIT and len(last) == MISSES and all(p.state == "infeasible" for p in last)


def count_open(points: list[Point]) -> int:
    """Points that can be trained, or may turn out to."""
    return sum(point.state in ("feasible", "unchecked") for point in points)


def is_guided(plan: Plan, rows: Rows, new: list[Point]) -> bool:
    """Whether results say which point comes next: there are enough for a strategy that goes by them."""
    return plan.config.search.strategy in GUIDED and count_open(rows.points) + count_open(new) >= STARTUP


def is_due(plan: Plan, rows: Rows, new: list[Point]) -> bool:
    """Whether a point should be proposed now: one that goes by results, once those of all before it are in."""
    if not is_guided(plan, rows, new):
        return True
    scope = scope_of(plan.config, rows)
    if not scope.has_budget or scope.is_reached or any(point.state == "unchecked" for point in [*rows.points, *new]):
        return False
    searched = (trial for trial in rows.trials if trial.role == "search" and trial.state != "running")
    return not any(wants_training(rows, trial, scope) for trial in searched)


def results(rows: Rows, new: list[Point]) -> list[tuple[Values, float]]:
    """Points with their scores, for a strategy that goes by these: the worst of all for what cannot be trained, the
    median for what is being trained. Empty as long as nothing has a score."""
    scores: dict[int, list[float]] = {}
    for trial in rows.trials:
        if trial.role == "search" and trial.epochs and trial.state != "failed":
            scores.setdefault(trial.point, []).append(score(best(trial).metrics, rows.objective)[0])
    means = {point: fmean(own) for point, own in scores.items()}
    if not means:
        return []
    worst, middle = max(means.values()), median(means.values())
    under_way = {trial.point for trial in rows.trials if trial.state != "failed"}
    rest = ((p, middle if p.number in under_way else worst) for p in [*rows.points, *new] if p.number not in means)
    known = [(rows.point(number).values, mean) for number, mean in means.items()]
    return known + [(point.values, value) for point, value in rest if point.state != "duplicate"]


def note_points(plan: Plan, rows: Rows) -> None:
    """Remember the rows' points that are not yet remembered."""
    for point in rows.points[plan.noted :]:
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


def new_trials(plan: Plan, rows: Rows) -> list[Trial]:
    """Trials to add to the rows, once all points proposed have been checked, so that numbers are fixed."""
    if has_unchecked(rows):
        return []
    known = {(trial.point, trial.role, trial.repeat) for trial in rows.trials}
    new = [key for key in wanted(plan, rows) if key not in known]
    seed = plan.config.search.seed
    return [
        Trial(number, point, role, repeat, stable_seed(seed, role, repeat))
        for number, (point, role, repeat) in enumerate(new, len(rows.trials) + 1)
    ]


def wanted(plan: Plan, rows: Rows) -> Iterator[tuple[int, str, int]]:
    """Point, role and repeat of all trials asked for, as far as they are known, in their order.

    Each point once, then once more with each further seed; then the best on fresh seeds; then the winner on all images.
    """
    search, scope = plan.config.search, scope_of(plan.config, rows)
    points = [p.number for p in rows.points if p.state == "feasible" and p.number <= scope.last_point]
    every = [(point, "search", repeat) for repeat in range(search.repeats) for point in points]
    yield from every
    if points_to_come(plan, rows) > 0 and not scope.is_reached:
        return
    known = {(trial.point, trial.role, trial.repeat) for trial in rows.trials}
    if known.issuperset(every) and is_over(rows, "search", scope):
        best = [standing.point.number for standing in standings(rows, "search")[: search.confirm]]
        fresh = [(point, "confirm", repeat) for repeat in range(search.confirm_repeats) for point in best]
        yield from fresh
        first = winner(rows)
        if search.refit and first and known.issuperset(fresh) and is_over(rows, "confirm", scope):
            yield first.point, "refit", 0


# -------------------------------------------------------------------------------------------- work


def next_work(plan: Plan, rows: Rows, busy: Collection[Work]) -> Work | None:
    """Checks, then probes of speed, then trials in order, then the winner's evaluation; None: nothing for now.

    `busy` is the work under way. No trial starts before every point proposed has been checked.
    """
    return next_check(plan, rows, busy) if has_unchecked(rows) else next_training(plan, rows, busy)


def has_unchecked(rows: Rows) -> bool:
    """Whether a point waits for its check, or is under it."""
    return any(point.state == "unchecked" for point in rows.points)


def next_check(plan: Plan, rows: Rows, busy: Collection[Work]) -> CheckWork | None:
    """The next point to check."""
    under_way = {work.point for work in busy if isinstance(work, CheckWork)}
    waiting = (p for p in rows.points if p.state == "unchecked" and p.number not in under_way)
    point = next(waiting, None)
    return CheckWork(point.number, complete(plan, rows, point)) if point else None


def next_training(plan: Plan, rows: Rows, busy: Collection[Work]) -> Work | None:
    """A probe, a trial, or the evaluation of the winner."""
    probe = next_probe(plan, rows, busy)
    if probe or not plan.training:
        return probe
    under_way = {work.trial for work in busy if isinstance(work, TrainWork)}
    scope = scope_of(plan.config, rows)
    free = (trial for trial in rows.trials if trial.number not in under_way)
    trial = next((trial for trial in free if wants_training(rows, trial, scope)), None)
    if trial:
        return train_work(plan, rows, trial, scope)
    return None if busy else next_evaluation(plan, rows)


def next_probe(plan: Plan, rows: Rows, busy: Collection[Work]) -> ProbeWork | None:
    """The next point whose speed to measure, as long as no epoch has been measured."""
    if any(trial.epochs for trial in rows.trials):
        return None
    trained = sorted((rows.point(n) for n in {t.point for t in rows.trials}), key=lambda p: (p.operations, p.number))
    chosen = {p.number: p for p in (trained[0], trained[len(trained) // 2], trained[-1])} if trained else {}
    done = {probe.point for probe in rows.probes} | {work.point for work in busy if isinstance(work, ProbeWork)}
    for number, point in chosen.items():
        if number not in done and rows.crashes["probe", number] < CRASHES:
            return ProbeWork(number, point.operations, complete(plan, rows, point))
    return None


def complete(plan: Plan, rows: Rows, point: Point) -> Configuration:
    """A point's configuration with the number of epochs, which is an amount and no part of the point."""
    training = {**point.configuration["training"], "epochs": target(plan.config, rows)}
    return fill_in({**point.configuration, "training": training})


def train_work(plan: Plan, rows: Rows, trial: Trial, scope: Scope) -> TrainWork:
    """A trial as work, from its checkpoint if it has one."""
    configuration = complete(plan, rows, rows.point(trial.point))
    seen = tuple(trial.epochs[: trial.checkpoint_epoch])
    until = epochs_of(rows, trial, scope)
    return TrainWork(
        trial.number,
        trial.attempts + 1,
        configuration,
        trial.seed,
        plan.config.search.objective,
        until,
        trial.checkpoint,
        seen,
        trial.role == "refit",
        trial.role == "search" and until < scope.until,
    )


def next_evaluation(plan: Plan, rows: Rows) -> EvaluateWork | TrainWork | None:
    """The final model's look at the test data, unless it has had it; one whose weights were dropped trains anew."""
    best = final(rows)
    if best is None or evaluation_of(rows, best) or is_given_up(plan, rows, best):
        return None
    if best.weights is None:
        return train_work(plan, rows, best, scope_of(plan.config, rows))
    return EvaluateWork(best.number, best.best_epoch, complete(plan, rows, rows.point(best.point)), best.weights)


def is_given_up(plan: Plan, rows: Rows, trial: Trial) -> bool:
    """Whether the look at the test data failed as often as a trial may."""
    return rows.crashes["evaluate", trial.number] > plan.config.search.retries


def newly_pruned(plan: Plan, rows: Rows) -> list[Pruned]:
    """Trials that wait at a rung and go no further, with the reason."""
    found = scope_of(plan.config, rows).limits
    pruned = [t.number for t in rows.trials if t.state == "paused" and t.number in found and found[t.number].reason]
    return [Pruned(number, found[number].reason) for number in pruned]


# --------------------------------------------------------------------------------------- reading rows


def unfinished(plan: Plan, rows: Rows) -> list[Trial]:
    """Trials that are being trained or will be."""
    scope = scope_of(plan.config, rows)
    return [trial for trial in rows.trials if trial.state == "running" or wants_training(rows, trial, scope)]


def is_complete(plan: Plan, rows: Rows) -> bool:
    """Whether nothing is left of what the configuration asks for; told without proposing any point."""
    scope = scope_of(plan.config, rows)
    more = points_to_come(plan, rows) > 0 and not scope.is_reached
    return not more and not new_trials(plan, rows) and next_work(plan, rows, ()) is None


def failed_for_good(plan: Plan, rows: Rows) -> list[Trial]:
    """Trials that will not be tried again by themselves."""
    scope = scope_of(plan.config, rows)
    return [trial for trial in rows.trials if trial.state == "failed" and not wants_training(rows, trial, scope)]
