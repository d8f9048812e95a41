"""Time and disk: exact where what was measured lies on a line."""

from pathlib import Path
from typing import Any

import pytest

from src.base.disk import free_bytes
from src.base.text import show_bytes, show_seconds
from src.ledger.events import Failed
from src.ledger.history import History
from src.ledger.jobs import TrainJob
from src.ledger.records import Cause, Invocation, Probe, TrialState
from src.search.budget import budget_of
from src.search.estimate import bytes_needed, measure, search_epochs, seconds_left
from src.search.problem import Plan
from src.search.schedule import new_trials, trials_to_come
from tests.unit.examples import SPACE, checked_history, config, epoch, finish

IMAGES = 100
WIDE: dict[str, Any] = {"architecture": {"pool": {"int": {"min": 1, "max": 40}}}}
BASE, SLOPE, PREPARE = 1e-3, 2e-6, 5.0


def plan_of(*overrides: str) -> Plan:
    """Four points of three epochs; point n has 100 * n parameters and 1000 * n operations."""
    return Plan.of(config("training.epochs=3", *overrides, space=SPACE))


def probed_history(plan: Plan, probed: tuple[int, ...] = (1, 2, 4)) -> History:
    """Some points were probed, and all took exactly what the line says."""
    history = checked_history(plan)
    for number in probed:
        operations = history.point(number).operations
        history.apply(Probe(number, operations, PREPARE, BASE + SLOPE * operations), 0)
    return history


def cost(number: int, epochs: int) -> float:
    """Seconds of a trial."""
    return PREPARE + epochs * IMAGES * (BASE + SLOPE * 1000 * number)


def test_a_line_is_found_exactly() -> None:
    """Base, slope and preparation are those of the probes, also with epochs measured beside them."""
    history = probed_history(plan_of())
    finish(history, 3, epoch(1, seconds=99), epoch(2, seconds=IMAGES * (BASE + SLOPE * 3000)))  # the last counts
    speed = measure(history, IMAGES)
    assert speed and (speed.base, speed.slope, speed.prepare) == pytest.approx((BASE, SLOPE, PREPARE))


@pytest.mark.parametrize("workers", [1, 2])
def test_time_left(workers: int) -> None:
    """All epochs of all trials, shared among the workers; finished trials cost nothing, others what is missing."""
    plan = plan_of()
    history = probed_history(plan)
    assert seconds_left(plan, history, IMAGES, workers) == pytest.approx(sum(cost(n, 3) for n in range(1, 5)) / workers)
    finish(history, 1, *(epoch(n, seconds=IMAGES * (BASE + SLOPE * 1000)) for n in (1, 2, 3)))
    finish(history, 2, epoch(1, seconds=IMAGES * (BASE + SLOPE * 2000)), reason="early stopping")
    history.trial(3).epochs.append(epoch(1, seconds=IMAGES * (BASE + SLOPE * 3000)))
    assert seconds_left(plan, history, IMAGES, workers) == pytest.approx((cost(3, 2) + cost(4, 3)) / workers)


def test_a_pruner_saves_time() -> None:
    """Only the epochs that it lets be trained count: four trials for one of three epochs, and one of them to the end."""
    plan = plan_of("search.pruner=top_k", "search.keep=1")
    history = probed_history(plan)
    each = IMAGES * (BASE + SLOPE * 2500)  # of points as large as the mean
    assert search_epochs(plan, history, budget_of(plan.config, history)) == 4 + 2
    assert seconds_left(plan, history, IMAGES, 1) == pytest.approx(4 * PREPARE + 6 * each)
    history.trial(1).epochs.append(epoch(1, seconds=IMAGES * (BASE + SLOPE * 1000)))
    assert seconds_left(plan, history, IMAGES, 1) == pytest.approx(3 * PREPARE + 5 * each)


def test_a_budget_of_epochs_bounds_the_time() -> None:
    """No more epochs are counted than the budget has left."""
    plan = plan_of("search.max_epochs=4")
    assert seconds_left(plan, probed_history(plan), IMAGES, 2) == pytest.approx(4 * IMAGES * (BASE + SLOPE * 2500) / 2)


def test_short_epochs_cost_less() -> None:
    """An epoch of `training.epoch_size` images takes as long as these do."""
    plan = plan_of(f"training.epoch_size={IMAGES // 4}")
    left = seconds_left(plan, probed_history(plan), IMAGES, 1)
    assert left == pytest.approx(sum(PREPARE + (cost(n, 3) - PREPARE) / 4 for n in range(1, 5)))


def test_points_to_come_cost_what_those_known_cost() -> None:
    """What a strategy has still to propose counts as trials of the mean size, in time and in disk."""
    plan = Plan.of(config("training.epochs=3", "search.strategy=tpe", "search.max_trials=12", space=WIDE))
    history = probed_history(plan, (1, 5, 10))
    assert (len(history.trials), trials_to_come(plan, history)) == (10, 2)
    assert seconds_left(plan, history, IMAGES, 1) == pytest.approx(12 * cost(0, 3) + 12 * 3 * IMAGES * SLOPE * 5500)
    few = Plan.of(config("training.epochs=3", "search.strategy=tpe", "search.max_trials=10", space=WIDE))
    assert bytes_needed(plan, history)[0] > bytes_needed(few, history)[0]


def test_failed_trials_cost_nothing() -> None:
    """A trial that failed is not counted."""
    plan = plan_of("search.max_trials=2")
    history = probed_history(plan_of())
    del history.trials[2:]
    job = TrainJob(1, 1, {}, 1, "val_accuracy", 3, None, ())
    history.apply(Failed(job, Cause.NAN, "the loss is nan"), 0)
    assert seconds_left(plan, history, IMAGES, 1) == pytest.approx(cost(2, 3))


def test_nothing_measured() -> None:
    """Without a measurement there is no estimate."""
    plan = plan_of()
    assert seconds_left(plan, checked_history(plan), IMAGES, 1) is None


def test_never_longer_than_allowed() -> None:
    """With max_seconds no more than what is left of them."""
    plan = plan_of("search.max_seconds=10")
    history = probed_history(plan)
    assert seconds_left(plan, history, IMAGES, 1) == 10
    history.invocations.append(Invocation(1, 0, 7, "here", 1, {}, {}))
    assert seconds_left(plan, history, IMAGES, 1) == 3


def test_disk() -> None:
    """Each trial's state and weights; in MLflow a copy for each kind of file; less if less is kept."""
    plan = plan_of("tracking=none")
    history = probed_history(plan)
    each = [12 * 100 * n + 2 * 4 * 100 * n for n in range(1, 5)]  # state_bytes, and two copies of the weights
    assert bytes_needed(plan, history) == (sum(each), 0)
    finish(history, 1, epoch(1), epoch(2), epoch(3))
    assert bytes_needed(plan, history) == (sum(each[1:]), 0)
    weights = [4 * 100 * n for n in (2, 3, 4)]
    bare = ["tracking.weights_txt=false", "tracking.model=false"]
    copies = bytes_needed(plan_of(*bare), history)[1] - bytes_needed(plan_of(*bare, "tracking.keep=0"), history)[1]
    assert copies == 2 * sum(weights)
    assert bytes_needed(plan_of("tracking=none", "checkpoints.keep=0"), history)[0] == sum(each[2:])  # two under way


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.2, "1 s"), (89, "89 s"), (90, "2 min"), (119 * 60, "119 min"), (200 * 60, "3 h 20 min")],
)
def test_show_seconds(seconds: float, words: str) -> None:
    """Seconds, minutes or hours, rounded up."""
    assert show_seconds(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 MB"), (1, "1 MB"), (12_000_000, "12 MB"), (3_400_000_000, "3.4 GB"), (1e9, "1.0 GB")]
)
def test_show_bytes(count: float, words: str) -> None:
    """Megabytes rounded up, or gigabytes."""
    assert show_bytes(count) == words


def test_free_bytes_of_a_folder_to_come(tmp_path: Path) -> None:
    """A folder that does not exist yet has the space of the one it will be in."""
    assert free_bytes(tmp_path / "a" / "b") > 0


def test_what_follows_the_search_costs_too() -> None:
    """Fresh seeds of the best and a refit, at the mean of the points' sizes, until they are among the trials."""
    plan = plan_of("search.confirm=3", "search.confirm_repeats=2", "search.refit=true")
    history = probed_history(plan)
    later = 7 * cost(1, 3) + 7 * IMAGES * 3 * SLOPE * 1500  # a mean of 2500 operations
    assert seconds_left(plan, history, IMAGES, 1) == pytest.approx(sum(cost(n, 3) for n in range(1, 5)) + later)
    while waiting := [trial for trial in history.trials if trial.state == TrialState.WAITING]:
        for trial in waiting:
            seconds = IMAGES * (BASE + SLOPE * 1000 * trial.point)
            finish(history, trial.number, *(epoch(n, seconds=seconds) for n in (1, 2, 3)))
        for trial in new_trials(plan, history):
            history.apply(trial, 0)
    assert len(history.trials) == 11 and seconds_left(plan, history, IMAGES, 1) == 0


def test_no_more_points_are_confirmed_than_there_are() -> None:
    """The best 3 of 2 points are 2."""
    plans = (plan_of("search.max_trials=2", f"search.confirm={count}", "search.confirm_repeats=2") for count in (2, 3))
    first, second = (seconds_left(plan, probed_history(plan, (1, 2)), IMAGES, 1) for plan in plans)
    assert first == second is not None
