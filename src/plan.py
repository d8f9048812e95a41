"""What next, and how far? Answered from the configuration and the ledger's rows, and nothing else.

Grid, random, repeats, confirmation, retries, more epochs and resume are one question here: none of them
keeps a state of its own, so a resumed sweep goes on because it asks the same question again.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from src.config import fill_in
from src.messages import CheckWork, Configuration, EvaluateWork, ProbeWork, Pruned, TrainWork, Work
from src.proposals import Plan, points_to_come
from src.rows import Point, Rows, Trial
from src.scope import Scope, epochs_of, is_over, scope_of, target, wants_training
from src.standing import evaluation_of, final, standings, winner
from src.strategies import stable_seed

CRASHES = 2  # of a probe, before it is left out


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


def unfinished(rows: Rows, scope: Scope) -> list[Trial]:
    """Trials that are being trained or will be."""
    return [trial for trial in rows.trials if trial.state == "running" or wants_training(rows, trial, scope)]


def is_complete(plan: Plan, rows: Rows) -> bool:
    """Whether nothing is left of what the configuration asks for; told without proposing any point."""
    scope = scope_of(plan.config, rows)
    more = points_to_come(plan, rows) > 0 and scope.may_search
    return not more and not new_trials(plan, rows) and next_work(plan, rows, ()) is None


def is_bounded(plan: Plan, rows: Rows) -> bool:
    """Whether a larger budget would go on."""
    return bool(left_by_budget(plan, rows)) or trials_held_back(plan, rows) > 0


def left_by_budget(plan: Plan, rows: Rows) -> list[Trial]:
    """Trials that the budget keeps from being begun, or gone on with."""
    scope = scope_of(plan.config, rows)
    seeds = {**scope.seeds, "search": len(rows.trials)}
    free = replace(scope, has_budget=True, is_reached=False, last_point=float("inf"), seeds=seeds)
    held = (t for t in rows.trials if t.state in ("waiting", "paused") and not wants_training(rows, t, scope))
    return [trial for trial in held if wants_training(rows, trial, free)]


def trials_to_come(plan: Plan, rows: Rows) -> int:
    """Of points that a strategy has still to propose, and may."""
    left = unproposed(plan, rows)
    return left if left and scope_of(plan.config, rows).may_search else 0


def trials_held_back(plan: Plan, rows: Rows) -> int:
    """Of points that a strategy would propose with a larger budget."""
    return unproposed(plan, rows) - trials_to_come(plan, rows)


def unproposed(plan: Plan, rows: Rows) -> int:
    """Trials of the points that are still asked for."""
    return int(points_to_come(plan, rows)) * plan.config.search.repeats


def failed_for_good(plan: Plan, rows: Rows) -> list[Trial]:
    """Trials that will not be tried again by themselves."""
    scope = scope_of(plan.config, rows)
    return [trial for trial in rows.trials if trial.state == "failed" and not wants_training(rows, trial, scope)]
