"""The best once more, on all images."""

import pytest

from src.ledger.events import EpochEnded, Started, Stopped
from src.ledger.jobs import EvaluateJob, TrainJob
from src.ledger.records import Evaluation
from src.search.schedule import next_job
from tests.unit.examples import file, finish
from tests.unit.search.playing import GOOD, add, both, fail, probed, settle, small, train_of


def test_the_refit_comes_last() -> None:
    """On all images, for the mean best epoch of the winner's fresh seeds; then it is evaluated, and nothing else."""
    schedule = probed("training.epochs=6", "search.confirm=2", "search.confirm_repeats=2", "search.refit=true")
    history = schedule.history
    for number in range(1, 5):
        finish(history, number, *both(GOOD[number], *[0.0] * 5))
    assert [number for number, *_ in add(schedule)] == [5, 6, 7, 8]
    for number, best in ((5, 3), (6, 1), (7, 5), (8, 1)):  # 5 and 7 are the winner's
        finish(history, number, *both(*[0.1] * (best - 1), GOOD[history.trial(number).point], *[0.0] * (6 - best)))
        assert [role for _, _, role, _ in add(schedule)] == ["refit"] * (number == 8)
    job = train_of(schedule)
    assert (job.trial, job.until, job.refit, job.last_epoch) == (9, 4, True, 6)
    finish(history, 9, *both(0.0, 0.0, 0.0, 0.0))
    last = next_job(schedule, ())
    assert isinstance(last, EvaluateJob) and (last.trial, last.weights) == (9, file("9-best"))
    history.apply(Evaluation(9, last.epoch, 1.0, 0.5, 0.0), 0)
    assert add(schedule) == [] and next_job(schedule, ()) is None


def test_only_a_refit_is_on_all_images() -> None:
    """Trials of the search and of the confirmation keep the validation images apart."""
    schedule = probed("search.confirm=1", "search.refit=true")
    history = schedule.history
    refits = []
    while not isinstance(job := next_job(schedule, ()), EvaluateJob):
        assert isinstance(job, TrainJob)
        refits.append((history.trial(job.trial).role, job.refit))
        finish(history, job.trial, *both(0.5, 0.6))
        add(schedule)
    assert refits == [("search", False)] * 4 + [("confirm", False)] * 5 + [("refit", True)]


def test_a_refit_that_fails_leaves_the_winner() -> None:
    """Then the winner itself is evaluated."""
    schedule = probed("search.max_trials=1", "search.refit=true")
    history = schedule.history
    finish(history, 1, *both(0.5, 0.6))
    add(schedule)
    fail(history, train_of(schedule))
    job = next_job(schedule, ())
    assert isinstance(job, EvaluateJob) and job.trial == 1


def test_a_refit_waits_while_its_point_is_trained_on() -> None:
    """Given more epochs, another worker finds nothing to do until the winner is known again; then the refit goes on."""
    history = probed("search.max_trials=1").history
    once = small("search.max_trials=1", "search.refit=true", history=history)
    assert settle(once, GOOD) == [(1, "search", 0), (1, "refit", 0)]
    more = small("training.epochs=5", "search.max_trials=1", "search.refit=true", history=history)
    job = train_of(more)
    history.apply(Started(1, job.attempt), 0)
    assert next_job(more, (job,)) is None and add(more) == []
    finish(history, 1, *both(0.1, 0.2, 0.3, 0.9, 0.4))
    again = train_of(more)
    assert (again.trial, again.until, len(again.epochs), again.refit) == (2, 4, 1, True)


def test_a_refit_of_a_former_winner_is_left() -> None:
    """Where another point wins later, that one is refitted, and the first is trained no further."""
    schedule = probed("search.refit=true")
    history = schedule.history
    assert settle(schedule, GOOD)[-1] == (2, "refit", 0)
    more = small("training.epochs=4", "search.refit=true", history=history)
    for number, best in ((1, 1), (2, 3), (3, 4), (4, 1)):
        finish(history, number, *both(*[0.1] * (best - 1), {3: 1.0}.get(number, 0.5), *[0.0] * (4 - best)))
    assert settle(more, GOOD) == [(3, "refit", 0)]


def test_a_refit_never_shrinks() -> None:
    """Where further seeds have earlier best epochs, a refit that was put down after more of them ends where it is."""
    schedule = probed("training.epochs=6", "search.max_trials=1", "search.refit=true")
    history = schedule.history
    finish(history, 1, *both(0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
    assert add(schedule) == [(2, 1, "refit", 0)]
    history.apply(Started(2, 1), 0)
    for one in both(0.0, 0.0, 0.0, 0.0, 0.0):
        history.apply(EpochEnded(2, one, file(f"2-{one.number}")), 0)
    history.apply(Stopped(2), 0)
    more = small("training.epochs=6", "search.max_trials=1", "search.refit=true", "search.repeats=2", history=history)
    assert add(more) == [(3, 1, "search", 1)]
    finish(history, 3, *both(0.6, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert train_of(more).until == 5


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3)])
def test_the_order_of_finishing_decides_nothing(order: tuple[int, ...]) -> None:
    """Whichever of several workers is first, the same trials follow with the same numbers and seeds."""
    schedule = probed("search.confirm=2", "search.confirm_repeats=2", "search.refit=true")
    history = schedule.history
    for number in order:
        finish(history, number, *both(0.5, 0.5))  # a tie: by parameters
    added = [*add(schedule)]
    for number in reversed(range(5, 9)) if order[0] == 4 else range(5, 9):
        finish(history, number, *both(0.5, 0.5))
    assert [*added, *add(schedule)] == [
        (5, 1, "confirm", 0),
        (6, 2, "confirm", 0),
        (7, 1, "confirm", 1),
        (8, 2, "confirm", 1),
        (9, 1, "refit", 0),
    ]
