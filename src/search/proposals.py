"""Which points a sweep has: proposed from problem and history, each checked for what can be told without building it."""

from statistics import fmean, median

from src.analysis.ranking import best
from src.base.errors import UserError
from src.base.hashing import fingerprint
from src.config.identity import flatten, validate_trial
from src.ledger.history import History
from src.ledger.records import Point, PointState, Role, TrialState, Values
from src.search.budget import Claim
from src.search.constraints import holds
from src.search.points import configure
from src.search.problem import SearchProblem
from src.search.samplers import GUIDED, STARTUP, propose
from src.search.schedule import Schedule, count_open, has_unchecked, points_to_come


def next_point(schedule: Schedule) -> Point | None:
    """The next point to add to the history, duplicates and misfits named; None as long as none is due.

    Points are due while the budget may need them; one that results decide, once those of all before it are in.
    """
    if points_to_come(schedule) <= 0 or not is_due(schedule):
        return None
    problem, points = schedule.problem, schedule.index.points
    known = results(schedule.history) if is_guided(schedule) else []
    values = propose(problem.config.search, problem.space, len(points), points.seen, known)
    if values is None:
        schedule.index.exhausted = True
        return None
    return describe(problem, len(points) + 1, values, points.first)


def is_guided(schedule: Schedule) -> bool:
    """Whether results say which point comes next: there are enough for a model-based sampler."""
    return schedule.problem.config.search.strategy in GUIDED and count_open(schedule) >= STARTUP


def is_due(schedule: Schedule) -> bool:
    """Whether a point should be proposed now."""
    if not is_guided(schedule):
        return True
    index, budget = schedule.index, schedule.budget
    if not budget.may_search or has_unchecked(schedule):
        return False
    put_down = (number for number in index.numbers[Role.SEARCH, Claim.TRAINING] if number not in index.running)
    return not index.numbers[Role.SEARCH, Claim.BUDGET] and next(put_down, None) is None


def results(history: History) -> list[tuple[Values, float]]:
    """Points with their scores, for a model-based sampler: the worst of all for what cannot be trained, the
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
    rest = ((p, middle if p.number in under_way else worst) for p in history.points if p.number not in means)
    known = [(history.point(number).values, mean) for number, mean in means.items()]
    return known + [(point.values, value) for point, value in rest if point.state != PointState.DUPLICATE]


def describe(problem: SearchProblem, number: int, values: Values, first: dict[str, int]) -> Point:
    """A proposal as a record: unchecked, or infeasible by schema or constraint, or a duplicate of one in `first`."""
    plain = configure(problem.plain, problem.space.dimensions, values)
    try:
        configuration = validate_trial(plain)
    except UserError as error:
        return Point(number, values, None, PointState.INFEASIBLE, str(error))
    broken = [text for text, node in problem.constraints.items() if not holds(node, {**flatten(plain), **values})]
    if broken:
        return Point(number, values, None, PointState.INFEASIBLE, f"constraint: {broken[0]}")
    if same := first.get(fingerprint(configuration.identity())):
        reason = f"the same network and training as point {same}"
        return Point(number, values, configuration, PointState.DUPLICATE, reason)
    return Point(number, values, configuration)
