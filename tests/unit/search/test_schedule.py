"""What next, and how far: decided from rows alone. No worker runs here; the rows are written by hand."""

from typing import Any

import pytest

from src.analysis.ranking import rank_trials
from src.ledger.events import Dropped, EpochEnded, Failed, Started, Stopped
from src.ledger.history import History
from src.ledger.jobs import CheckJob, EvaluateJob, ProbeJob, TrainJob
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, Evaluation, Invocation, Probe
from src.search.budget import target
from src.search.problem import Plan, ahead_only
from src.search.proposals import new_points
from src.search.schedule import failed_for_good, new_trials, next_job
from tests.unit.examples import SPACE, check, checked_history, config, epoch, file, finish, propose


def plan_of(*overrides: str, space: dict[str, Any] | None = None) -> Plan:
    """The plan of a small grid of four points (or another space), two epochs each."""
    return Plan.of(config("training.epochs=2", *overrides, space=SPACE if space is None else space))


def both(*accuracies: float) -> list[Any]:
    """An epoch for each accuracy."""
    return [epoch(number, accuracy) for number, accuracy in enumerate(accuracies, 1)]


def train_of(plan: Plan, history: History, busy: tuple[Any, ...] = ()) -> TrainJob:
    """The next work, which is to train a trial."""
    job = next_job(plan, history, busy)
    assert isinstance(job, TrainJob), job
    return job


def settle(plan: Plan, history: History, accuracies: dict[int, float]) -> list[tuple[int, str, int]]:
    """Train everything the plan asks for; a point's trials all come out so. Returns what was trained, in order."""
    trained: list[tuple[int, str, int]] = []
    while True:
        for trial in new_trials(plan, history):
            history.apply(trial, 0)
        job = next_job(plan, history, ())
        if not isinstance(job, TrainJob):
            return trained
        trial = history.trial(job.trial)
        accuracy = accuracies[trial.point]
        finish(history, trial.number, *both(*[accuracy] * job.until))
        trained.append((trial.point, trial.role, trial.repeat))


def probed_history(plan: Plan) -> History:
    """Everything known that must be before the first trial."""
    history = checked_history(plan)
    for point in history.points:
        history.apply(Probe(point.number, point.operations, 1.0, 0.001), 0)
    return history


# --------------------------------------------------------------------------------------------- plans


# -------------------------------------------------------------------------------------------- points


def test_trials_share_their_seed() -> None:
    """Points are compared on equal seeds, which follow from the sweep's."""
    seeds = {trial.seed for trial in checked_history(plan_of()).trials}
    others = {trial.seed for trial in checked_history(plan_of("search.seed=1")).trials}
    assert len(seeds) == len(others) == 1 and seeds != others


# ------------------------------------------------------------------------------------------ the order


def test_check_probe_train_evaluate() -> None:
    """First every point is checked, then a few are probed, then trials train in order, then the winner is evaluated."""
    plan, history = plan_of(), History(ACCURACY)
    propose(plan, history)
    order: list[str] = []
    while job := next_job(plan, history, ()):
        match job:
            case CheckJob(point=number):
                check(history, number, size=number)
            case ProbeJob(point=number):
                history.apply(Probe(number, job.operations, 1.0, 0.001), 0)
            case TrainJob(trial=number):
                finish(history, number, *both(0.1, 0.1 * number))
            case EvaluateJob(trial=number):
                history.apply(Evaluation(number, job.epoch, 1.0, 0.5, 0.0), 0)
        for trial in new_trials(plan, history):
            history.apply(trial, 0)
        order.append(f"{type(job).__name__.removesuffix('Job').lower()} {number}")
    checks, probes, trains = ([f"{word} {n}" for n in range(1, 5)] for word in ("check", "probe", "train"))
    assert order == [*checks, probes[0], probes[2], probes[3], *trains, "evaluate 4"]


def test_nothing_trains_while_a_point_is_unchecked() -> None:
    """As long as one check is under way there is nothing to do for others, and no trial has a number."""
    plan, history = plan_of(), History(ACCURACY)
    propose(plan, history)
    for number in (2, 3, 4):
        check(history, number)
    last = next_job(plan, history, ())
    assert isinstance(last, CheckJob) and last.point == 1
    assert next_job(plan, history, [last]) is None and new_trials(plan, history) == []


def test_work_carries_everything() -> None:
    """Training gets the configuration with its epochs, the trial's seed, the objective and how far to go."""
    plan = plan_of("search.objective=val_loss")
    history = probed_history(plan)
    job = train_of(plan, history)
    assert job.configuration["training"]["epochs"] == job.until == 2
    assert (job.trial, job.attempt, job.seed, job.objective) == (1, 1, history.trials[0].seed, "val_loss")
    assert (job.checkpoint, job.epochs) == (None, ())


def test_no_trial_is_given_twice() -> None:
    """What is under way is not given to another worker, and the winner is not evaluated before all have ended."""
    plan = plan_of("search.max_trials=2")
    history = probed_history(plan)
    first = train_of(plan, history)
    second = train_of(plan, history, (first,))
    assert (first.trial, second.trial) == (1, 2)
    finish(history, 1, *both(0.5, 0.6))
    assert next_job(plan, history, [second]) is None


def test_ahead_only_stops_before_training() -> None:
    """A preview checks and probes, no more."""
    plan = ahead_only(plan_of())
    history = checked_history(plan)
    assert isinstance(next_job(plan, history, ()), ProbeJob)
    assert next_job(plan, probed_history(plan), ()) is None


def test_a_probe_that_fails_is_left_out() -> None:
    """A probe that crashes twice does not keep the trials from training."""
    plan = plan_of("search.max_trials=1")
    history = checked_history(plan)
    for _ in range(2):
        job = next_job(plan, history, ())
        assert isinstance(job, ProbeJob)
        history.apply(Failed(job, Cause.CRASH, "out of memory"), 0)
    assert train_of(plan, history).trial == 1


def test_the_same_rows_give_the_same_answer() -> None:
    """A plan made anew on the rows of another answers as that one does: nothing is remembered elsewhere."""
    plan = plan_of("search.max_trials=3")
    history = probed_history(plan)
    finish(history, 1, *both(0.5, 0.6))
    anew = plan_of("search.max_trials=3")
    assert new_points(anew, history) == new_points(plan, history) == []
    assert next_job(anew, history, ()) == next_job(plan, history, ()) == train_of(plan, history)


# ----------------------------------------------------------------------------------- failed and resumed


@pytest.mark.parametrize(
    ("kind", "retries", "attempts"),
    [("crash", 0, 1), ("crash", 1, 2), ("crash", 3, 4), ("nan", 3, 1)],
)
def test_retries(kind: Any, retries: int, attempts: int) -> None:
    """A crash is tried again as often as asked, a loss that is no number never; then the next trial comes."""
    plan = plan_of(f"search.retries={retries}", "search.max_trials=2")
    history = probed_history(plan)
    for attempt in range(1, attempts + 1):
        job = train_of(plan, history)
        assert (job.trial, job.attempt) == (1, attempt)
        history.apply(Started(1, attempt), 0)
        history.apply(Failed(job, kind, "its end"), 0)
    assert (train_of(plan, history).trial, history.trials[0].reason) == (2, "its end")
    assert [trial.number for trial in failed_for_good(plan, history)] == [1]


def test_a_crash_goes_on_from_its_checkpoint() -> None:
    """The next attempt gets the last checkpoint and the epochs that it has seen, and no later ones."""
    plan = plan_of("training.epochs=5")
    history = probed_history(plan)
    first, second, third = both(0.1, 0.2, 0.3)
    history.apply(Started(1, 1), 0)
    for one, saved in ((first, None), (second, file("1-2")), (third, None)):
        history.apply(EpochEnded(1, one, saved), 0)
    history.apply(Failed(train_of(plan, history), Cause.CRASH, ""), 0)
    job = train_of(plan, history)
    assert (job.trial, job.attempt, job.checkpoint, job.epochs) == (1, 2, file("1-2"), (first, second))


def test_a_damaged_checkpoint_starts_anew() -> None:
    """Where the checkpoint cannot be read the trial begins at its first epoch; that is no crash."""
    plan = plan_of("training.epochs=5", "search.retries=0")
    history = probed_history(plan)
    history.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    history.apply(Failed(train_of(plan, history), Cause.DAMAGED, ""), 0)
    job = train_of(plan, history)
    assert (job.trial, job.checkpoint, job.epochs) == (1, None, ())


def test_interrupted_trials_come_first() -> None:
    """What was put down is taken up before a new trial starts."""
    plan = plan_of()
    history = probed_history(plan)
    history.apply(Started(1, 1), 0)
    history.apply(EpochEnded(1, epoch(1), file("1-1")), 0)
    history.apply(Stopped(1), 0)
    job = train_of(plan, history)
    assert (job.trial, job.attempt, job.checkpoint) == (1, 2, file("1-1"))


# --------------------------------------------------------------------------------------------- amounts


def test_max_seconds() -> None:
    """After that time no trial is started, but one that was begun is finished, and the winner evaluated."""
    plan = plan_of("search.max_seconds=100")
    history = probed_history(plan)
    invocation = Invocation(1, 0, 99, "here", 1, {}, {})
    history.invocations.append(invocation)
    assert train_of(plan, history).trial == 1
    history.apply(Started(1, 1), 99)
    history.apply(Stopped(1), 101)
    assert train_of(plan, history).trial == 1
    finish(history, 1, *both(0.5, 0.6))
    invocation.ended = 101
    assert isinstance(next_job(plan, history, ()), EvaluateJob)


def test_fewer_trials_train_no_more() -> None:
    """max_trials is a total: lowered on resume, trials beyond it that wait are not started."""
    history = probed_history(plan_of())
    fewer = plan_of("search.max_trials=2")
    finish(history, 1, *both(0.5, 0.6))
    finish(history, 2, *both(0.5, 0.5))
    assert isinstance(next_job(fewer, history, ()), EvaluateJob)


def test_more_epochs_extend_what_has_finished() -> None:
    """Finished trials go on from their checkpoints, but those that were stopped early stay as they are."""
    history = probed_history(plan_of("search.max_trials=2"))
    finish(history, 1, *both(0.5, 0.6), reason="early stopping")
    finish(history, 2, *both(0.5, 0.6))
    more = plan_of("training.epochs=5", "search.max_trials=2")
    job = train_of(more, history)
    assert (job.trial, job.until, job.checkpoint, len(job.epochs)) == (2, 5, file("2-2"), 2)
    finish(history, 2, *both(0.5, 0.6, 0.7, 0.7, 0.7))
    assert isinstance(next_job(more, history, ()), EvaluateJob)


@pytest.mark.parametrize(("objective", "target"), [("val_accuracy", 0.9), ("val_loss", 0.1)])
def test_a_target_ends_the_search(objective: str, target: float) -> None:
    """Once a trial is as good as the target no other is begun; a better target goes on."""
    plan = plan_of(f"search.objective={objective}", f"search.target={target}")
    history = probed_history(plan)
    finish(history, 1, epoch(1, 0.8, 0.2), epoch(2, 0.85, 0.15))
    assert train_of(plan, history).trial == 2
    finish(history, 2, epoch(1, 0.9, 0.1), epoch(2, 0.8, 0.2))
    assert isinstance(next_job(plan, history, ()), EvaluateJob)
    better = 0.95 if objective == "val_accuracy" else 0.05
    assert train_of(plan_of(f"search.objective={objective}", f"search.target={better}"), history).trial == 3


def test_an_evaluation_that_crashes_is_tried_as_often_as_a_trial() -> None:
    """A worker that dies of it is replaced and the test data looked at again, up to search.retries times; more goes on."""
    history = probed_history(plan_of("search.max_trials=1"))
    finish(history, 1, *both(0.5, 0.6))
    for _ in range(3):
        job = next_job(plan_of("search.max_trials=1", "search.retries=2"), history, ())
        assert isinstance(job, EvaluateJob)
        history.apply(Failed(job, Cause.CRASH, "ended by SIGKILL"), 0)
    assert next_job(plan_of("search.max_trials=1", "search.retries=2"), history, ()) is None
    assert isinstance(next_job(plan_of("search.max_trials=1", "search.retries=3"), history, ()), EvaluateJob)


def test_a_winner_without_weights_is_trained_anew() -> None:
    """Where the weights of the final model were dropped before its look at the test data, they are made once more."""
    plan = plan_of("search.max_trials=1")
    history = probed_history(plan)
    finish(history, 1, *both(0.5, 0.6))
    history.apply(Dropped(1), 0)
    job = train_of(plan, history)
    assert (job.trial, job.checkpoint, job.epochs, job.until) == (1, None, (), 2)
    finish(history, 1, *both(0.5, 0.6))
    assert isinstance(next_job(plan, history, ()), EvaluateJob)


def test_a_dropped_checkpoint_is_trained_anew() -> None:
    """Without its checkpoint a finished trial begins again when it is extended, and not otherwise."""
    plan = plan_of("search.max_trials=1")
    history = probed_history(plan)
    finish(history, 1, *both(0.5, 0.6))
    history.apply(Evaluation(1, 2, 1.0, 0.5, 0.0), 0)
    history.apply(Dropped(1), 0)
    assert next_job(plan, history, ()) is None
    job = train_of(plan_of("training.epochs=3", "search.max_trials=1"), history)
    assert (job.checkpoint, job.epochs, job.until) == (None, (), 3)


def test_fewer_epochs_never_shrink() -> None:
    """New trials train as far as those before them, so that all stay comparable."""
    history = probed_history(plan_of("training.epochs=4"))
    finish(history, 1, *both(0.1, 0.2, 0.3, 0.4))
    fewer = plan_of("training.epochs=1")
    assert target(fewer.config, history) == 4
    job = train_of(fewer, history)
    assert (job.trial, job.until, job.configuration["training"]["epochs"]) == (2, 4, 4)


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
    history = probed_history(plan_of(f"search.objective={objective}"))
    for point, size in zip(history.points, (10, 20, 20, 10), strict=True):
        point.parameters = size
    for number, (accuracy, loss) in enumerate(results, 1):
        finish(history, number, epoch(1, accuracy, loss))
    assert [trial.number for trial in rank_trials(history)] == order


def test_a_trial_is_ranked_by_its_best_epoch() -> None:
    """The best epoch counts, not the last; trials that have not finished are not ranked."""
    history = probed_history(plan_of())
    finish(history, 1, *both(0.9, 0.1))
    finish(history, 2, *both(0.5, 0.6))
    history.apply(EpochEnded(3, epoch(1, 1.0), None), 0)
    assert [trial.number for trial in rank_trials(history)] == [1, 2]
    assert (history.trials[0].best_epoch, history.trials[0].objective) == (1, 0.9)


def test_the_test_set_is_looked_at_once_for_each_winner() -> None:
    """The winner is evaluated once, at its best epoch; a new winner once more; a winner as before not again."""
    plan = plan_of("search.max_trials=1")
    history = probed_history(plan)
    finish(history, 1, *both(0.6, 0.5))
    job = next_job(plan, history, ())
    assert isinstance(job, EvaluateJob) and (job.trial, job.epoch, job.weights) == (1, 1, file("1-best"))
    history.apply(Evaluation(1, 1, 1.0, 0.5, 0.0), 0)
    assert next_job(plan, history, ()) is None

    more = plan_of("training.epochs=3", "search.max_trials=1")
    finish(history, 1, *both(0.6, 0.5, 0.5))  # no better epoch
    assert next_job(more, history, ()) is None
    finish(history, 1, *both(0.6, 0.5, 0.7))
    job = next_job(more, history, ())
    assert isinstance(job, EvaluateJob) and (job.trial, job.epoch) == (1, 3)


@pytest.mark.parametrize("kind", ["crash", "damaged"])
def test_an_evaluation_that_fails(kind: Any) -> None:
    """It is tried twice, after training anew where its weights were damaged; then the sweep ends without it."""
    plan = plan_of("search.max_trials=1")
    history = probed_history(plan)
    for _ in range(2):
        if not isinstance(next_job(plan, history, ()), EvaluateJob):
            assert train_of(plan, history).checkpoint is None
            finish(history, 1, *both(0.5, 0.6))
        job = next_job(plan, history, ())
        assert isinstance(job, EvaluateJob)
        history.apply(Failed(job, kind, "its end"), 0)
    if kind == "damaged":
        finish(history, 1, *both(0.5, 0.6))
    assert next_job(plan, history, ()) is None


# ------------------------------------------------------------------------------- repeats, confirmation

GOOD = {1: 0.6, 2: 0.9, 3: 0.7, 4: 0.8}  # accuracy of each point, whatever its seed


def add(plan: Plan, history: History) -> list[tuple[int, int, str, int]]:
    """Number, point, role and repeat of the trials that the plan adds."""
    new = new_trials(plan, history)
    for trial in new:
        history.apply(trial, 0)
    return [(trial.number, trial.point, trial.role, trial.repeat) for trial in new]


def fail(history: History, job: TrainJob) -> None:
    """A trial's loss is no number."""
    history.apply(Started(job.trial, job.attempt), 0)
    history.apply(Failed(job, Cause.NAN, "the loss is nan"), 0)


def test_repeats_share_their_seeds() -> None:
    """Every point once, then once more with the next seed, which is the same for all points."""
    trials = checked_history(plan_of("search.repeats=3")).trials
    assert [(trial.point, trial.repeat) for trial in trials] == [
        (p, repeat) for repeat in range(3) for p in (1, 2, 3, 4)
    ]
    assert len({(trial.repeat, trial.seed) for trial in trials}) == len({trial.seed for trial in trials}) == 3


def test_more_repeats_later_are_those_asked_for_at_once() -> None:
    """The same trials with the same numbers and seeds, whether asked for together or one after the other."""
    history = checked_history(plan_of())
    for repeats in (2, 3):
        add(plan_of(f"search.repeats={repeats}"), history)
    assert history.trials == checked_history(plan_of("search.repeats=3")).trials


def test_fewer_repeats_start_no_more() -> None:
    """Lowered on resume, further seeds that wait are not started; what has finished counts on."""
    history = probed_history(plan_of("search.repeats=3"))
    for number in (1, 2, 3, 4, 5):
        finish(history, number, *both(0.5, 0.6))
    assert settle(plan_of("search.repeats=2"), history, GOOD) == [(2, "search", 1), (3, "search", 1), (4, "search", 1)]
    assert isinstance(next_job(plan_of("search.repeats=1"), history, ()), EvaluateJob)


def test_the_best_by_the_mean_are_confirmed() -> None:
    """Point 1 has the best seed, points 2 and 4 the best means: these are trained on fresh seeds, as soon as all have ended."""
    plan = plan_of("search.repeats=2", "search.confirm=2", "search.confirm_repeats=2", "search.retries=0")
    history = probed_history(plan)
    for number, accuracy in enumerate((1.0, 0.8, 0.1, 0.6, 0.1, 0.8, 0.1), 1):
        finish(history, number, *both(accuracy, 0.0))
        assert add(plan, history) == []
    last = train_of(plan, history)
    history.apply(Started(8, 1), 0)
    assert add(plan, history) == []
    history.apply(Failed(last, Cause.CRASH, "its end"), 0)
    assert add(plan, history) == [
        (9, 2, "confirm", 0),
        (10, 4, "confirm", 0),
        (11, 2, "confirm", 1),
        (12, 4, "confirm", 1),
    ]


def test_a_crash_that_is_tried_again_keeps_the_search_open() -> None:
    """The best are not chosen before the last attempt has ended."""
    plan = plan_of("search.max_trials=2", "search.confirm=1", "search.retries=1")
    history = probed_history(plan)
    finish(history, 1, *both(0.5, 0.6))
    for expected in ([], [3, 4, 5, 6, 7]):
        job = train_of(plan, history)
        history.apply(Started(2, job.attempt), 0)
        history.apply(Failed(job, Cause.CRASH, "its end"), 0)
        assert [number for number, *_ in add(plan, history)] == expected


def test_fresh_seeds_are_fresh() -> None:
    """No seed of the confirmation or the refit is one of the search's; points are confirmed on equal ones."""
    plan = plan_of("search.repeats=5", "search.confirm=2", "search.refit=true")
    history = probed_history(plan)
    settle(plan, history, GOOD)
    seeds = {role: [t.seed for t in history.trials if t.role == role] for role in ("search", "confirm", "refit")}
    assert [len(set(own)) for own in seeds.values()] == [5, 5, 1] and len(seeds["confirm"]) == 10
    assert len(set().union(*seeds.values())) == 11


def test_more_repeats_come_before_the_confirmation() -> None:
    """Asked for together on a finished sweep, the best are chosen by all seeds, not by those that were there."""
    history = probed_history(plan_of())
    settle(plan_of(), history, GOOD)
    plan = plan_of("search.repeats=2", "search.confirm=1", "search.confirm_repeats=1")
    assert [role for _, _, role, _ in add(plan, history)] == ["search"] * 4
    assert settle(plan, history, {**GOOD, 2: 0.0})[-1] == (4, "confirm", 0)


def test_more_trials_come_before_the_confirmation() -> None:
    """With a higher max_trials the new points are in the choice."""
    history = probed_history(plan_of("search.max_trials=3"))
    settle(plan_of("search.max_trials=3"), history, GOOD)
    plan = plan_of("search.confirm=1", "search.confirm_repeats=1")
    propose(plan, history)
    check(history, 4)
    assert add(plan, history) == [(4, 4, "search", 0)]
    assert settle(plan, history, {**GOOD, 4: 1.0}) == [(4, "search", 0), (4, "confirm", 0)]


def test_more_epochs_may_confirm_others() -> None:
    """All trials are given more epochs; then those that are the best by now, and were not confirmed, are."""
    plan = plan_of("search.confirm=1", "search.confirm_repeats=1")
    history = probed_history(plan)
    settle(plan, history, GOOD)
    more = plan_of("training.epochs=3", "search.confirm=1", "search.confirm_repeats=1")
    late = {**GOOD, 3: 1.0}
    old = [(1, "search", 0), (2, "search", 0), (3, "search", 0), (4, "search", 0), (2, "confirm", 0)]
    assert settle(more, history, late) == [*old, (3, "confirm", 0)]
    assert {len(trial.epochs) for trial in history.trials} == {3} and settle(more, history, late) == []


def test_a_lowered_max_trials_still_confirms() -> None:
    """Points beyond it are not begun; the best of those that have finished are confirmed."""
    history = probed_history(plan_of())
    finish(history, 1, *both(0.5, 0.6))
    plan = plan_of("search.max_trials=2", "search.confirm=1", "search.confirm_repeats=1")
    assert settle(plan, history, GOOD) == [(2, "search", 0), (2, "confirm", 0)]


def test_max_seconds_stops_confirmations() -> None:
    """After that time none is begun, and the winner by the search is evaluated; with more time they are."""
    command = ("search.confirm=2", "search.confirm_repeats=1", "search.refit=true")
    plan = plan_of("search.max_seconds=100", *command)
    history = probed_history(plan)
    for number in range(1, 5):
        finish(history, number, *both(GOOD[number], 0.0))
    assert [role for _, _, role, _ in add(plan, history)] == ["confirm", "confirm"]
    history.invocations.append(Invocation(1, 0, 101, "here", 1, {}, {}))
    job = next_job(plan, history, ())
    assert isinstance(job, EvaluateJob) and job.trial == 2
    assert settle(plan_of(*command), history, GOOD) == [(2, "confirm", 0), (4, "confirm", 0), (2, "refit", 0)]


def test_max_seconds_within_the_search_chooses_nobody() -> None:
    """While points of the search wait for more time, the best are not known: nothing is to be confirmed or refitted."""
    command = ("search.confirm=1", "search.confirm_repeats=1", "search.refit=true")
    plan = plan_of("search.max_seconds=100", *command)
    history = probed_history(plan)
    finish(history, 1, *both(0.5, 0.6))
    history.invocations.append(Invocation(1, 0, 101, "here", 1, {}, {}))
    assert add(plan, history) == [] and isinstance(next_job(plan, history, ()), EvaluateJob)
    assert settle(plan_of(*command), history, GOOD)[-2:] == [(2, "confirm", 0), (2, "refit", 0)]


# --------------------------------------------------------------------------------------------- refit


def test_the_refit_comes_last() -> None:
    """On all images, for the mean best epoch of the winner's fresh seeds; then it is evaluated, and nothing else."""
    plan = plan_of("training.epochs=6", "search.confirm=2", "search.confirm_repeats=2", "search.refit=true")
    history = probed_history(plan)
    for number in range(1, 5):
        finish(history, number, *both(GOOD[number], *[0.0] * 5))
    assert [number for number, *_ in add(plan, history)] == [5, 6, 7, 8]
    for number, best in ((5, 3), (6, 1), (7, 5), (8, 1)):  # 5 and 7 are the winner's
        finish(history, number, *both(*[0.1] * (best - 1), GOOD[history.trial(number).point], *[0.0] * (6 - best)))
        assert [role for _, _, role, _ in add(plan, history)] == ["refit"] * (number == 8)
    job = train_of(plan, history)
    assert (job.trial, job.until, job.refit, job.configuration["training"]["epochs"]) == (9, 4, True, 6)
    finish(history, 9, *both(0.0, 0.0, 0.0, 0.0))
    last = next_job(plan, history, ())
    assert isinstance(last, EvaluateJob) and (last.trial, last.weights) == (9, file("9-best"))
    history.apply(Evaluation(9, last.epoch, 1.0, 0.5, 0.0), 0)
    assert add(plan, history) == [] and next_job(plan, history, ()) is None


def test_only_a_refit_is_on_all_images() -> None:
    """Trials of the search and of the confirmation keep the validation images apart."""
    plan = plan_of("search.confirm=1", "search.refit=true")
    history = probed_history(plan)
    refits = []
    while not isinstance(job := next_job(plan, history, ()), EvaluateJob):
        assert isinstance(job, TrainJob)
        refits.append((history.trial(job.trial).role, job.refit))
        finish(history, job.trial, *both(0.5, 0.6))
        add(plan, history)
    assert refits == [("search", False)] * 4 + [("confirm", False)] * 5 + [("refit", True)]


def test_a_refit_that_fails_leaves_the_winner() -> None:
    """Then the winner itself is evaluated."""
    plan = plan_of("search.max_trials=1", "search.refit=true")
    history = probed_history(plan)
    finish(history, 1, *both(0.5, 0.6))
    add(plan, history)
    fail(history, train_of(plan, history))
    job = next_job(plan, history, ())
    assert isinstance(job, EvaluateJob) and job.trial == 1


def test_a_refit_waits_while_its_point_is_trained_on() -> None:
    """Given more epochs, another worker finds nothing to do until the winner is known again; then the refit goes on."""
    history = probed_history(plan_of("search.max_trials=1"))
    once = plan_of("search.max_trials=1", "search.refit=true")
    assert settle(once, history, GOOD) == [(1, "search", 0), (1, "refit", 0)]
    more = plan_of("training.epochs=5", "search.max_trials=1", "search.refit=true")
    job = train_of(more, history)
    history.apply(Started(1, job.attempt), 0)
    assert next_job(more, history, (job,)) is None and add(more, history) == []
    finish(history, 1, *both(0.1, 0.2, 0.3, 0.9, 0.4))
    again = train_of(more, history)
    assert (again.trial, again.until, len(again.epochs), again.refit) == (2, 4, 1, True)


def test_a_refit_of_a_former_winner_is_left() -> None:
    """Where another point wins later, that one is refitted, and the first is trained no further."""
    plan = plan_of("search.refit=true")
    history = probed_history(plan)
    assert settle(plan, history, GOOD)[-1] == (2, "refit", 0)
    more = plan_of("training.epochs=4", "search.refit=true")
    for number, best in ((1, 1), (2, 3), (3, 4), (4, 1)):
        finish(history, number, *both(*[0.1] * (best - 1), {3: 1.0}.get(number, 0.5), *[0.0] * (4 - best)))
    assert settle(more, history, GOOD) == [(3, "refit", 0)]


def test_a_refit_never_shrinks() -> None:
    """Where further seeds have earlier best epochs, a refit that was put down after more of them ends where it is."""
    plan = plan_of("training.epochs=6", "search.max_trials=1", "search.refit=true")
    history = probed_history(plan)
    finish(history, 1, *both(0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    assert add(plan, history) == [(2, 1, "refit", 0)]
    history.apply(Started(2, 1), 0)
    for one in both(0.0, 0.0, 0.0, 0.0, 0.0):
        history.apply(EpochEnded(2, one, file(f"2-{one.number}")), 0)
    history.apply(Stopped(2), 0)
    more = plan_of("training.epochs=6", "search.max_trials=1", "search.refit=true", "search.repeats=2")
    assert add(more, history) == [(3, 1, "search", 1)]
    finish(history, 3, *both(0.6, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert train_of(more, history).until == 5


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3)])
def test_the_order_of_finishing_decides_nothing(order: tuple[int, ...]) -> None:
    """Whichever of several workers is first, the same trials follow with the same numbers and seeds."""
    plan = plan_of("search.confirm=2", "search.confirm_repeats=2", "search.refit=true")
    history = probed_history(plan)
    for number in order:
        finish(history, number, *both(0.5, 0.5))  # a tie: by parameters
    added = [*add(plan, history)]
    for number in reversed(range(5, 9)) if order[0] == 4 else range(5, 9):
        finish(history, number, *both(0.5, 0.5))
    assert [*added, *add(plan, history)] == [
        (5, 1, "confirm", 0),
        (6, 2, "confirm", 0),
        (7, 1, "confirm", 1),
        (8, 2, "confirm", 1),
        (9, 1, "refit", 0),
    ]


def test_epochs_are_a_budget_too() -> None:
    """No trial is begun once all together have had search.max_epochs; with more, the search goes on."""
    plan = plan_of("search.max_epochs=3")
    history = checked_history(plan)
    history.apply(Probe(1, 1, 1.0, 1.0), 0)
    finish(history, 1, *both(0.5, 0.6))
    assert train_of(plan, history).trial == 2
    finish(history, 2, *both(0.5, 0.6))
    assert isinstance(next_job(plan, history, ()), EvaluateJob)
    assert train_of(plan_of("search.max_epochs=5"), history).trial == 3
