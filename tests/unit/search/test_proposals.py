"""Points are proposed once, named where they cannot be trained, and wait for results where these guide the strategy."""

from typing import Any

import pytest

from src.ledger.events import Failed, Started, Stopped
from src.ledger.history import History
from src.ledger.jobs import CheckJob, TrainJob
from src.ledger.records import Cause, Point, PointState
from src.search.proposals import next_point, results
from src.search.schedule import Schedule, is_hopeless, new_trials, next_job, points_to_come
from tests.unit.examples import add_trials, check, epoch, finish, prepared, propose
from tests.unit.search.playing import small


def test_points_of_a_grid() -> None:
    """All points, numbered from 1 in the grid's order, with whole configurations but for the epochs."""
    schedule = small()
    history = schedule.history
    propose(schedule)
    assert [(p.number, *p.values.values(), p.state) for p in history.points] == [
        (1, 3, 1, "unchecked"),
        (2, 3, 2, "unchecked"),
        (3, 5, 1, "unchecked"),
        (4, 5, 2, "unchecked"),
    ]
    third = history.points[2].configuration
    assert third and third.identity()["architecture"]["kernel"] == 5 and "epochs" not in third.identity()["training"]
    assert next_point(schedule) is None


def test_duplicates_and_misfits_are_named() -> None:
    """Equal networks are found however they are written; a misfit says which key is wrong; neither trains."""
    space = {"architecture": {"filters": {"choice": [32, [32, 32], [1, 2, 3]]}}}
    history = prepared(small(space=space)).history
    assert [point.state for point in history.points] == ["feasible", "duplicate", "infeasible"]
    assert history.points[1].reason.endswith("point 1")
    assert "architecture.filters: 3 values of filters for 2 blocks" in history.points[2].reason
    assert [trial.point for trial in history.trials] == [1]


@pytest.mark.parametrize(
    ("overrides", "space"),
    [
        (("architecture.filters=32",), {"architecture": {"blocks": {"choice": [1, 2]}}}),
        ((), {"architecture": {"dense_layers": {"choice": [0, 1, 2]}}}),
        (("architecture=dnn",), {"architecture": {"units": {"choice": [[8], [8, 8]]}}}),
    ],
)
def test_one_value_for_all_holds_in_every_point(overrides: tuple[str, ...], space: dict[str, Any]) -> None:
    """A number given for all blocks or layers stands for as many as the point has."""
    history = prepared(small(*overrides, space=space)).history
    assert [point.reason for point in history.points if point.state != PointState.FEASIBLE] == []


def test_max_trials_counts_points_that_can_be_trained() -> None:
    """For each point that turns out infeasible another is proposed."""
    schedule = small("search.max_trials=2")
    history = schedule.history
    propose(schedule)
    assert len(history.points) == 2
    check(history, 1, "too small")
    propose(schedule)
    check(history, 2)
    assert len(history.points) == 3 and isinstance(next_job(schedule, ()), CheckJob)
    check(history, 3)
    propose(schedule)
    assert [trial.point for trial in new_trials(schedule)] == [2, 3] and len(history.points) == 3


def test_more_trials_go_on_where_fewer_ended() -> None:
    """With a higher max_trials a new schedule on the same history adds points and trials, and changes none."""
    history = prepared(small("search.max_trials=2")).history
    more = small("search.max_trials=3", history=history)
    propose(more)
    check(history, 3)
    assert [(trial.number, trial.point) for trial in new_trials(more)] == [(3, 3)]
    assert [point.values for point in history.points] == [
        point.values for point in prepared(small()).history.points[:3]
    ]


# ------------------------------------------------------------------------------ proposed by results

WIDE: dict[str, Any] = {"architecture": {"pool": {"int": {"min": 1, "max": 40}}}}


def guided(*overrides: str, space: dict[str, Any] = WIDE, history: History | None = None) -> Schedule:
    """A search of 13 points, of which all after the tenth go by results; one epoch each, and nothing is probed."""
    words = ("training.epochs=1", "search.strategy=tpe", "search.max_trials=13")
    schedule = small(*words, *overrides, space=space, history=history)
    schedule.history.crashes.update({("probe", number): 9 for number in range(1, 99)})
    return schedule


def look(schedule: Schedule) -> None:
    """Write down what is proposed; every point can be built."""
    add_trials(schedule)
    propose(schedule)
    for point in schedule.history.points:
        if point.state == PointState.UNCHECKED:
            check(schedule.history, point.number)
    add_trials(schedule)


def train_all_of(schedule: Schedule, stop: int = 99) -> list[int]:
    """One trial after the other, up to so many; the pools of their points, in order."""
    history = schedule.history
    look(schedule)
    for _ in range(stop):
        job = next_job(schedule, ())
        if not isinstance(job, TrainJob):
            break
        pool = history.point(history.trial(job.trial).point).values["architecture.pool"]
        finish(history, job.trial, epoch(1, pool / 100))
        look(schedule)
    return [history.point(trial.point).values["architecture.pool"] for trial in history.trials if trial.epochs]


def test_points_wait_for_results() -> None:
    """Ten points at first; then one at a time, each when the one before has its result; as many as asked for."""
    schedule = guided()
    history = schedule.history
    for done in range(11):
        train_all_of(schedule, 1 if done else 0)
        assert len(history.points) == 10 + (done == 10)
    assert points_to_come(schedule) == 2
    assert len(train_all_of(schedule)) == 13 and points_to_come(schedule) == 0


def test_a_resumed_search_proposes_the_same() -> None:
    """What is proposed follows from the history: a schedule made anew at any moment goes on with the same points."""
    whole = train_all_of(guided())
    history = guided().history
    for _ in range(13):
        train_all_of(guided(history=history), 1)
    assert train_all_of(guided(history=history)) == whole
    more = guided("search.max_trials=15", history=history)
    assert train_all_of(more)[:13] == whole and len(history.trials) == 15


def test_an_interrupted_trial_ends_before_the_next_is_proposed() -> None:
    """With results missing, no point is proposed by those that are there, unless a worker would wait for work."""
    schedule = guided()
    history = schedule.history
    train_all_of(schedule, 10)
    assert len(history.points) == 11
    history.apply(Started(11, 1), 0)
    assert next_point(guided(history=history)) == next_point(schedule) is not None  # a worker is free, 11 under way
    history.apply(Stopped(11), 0)
    assert next_point(guided(history=history)) is next_point(schedule) is None
    history.apply(Started(11, 2), 0)
    propose(schedule)
    assert len(history.points) == 12


def test_nothing_is_confirmed_before_the_last_point() -> None:
    """The search is not over as long as points are to come, though all trials have ended."""
    schedule = guided("search.confirm=2", "search.confirm_repeats=1")
    history = schedule.history
    train_all_of(schedule)
    assert [trial.role for trial in history.trials] == ["search"] * 13 + ["confirm"] * 2


def test_results_of_all_kinds() -> None:
    """What cannot be trained counts as the worst, what is being trained as the median, each of the others by its mean."""
    schedule = prepared(small("training.epochs=1", "search.repeats=2"))
    history = schedule.history
    finish(history, 1, epoch(1, 0.9))
    finish(history, 5, epoch(1, 0.7))  # point 1 on another seed
    finish(history, 2, epoch(1, 0.5))
    job = next_job(schedule, ())
    assert isinstance(job, TrainJob)
    history.apply(Failed(job, Cause.NAN, "loss is nan"), 0)
    history.point(4).state = PointState.INFEASIBLE
    del history.trials[7], history.trials[3]
    found = {values["architecture.kernel"] * 10 + values["architecture.pool"]: s for values, s in results(history)}
    assert found == {31: pytest.approx(-0.8), 32: -0.5, 51: pytest.approx(-0.65), 52: -0.5}


ENDLESS: dict[str, Any] = {"optimizer": {"learning_rate": {"float": {"min": 0.1, "max": 0.2}}}}


@pytest.mark.parametrize("strategy", ["random", "tpe"])
def test_a_hopeless_search_ends(strategy: str) -> None:
    """In a space without end, a strategy gives up once 200 points in a row could not be built, checked one by one."""
    schedule = small(f"search.strategy={strategy}", "search.max_trials=30", space=ENDLESS)
    history = schedule.history
    propose(schedule)
    while isinstance(job := next_job(schedule, ()), CheckJob):
        check(history, job.point, "too small")
        propose(schedule)
        assert len(history.points) < 300
    assert len(history.points) >= 200 and points_to_come(schedule) == 0


@pytest.mark.parametrize(
    ("size", "strategy", "expected"), [(1001, "random", True), (1000, "random", False), (1001, "grid", False)]
)
def test_when_a_search_is_hopeless(size: int, strategy: str, expected: bool) -> None:
    """After 200 points in a row that cannot be trained, duplicates among them, of more than a thousand; drawn ones only.

    Points that wait for their check count for neither side, and one that can be trained begins the count anew."""
    space = {"architecture": {"pool": {"int": {"min": 1, "max": size}}}}
    schedule = small(f"search.strategy={strategy}", "search.max_trials=900", space=space)
    history = schedule.history

    def reject(count: int) -> None:
        for number in range(len(history.points) + 1, len(history.points) + count + 1):
            state = PointState.DUPLICATE if number % 3 else PointState.INFEASIBLE
            history.apply(Point(number, {"architecture.pool": number}, None, state), 0)

    history.apply(Point(1, {"architecture.pool": 1}, None, PointState.FEASIBLE), 0)
    reject(150)
    history.apply(Point(152, {"architecture.pool": 152}, None), 0)
    reject(49)
    assert not is_hopeless(schedule) and points_to_come(schedule) > 0
    reject(1)
    assert is_hopeless(schedule) == expected and (points_to_come(schedule) == 0) == expected
    check(history, 152)
    reject(149)
    assert not is_hopeless(schedule)
    reject(1)
    assert is_hopeless(schedule) == expected


@pytest.mark.parametrize(
    ("space", "constraint"),
    [
        (ENDLESS, "optimizer.learning_rate > 1"),
        ({"optimizer": {"learning_rate": {"float": {"min": -2.0, "max": -1.0}}}}, "training.batch_size > 0"),
        (
            {"architecture": {"dense_units": {"int": {"min": 1, "max": 900_000, "log": True}}}},
            "training.batch_size > 0",
        ),
    ],
    ids=["constraint", "schema", "duplicates"],
)
def test_a_search_of_misfits_ends(space: dict[str, Any], constraint: str) -> None:
    """So it does where no point gets as far as a check: excluded by a constraint or the schema, or all the same network."""
    words = ("search.strategy=random", "search.max_trials=5", "architecture.dense_layers=0")
    schedule = small(*words, f"search.constraints=['{constraint}']", space=space)
    history = schedule.history
    propose(schedule)
    for point in history.points:
        if point.state == PointState.UNCHECKED:
            check(history, point.number)
    propose(schedule)
    assert 200 <= len(history.points) <= 210 and points_to_come(schedule) == 0


def test_a_small_space_is_tried_to_its_end() -> None:
    """What has few points is tried whole, however many of them cannot be trained."""
    space = {"architecture": {"pool": {"int": {"min": 1, "max": 300}}}}
    schedule = small(
        "search.strategy=random", "search.max_trials=5", "search.constraints=['architecture.pool > 297']", space=space
    )
    history = schedule.history
    propose(schedule)
    assert len(history.points) == 300 and sum(point.state == PointState.UNCHECKED for point in history.points) == 3


def test_a_space_that_gives_no_more_is_left() -> None:
    """Where a hundred draws of a range were all seen before, no further point is waited for."""
    space = {"optimizer": {"learning_rate": {"float": {"min": 0.1, "max": 0.1 + 3e-17}}}}  # a handful of numbers
    schedule = small("search.strategy=random", "search.max_trials=9", space=space)
    assert points_to_come(schedule) == 9
    propose(schedule)
    assert 0 < len(schedule.history.points) < 9 and points_to_come(schedule) == 0


def test_a_point_between_the_steps_can_be_gone_by() -> None:
    """A point to start with may lie between the steps of a range: strategies that go by results take it as the nearest."""
    space = {"architecture": {"pool": {"int": {"min": 1, "max": 41, "step": 2}}}}
    schedule = guided("search.start=[{architecture: {pool: 2}}]", space=space)
    history = schedule.history
    assert train_all_of(schedule)[0] == 2 and len(history.trials) == 13
