"""The schedule's answers worked out anew from all records each time: slow, plain, and what the index has to agree with."""

from collections.abc import Collection, Iterator
from dataclasses import replace

from src.analysis.ranking import best_trial, evaluation_of, final_trial, point_results
from src.base.hashing import fingerprint, stable_seed
from src.ledger.events import Pruned
from src.ledger.history import History
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob, TrainJob
from src.ledger.records import Point, PointState, Role, Trial, TrialState
from src.search.problem import SearchProblem
from src.search.proposals import describe, results
from src.search.samplers import GUIDED, propose
from tests.unit.search.recomputed_budget import Scope, epochs_of, is_over, scope, wants_training

CRASHES, MISSES, FEW = 2, 200, 1000


def new_trials(problem: SearchProblem, history: History) -> list[Trial]:
    """Trials to add to the history."""
    if has_unchecked(history):
        return []
    known = {(trial.point, trial.role, trial.repeat) for trial in history.trials}
    new = [key for key in wanted(problem, history) if key not in known]
    seed = problem.config.search.seed
    return [
        Trial(number, point, role, repeat, stable_seed(seed, str(role), repeat))
        for number, (point, role, repeat) in enumerate(new, len(history.trials) + 1)
    ]


def wanted(problem: SearchProblem, history: History) -> Iterator[tuple[int, Role, int]]:
    """Point, role and repeat of all trials asked for, in their order."""
    search, own = problem.config.search, scope(problem, history)
    points = [p.number for p in history.points if p.state == PointState.FEASIBLE and p.number <= own.last_point]
    every = [(point, Role.SEARCH, repeat) for repeat in range(search.repeats) for point in points]
    yield from every
    if points_to_come(problem, history) > 0 and not own.is_reached:
        return
    known = {(trial.point, trial.role, trial.repeat) for trial in history.trials}
    if known.issuperset(every) and is_over(history, Role.SEARCH, own):
        best = [result.point.number for result in point_results(history, Role.SEARCH)[: search.confirm]]
        fresh = [(point, Role.CONFIRM, repeat) for repeat in range(search.confirm_repeats) for point in best]
        yield from fresh
        first = best_trial(history)
        if search.refit and first and known.issuperset(fresh) and is_over(history, Role.CONFIRM, own):
            yield first.point, Role.REFIT, 0


def next_job(problem: SearchProblem, history: History, busy: Collection[Job], ahead_only: bool = False) -> Job | None:
    """What comes next."""
    if has_unchecked(history):
        under_way = {job.point for job in busy if isinstance(job, CheckJob)}
        waiting = (p for p in history.points if p.state == PointState.UNCHECKED and p.number not in under_way)
        point = next(waiting, None)
        return CheckJob(point.number, point.configuration) if point and point.configuration else None
    probe = next_probe(problem, history, busy)
    if probe or ahead_only:
        return probe
    under_way = {job.trial for job in busy if isinstance(job, TrainJob)}
    own = scope(problem, history)
    free = (trial for trial in history.trials if trial.number not in under_way)
    wanting = (trial for trial in free if wants_training(history, trial, own))
    trial = min(wanting, key=lambda trial: turn(problem, history, trial, own), default=None)
    if trial:
        return train_job(history, trial, own)
    return None if busy else next_evaluation(history, own)


def turn(problem: SearchProblem, history: History, trial: Trial, scope: Scope) -> tuple[int, int, int]:
    """The lowest rung first, there the most multiply-adds still to be trained; where nothing is waited for, or a budget
    may cut the search short, the lowest number."""
    search = problem.config.search
    is_limited = search.max_epochs or search.max_seconds or search.target
    if search.pruner not in ("top_k", "halving", "hyperband") or is_limited or trial.number not in scope.limits:
        return 0, 0, trial.number
    until = scope.limits[trial.number].epochs
    work = max(until - len(trial.epochs), 0) * history.point(trial.point).operations
    return until, -work, trial.number


def has_unchecked(history: History) -> bool:
    """Whether a point waits for its check."""
    return any(point.state == PointState.UNCHECKED for point in history.points)


def next_probe(problem: SearchProblem, history: History, busy: Collection[Job]) -> ProbeJob | None:
    """The next point whose speed to measure, as long as no epoch has been measured; of several points, or in a preview."""
    if any(trial.epochs for trial in history.trials) or not history.trials:
        return None
    points = (history.point(number) for number in {trial.point for trial in history.trials})
    trained = sorted(points, key=lambda point: (point.operations, point.number))
    chosen = {point.number: point for point in (trained[0], trained[len(trained) // 2], trained[-1])}
    if len(chosen) < 2 and not problem.config.preview:
        return None
    done = {probe.point for probe in history.probes} | {job.point for job in busy if isinstance(job, ProbeJob)}
    for number, point in chosen.items():
        if number not in done and history.crashes["probe", number] < CRASHES and point.configuration:
            return ProbeJob(number, point.operations, point.configuration)
    return None


def train_job(history: History, trial: Trial, scope: Scope) -> TrainJob:
    """A trial as a job."""
    configuration, until = history.point(trial.point).configuration, epochs_of(history, trial, scope)
    seen, pauses = tuple(trial.epochs[: trial.checkpoint_epoch]), trial.role == Role.SEARCH and until < scope.until
    assert configuration
    about = (trial.number, trial.attempts + 1, configuration, trial.seed, history.objective)
    return TrainJob(*about, until, scope.until, trial.checkpoint, seen, trial.role == Role.REFIT, pauses)


def next_evaluation(history: History, scope: Scope) -> EvaluateJob | TrainJob | None:
    """The final model's evaluation on test data."""
    best = final_trial(history)
    if best is None or evaluation_of(history, best) or history.crashes["evaluate", best.number] > scope.retries:
        return None
    if best.weights is None:
        return train_job(history, best, scope)
    configuration = history.point(best.point).configuration
    assert configuration
    return EvaluateJob(best.number, best.best_epoch, configuration, best.weights)


def newly_pruned(problem: SearchProblem, history: History) -> list[Pruned]:
    """Trials that wait at a rung and go no further."""
    found = scope(problem, history).limits
    paused = [t.number for t in history.trials if t.state == TrialState.PAUSED and t.number in found]
    return [Pruned(number, found[number].reason) for number in paused if found[number].reason]


# --------------------------------------------------------------------------------------- what is left


def unfinished(problem: SearchProblem, history: History) -> list[Trial]:
    """Trials that are being trained or will be."""
    own = scope(problem, history)
    return [t for t in history.trials if t.state == TrialState.RUNNING or wants_training(history, t, own)]


def is_complete(problem: SearchProblem, history: History) -> bool:
    """Whether nothing is left of what is asked for."""
    more = points_to_come(problem, history) > 0 and scope(problem, history).may_search
    return not more and not new_trials(problem, history) and next_job(problem, history, ()) is None


def left_by_budget(problem: SearchProblem, history: History) -> list[Trial]:
    """Trials that the budget keeps from being begun, or gone on with."""
    own = scope(problem, history)
    seeds = {**own.seeds, Role.SEARCH: len(history.trials)}
    free = replace(own, has_budget=True, is_reached=False, last_point=float("inf"), seeds=seeds)
    waiting = [t for t in history.trials if t.state in (TrialState.WAITING, TrialState.PAUSED)]
    held = [trial for trial in waiting if not wants_training(history, trial, own)]
    return [trial for trial in held if wants_training(history, trial, free)]


def trials_to_come(problem: SearchProblem, history: History) -> int:
    """Of points that a sampler has still to propose, and may."""
    return unproposed(problem, history) if scope(problem, history).may_search else 0


def unproposed(problem: SearchProblem, history: History) -> int:
    """Trials of the points that are still asked for."""
    return int(points_to_come(problem, history)) * problem.config.search.repeats


def failed_for_good(problem: SearchProblem, history: History) -> list[Trial]:
    """Trials that will not be tried again by themselves."""
    own, failed = scope(problem, history), [t for t in history.trials if t.state == TrialState.FAILED]
    return [trial for trial in failed if not wants_training(history, trial, own)]


# -------------------------------------------------------------------------------------------- points


def points_to_come(problem: SearchProblem, history: History) -> float:
    """How many points are still to be proposed, at most."""
    if is_hopeless(problem, history):
        return 0
    limit, left = problem.config.search.max_trials, problem.space.count - len(history.points)
    return max(left if limit is None else min(left, limit - count_open(history)), 0)


def is_hopeless(problem: SearchProblem, history: History) -> bool:
    """Whether so many points in a row could not be trained."""
    if problem.config.search.strategy == "grid" or problem.space.count <= FEW:
        return False
    last = [point.state for point in history.points if point.state != PointState.UNCHECKED][-MISSES:]
    return len(last) == MISSES and PointState.FEASIBLE not in last


def count_open(history: History) -> int:
    """Points that can be trained, or may turn out to."""
    return sum(point.state in (PointState.FEASIBLE, PointState.UNCHECKED) for point in history.points)


def next_point(problem: SearchProblem, history: History, startup: int) -> Point | None:
    """The next point to add; by results once so many can be trained."""
    is_guided = problem.config.search.strategy in GUIDED and count_open(history) >= startup
    if points_to_come(problem, history) <= 0 or (is_guided and not is_due(problem, history)):
        return None
    known, seen = results(history) if is_guided else [], {point.key for point in history.points}
    values = propose(problem.config.search, problem.space, len(history.points), seen, known)
    first: dict[str, int] = {}
    for point in history.points:
        if point.configuration:
            first.setdefault(fingerprint(point.configuration.identity()), point.number)
    return None if values is None else describe(problem, len(history.points) + 1, values, first)


def is_due(problem: SearchProblem, history: History) -> bool:
    """Whether the results of all points are in, but for those that workers have."""
    own = scope(problem, history)
    if not own.may_search or has_unchecked(history):
        return False
    searched = [t for t in history.trials if t.role == Role.SEARCH and t.state != TrialState.RUNNING]
    return not any(wants_training(history, trial, own) for trial in searched)
