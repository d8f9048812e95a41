"""Points are proposed once, named where they cannot be trained, and wait for results where these guide the strategy."""

from typing import Any

import pytest

from src.base.errors import UserError
from src.ledger.events import Failed, Started, Stopped
from src.ledger.history import History
from src.ledger.jobs import CheckJob, TrainJob
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, PointState
from src.search.problem import Plan
from src.search.proposals import new_points, points_to_come, results
from src.search.schedule import new_trials, next_job
from tests.unit.examples import SPACE, check, checked_history, config, epoch, finish, propose


def plan_of(*overrides: str, space: dict[str, Any] | None = None) -> Plan:
    """The plan of a small grid of four points (or another space), two epochs each."""
    return Plan.of(config("training.epochs=2", *overrides, space=SPACE if space is None else space))


@pytest.mark.parametrize(
    ("overrides", "space", "words"),
    [
        (("search.strategy=random",), SPACE, "max_trials"),
        ((), {"training": {"epochs": {"choice": [1, 2]}}}, "training.epochs"),
        ((), {"training": {"threads": {"choice": [1, 2]}}}, "training.threads"),
        ((), {"optimizer": {"learning_rate": {"float": {"min": 0.1, "max": 0.2}}}}, "needs a step"),
        ((), {"architecture": {"kernal": {"choice": [3]}}}, "kernal"),
    ],
)
def test_what_cannot_be_planned(overrides: tuple[str, ...], space: dict[str, Any], words: str) -> None:
    """A space that cannot be searched as asked is refused before anything starts."""
    with pytest.raises(UserError, match=words):
        plan_of(*overrides, space=space)


def test_points_of_a_grid() -> None:
    """All points, numbered from 1 in the grid's order, with whole configurations but for the epochs."""
    history = History(ACCURACY)
    plan = plan_of()
    propose(plan, history)
    assert [(p.number, *p.values.values(), p.state) for p in history.points] == [
        (1, 3, 1, "unchecked"),
        (2, 3, 2, "unchecked"),
        (3, 5, 1, "unchecked"),
        (4, 5, 2, "unchecked"),
    ]
    assert history.points[2].configuration["architecture"]["kernel"] == 5
    assert "epochs" not in history.points[0].configuration["training"]
    assert new_points(plan, history) == []


def test_duplicates_and_misfits_are_named() -> None:
    """Equal networks are found however they are written; a misfit says which key is wrong; neither trains."""
    space = {"architecture": {"filters": {"choice": [32, [32, 32], [1, 2, 3]]}}}
    history = checked_history(plan_of(space=space))
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
    history = checked_history(plan_of(*overrides, space=space))
    assert [point.reason for point in history.points if point.state != PointState.FEASIBLE] == []


def test_max_trials_counts_points_that_can_be_trained() -> None:
    """For each point that turns out infeasible another is proposed."""
    plan, history = plan_of("search.max_trials=2"), History(ACCURACY)
    propose(plan, history)
    assert len(history.points) == 2
    check(history, 1, "too small")
    propose(plan, history)
    check(history, 2)
    assert len(history.points) == 3 and isinstance(next_job(plan, history, ()), CheckJob)
    check(history, 3)
    propose(plan, history)
    assert [trial.point for trial in new_trials(plan, history)] == [2, 3] and len(history.points) == 3


def test_more_trials_go_on_where_fewer_ended() -> None:
    """With a higher max_trials a new plan on the same rows adds points and trials, and changes none."""
    history = checked_history(plan_of("search.max_trials=2"))
    more = plan_of("search.max_trials=3")
    propose(more, history)
    check(history, 3)
    assert [(trial.number, trial.point) for trial in new_trials(more, history)] == [(3, 3)]
    assert [point.values for point in history.points] == [
        point.values for point in checked_history(plan_of()).points[:3]
    ]


# ------------------------------------------------------------------------------ proposed by results

WIDE: dict[str, Any] = {"architecture": {"pool": {"int": {"min": 1, "max": 40}}}}


def guided(*overrides: str) -> Plan:
    """A search of 13 points, of which all after the tenth go by results; one epoch each."""
    return plan_of("training.epochs=1", "search.strategy=tpe", "search.max_trials=13", *overrides, space=WIDE)


def look(plan: Plan, history: History) -> None:
    """Write down what is proposed; every point can be built."""
    for trial in new_trials(plan, history):
        history.apply(trial, 0)
    propose(plan, history)
    for point in history.points:
        if point.state == PointState.UNCHECKED:
            check(history, point.number)
    for trial in new_trials(plan, history):
        history.apply(trial, 0)


def train_all_of(plan: Plan, history: History, stop: int = 99) -> list[int]:
    """One trial after the other, up to so many; the pools of their points, in order."""
    look(plan, history)
    for _ in range(stop):
        job = next_job(plan, history, ())
        if not isinstance(job, TrainJob):
            break
        pool = history.point(history.trial(job.trial).point).values["architecture.pool"]
        finish(history, job.trial, epoch(1, pool / 100))
        look(plan, history)
    return [history.point(trial.point).values["architecture.pool"] for trial in history.trials if trial.epochs]


def probed(plan: Plan) -> History:
    """No rows but one probe's crashes, so that training comes first."""
    history = History(plan.config.search.objective)
    history.crashes.update({("probe", number): 9 for number in range(1, 99)})
    return history


def test_points_wait_for_results() -> None:
    """Ten points at first; then one at a time, each when the one before has its result; as many as asked for."""
    plan = guided()
    history = probed(plan)
    for done in range(11):
        train_all_of(plan, history, 1 if done else 0)
        assert len(history.points) == 10 + (done == 10)
    assert points_to_come(plan, history) == 2
    assert len(train_all_of(plan, history)) == 13 and points_to_come(plan, history) == 0


def test_a_resumed_search_proposes_the_same() -> None:
    """What is proposed follows from the rows: a plan made anew at any moment goes on with the same points."""
    whole = train_all_of(guided(), probed(guided()))
    history = probed(guided())
    for _ in range(13):
        train_all_of(guided(), history, 1)
    assert train_all_of(guided(), history) == whole
    assert train_all_of(guided("search.max_trials=15"), history)[:13] == whole and len(history.trials) == 15


def test_an_interrupted_trial_ends_before_the_next_is_proposed() -> None:
    """With results missing, no point is proposed by those that are there, unless a worker would wait for work."""
    plan = guided()
    history = probed(plan)
    train_all_of(plan, history, 10)
    assert len(history.points) == 11
    history.apply(Started(11, 1), 0)
    assert len(new_points(guided(), history)) == 1  # another worker is free, and trial 11 under way
    history.apply(Stopped(11), 0)
    assert new_points(guided(), history) == []


def test_nothing_is_confirmed_before_the_last_point() -> None:
    """The search is not over as long as points are to come, though all trials have ended."""
    plan = guided("search.confirm=2", "search.confirm_repeats=1")
    history = probed(plan)
    train_all_of(plan, history)
    assert [trial.role for trial in history.trials] == ["search"] * 13 + ["confirm"] * 2


def test_results_of_all_kinds() -> None:
    """What cannot be trained counts as the worst, what is being trained as the median, each of the others by its mean."""
    plan = plan_of("training.epochs=1", "search.repeats=2")
    history = checked_history(plan)
    finish(history, 1, epoch(1, 0.9))
    finish(history, 5, epoch(1, 0.7))  # point 1 on another seed
    finish(history, 2, epoch(1, 0.5))
    job = next_job(plan, history, ())
    assert isinstance(job, TrainJob)
    history.apply(Failed(job, Cause.NAN, "loss is nan"), 0)
    history.point(4).state = PointState.INFEASIBLE
    del history.trials[7], history.trials[3]
    found = {values["architecture.kernel"] * 10 + values["architecture.pool"]: s for values, s in results(history, [])}
    assert found == {31: pytest.approx(-0.8), 32: -0.5, 51: pytest.approx(-0.65), 52: -0.5}


ENDLESS: dict[str, Any] = {"optimizer": {"learning_rate": {"float": {"min": 0.1, "max": 0.2}}}}


@pytest.mark.parametrize("strategy", ["random", "tpe"])
def test_a_hopeless_search_ends(strategy: str) -> None:
    """In a space without end, a strategy gives up once 200 points in a row could not be built, checked one by one."""
    plan = plan_of(f"search.strategy={strategy}", "search.max_trials=30", space=ENDLESS)
    history = History(plan.config.search.objective)
    propose(plan, history)
    while isinstance(job := next_job(plan, history, ()), CheckJob):
        check(history, job.point, "too small")
        propose(plan, history)
        assert len(history.points) < 300
    assert len(history.points) >= 200 and points_to_come(plan, history) == 0


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
    plan = plan_of(*words, f"search.constraints=['{constraint}']", space=space)
    history = History(plan.config.search.objective)
    propose(plan, history)
    for point in history.points:
        if point.state == PointState.UNCHECKED:
            check(history, point.number)
    propose(plan, history)
    assert 200 <= len(history.points) <= 210 and points_to_come(plan, history) == 0


def test_a_small_space_is_tried_to_its_end() -> None:
    """What has few points is tried whole, however many of them cannot be trained."""
    space = {"architecture": {"pool": {"int": {"min": 1, "max": 300}}}}
    plan = plan_of(
        "search.strategy=random", "search.max_trials=5", "search.constraints=['architecture.pool > 297']", space=space
    )
    history = History(plan.config.search.objective)
    propose(plan, history)
    assert len(history.points) == 300 and sum(point.state == PointState.UNCHECKED for point in history.points) == 3


def test_conditional_points_are_counted_exactly() -> None:
    """A space whose dimensions exclude each other has far fewer points than the product of these, and is complete with them."""
    parts = {str(n): {"int": {"min": 1, "max": 20}, "when": {"architecture.blocks": n + 1}} for n in range(1, 5)}
    space = {"architecture": {"blocks": {"choice": [2, 3, 4, 5]}, "filters": {"0": {"choice": [8]}, **parts}}}
    plan = plan_of("search.strategy=random", "search.max_trials=100", space=space)
    assert plan.space.count == 80


def test_a_point_between_the_steps_can_be_gone_by() -> None:
    """A point to start with may lie between the steps of a range: strategies that go by results take it as the nearest."""
    space = {"architecture": {"pool": {"int": {"min": 1, "max": 41, "step": 2}}}}
    plan = guided_by(space, "search.start=[{architecture: {pool: 2}}]")
    history = probed(plan)
    assert train_all_of(plan, history)[0] == 2 and len(history.trials) == 13


def guided_by(space: dict[str, Any], *overrides: str) -> Plan:
    """A search by results of 13 points of a space."""
    words = ("training.epochs=1", "search.strategy=tpe", "search.max_trials=13")
    return plan_of(*words, *overrides, space=space)
