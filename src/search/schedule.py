"""What next, and how far? Answered from the configuration and the history, and nothing else.

Grid, random, model-based search, repeats, confirmation, retries, more epochs and resume are one question here: none of
them keeps a state of its own, so a resumed sweep goes on because it asks the same question again. What is asked again and
again is read from an index that follows the history's records.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

from src.analysis.ranking import Ranking, evaluation_of
from src.base.hashing import stable_seed
from src.config.trial import TrialConfig
from src.ledger.events import Pruned
from src.ledger.history import History
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob, TrainJob
from src.ledger.records import Point, PointState, Role, Trial, TrialState
from src.search.budget import Budget, Claim
from src.search.index import TrialIndex
from src.search.problem import SearchProblem

CRASHES = 2  # of a probe, before it is left out
MISSES = 200  # points in a row that cannot be trained, before no more are proposed
FEW = 1000  # points of a space that are all tried, whatever comes of them


@dataclass
class Schedule:
    """A problem and a history, with the index that answers for both."""

    problem: SearchProblem
    history: History
    index: TrialIndex
    probed: tuple[int, list[Point]] = (0, [])  # number of trials, and the points whose speed to measure
    expected: dict[tuple[int, int], int] = field(default_factory=dict)  # trials and epochs → epochs with the pruner

    @classmethod
    def of(cls, problem: SearchProblem, history: History) -> Self:
        """The schedule that follows a history from here on."""
        return cls(problem, history, TrialIndex(problem, history))

    @property
    def ranking(self) -> Ranking:
        """Of points and trials."""
        return self.index.ranking

    @property
    def budget(self) -> Budget:
        """How far this invocation reaches by now."""
        return self.index.budget()

    @property
    def until(self) -> int:
        """Epochs of every trial."""
        return self.index.until


# ------------------------------------------------------------------------------------------ trials


def new_trials(schedule: Schedule) -> list[Trial]:
    """Trials to add to the history, once all points proposed have been checked, so that numbers are fixed."""
    if has_unchecked(schedule):
        return []
    new = [key for key in wanted(schedule) if key not in schedule.index.known]
    seed = schedule.problem.config.search.seed
    return [
        Trial(number, point, role, repeat, stable_seed(seed, str(role), repeat))
        for number, (point, role, repeat) in enumerate(new, len(schedule.history.trials) + 1)
    ]


def wanted(schedule: Schedule) -> Iterator[tuple[int, Role, int]]:
    """Point, role and repeat of trials asked for, in their order; of those that exist some.

    Each point once, then once more with each further seed; then the best on fresh seeds; then the best on all images.
    """
    search, index, budget = schedule.problem.config.search, schedule.index, schedule.budget
    is_whole = True
    for repeat in range(search.repeats):
        for _, point in index.missing.irange((repeat, 0), (repeat, budget.last_point)):
            is_whole = False
            yield point, Role.SEARCH, repeat
    if not is_whole or (points_to_come(schedule) > 0 and not budget.is_reached):
        return
    if not index.is_over(Role.SEARCH, budget):
        return
    best = index.ranking.first_points(search.confirm)
    fresh = [(point, Role.CONFIRM, repeat) for repeat in range(search.confirm_repeats) for point in best]
    yield from fresh
    first = index.ranking.best_trial()
    if search.refit and first and index.known.issuperset(fresh) and index.is_over(Role.CONFIRM, budget):
        yield first.point, Role.REFIT, 0


# -------------------------------------------------------------------------------------------- jobs


def next_job(schedule: Schedule, busy: Collection[Job], ahead_only: bool = False) -> Job | None:
    """Checks, then probes of speed, then trials in order, then the best trial's evaluation; None: nothing for now.

    `busy` are the jobs under way. No trial starts before every point proposed has been checked; with `ahead_only` none
    starts at all.
    """
    if has_unchecked(schedule):
        return next_check(schedule, busy)
    probe = next_probe(schedule, busy)
    if probe or ahead_only:
        return probe
    under_way = {job.trial for job in busy if isinstance(job, TrainJob)}
    trial = schedule.index.next_wanting(schedule.budget, under_way)
    if trial:
        return train_job(schedule, trial)
    return None if busy else next_evaluation(schedule)


def has_unchecked(schedule: Schedule) -> bool:
    """Whether a point waits for its check, or is under it."""
    return schedule.index.points.count(PointState.UNCHECKED) > 0


def next_check(schedule: Schedule, busy: Collection[Job]) -> CheckJob | None:
    """The next point to check."""
    under_way = {job.point for job in busy if isinstance(job, CheckJob)}
    waiting = (n for n in schedule.index.points.numbers[PointState.UNCHECKED] if n not in under_way)
    number = next(waiting, None)
    return CheckJob(number, configuration_of(schedule.history, number)) if number else None


def next_probe(schedule: Schedule, busy: Collection[Job]) -> ProbeJob | None:
    """The next point whose speed to measure, as long as no epoch has been measured. A single point's first epoch soon is,
    unless nothing is to be trained."""
    if schedule.index.total_epochs or (len(points_to_probe(schedule)) < 2 and not schedule.problem.config.preview):
        return None
    history = schedule.history
    done = {probe.point for probe in history.probes} | {job.point for job in busy if isinstance(job, ProbeJob)}
    for point in points_to_probe(schedule):
        if point.number not in done and history.crashes[ProbeJob.kind, point.number] < CRASHES:
            return ProbeJob(point.number, point.operations, configuration_of(history, point.number))
    return None


def points_to_probe(schedule: Schedule) -> list[Point]:
    """The smallest, the middle and the largest of the points with trials."""
    history = schedule.history
    if schedule.probed[0] != len(history.trials):
        points = (history.point(number) for number in {trial.point for trial in history.trials})
        known = sorted(points, key=lambda point: (point.operations, point.number))
        chosen = {point.number: point for point in (known[0], known[len(known) // 2], known[-1])}
        schedule.probed = len(history.trials), list(chosen.values())
    return schedule.probed[1]


def train_job(schedule: Schedule, trial: Trial) -> TrainJob:
    """A trial as a job, from its checkpoint if it has one."""
    until = schedule.index.epochs_of(trial)
    return TrainJob(
        trial.number,
        trial.attempts + 1,
        configuration_of(schedule.history, trial.point),
        trial.seed,
        schedule.history.objective,
        until,
        schedule.until,
        trial.checkpoint,
        tuple(trial.epochs[: trial.checkpoint_epoch]),
        trial.role == Role.REFIT,
        trial.role == Role.SEARCH and until < schedule.until,
    )


def configuration_of(history: History, point: int) -> TrialConfig:
    """Of a point that can be built, or may turn out to."""
    configuration = history.point(point).configuration
    assert configuration
    return configuration


def next_evaluation(schedule: Schedule) -> EvaluateJob | TrainJob | None:
    """The final model's evaluation on test data, unless it was done; one whose weights were dropped trains anew."""
    best = schedule.ranking.final_trial()
    if best is None or evaluation_of(schedule.history, best) or is_given_up(schedule, best):
        return None
    if best.weights is None:
        return train_job(schedule, best)
    return EvaluateJob(best.number, best.best_epoch, configuration_of(schedule.history, best.point), best.weights)


def is_given_up(schedule: Schedule, trial: Trial) -> bool:
    """Whether the evaluation on test data failed as often as a trial may."""
    return schedule.history.crashes[EvaluateJob.kind, trial.number] > schedule.problem.config.search.retries


def is_tried_again(schedule: Schedule, job: Job) -> bool:
    """Whether what has failed is given to a worker once more, by itself."""
    history = schedule.history
    match job:
        case TrainJob(trial=number):
            return schedule.index.wants_training(history.trial(number), schedule.budget)
        case EvaluateJob(trial=number):
            return not is_given_up(schedule, history.trial(number))
        case CheckJob(point=number):
            return history.point(number).state == PointState.UNCHECKED
        case ProbeJob(point=number):
            return history.crashes[ProbeJob.kind, number] < CRASHES


def newly_pruned(schedule: Schedule) -> list[Pruned]:
    """Trials that wait at a rung and go no further, with the reason."""
    limits = schedule.index.rungs.limits
    return [Pruned(number, limits[number].reason) for number in schedule.index.prunable]


# ----------------------------------------------------------------------------------- what is left


def points_to_come(schedule: Schedule) -> float:
    """How many points are still to be proposed, at most; told without proposing any."""
    if schedule.index.exhausted or is_hopeless(schedule):
        return 0
    points, limit = schedule.index.points, schedule.problem.config.search.max_trials
    left = schedule.problem.space.count - len(points)
    return max(left if limit is None else min(left, limit - count_open(schedule)), 0)


def count_open(schedule: Schedule) -> int:
    """Points that can be trained, or may turn out to."""
    return schedule.index.points.count(PointState.FEASIBLE, PointState.UNCHECKED)


def unfinished(schedule: Schedule) -> list[Trial]:
    """Trials that are being trained or will be."""
    return [schedule.history.trial(number) for number in schedule.index.unfinished(schedule.budget)]


def is_complete(schedule: Schedule) -> bool:
    """Whether nothing is left of what the configuration asks for; told without proposing any point."""
    more = points_to_come(schedule) > 0 and schedule.budget.may_search
    return not more and not new_trials(schedule) and next_job(schedule, ()) is None


def is_bounded(schedule: Schedule) -> bool:
    """Whether a larger budget would go on."""
    return bool(left_by_budget(schedule)) or trials_held_back(schedule) > 0


def left_by_budget(schedule: Schedule) -> list[Trial]:
    """Trials that the budget keeps from being begun, or gone on with."""
    index, budget, first = schedule.index, schedule.budget, schedule.ranking.best_trial()
    seeds = {**budget.seeds, Role.SEARCH: len(schedule.history.trials)}
    free = replace(budget, last_point=float("inf"), seeds=seeds)  # a claim does not go by what is spent or reached
    wanting = [trial for trial in schedule.history.trials if index.claim(trial, free) != Claim.NOTHING]
    is_over = all(trial.role == Role.REFIT for trial in wanting)
    states = (TrialState.WAITING, TrialState.PAUSED)
    held = (t for t in wanting if t.state in states and not index.wants_training(t, budget))
    return [t for t in held if t.role != Role.REFIT or (is_over and first and first.point == t.point)]


def trials_to_come(schedule: Schedule) -> int:
    """Of points that a sampler has still to propose, and may."""
    return unproposed(schedule) if schedule.budget.may_search else 0


def trials_held_back(schedule: Schedule) -> int:
    """Of points that a sampler would propose with a larger budget."""
    return unproposed(schedule) - trials_to_come(schedule)


def unproposed(schedule: Schedule) -> int:
    """Trials of the points that are still asked for."""
    return int(points_to_come(schedule)) * schedule.problem.config.search.repeats


def failed_for_good(schedule: Schedule) -> list[Trial]:
    """Trials that will not be tried again by themselves."""
    index, budget = schedule.index, schedule.budget
    failed = (trial for trial in schedule.history.trials if trial.state == TrialState.FAILED)
    return [trial for trial in failed if not index.wants_training(trial, budget)]


def is_hopeless(schedule: Schedule) -> bool:
    """Whether a sampler that draws should give up: so many points in a row could not be trained, of a large space."""
    if schedule.problem.config.search.strategy == "grid" or schedule.problem.space.count <= FEW:
        return False
    return schedule.index.points.rejected_since_feasible() >= MISSES
