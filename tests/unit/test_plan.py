"""What next, and how far: decided from rows alone. No worker runs here; the rows are written by hand."""

from typing import Any

import pytest

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
from src.plan import failed_for_good, new_trials, next_work
from src.proposals import Plan, ahead_only, new_points
from src.rows import Invocation, Rows
from src.scope import target
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


def settle(plan: Plan, rows: Rows, accuracies: dict[int, float]) -> list[tuple[int, str, int]]:
    """Train everything the plan asks for; a point's trials all come out so. Returns what was trained, in order."""
    trained: list[tuple[int, str, int]] = []
    while True:
        for trial in new_trials(plan, rows):
            rows.apply(trial, 0)
        work = next_work(plan, rows, ())
        if not isinstance(work, TrainWork):
            return trained
        trial = rows.trial(work.trial)
        accuracy = accuracies[trial.point]
        finish(rows, trial.number, *both(*[accuracy] * work.until))
        trained.append((trial.point, trial.role, trial.repeat))


def probed_rows(plan: Plan) -> Rows:
    """Everything known that must be before the first trial."""
    rows = checked_rows(plan)
    for point in rows.points:
        rows.apply(Probe(point.number, point.operations, 1.0, 0.001), 0)
    return rows


# --------------------------------------------------------------------------------------------- plans


# -------------------------------------------------------------------------------------------- points


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


@pytest.mark.parametrize(("objective", "target"), [("val_accuracy", 0.9), ("val_loss", 0.1)])
def test_a_target_ends_the_search(objective: str, target: float) -> None:
    """Once a trial is as good as the target no other is begun; a better target goes on."""
    plan = plan_of(f"search.objective={objective}", f"search.target={target}")
    rows = probed_rows(plan)
    finish(rows, 1, epoch(1, 0.8, 0.2), epoch(2, 0.85, 0.15))
    assert train_of(plan, rows).trial == 2
    finish(rows, 2, epoch(1, 0.9, 0.1), epoch(2, 0.8, 0.2))
    assert isinstance(next_work(plan, rows, ()), EvaluateWork)
    better = 0.95 if objective == "val_accuracy" else 0.05
    assert train_of(plan_of(f"search.objective={objective}", f"search.target={better}"), rows).trial == 3


def test_an_evaluation_that_crashes_is_tried_as_often_as_a_trial() -> None:
    """A worker that dies of it is replaced and the test data looked at again, up to search.retries times; more goes on."""
    rows = probed_rows(plan_of("search.max_trials=1"))
    finish(rows, 1, *both(0.5, 0.6))
    for _ in range(3):
        work = next_work(plan_of("search.max_trials=1", "search.retries=2"), rows, ())
        assert isinstance(work, EvaluateWork)
        rows.apply(Failed(work, "crash", "ended by SIGKILL"), 0)
    assert next_work(plan_of("search.max_trials=1", "search.retries=2"), rows, ()) is None
    assert isinstance(next_work(plan_of("search.max_trials=1", "search.retries=3"), rows, ()), EvaluateWork)


def test_a_winner_without_weights_is_trained_anew() -> None:
    """Where the weights of the final model were dropped before its look at the test data, they are made once more."""
    plan = plan_of("search.max_trials=1")
    rows = probed_rows(plan)
    finish(rows, 1, *both(0.5, 0.6))
    rows.apply(Dropped(1), 0)
    work = train_of(plan, rows)
    assert (work.trial, work.checkpoint, work.epochs, work.until) == (1, None, (), 2)
    finish(rows, 1, *both(0.5, 0.6))
    assert isinstance(next_work(plan, rows, ()), EvaluateWork)


def test_a_dropped_checkpoint_is_trained_anew() -> None:
    """Without its checkpoint a finished trial begins again when it is extended, and not otherwise."""
    plan = plan_of("search.max_trials=1")
    rows = probed_rows(plan)
    finish(rows, 1, *both(0.5, 0.6))
    rows.apply(Evaluation(1, 2, 1.0, 0.5, 0.0), 0)
    rows.apply(Dropped(1), 0)
    assert next_work(plan, rows, ()) is None
    work = train_of(plan_of("training.epochs=3", "search.max_trials=1"), rows)
    assert (work.checkpoint, work.epochs, work.until) == (None, (), 3)


def test_fewer_epochs_never_shrink() -> None:
    """New trials train as far as those before them, so that all stay comparable."""
    rows = probed_rows(plan_of("training.epochs=4"))
    finish(rows, 1, *both(0.1, 0.2, 0.3, 0.4))
    fewer = plan_of("training.epochs=1")
    assert target(fewer.config, rows) == 4
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


# ------------------------------------------------------------------------------- repeats, confirmation

GOOD = {1: 0.6, 2: 0.9, 3: 0.7, 4: 0.8}  # accuracy of each point, whatever its seed


def add(plan: Plan, rows: Rows) -> list[tuple[int, int, str, int]]:
    """Number, point, role and repeat of the trials that the plan adds."""
    new = new_trials(plan, rows)
    for trial in new:
        rows.apply(trial, 0)
    return [(trial.number, trial.point, trial.role, trial.repeat) for trial in new]


def fail(rows: Rows, work: TrainWork) -> None:
    """A trial's loss is no number."""
    rows.apply(Started(work.trial, work.attempt), 0)
    rows.apply(Failed(work, "nan", "the loss is nan"), 0)


def test_repeats_share_their_seeds() -> None:
    """Every point once, then once more with the next seed, which is the same for all points."""
    trials = checked_rows(plan_of("search.repeats=3")).trials
    assert [(trial.point, trial.repeat) for trial in trials] == [
        (p, repeat) for repeat in range(3) for p in (1, 2, 3, 4)
    ]
    assert len({(trial.repeat, trial.seed) for trial in trials}) == len({trial.seed for trial in trials}) == 3


def test_more_repeats_later_are_those_asked_for_at_once() -> None:
    """The same trials with the same numbers and seeds, whether asked for together or one after the other."""
    rows = checked_rows(plan_of())
    for repeats in (2, 3):
        add(plan_of(f"search.repeats={repeats}"), rows)
    assert rows.trials == checked_rows(plan_of("search.repeats=3")).trials


def test_fewer_repeats_start_no_more() -> None:
    """Lowered on resume, further seeds that wait are not started; what has finished counts on."""
    rows = probed_rows(plan_of("search.repeats=3"))
    for number in (1, 2, 3, 4, 5):
        finish(rows, number, *both(0.5, 0.6))
    assert settle(plan_of("search.repeats=2"), rows, GOOD) == [(2, "search", 1), (3, "search", 1), (4, "search", 1)]
    assert isinstance(next_work(plan_of("search.repeats=1"), rows, ()), EvaluateWork)


def test_the_best_by_the_mean_are_confirmed() -> None:
    """Point 1 has the best seed, points 2 and 4 the best means: these are trained on fresh seeds, as soon as all have ended."""
    plan = plan_of("search.repeats=2", "search.confirm=2", "search.confirm_repeats=2", "search.retries=0")
    rows = probed_rows(plan)
    for number, accuracy in enumerate((1.0, 0.8, 0.1, 0.6, 0.1, 0.8, 0.1), 1):
        finish(rows, number, *both(accuracy, 0.0))
        assert add(plan, rows) == []
    last = train_of(plan, rows)
    rows.apply(Started(8, 1), 0)
    assert add(plan, rows) == []
    rows.apply(Failed(last, "crash", "its end"), 0)
    assert add(plan, rows) == [
        (9, 2, "confirm", 0),
        (10, 4, "confirm", 0),
        (11, 2, "confirm", 1),
        (12, 4, "confirm", 1),
    ]


def test_a_crash_that_is_tried_again_keeps_the_search_open() -> None:
    """The best are not chosen before the last attempt has ended."""
    plan = plan_of("search.max_trials=2", "search.confirm=1", "search.retries=1")
    rows = probed_rows(plan)
    finish(rows, 1, *both(0.5, 0.6))
    for expected in ([], [3, 4, 5, 6, 7]):
        work = train_of(plan, rows)
        rows.apply(Started(2, work.attempt), 0)
        rows.apply(Failed(work, "crash", "its end"), 0)
        assert [number for number, *_ in add(plan, rows)] == expected


def test_fresh_seeds_are_fresh() -> None:
    """No seed of the confirmation or the refit is one of the search's; points are confirmed on equal ones."""
    plan = plan_of("search.repeats=5", "search.confirm=2", "search.refit=true")
    rows = probed_rows(plan)
    settle(plan, rows, GOOD)
    seeds = {role: [t.seed for t in rows.trials if t.role == role] for role in ("search", "confirm", "refit")}
    assert [len(set(own)) for own in seeds.values()] == [5, 5, 1] and len(seeds["confirm"]) == 10
    assert len(set().union(*seeds.values())) == 11


def test_more_repeats_come_before_the_confirmation() -> None:
    """Asked for together on a finished sweep, the best are chosen by all seeds, not by those that were there."""
    rows = probed_rows(plan_of())
    settle(plan_of(), rows, GOOD)
    plan = plan_of("search.repeats=2", "search.confirm=1", "search.confirm_repeats=1")
    assert [role for _, _, role, _ in add(plan, rows)] == ["search"] * 4
    assert settle(plan, rows, {**GOOD, 2: 0.0})[-1] == (4, "confirm", 0)


def test_more_trials_come_before_the_confirmation() -> None:
    """With a higher max_trials the new points are in the choice."""
    rows = probed_rows(plan_of("search.max_trials=3"))
    settle(plan_of("search.max_trials=3"), rows, GOOD)
    plan = plan_of("search.confirm=1", "search.confirm_repeats=1")
    propose(plan, rows)
    check(rows, 4)
    assert add(plan, rows) == [(4, 4, "search", 0)]
    assert settle(plan, rows, {**GOOD, 4: 1.0}) == [(4, "search", 0), (4, "confirm", 0)]


def test_more_epochs_may_confirm_others() -> None:
    """All trials are given more epochs; then those that are the best by now, and were not confirmed, are."""
    plan = plan_of("search.confirm=1", "search.confirm_repeats=1")
    rows = probed_rows(plan)
    settle(plan, rows, GOOD)
    more = plan_of("training.epochs=3", "search.confirm=1", "search.confirm_repeats=1")
    late = {**GOOD, 3: 1.0}
    old = [(1, "search", 0), (2, "search", 0), (3, "search", 0), (4, "search", 0), (2, "confirm", 0)]
    assert settle(more, rows, late) == [*old, (3, "confirm", 0)]
    assert {len(trial.epochs) for trial in rows.trials} == {3} and settle(more, rows, late) == []


def test_a_lowered_max_trials_still_confirms() -> None:
    """Points beyond it are not begun; the best of those that have finished are confirmed."""
    rows = probed_rows(plan_of())
    finish(rows, 1, *both(0.5, 0.6))
    plan = plan_of("search.max_trials=2", "search.confirm=1", "search.confirm_repeats=1")
    assert settle(plan, rows, GOOD) == [(2, "search", 0), (2, "confirm", 0)]


def test_max_seconds_stops_confirmations() -> None:
    """After that time none is begun, and the winner by the search is evaluated; with more time they are."""
    command = ("search.confirm=2", "search.confirm_repeats=1", "search.refit=true")
    plan = plan_of("search.max_seconds=100", *command)
    rows = probed_rows(plan)
    for number in range(1, 5):
        finish(rows, number, *both(GOOD[number], 0.0))
    assert [role for _, _, role, _ in add(plan, rows)] == ["confirm", "confirm"]
    rows.invocations.append(Invocation(1, 0, 101, "here", 1, {}, {}))
    work = next_work(plan, rows, ())
    assert isinstance(work, EvaluateWork) and work.trial == 2
    assert settle(plan_of(*command), rows, GOOD) == [(2, "confirm", 0), (4, "confirm", 0), (2, "refit", 0)]


def test_max_seconds_within_the_search_chooses_nobody() -> None:
    """While points of the search wait for more time, the best are not known: nothing is to be confirmed or refitted."""
    command = ("search.confirm=1", "search.confirm_repeats=1", "search.refit=true")
    plan = plan_of("search.max_seconds=100", *command)
    rows = probed_rows(plan)
    finish(rows, 1, *both(0.5, 0.6))
    rows.invocations.append(Invocation(1, 0, 101, "here", 1, {}, {}))
    assert add(plan, rows) == [] and isinstance(next_work(plan, rows, ()), EvaluateWork)
    assert settle(plan_of(*command), rows, GOOD)[-2:] == [(2, "confirm", 0), (2, "refit", 0)]


# --------------------------------------------------------------------------------------------- refit


def test_the_refit_comes_last() -> None:
    """On all images, for the mean best epoch of the winner's fresh seeds; then it is evaluated, and nothing else."""
    plan = plan_of("training.epochs=6", "search.confirm=2", "search.confirm_repeats=2", "search.refit=true")
    rows = probed_rows(plan)
    for number in range(1, 5):
        finish(rows, number, *both(GOOD[number], *[0.0] * 5))
    assert [number for number, *_ in add(plan, rows)] == [5, 6, 7, 8]
    for number, best in ((5, 3), (6, 1), (7, 5), (8, 1)):  # 5 and 7 are the winner's
        finish(rows, number, *both(*[0.1] * (best - 1), GOOD[rows.trial(number).point], *[0.0] * (6 - best)))
        assert [role for _, _, role, _ in add(plan, rows)] == ["refit"] * (number == 8)
    work = train_of(plan, rows)
    assert (work.trial, work.until, work.refit, work.configuration["training"]["epochs"]) == (9, 4, True, 6)
    finish(rows, 9, *both(0.0, 0.0, 0.0, 0.0))
    last = next_work(plan, rows, ())
    assert isinstance(last, EvaluateWork) and (last.trial, last.weights) == (9, file("9-best"))
    rows.apply(Evaluation(9, last.epoch, 1.0, 0.5, 0.0), 0)
    assert add(plan, rows) == [] and next_work(plan, rows, ()) is None


def test_only_a_refit_is_on_all_images() -> None:
    """Trials of the search and of the confirmation keep the validation images apart."""
    plan = plan_of("search.confirm=1", "search.refit=true")
    rows = probed_rows(plan)
    refits = []
    while not isinstance(work := next_work(plan, rows, ()), EvaluateWork):
        assert isinstance(work, TrainWork)
        refits.append((rows.trial(work.trial).role, work.refit))
        finish(rows, work.trial, *both(0.5, 0.6))
        add(plan, rows)
    assert refits == [("search", False)] * 4 + [("confirm", False)] * 5 + [("refit", True)]


def test_a_refit_that_fails_leaves_the_winner() -> None:
    """Then the winner itself is evaluated."""
    plan = plan_of("search.max_trials=1", "search.refit=true")
    rows = probed_rows(plan)
    finish(rows, 1, *both(0.5, 0.6))
    add(plan, rows)
    fail(rows, train_of(plan, rows))
    work = next_work(plan, rows, ())
    assert isinstance(work, EvaluateWork) and work.trial == 1


def test_a_refit_waits_while_its_point_is_trained_on() -> None:
    """Given more epochs, another worker finds nothing to do until the winner is known again; then the refit goes on."""
    rows = probed_rows(plan_of("search.max_trials=1"))
    once = plan_of("search.max_trials=1", "search.refit=true")
    assert settle(once, rows, GOOD) == [(1, "search", 0), (1, "refit", 0)]
    more = plan_of("training.epochs=5", "search.max_trials=1", "search.refit=true")
    work = train_of(more, rows)
    rows.apply(Started(1, work.attempt), 0)
    assert next_work(more, rows, (work,)) is None and add(more, rows) == []
    finish(rows, 1, *both(0.1, 0.2, 0.3, 0.9, 0.4))
    again = train_of(more, rows)
    assert (again.trial, again.until, len(again.epochs), again.refit) == (2, 4, 1, True)


def test_a_refit_of_a_former_winner_is_left() -> None:
    """Where another point wins later, that one is refitted, and the first is trained no further."""
    plan = plan_of("search.refit=true")
    rows = probed_rows(plan)
    assert settle(plan, rows, GOOD)[-1] == (2, "refit", 0)
    more = plan_of("training.epochs=4", "search.refit=true")
    for number, best in ((1, 1), (2, 3), (3, 4), (4, 1)):
        finish(rows, number, *both(*[0.1] * (best - 1), {3: 1.0}.get(number, 0.5), *[0.0] * (4 - best)))
    assert settle(more, rows, GOOD) == [(3, "refit", 0)]


def test_a_refit_never_shrinks() -> None:
    """Where further seeds have earlier best epochs, a refit that was put down after more of them ends where it is."""
    plan = plan_of("training.epochs=6", "search.max_trials=1", "search.refit=true")
    rows = probed_rows(plan)
    finish(rows, 1, *both(0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    assert add(plan, rows) == [(2, 1, "refit", 0)]
    rows.apply(Started(2, 1), 0)
    for one in both(0.0, 0.0, 0.0, 0.0, 0.0):
        rows.apply(EpochEnded(2, one, file(f"2-{one.number}")), 0)
    rows.apply(Stopped(2), 0)
    more = plan_of("training.epochs=6", "search.max_trials=1", "search.refit=true", "search.repeats=2")
    assert add(more, rows) == [(3, 1, "search", 1)]
    finish(rows, 3, *both(0.6, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert train_of(more, rows).until == 5


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3)])
def test_the_order_of_finishing_decides_nothing(order: tuple[int, ...]) -> None:
    """Whichever of several workers is first, the same trials follow with the same numbers and seeds."""
    plan = plan_of("search.confirm=2", "search.confirm_repeats=2", "search.refit=true")
    rows = probed_rows(plan)
    for number in order:
        finish(rows, number, *both(0.5, 0.5))  # a tie: by parameters
    added = [*add(plan, rows)]
    for number in reversed(range(5, 9)) if order[0] == 4 else range(5, 9):
        finish(rows, number, *both(0.5, 0.5))
    assert [*added, *add(plan, rows)] == [
        (5, 1, "confirm", 0),
        (6, 2, "confirm", 0),
        (7, 1, "confirm", 1),
        (8, 2, "confirm", 1),
        (9, 1, "refit", 0),
    ]


def test_epochs_are_a_budget_too() -> None:
    """No trial is begun once all together have had search.max_epochs; with more, the search goes on."""
    plan = plan_of("search.max_epochs=3")
    rows = checked_rows(plan)
    rows.apply(Probe(1, 1, 1.0, 1.0), 0)
    finish(rows, 1, *both(0.5, 0.6))
    assert train_of(plan, rows).trial == 2
    finish(rows, 2, *both(0.5, 0.6))
    assert isinstance(next_work(plan, rows, ()), EvaluateWork)
    assert train_of(plan_of("search.max_epochs=5"), rows).trial == 3
