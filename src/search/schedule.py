"""What next, and how far? Answered from the configuration and the ledger's rows, and nothing else.

Grid, random, repeats, confirmation, retries, more epochs and resume are one question here: none of them
keeps a state of its own, so a resumed sweep goes on because it asks the same question again.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from src.analysis.ranking import best_trial, evaluation_of, final_trial, point_results
from src.base.hashing import stable_seed
from src.config.trial import TrialConfig
from src.ledger.events import Pruned
from src.ledger.history import History
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob, TrainJob
from src.ledger.records import PointState, Role, Trial, TrialState
from src.search.budget import Budget, budget_of, epochs_of, is_over, wants_training
from src.search.problem import Plan
from src.search.proposals import points_to_come

CRASHES = 2  # of a probe, before it is left out


def new_trials(plan: Plan, history: History) -> list[Trial]:
    """Trials to add to the rows, once all points proposed have been checked, so that numbers are fixed."""
    if has_unchecked(history):
        return []
    known = {(trial.point, trial.role, trial.repeat) for trial in history.trials}
    new = [key for key in wanted(plan, history) if key not in known]
    seed = plan.config.search.seed
    return [
        Trial(number, point, role, repeat, stable_seed(seed, role, repeat))
        for number, (point, role, repeat) in enumerate(new, len(history.trials) + 1)
    ]


def wanted(plan: Plan, history: History) -> Iterator[tuple[int, Role, int]]:
    """Point, role and repeat of all trials asked for, as far as they are known, in their order.

    Each point once, then once more with each further seed; then the best on fresh seeds; then the winner on all images.
    """
    search, budget = plan.config.search, budget_of(plan.config, history)
    points = [p.number for p in history.points if p.state == PointState.FEASIBLE and p.number <= budget.last_point]
    every = [(point, Role.SEARCH, repeat) for repeat in range(search.repeats) for point in points]
    yield from every
    if points_to_come(plan, history) > 0 and not budget.is_reached:
        return
    known = {(trial.point, trial.role, trial.repeat) for trial in history.trials}
    if known.issuperset(every) and is_over(history, Role.SEARCH, budget):
        best = [standing.point.number for standing in point_results(history, Role.SEARCH)[: search.confirm]]
        fresh = [(point, Role.CONFIRM, repeat) for repeat in range(search.confirm_repeats) for point in best]
        yield from fresh
        first = best_trial(history)
        if search.refit and first and known.issuperset(fresh) and is_over(history, Role.CONFIRM, budget):
            yield first.point, Role.REFIT, 0


# -------------------------------------------------------------------------------------------- work


def next_job(plan: Plan, history: History, busy: Collection[Job]) -> Job | None:
    """Checks, then probes of speed, then trials in order, then the winner's evaluation; None: nothing for now.

    `busy` is the work under way. No trial starts before every point proposed has been checked.
    """
    return next_check(plan, history, busy) if has_unchecked(history) else next_training(plan, history, busy)


def has_unchecked(history: History) -> bool:
    """Whether a point waits for its check, or is under it."""
    return any(point.state == PointState.UNCHECKED for point in history.points)


def next_check(plan: Plan, history: History, busy: Collection[Job]) -> CheckJob | None:
    """The next point to check."""
    under_way = {job.point for job in busy if isinstance(job, CheckJob)}
    waiting = (p for p in history.points if p.state == PointState.UNCHECKED and p.number not in under_way)
    point = next(waiting, None)
    return CheckJob(point.number, configuration_of(history, point.number)) if point else None


def next_training(plan: Plan, history: History, busy: Collection[Job]) -> Job | None:
    """A probe, a trial, or the evaluation of the winner."""
    probe = next_probe(plan, history, busy)
    if probe or not plan.training:
        return probe
    under_way = {job.trial for job in busy if isinstance(job, TrainJob)}
    budget = budget_of(plan.config, history)
    free = (trial for trial in history.trials if trial.number not in under_way)
    trial = next((trial for trial in free if wants_training(history, trial, budget)), None)
    if trial:
        return train_job(plan, history, trial, budget)
    return None if busy else next_evaluation(plan, history)


def next_probe(plan: Plan, history: History, busy: Collection[Job]) -> ProbeJob | None:
    """The next point whose speed to measure, as long as no epoch has been measured."""
    if any(trial.epochs for trial in history.trials):
        return None
    trained = sorted(
        (history.point(n) for n in {t.point for t in history.trials}), key=lambda p: (p.operations, p.number)
    )
    chosen = {p.number: p for p in (trained[0], trained[len(trained) // 2], trained[-1])} if trained else {}
    done = {probe.point for probe in history.probes} | {job.point for job in busy if isinstance(job, ProbeJob)}
    for number, point in chosen.items():
        if number not in done and history.crashes[ProbeJob.kind, number] < CRASHES:
            return ProbeJob(number, point.operations, configuration_of(history, point.number))
    return None


def train_job(plan: Plan, history: History, trial: Trial, budget: Budget) -> TrainJob:
    """A trial as a job, from its checkpoint if it has one."""
    until = epochs_of(history, trial, budget)
    return TrainJob(
        trial.number,
        trial.attempts + 1,
        configuration_of(history, trial.point),
        trial.seed,
        history.objective,
        until,
        budget.until,
        trial.checkpoint,
        tuple(trial.epochs[: trial.checkpoint_epoch]),
        trial.role == Role.REFIT,
        trial.role == Role.SEARCH and until < budget.until,
    )


def configuration_of(history: History, point: int) -> TrialConfig:
    """Of a point that can be built, or may turn out to."""
    configuration = history.point(point).configuration
    assert configuration
    return configuration


def next_evaluation(plan: Plan, history: History) -> EvaluateJob | TrainJob | None:
    """The final model's look at the test data, unless it has had it; one whose weights were dropped trains anew."""
    best = final_trial(history)
    if best is None or evaluation_of(history, best) or is_given_up(plan, history, best):
        return None
    if best.weights is None:
        return train_job(plan, history, best, budget_of(plan.config, history))
    return EvaluateJob(best.number, best.best_epoch, configuration_of(history, best.point), best.weights)


def is_given_up(plan: Plan, history: History, trial: Trial) -> bool:
    """Whether the look at the test data failed as often as a trial may."""
    return history.crashes[EvaluateJob.kind, trial.number] > plan.config.search.retries


def newly_pruned(plan: Plan, history: History) -> list[Pruned]:
    """Trials that wait at a rung and go no further, with the reason."""
    found = budget_of(plan.config, history).limits
    pruned = [
        t.number
        for t in history.trials
        if t.state == TrialState.PAUSED and t.number in found and found[t.number].reason
    ]
    return [Pruned(number, found[number].reason) for number in pruned]


# --------------------------------------------------------------------------------------- reading rows


def unfinished(history: History, budget: Budget) -> list[Trial]:
    """Trials that are being trained or will be."""
    return [
        trial for trial in history.trials if trial.state == TrialState.RUNNING or wants_training(history, trial, budget)
    ]


def is_complete(plan: Plan, history: History) -> bool:
    """Whether nothing is left of what the configuration asks for; told without proposing any point."""
    budget = budget_of(plan.config, history)
    more = points_to_come(plan, history) > 0 and budget.may_search
    return not more and not new_trials(plan, history) and next_job(plan, history, ()) is None


def is_bounded(plan: Plan, history: History) -> bool:
    """Whether a larger budget would go on."""
    return bool(left_by_budget(plan, history)) or trials_held_back(plan, history) > 0


def left_by_budget(plan: Plan, history: History) -> list[Trial]:
    """Trials that the budget keeps from being begun, or gone on with."""
    budget = budget_of(plan.config, history)
    seeds = {**budget.seeds, Role.SEARCH: len(history.trials)}
    free = replace(budget, has_budget=True, is_reached=False, last_point=float("inf"), seeds=seeds)
    held = (
        t
        for t in history.trials
        if t.state in (TrialState.WAITING, TrialState.PAUSED) and not wants_training(history, t, budget)
    )
    return [trial for trial in held if wants_training(history, trial, free)]


def trials_to_come(plan: Plan, history: History) -> int:
    """Of points that a strategy has still to propose, and may."""
    left = unproposed(plan, history)
    return left if left and budget_of(plan.config, history).may_search else 0


def trials_held_back(plan: Plan, history: History) -> int:
    """Of points that a strategy would propose with a larger budget."""
    return unproposed(plan, history) - trials_to_come(plan, history)


def unproposed(plan: Plan, history: History) -> int:
    """Trials of the points that are still asked for."""
    return int(points_to_come(plan, history)) * plan.config.search.repeats


def failed_for_good(plan: Plan, history: History) -> list[Trial]:
    """Trials that will not be tried again by themselves."""
    budget = budget_of(plan.config, history)
    return [
        trial
        for trial in history.trials
        if trial.state == TrialState.FAILED and not wants_training(history, trial, budget)
    ]
