"""What next, and how far: decided from rows alone. No worker runs here; the rows are written by hand."""

from typing import Any

import pytest

from src.config import UserError
from src.messages import (
    CheckWork,
    Dropped,
    EpochEnded,
    EvaluateWork,
    Failed,
    ProbeWork,
    Started,
    Stopped,
    TrainWork,
)
from src.plan import (
    Plan,
    ahead_only,
    failed_for_good,
    new_points,
    new_trials,
    next_work,
    target,
)
from src.rows import Invocation, Rows
from src.standing import ranking
from src.values import Evaluation, Probe
from tests.unit.examples import SPACE, check, checked_rows, config, epoch, file, finish, propose


def plan_of(*overrides: str, space: dict[str, Any] | None = None) -> Plan:
    """The plan of a small grid of four points (or another space), two epochs each."""
    return Plan.of(config("training.epochs=2", *overrides, space=SPACE if space is None else space))


def both(*accuracies: float) -> list[Any]:
    """An epoch for each accuracy."""
    return [epoch(number, accuracy) for number, accuracy in enumerate(accuracies, 1)]


def train_of(plan: Plan, rows: Rows, busy: tuple[Any, ...] = ()) -> TrainWork:
    """The next work, which is to train a trial."""
    work = next_work(plan, rows, busy)
    assert isinstance(work, TrainWork), work
    return work


def probed_rows(plan: Plan) -> Rows:
    """Everything known that must be before the first trial."""
    rows = checked_rows(plan)
    for point in rows.points:
        rows.apply(Probe(point.number, point.operations, 1.0, 0.001), 0)
    return rows


# --------------------------------------------------------------------------------------------- plans


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


# -------------------------------------------------------------------------------------------- points


def test_points_of_a_grid() -> None:
    """All points, numbered from 1 in the grid's order, with whole configurations but for the epochs."""
    rows = Rows("val_accuracy")
    plan = plan_of()
    propose(plan, rows)
    assert [(p.number, *p.values.values(), p.state) for p in rows.points] == [
        (1, 3, 1, "unchecked"),
        (2, 3, 2, "unchecked"),
        (3, 5, 1, "unchecked"),
        (4, 5, 2, "unchecked"),
    ]
    assert rows.points[2].configuration["architecture"]["kernel"] == 5
    assert "epochs" not in rows.points[0].configuration["training"]
    assert new_points(plan, rows) == []


def test_duplicates_and_misfits_are_named() -> None:
    """Equal networks are found however they are written; a misfit says which key is wrong; neither trains."""
    space = {"architecture": {"filters": {"choice": [32, [32, 32], [1, 2, 3]]}}}
    rows = checked_rows(plan_of(space=space))
    assert [point.state for point in rows.points] == ["feasible", "duplicate", "infeasible"]
    assert rows.points[1].reason.endswith("point 1")
    assert "architecture.filters: 3 values of filters for 2 blocks" in rows.points[2].reason
    assert [trial.point for trial in rows.trials] == [1]


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
    rows = checked_rows(plan_of(*overrides, space=space))
    assert [point.reason for point in rows.points if point.state != "feasible"] == []


def test_max_trials_counts_points_that_can_be_trained() -> None:
    """For each point that turns out infeasible another is proposed."""
    plan, rows = plan_of("search.max_trials=2"), Rows("val_accuracy")
    propose(plan, rows)
    assert len(rows.points) == 2
    check(rows, 1, "too small")
    propose(plan, rows)
    check(rows, 2)
    assert len(rows.points) == 3 and isinstance(next_work(plan, rows, ()), CheckWork)
    check(rows, 3)
    propose(plan, rows)
    assert [trial.point for trial in new_trials(plan, rows)] == [2, 3] and len(rows.points) == 3


def test_more_trials_go_on_where_fewer_ended() -> None:
    """With a higher max_trials a new plan on the same rows adds points and trials, and changes none."""
    rows = checked_rows(plan_of("search.max_trials=2"))
    more = plan_of("search.max_trials=3")
    propose(more, rows)
    check(rows, 3)
    assert [(trial.number, trial.point) for trial in new_trials(more, rows)] == [(3, 3)]
    assert [point.values for point in rows.points] == [point.values for point in checked_rows(plan_of()).points[:3]]


def test_trials_share_their_seed() -> None:
    """Points are compared on equal seeds, which follow from the sweep's."""
    seeds = {trial.seed for trial in checked_rows(plan_of()).trials}
    others = {trial.seed for trial in checked_rows(plan_of("search.seed=1")).trials}
    assert len(seeds) == len(others) == 1 and seeds != others


# ------------------------------------------------------------------------------------------ the order


def test_check_probe_train_evaluate() -> None:
    """First every point is checked, then a few are probed, then trials train in order, then the winner is evaluated."""
    plan, rows = plan_of(), Rows("val_accuracy")
    propose(plan, rows)
    order: list[str] = []
    while work := next_work(plan, rows, ()):
        match work:
            case CheckWork(point=number):
                check(rows, number, size=number)
            case ProbeWork(point=number):
                rows.apply(Probe(number, work.operations, 1.0, 0.001), 0)
            case TrainWork(trial=number):
                finish(rows, number, *both(0.1, 0.1 * number))
            case EvaluateWork(trial=number):
                rows.apply(Evaluation(number, work.epoch, 1.0, 0.5, 0.0), 0)
        for trial in new_trials(plan, rows):
            rows.apply(trial, 0)
        order.append(f"{type(work).__name__.removesuffix('Work').lower()} {number}")
    checks, probes, trains = ([f"{word} {n}" for n in range(1, 5)] for word in ("check", "probe", "train"))
    assert order == [*checks, probes[0], probes[2], probes[3], *trains, "evaluate 4"]


def test_nothing_trains_while_a_point_is_unchecked() -> None:
    """As long as one check is under way there is nothing to do for others, and no trial has a number."""
    plan, rows = plan_of(), Rows("val_accuracy")
    propose(plan, rows)
    for number in (2, 3, 4):
        check(rows, number)
    last = next_work(plan, rows, ())
    assert isinstance(last, CheckWork) and last.point == 1
    assert next_work(plan, rows, [last]) is None and new_trials(plan, rows) == []


def test_work_carries_everything() -> None:
    """Training gets the configuration with its epochs, the trial's seed, the objective and how far to go."""
    plan = plan_of("search.objective=val_loss")
    rows = probed_rows(plan)
    work = train_of(plan, rows)
    assert work.configuration["training"]["epochs"] == work.until == 2
    assert (work.trial, work.attempt, work.seed, work.objective) == (1, 1, rows.trials[0].seed, "val_loss")
    assert (work.checkpoint, work.epochs) == (None, ())


def test_no_trial_is_given_twice() -> None:
    """What is under way is not given to another worker, and the winner is not evaluated before all have ended."""
    plan = plan_of("search.max_trials=2")
    rows = probed_rows(plan)
    first = train_of(plan, rows)
    second = train_of(plan, rows, (first,))
    assert (first.trial, second.trial) == (1, 2)
    finish(rows, 1, *both(0.5, 0.6))
    assert next_work(plan, rows, [second]) is None


def test_ahead_only_stops_before_training() -> None:
    """A preview checks and probes, no more."""
    plan = ahead_only(plan_of())
    rows = checked_rows(plan)
    assert isinstance(next_work(plan, rows, ()), ProbeWork)
    assert next_work(plan, probed_rows(plan), ()) is None


def test_a_probe_that_fails_is_left_out() -> None:
    """A probe that crashes twice does not keep the trials from training."""
    plan = plan_of("search.max_trials=1")
    rows = checked_rows(plan)
    for _ in range(2):
        work = next_work(plan, rows, ())
        assert isinstance(work, ProbeWork)
        rows.apply(Failed(work, "crash", "out of memory"), 0)
    assert train_of(plan, rows).trial == 1


def test_the_same_rows_give_the_same_answer() -> None:
    """A plan made anew on the rows of another answers as that one does: nothing is remembered elsewhere."""
    plan = plan_of("search.max_trials=3")
    rows = probed_rows(plan)
    finish(rows, 1, *both(0.5, 0.6))
    anew = plan_of("search.max_trials=3")
    assert new_points(anew, rows) == new_points(plan, rows) == []
    assert next_work(anew, rows, ()) == next_work(plan, rows, ()) == train_of(plan, rows)


# ----------------------------------------------------------------------------------- failed and resumed


@pytest.mark.parametrize(
    ("kind", "retries", "attempts"),
    [("crash", 0, 1), ("crash", 1, 2), ("crash", 3, 4), ("nan", 3, 1)],
)
def test_retries(kind: Any, retries: int, attempts: int) -> None:
    """A crash is tried again as often as asked, a loss that is no number never; then the next trial comes."""
    plan = plan_of(f"search.retries={retries}", "search.max_trials=2")
    rows = probed_rows(plan)
    for attempt in range(1, attempts + 1):
        work = train_of(plan, rows)
        assert (work.trial, work.attempt) == (1, attempt)
        rows.apply(Started(1, attempt), 0)
        rows.apply(Failed(work, kind, "its end"), 0)
    assert (train_of(plan, rows).trial, rows.trials[0].reason) == (2, "its end")
    assert [trial.number for trial in failed_for_good(plan, rows)] == [1]


def test_a_crash_goes_on_from_its_checkpoint() -> None:
    """The next attempt gets the last checkpoint and the epochs that it has seen, and no later ones."""
    plan = plan_of("training.epochs=5")
    rows = probed_rows(plan)
    first, second, third = both(0.1, 0.2, 0.3)
    rows.apply(Started(1, 1), 0)
    for one, saved in ((first, None), (second, file("1-2")), (third, None)):
        rows.apply(EpochEnded(1, one, saved), 0)
    rows.apply(Failed(train_of(plan, rows), "crash", ""), 0)
    work = train_of(plan, rows)
    assert (work.trial, work.attempt, work.checkpoint, work.epochs) == (1, 2, file("1-2"), (first, second))


def test_a_damaged_checkpoint_starts_anew() -> None:
    """Where the checkpoint cannot be read the trial begins at its first epoch; that is no crash."""
    plan = plan_of("training.epochs=5", "search.retries=0")
    rows = probed_rows(plan)
    rows.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    rows.apply(Failed(train_of(plan, rows), "damaged", ""), 0)
    work = train_of(plan, rows)
    assert (work.trial, work.checkpoint, work.epochs) == (1, None, ())


def test_interrupted_trials_come_first() -> None:
    """What was put down is taken up before a new trial starts."""
    plan = plan_of()
    rows = probed_rows(plan)
    rows.apply(Started(1, 1), 0)
    rows.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    rows.apply(Stopped(1), 0)
    work = train_of(plan, rows)
    assert (work.trial, work.attempt, work.checkpoint) == (1, 2, file("1-1"))


# --------------------------------------------------------------------------------------------- amounts


def test_max_seconds() -> None:
    """After that time no trial is started, but one that was begun is finished, and the winner evaluated."""
    plan = plan_of("search.max_seconds=100")
    rows = probed_rows(plan)
    invocation = Invocation(1, 0, 99, "here", 1, {}, {})
    rows.invocations.append(invocation)
    assert train_of(plan, rows).trial == 1
    rows.apply(Started(1, 1), 99)
    rows.apply(Stopped(1), 101)
    assert train_of(plan, rows).trial == 1
    finish(rows, 1, *both(0.5, 0.6))
    invocation.ended = 101
    assert isinstance(next_work(plan, rows, ()), EvaluateWork)


def test_fewer_trials_train_no_more() -> None:
    """max_trials is a total: lowered on resume, trials beyond it that wait are not started."""
    rows = probed_rows(plan_of())
    fewer = plan_of("search.max_trials=2")
    finish(rows, 1, *both(0.5, 0.6))
    finish(rows, 2, *both(0.5, 0.5))
    assert isinstance(next_work(fewer, rows, ()), EvaluateWork)


def test_more_epochs_extend_what_has_finished() -> None:
    """Finished trials go on from their checkpoints, but those that were stopped early stay as they are."""
    rows = probed_rows(plan_of("search.max_trials=2"))
    finish(rows, 1, *both(0.5, 0.6), reason="early stopping")
    finish(rows, 2, *both(0.5, 0.6))
    more = plan_of("training.epochs=5", "search.max_trials=2")
    work = train_of(more, rows)
    assert (work.trial, work.until, work.checkpoint, len(work.epochs)) == (2, 5, file("2-2"), 2)
    finish(rows, 2, *both(0.5, 0.6, 0.7, 0.7, 0.7))
    assert isinstance(next_work(more, rows, ()), EvaluateWork)


def test_a_dropped_checkpoint_is_trained_anew() -> None:
    """Without its checkpoint a finished trial begins again when it is extended, and not otherwise."""
    plan = plan_of("search.max_trials=1")
    rows = probed_rows(plan)
    finish(rows, 1, *both(0.5, 0.6))
    rows.apply(Dropped(1), 0)
    assert next_work(plan, rows, ()) is None
    work = train_of(plan_of("training.epochs=3", "search.max_trials=1"), rows)
    assert (work.checkpoint, work.epochs, work.until) == (None, (), 3)


def test_fewer_epochs_never_shrink() -> None:
    """New trials train as far as those before them, so that all stay comparable."""
    rows = probed_rows(plan_of("training.epochs=4"))
    finish(rows, 1, *both(0.1, 0.2, 0.3, 0.4))
    fewer = plan_of("training.epochs=1")
    assert target(fewer, rows) == 4
    work = train_of(fewer, rows)
    assert (work.trial, work.until, work.configuration["training"]["epochs"]) == (2, 4, 4)


# ------------------------------------------------------------------------------------- ranking, winner


@pytest.mark.parametrize(
    ("objective", "results", "order"),
    [
        ("val_accuracy", [(0.5, 1.0), (0.7, 1.0), (0.6, 1.0), (0.4, 1.0)], [2, 3, 1, 4]),
        ("val_accuracy", [(0.5, 1.0), (0.5, 0.8), (0.5, 0.9), (0.6, 2.0)], [4, 2, 3, 1]),  # by lower loss
        ("val_accuracy", [(0.5, 1.0)] * 4, [1, 4, 2, 3]),  # by parameters, then by number
        ("val_loss", [(0.5, 1.0), (0.9, 1.1), (0.6, 1.0), (0.1, 0.5)], [4, 3, 1, 2]),  # by higher accuracy
    ],
)
def test_ranking(objective: str, results: list[tuple[float, float]], order: list[int]) -> None:
    """By the objective; ties by the other of loss and accuracy, then by fewer parameters, then by number."""
    rows = probed_rows(plan_of(f"search.objective={objective}"))
    for point, size in zip(rows.points, (10, 20, 20, 10), strict=True):
        point.parameters = size
    for number, (accuracy, loss) in enumerate(results, 1):
        finish(rows, number, epoch(1, accuracy, loss))
    assert [trial.number for trial in ranking(rows)] == order


def test_a_trial_is_ranked_by_its_best_epoch() -> None:
    """The best epoch counts, not the last; trials that have not finished are not ranked."""
    rows = probed_rows(plan_of())
    finish(rows, 1, *both(0.9, 0.1))
    finish(rows, 2, *both(0.5, 0.6))
    rows.apply(EpochEnded(3, epoch(1, 1.0), None), 0)
    assert [trial.number for trial in ranking(rows)] == [1, 2]
    assert (rows.trials[0].best_epoch, rows.trials[0].objective) == (1, 0.9)


def test_the_test_set_is_looked_at_once_for_each_winner() -> None:
    """The winner is evaluated once, at its best epoch; a new winner once more; a winner as before not again."""
    plan = plan_of("search.max_trials=1")
    rows = probed_rows(plan)
    finish(rows, 1, *both(0.6, 0.5))
    work = next_work(plan, rows, ())
    assert isinstance(work, EvaluateWork) and (work.trial, work.epoch, work.weights) == (1, 1, file("1-best"))
    rows.apply(Evaluation(1, 1, 1.0, 0.5, 0.0), 0)
    assert next_work(plan, rows, ()) is None

    more = plan_of("training.epochs=3", "search.max_trials=1")
    finish(rows, 1, *both(0.6, 0.5, 0.5))  # no better epoch
    assert next_work(more, rows, ()) is None
    finish(rows, 1, *both(0.6, 0.5, 0.7))
    work = next_work(more, rows, ())
    assert isinstance(work, EvaluateWork) and (work.trial, work.epoch) == (1, 3)


@pytest.mark.parametrize("kind", ["crash", "damaged"])
def test_an_evaluation_that_fails(kind: Any) -> None:
    """It is tried twice, after training anew where its weights were damaged; then the sweep ends without it."""
    plan = plan_of("search.max_trials=1")
    rows = probed_rows(plan)
    for _ in range(2):
        if not isinstance(next_work(plan, rows, ()), EvaluateWork):
            assert train_of(plan, rows).checkpoint is None
            finish(rows, 1, *both(0.5, 0.6))
        work = next_work(plan, rows, ())
        assert isinstance(work, EvaluateWork)
        rows.apply(Failed(work, kind, "its end"), 0)
    if kind == "damaged":
        finish(rows, 1, *both(0.5, 0.6))
    assert next_work(plan, rows, ()) is None
