"""Repeats, and the best once more on fresh seeds."""

from src.ledger.events import Failed, Started
from src.ledger.jobs import EvaluateJob
from src.ledger.records import Cause, Invocation
from src.search.schedule import next_job
from tests.unit.examples import check, finish, prepared, propose
from tests.unit.search.playing import GOOD, add, both, probed, settle, small, train_of


def test_repeats_share_their_seeds() -> None:
    """Every point once, then once more with the next seed, which is the same for all points."""
    trials = prepared(small("search.repeats=3")).history.trials
    assert [(trial.point, trial.repeat) for trial in trials] == [
        (p, repeat) for repeat in range(3) for p in (1, 2, 3, 4)
    ]
    assert len({(trial.repeat, trial.seed) for trial in trials}) == len({trial.seed for trial in trials}) == 3


def test_more_repeats_later_are_those_asked_for_at_once() -> None:
    """The same trials with the same numbers and seeds, whether asked for together or one after the other."""
    history = prepared(small()).history
    for repeats in (2, 3):
        add(small(f"search.repeats={repeats}", history=history))
    assert history.trials == prepared(small("search.repeats=3")).history.trials


def test_fewer_repeats_start_no_more() -> None:
    """Lowered on resume, further seeds that wait are not started; what has finished counts on."""
    history = probed("search.repeats=3").history
    for number in (1, 2, 3, 4, 5):
        finish(history, number, *both(0.5, 0.6))
    assert settle(small("search.repeats=2", history=history), GOOD) == [
        (2, "search", 1),
        (3, "search", 1),
        (4, "search", 1),
    ]
    assert isinstance(next_job(small("search.repeats=1", history=history), ()), EvaluateJob)


def test_the_best_by_the_mean_are_confirmed() -> None:
    """Point 1 has the best seed, points 2 and 4 the best means: these are trained on fresh seeds, as soon as all have ended."""
    schedule = probed("search.repeats=2", "search.confirm=2", "search.confirm_repeats=2", "search.retries=0")
    history = schedule.history
    for number, accuracy in enumerate((1.0, 0.8, 0.1, 0.6, 0.1, 0.8, 0.1), 1):
        finish(history, number, *both(accuracy, 0.0))
        assert add(schedule) == []
    last = train_of(schedule)
    history.apply(Started(8, 1), 0)
    assert add(schedule) == []
    history.apply(Failed(last, Cause.CRASH, "its end"), 0)
    assert add(schedule) == [
        (9, 2, "confirm", 0),
        (10, 4, "confirm", 0),
        (11, 2, "confirm", 1),
        (12, 4, "confirm", 1),
    ]


def test_a_crash_that_is_tried_again_keeps_the_search_open() -> None:
    """The best are not chosen before the last attempt has ended."""
    schedule = probed("search.max_trials=2", "search.confirm=1", "search.retries=1")
    history = schedule.history
    finish(history, 1, *both(0.5, 0.6))
    for expected in ([], [3, 4, 5, 6, 7]):
        job = train_of(schedule)
        history.apply(Started(2, job.attempt), 0)
        history.apply(Failed(job, Cause.CRASH, "its end"), 0)
        assert [number for number, *_ in add(schedule)] == expected


def test_fresh_seeds_are_fresh() -> None:
    """No seed of the confirmation or the refit is one of the search's; points are confirmed on equal ones."""
    schedule = probed("search.repeats=5", "search.confirm=2", "search.refit=true")
    history = schedule.history
    settle(schedule, GOOD)
    seeds = {role: [t.seed for t in history.trials if t.role == role] for role in ("search", "confirm", "refit")}
    assert [len(set(own)) for own in seeds.values()] == [5, 5, 1] and len(seeds["confirm"]) == 10
    assert len(set().union(*seeds.values())) == 11


def test_more_repeats_come_before_the_confirmation() -> None:
    """Asked for together on a finished sweep, the best are chosen by all seeds, not by those that were there."""
    history = probed().history
    settle(small(history=history), GOOD)
    schedule = small("search.repeats=2", "search.confirm=1", "search.confirm_repeats=1", history=history)
    assert [role for _, _, role, _ in add(schedule)] == ["search"] * 4
    assert settle(schedule, {**GOOD, 2: 0.0})[-1] == (4, "confirm", 0)


def test_more_trials_come_before_the_confirmation() -> None:
    """With a higher max_trials the new points are in the choice."""
    history = probed("search.max_trials=3").history
    settle(small("search.max_trials=3", history=history), GOOD)
    schedule = small("search.confirm=1", "search.confirm_repeats=1", history=history)
    propose(schedule)
    check(history, 4)
    assert add(schedule) == [(4, 4, "search", 0)]
    assert settle(schedule, {**GOOD, 4: 1.0}) == [(4, "search", 0), (4, "confirm", 0)]


def test_more_epochs_may_confirm_others() -> None:
    """All trials are given more epochs; then those that are the best by now, and were not confirmed, are."""
    schedule = probed("search.confirm=1", "search.confirm_repeats=1")
    history = schedule.history
    settle(schedule, GOOD)
    more = small("training.epochs=3", "search.confirm=1", "search.confirm_repeats=1", history=history)
    late = {**GOOD, 3: 1.0}
    old = [(1, "search", 0), (2, "search", 0), (3, "search", 0), (4, "search", 0), (2, "confirm", 0)]
    assert settle(more, late) == [*old, (3, "confirm", 0)]
    assert {len(trial.epochs) for trial in history.trials} == {3} and settle(more, late) == []


def test_a_lowered_max_trials_still_confirms() -> None:
    """Points beyond it are not begun; the best of those that have finished are confirmed."""
    history = probed().history
    finish(history, 1, *both(0.5, 0.6))
    schedule = small("search.max_trials=2", "search.confirm=1", "search.confirm_repeats=1", history=history)
    assert settle(schedule, GOOD) == [(2, "search", 0), (2, "confirm", 0)]


def test_max_seconds_stops_confirmations() -> None:
    """After that time none is begun, and the winner by the search is evaluated; with more time they are."""
    command = ("search.confirm=2", "search.confirm_repeats=1", "search.refit=true")
    schedule = probed("search.max_seconds=100", *command)
    history = schedule.history
    for number in range(1, 5):
        finish(history, number, *both(GOOD[number], 0.0))
    assert [role for _, _, role, _ in add(schedule)] == ["confirm", "confirm"]
    history.invocations.append(Invocation(1, 0, 101, "here", 1, {}, {}))
    job = next_job(schedule, ())
    assert isinstance(job, EvaluateJob) and job.trial == 2
    assert settle(small(*command, history=history), GOOD) == [(2, "confirm", 0), (4, "confirm", 0), (2, "refit", 0)]


def test_max_seconds_within_the_search_chooses_nobody() -> None:
    """While points of the search wait for more time, the best are not known: nothing is to be confirmed or refitted."""
    command = ("search.confirm=1", "search.confirm_repeats=1", "search.refit=true")
    schedule = probed("search.max_seconds=100", *command)
    history = schedule.history
    finish(history, 1, *both(0.5, 0.6))
    history.invocations.append(Invocation(1, 0, 101, "here", 1, {}, {}))
    assert add(schedule) == [] and isinstance(next_job(schedule, ()), EvaluateJob)
    assert settle(small(*command, history=history), GOOD)[-2:] == [(2, "confirm", 0), (2, "refit", 0)]
