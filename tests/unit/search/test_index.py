"""Whatever happens to a sweep, what is read from the index is what is worked out anew from all records."""

from dataclasses import replace
from functools import cache
from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.analysis.ranking import best_trial, final_trial, point_results, rank_points, rank_trials
from src.ledger.history import History
from src.ledger.records import PointState, Role, TrialState
from src.search import proposals
from src.search import schedule as told
from src.search.problem import SearchProblem
from src.search.proposals import next_point
from src.search.samplers import STARTUP
from src.search.schedule import Schedule
from tests.unit.examples import config
from tests.unit.search import recomputed as truth
from tests.unit.search.recomputed_budget import epochs_of, scope
from tests.unit.search.world import World, draw_budget, play

SPACES: dict[str, dict[str, Any]] = {
    "grid": {"architecture": {"dense_units": {"choice": list(range(1, 9))}}},
    "misfits": {"architecture": {"filters": {"choice": [32, [32, 32], [1, 2, 3]]}, "kernel": {"choice": [3, 5, 7]}}},
    "random": {"architecture": {"dense_units": {"int": {"min": 1, "max": 20}}}},
}
STRATEGIES = {"random": "random", "by results": "tpe"}  # a grid where nothing is said


@cache
def problem_of(space: str, objective: str) -> SearchProblem:
    """A small problem."""
    words = (f"search.strategy={STRATEGIES[space]}", "search.max_trials=5") if space in STRATEGIES else ()
    return SearchProblem.of(config(f"search.objective={objective}", *words, space=SPACES.get(space, SPACES["random"])))


def answers(schedule: Schedule, busy: list[Any]) -> dict[str, Any]:
    """What a schedule says, the order of lists with it."""
    index, budget, ranking = schedule.index, schedule.budget, schedule.ranking
    return {
        "budget": (budget.until, budget.last_point, budget.seeds, budget.has_budget, budget.is_reached, budget.retries),
        "next job": told.next_job(schedule, busy),
        "next job of nobody": told.next_job(schedule, ()),
        "next job ahead": told.next_job(schedule, busy, ahead_only=True),
        "new trials": told.new_trials(schedule),
        "newly pruned": told.newly_pruned(schedule),
        "limits": index.rungs.limits,
        "epochs": [index.epochs_of(trial) for trial in schedule.history.trials],
        "points": [(r.point.number, r.role, [t.number for t in r.trials], r.key) for r in ranking.points()],
        "results": [[r.point.number for r in ranking.results(role)] for role in (Role.SEARCH, Role.CONFIRM)],
        "first": ranking.first_points(2),
        "trials": [trial.number for trial in ranking.best_trials()],
        "best": ranking.best_trial(),
        "final": ranking.final_trial(),
        "unfinished": [trial.number for trial in told.unfinished(schedule)],
        "count": index.count_unfinished(budget),
        "left": [trial.number for trial in told.left_by_budget(schedule)],
        "failed": [trial.number for trial in told.failed_for_good(schedule)],
        "is complete": told.is_complete(schedule),
        "is bounded": told.is_bounded(schedule),
        "points to come": told.points_to_come(schedule),
        "trials to come": (told.trials_to_come(schedule), told.trials_held_back(schedule)),
        "states": [index.points.count(state) for state in PointState],
        "open": told.count_open(schedule),
        "spent": index.total_epochs,
        "holding": index.holding,
        "next point": next_point(schedule),
    }


def expected(problem: SearchProblem, history: History, busy: list[Any]) -> dict[str, Any]:
    """What it should say."""
    own, trials = scope(problem, history), history.trials
    ranked = rank_points(history)
    unfinished, left = truth.unfinished(problem, history), truth.left_by_budget(problem, history)
    held_back = truth.unproposed(problem, history) - truth.trials_to_come(problem, history)
    return {
        "budget": (own.until, own.last_point, own.seeds, own.has_budget, own.is_reached, own.retries),
        "next job": truth.next_job(problem, history, busy),
        "next job of nobody": truth.next_job(problem, history, ()),
        "next job ahead": truth.next_job(problem, history, busy, ahead_only=True),
        "new trials": truth.new_trials(problem, history),
        "newly pruned": truth.newly_pruned(problem, history),
        "limits": own.limits,
        "epochs": [epochs_of(history, trial, own) for trial in trials],
        "points": [(r.point.number, r.role, [t.number for t in r.trials], r.key) for r in ranked],
        "results": [[r.point.number for r in point_results(history, role)] for role in (Role.SEARCH, Role.CONFIRM)],
        "first": [result.point.number for result in point_results(history, Role.SEARCH)[:2]],
        "trials": [trial.number for trial in rank_trials(history)],
        "best": best_trial(history),
        "final": final_trial(history),
        "unfinished": [trial.number for trial in unfinished],
        "count": len(unfinished),
        "left": [trial.number for trial in left],
        "failed": [trial.number for trial in truth.failed_for_good(problem, history)],
        "is complete": truth.is_complete(problem, history),
        "is bounded": bool(left) or held_back > 0,
        "points to come": truth.points_to_come(problem, history),
        "trials to come": (truth.trials_to_come(problem, history), held_back),
        "states": [sum(point.state == state for point in history.points) for state in PointState],
        "open": truth.count_open(history),
        "spent": sum(len(trial.epochs) for trial in trials),
        "holding": {t.number for t in trials if t.state == TrialState.FINISHED and t.weights},
        "next point": truth.next_point(problem, history, STARTUP),
    }


def compare(world: World) -> None:
    """The schedule that has followed, one made anew, and all records say the same."""
    schedule, history = world.schedule, world.history
    wanted = expected(schedule.problem, history, world.busy)
    anew = Schedule.of(schedule.problem, replace(history, followers=[]))
    for name, found in (("followed", schedule), ("made anew", anew)):
        for question, answer in answers(found, world.busy).items():
            assert answer == wanted[question], (name, question)


@settings(max_examples=100, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(sorted(SPACES)),
    st.sampled_from(["val_accuracy", "val_loss"]),
    st.integers(1, 3),
    st.integers(0, 2**32),
    st.lists(st.integers(0, 2**20), min_size=50, max_size=90),
)
def test_the_index_is_what_is_worked_out_anew(
    space: str, objective: str, workers: int, seed: int, numbers: list[int]
) -> None:
    """After every event of a random sweep: jobs, trials, limits, ranking, counts, and what is left."""
    problem = draw_budget(problem_of(space, objective), Random(seed))
    world = World(Schedule.of(problem, History(problem.objective)), workers)
    for number in numbers:
        play(world, number)
        compare(world)


@settings(max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 2), st.integers(0, 2**32), st.lists(st.integers(0, 2**20), min_size=20, max_size=40))
def test_points_wait_for_results_as_worked_out_anew(workers: int, seed: int, numbers: list[int]) -> None:
    """Whether the next point of a search by results is due, where two points are enough to go by."""
    problem = draw_budget(problem_of("by results", "val_accuracy"), Random(seed))
    world = World(Schedule.of(problem, History(problem.objective)), workers)
    with patch.object(proposals, "STARTUP", 2):
        for number in numbers:
            play(world, number)
            is_guided = truth.count_open(world.history) >= 2
            is_due = not is_guided or truth.is_due(world.schedule.problem, world.history)
            assert (proposals.is_guided(world.schedule), proposals.is_due(world.schedule)) == (is_guided, is_due)
