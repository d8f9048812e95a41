"""Time and disk: exact where what was measured lies on a line."""

from typing import Any

import pytest

from src.ledger.events import Failed
from src.ledger.history import History
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, Invocation, Origin, Probe, TrialState
from src.search.estimate import (
    LAST,
    MLFLOW,
    REPORT,
    SHARE,
    TRACING,
    Conditions,
    Speed,
    bytes_needed,
    mean_operations,
    measure,
    search_epochs,
    seconds_left,
    spread,
    training_left,
)
from src.search.schedule import Schedule, trials_to_come
from tests.unit.examples import SPACE, add_trials, epoch, finish, prepared, schedule_of, train_job

IMAGES = 100
WIDE: dict[str, Any] = {"architecture": {"pool": {"int": {"min": 1, "max": 40}}}}
BASE, SLOPE, PREPARE = 1e-3, 2e-6, 5.0


def schedule_on(history: History, *overrides: str) -> Schedule:
    """Four points of three epochs; point n has 100 * n parameters and 1000 * n operations."""
    return schedule_of("training.epochs=3", *overrides, history=history)


def probed(*overrides: str, space: dict[str, Any] = SPACE, probes: tuple[int, ...] = (1, 2, 4)) -> Schedule:
    """The same from its start; some points were probed, and all took exactly what the line says."""
    schedule = prepared(schedule_of("training.epochs=3", *overrides, space=space))
    for number in probes:
        operations = schedule.history.point(number).operations
        schedule.history.apply(Probe(number, operations, PREPARE, BASE + SLOPE * operations), 0)
    return schedule


def cost(number: int, epochs: int) -> float:
    """Seconds of a trial."""
    return PREPARE + epochs * IMAGES * (BASE + SLOPE * 1000 * number)


def left(schedule: Schedule, workers: int = 1) -> float:
    """Seconds of training, at the speed that was measured."""
    images = schedule.problem.config.training.epoch_size or IMAGES
    speed = measure(schedule.history, images, 0)
    assert speed
    return training_left(schedule, speed, images, workers)


def test_a_line_is_found_exactly() -> None:
    """Base, slope and preparation are those of the probes, also with a trial measured beside them that took as long."""
    history = probed().history
    seconds = IMAGES * (BASE + SLOPE * 3000)
    finish(history, 3, epoch(1, seconds=PREPARE + seconds), epoch(2, seconds=seconds))
    assert line_of(measure(history, IMAGES, 0)) == pytest.approx((BASE, SLOPE, PREPARE))


def test_trials_that_are_slower_than_their_probes() -> None:
    """All is expected to take as much longer as the median trial did; results taken from other sweeps do not count."""
    history = probed().history
    for number, factor in ((1, 2), (2, 3), (3, 30), (4, 100)):
        finish(history, number, epoch(1, seconds=factor * cost(number, 1)))
    history.trial(4).origin = Origin("other", 1)
    assert line_of(measure(history, IMAGES, 0)) == pytest.approx((3 * BASE, 3 * SLOPE, 3 * PREPARE))


def test_without_probes() -> None:
    """The line goes through the trials. Their graphs were made in the first epoch, which counts only where it is alone."""
    history = probed(probes=()).history
    one, two = (IMAGES * (BASE + SLOPE * 1000 * number) for number in (1, 2))
    start = one / TRACING / 2
    finish(history, 1, epoch(1, seconds=99), epoch(2, seconds=one))
    finish(history, 2, epoch(1, seconds=two + TRACING * start))
    assert line_of(measure(history, IMAGES, start)) == pytest.approx((BASE, SLOPE, TRACING * start))


def line_of(speed: Speed | None) -> tuple[float, float, float]:
    """As numbers."""
    assert speed
    return speed.base, speed.slope, speed.prepare


def test_time_left() -> None:
    """All epochs of all trials; finished trials cost nothing, others what is missing, without what was prepared."""
    schedule = probed()
    history = schedule.history
    assert left(schedule) == pytest.approx(sum(cost(n, 3) for n in range(1, 5)))
    assert left(schedule, 2) == pytest.approx(cost(2, 3) + cost(4, 3)), "the other worker has the first and the third"
    seconds = IMAGES * (BASE + SLOPE * 1000)
    finish(history, 1, epoch(1, seconds=PREPARE + seconds), *(epoch(n, seconds=seconds) for n in (2, 3)))
    finish(history, 2, epoch(1, seconds=cost(2, 1)), reason="early stopping")
    history.trial(3).epochs.append(epoch(1, seconds=cost(3, 1)))
    assert left(schedule, 2) == pytest.approx(cost(4, 3))
    assert left(schedule) == pytest.approx(cost(3, 2) - PREPARE + cost(4, 3))


def test_a_worker_takes_the_next_trial_when_it_is_free() -> None:
    """The time is that of the worker which ends last."""
    assert spread([], 2) == 0
    assert spread([5, 1, 1, 1, 4], 2) == 7
    assert spread([5, 1], 3) == 5


def test_seeds_of_one_network() -> None:
    """They train with the graphs of the first."""
    schedule = probed("search.repeats=3", space={"architecture": {"pool": {"choice": [1]}}}, probes=())
    history = schedule.history
    history.trial(1).epochs.append(epoch(1, seconds=30))
    history.trial(1).epochs.append(epoch(2, seconds=7))
    assert left(schedule) == pytest.approx(7 * (1 + 3 + 3))
    assert left(schedule, 2) == pytest.approx(7 * (1 + 3))


def test_what_comes_after_training() -> None:
    """Test images are looked at twice, forwards; all else takes as long as the start says. MLflow is waited for where it is
    not prepared by then: more slowly while trials train on all cores."""
    schedule, bare = probed(), probed("tracking=none")
    training, evaluation = left(schedule), 20 * (BASE + SLOPE * 2500)
    for one in (schedule, bare):
        seconds = seconds_left(one, Conditions(IMAGES, 30, 1, 1, 2.0, 2.0))
        assert seconds == pytest.approx(training + evaluation + (REPORT + LAST) * 2)
    for cores, share in ((1, SHARE), (2, 1)):
        conditions = Conditions(IMAGES, 30, 1, cores, 1000.0, 1500.0)
        waiting = (MLFLOW - 1) * 1000 - share * (500 + training)
        assert seconds_left(schedule, conditions) == pytest.approx(training + waiting + LAST * 1000)
        assert seconds_left(bare, conditions) == pytest.approx(training + evaluation + (REPORT + LAST) * 1000)


def test_a_pruner_saves_time() -> None:
    """Only the epochs that it lets be trained count: four trials for one of three epochs, and one of them to the end."""
    schedule = probed("search.pruner=top_k", "search.keep=1")
    history = schedule.history
    each = IMAGES * (BASE + SLOPE * 2500)  # of points as large as the mean
    assert search_epochs(schedule) == 4 + 2
    assert left(schedule) == pytest.approx(4 * PREPARE + 6 * each)
    history.trial(1).epochs.append(epoch(1, seconds=cost(1, 1)))
    assert left(schedule) == pytest.approx(3 * PREPARE + 5 * each)


def test_a_pruner_saves_time_of_points_to_come() -> None:
    """Those that a sampler has still to propose are among the trials that it prunes."""
    words = ("search.strategy=tpe", "search.max_trials=12", "search.pruner=top_k", "search.keep=2")
    schedule = probed(*words, space=WIDE, probes=(1, 5, 10))
    assert (len(schedule.history.trials), search_epochs(schedule)) == (10, 12 + 2 * 2)
    each = IMAGES * (BASE + SLOPE * 5500)
    assert left(schedule) == pytest.approx(12 * PREPARE + 16 * each)


def test_a_budget_of_epochs_bounds_the_time() -> None:
    """No more epochs are counted than the budget has left."""
    assert left(probed("search.max_epochs=4"), 2) == pytest.approx(4 * IMAGES * (BASE + SLOPE * 2500) / 2)


def test_short_epochs_cost_less() -> None:
    """An epoch of `training.epoch_size` images takes as long as these do."""
    seconds = left(probed(f"training.epoch_size={IMAGES // 4}"))
    assert seconds == pytest.approx(sum(PREPARE + (cost(n, 3) - PREPARE) / 4 for n in range(1, 5)))


def test_points_to_come_cost_what_those_known_cost() -> None:
    """What a strategy has still to propose counts as trials of the mean size, in time and in disk."""
    schedule = probed("search.strategy=tpe", "search.max_trials=12", space=WIDE, probes=(1, 5, 10))
    history = schedule.history
    assert (len(history.trials), trials_to_come(schedule)) == (10, 2)
    assert left(schedule) == pytest.approx(12 * cost(0, 3) + 12 * 3 * IMAGES * SLOPE * 5500)
    few = schedule_of("training.epochs=3", "search.strategy=tpe", "search.max_trials=10", space=WIDE, history=history)
    assert bytes_needed(schedule)[0] > bytes_needed(few)[0]


def test_failed_trials_cost_nothing() -> None:
    """A trial that failed is not counted."""
    history = probed().history
    del history.trials[2:]
    schedule = schedule_on(history, "search.max_trials=2")
    history.apply(Failed(train_job(until=3), Cause.NAN, "the loss is nan"), 0)
    assert left(schedule) == pytest.approx(cost(2, 3))


def test_nothing_measured() -> None:
    """Without a measurement there is no estimate."""
    assert seconds_left(prepared(schedule_of("training.epochs=3")), Conditions(IMAGES, 0, 1, 2, 1.0, 1.0)) is None


def test_never_longer_than_allowed() -> None:
    """With max_seconds no more than what is left of them."""
    schedule = probed("search.max_seconds=10")
    history = schedule.history
    assert left(schedule) == 10
    history.invocations.append(Invocation(1, 0, 7, "here", 1, {}, {}))
    assert left(schedule) == 3


def test_disk() -> None:
    """Each trial's state and weights; in MLflow a copy for each kind of file; less if less is kept."""
    schedule = probed("tracking=none")
    history = schedule.history
    each = [12 * 100 * n + 2 * 4 * 100 * n for n in range(1, 5)]  # state_bytes, and two copies of the weights
    assert bytes_needed(schedule) == (sum(each), 0)
    finish(history, 1, epoch(1), epoch(2), epoch(3))
    assert bytes_needed(schedule) == (sum(each[1:]), 0)
    weights = [4 * 100 * n for n in (2, 3, 4)]
    bare = ["tracking.weights_txt=false", "tracking.model=false"]
    none_kept = schedule_on(history, *bare, "tracking.keep=0")
    copies = bytes_needed(schedule_on(history, *bare))[1] - bytes_needed(none_kept)[1]
    assert copies == 2 * sum(weights)
    no_checkpoints = schedule_on(history, "tracking=none", "checkpoints.keep=0")
    assert bytes_needed(no_checkpoints)[0] == sum(each[2:])  # two under way


def test_disk_of_mlflow() -> None:
    """A copy of the weights for each kind of file, what fits into weights.txt, and something fixed a run, kept or not."""
    schedule, fixed = probed(), 4 * 300_000
    options = [f"tracking.{kind}=true" for kind in ("checkpoint", "model", "weights_npz", "weights_txt")]
    three = schedule_on(schedule.history, *options, "tracking.weights_txt_values=150")
    assert bytes_needed(three)[1] == fixed + 3 * 4 * (100 + 200 + 300 + 400) + 13 * (100 + 150 + 150 + 150)
    two = schedule_on(schedule.history, *options, "tracking.weights_txt=false", "tracking.keep=2")
    assert bytes_needed(two)[1] == fixed + 3 * 4 * (300 + 400)
    few = schedule_on(schedule.history, "tracking=none", "checkpoints.keep=1")
    assert bytes_needed(few) == (20 * (200 + 300 + 400), 0)  # one kept, two under way


def test_mean_operations() -> None:
    """Of the trials' points, each as often as it has trials; none where there are none."""
    assert mean_operations(History(ACCURACY)) == 0
    history = probed("search.repeats=2").history
    del history.trials[5:]
    assert mean_operations(history) == (1000 + 1000 + 2000 + 3000 + 4000) / 5


def test_what_follows_the_search_costs_too() -> None:
    """Fresh seeds of the best and a refit, at the mean of the points' sizes, until they are among the trials."""
    schedule = probed("search.confirm=3", "search.confirm_repeats=2", "search.refit=true")
    history = schedule.history
    later = 7 * cost(1, 3) + 7 * IMAGES * 3 * SLOPE * 1500  # a mean of 2500 operations
    assert left(schedule) == pytest.approx(sum(cost(n, 3) for n in range(1, 5)) + later)
    while waiting := [trial for trial in history.trials if trial.state == TrialState.WAITING]:
        for trial in waiting:
            seconds = IMAGES * (BASE + SLOPE * 1000 * trial.point)
            finish(history, trial.number, *(epoch(n, seconds=seconds) for n in (1, 2, 3)))
        add_trials(schedule)
    assert len(history.trials) == 11 and left(schedule) == 0


def test_no_more_points_are_confirmed_than_there_are() -> None:
    """The best 3 of 2 points are 2."""
    words = ("search.max_trials=2", "search.confirm_repeats=2")
    first, second = (left(probed(*words, f"search.confirm={count}", probes=(1, 2))) for count in (2, 3))
    assert first == second
