"""Pruners, played through by a schedule on records: who trains how far, and that nothing is trained twice."""

from typing import Any

import pytest

from src.ledger.events import EpochEnded, Failed, Finished, Paused, Started, Stopped
from src.ledger.history import History
from src.ledger.jobs import EvaluateJob, TrainJob
from src.ledger.records import Cause, TrialState
from src.search.pruners import rungs
from src.search.schedule import Schedule, newly_pruned, next_job
from tests.unit.examples import add_trials, epoch, file, prepared
from tests.unit.search.playing import probed, small

SPACE: dict[str, Any] = {"architecture": {"dense_units": {"choice": list(range(1, 13))}}}  # 12 points
QUALITY = [6, 11, 3, 9, 1, 8, 4, 10, 2, 7, 5, 12]


def pruned_by(pruner: str, *overrides: str, history: History | None = None) -> Schedule:
    """Twelve points, nine epochs; everything known that must be before the first trial."""
    words = (f"search.pruner={pruner}", "training.epochs=9", "search.retries=0", *overrides)
    return small(*words, space=SPACE, history=history) if history else probed(*words, space=SPACE)


def accuracy(point: int, number: int) -> float:
    """The better from the first epoch on, the higher a point's quality."""
    return 0.5 + 0.01 * QUALITY[point - 1] + 0.001 * number


def play(schedule: Schedule, last_first: bool = False) -> list[TrainJob]:
    """Two workers until nothing is left; the work they had, in order."""
    history, busy, done = schedule.history, list[TrainJob](), list[TrainJob]()
    while True:
        for event in newly_pruned(schedule):
            history.apply(event, 0)
        add_trials(schedule)
        while len(busy) < 2 and isinstance(job := next_job(schedule, busy), TrainJob):
            history.apply(Started(job.trial, job.attempt), 0)
            busy.append(job)
            done.append(job)
        if not busy:
            return done
        train(history, busy.pop(-1 if last_first else 0))


def train(history: History, job: TrainJob) -> None:
    """As a worker does."""
    for number in range(len(job.epochs) + 1, job.until + 1):
        saved = file(f"{job.trial}-{number}") if number == job.until else None
        history.apply(EpochEnded(job.trial, epoch(number, accuracy(history.trial(job.trial).point, number)), saved), 0)
    history.apply(Paused(job.trial) if job.pauses else Finished(job.trial, file("w")), 0)


def lengths(history: History) -> list[int]:
    """Epochs of each trial."""
    return [len(trial.epochs) for trial in history.trials]


CASES = {
    "none": [9] * 12,
    "top_k": [9 if quality > 8 else 1 for quality in QUALITY],
    "halving": [9 if quality == 12 else 3 if quality > 8 else 1 for quality in QUALITY],
    "asha": None,
    "hyperband": None,
    "median": None,
}


@pytest.mark.parametrize("pruner", CASES)
@pytest.mark.parametrize("last_first", [False, True])
def test_the_best_is_trained_to_the_end(pruner: str, last_first: bool) -> None:
    """Whatever the pruner, and whoever ends first: the best point ends finished, the others with a reason, for fewer epochs."""
    schedule = pruned_by(pruner)
    history = schedule.history
    play(schedule, last_first)
    assert history.trials[-1].state == TrialState.FINISHED and lengths(history)[-1] == 9
    assert {trial.state for trial in history.trials} <= {"finished", "pruned"}
    assert all(trial.reason for trial in history.trials if trial.state == TrialState.PRUNED)
    assert CASES[pruner] in (None, lengths(history))
    assert pruner == "none" or sum(lengths(history)) < 9 * 12
    assert isinstance(next_job(schedule, ()), EvaluateJob)


@pytest.mark.parametrize("pruner", ["top_k", "halving", "hyperband"])
def test_rungs_do_not_depend_on_who_ends_first(pruner: str) -> None:
    """Pruners that wait for all at a rung train the same trials as far, in whatever order the workers end."""
    one, other = pruned_by(pruner), pruned_by(pruner)
    play(one)
    play(other, last_first=True)
    assert [(t.state, t.reason, len(t.epochs)) for t in one.history.trials] == [
        (t.state, t.reason, len(t.epochs)) for t in other.history.trials
    ]


@pytest.mark.parametrize("pruner", [name for name in CASES if name != "none"])
def test_without_the_pruner_all_go_on(pruner: str) -> None:
    """Afterwards search.pruner=none trains what was pruned to the end, from where it was, no epoch twice."""
    history = pruned_by(pruner).history
    first = play(pruned_by(pruner, history=history))
    more = play(pruned_by("none", history=history))
    assert lengths(history) == [9] * 12 and {trial.state for trial in history.trials} == {"finished"}
    assert sum(job.until - len(job.epochs) for job in first + more) == 9 * 12


def test_a_reason_says_where_a_trial_stood() -> None:
    """A pruned trial says its place, of how many, after how long."""
    schedule = pruned_by("halving")
    history = schedule.history
    play(schedule)
    assert history.trials[4].reason == "place 12 of 12 after 1 epoch"
    assert history.trials[3].reason == "place 4 of 4 after 3 epochs"


def test_the_longest_job_of_the_lowest_rung_comes_first() -> None:
    """Where all wait for the last at a rung; with two workers the best of it follow before the last ones are there."""
    schedule = pruned_by("halving")
    jobs = [(job.trial, job.until) for job in play(schedule)]
    assert jobs == [*((n, 1) for n in range(12, 0, -1)), (12, 3), (8, 3), (4, 3), (2, 3), (12, 9)]
    for pruner in ("none", "asha", "median"):
        assert play(pruned_by(pruner))[0].trial == 1


@pytest.mark.parametrize("budget", ["search.max_epochs=99", "search.max_seconds=99", "search.target=0.99"])
def test_trials_train_by_number_where_a_budget_may_end_the_search(budget: str) -> None:
    """The longest first would leave the fewest trials."""
    assert [job.trial for job in play(pruned_by("halving", budget))][:4] == [1, 2, 3, 4]


def test_the_certain_do_not_wait() -> None:
    """With one trial still on its way to a rung, all but one of those that go on have gone on."""
    schedule = pruned_by("halving")
    history, slow = schedule.history, next_job(schedule, ())
    assert isinstance(slow, TrainJob) and slow.trial == 12
    history.apply(Started(12, 1), 0)
    while isinstance(job := next_job(schedule, [slow]), TrainJob):
        history.apply(Started(job.trial, job.attempt), 0)
        train(history, job)
    assert lengths(history) == [1, 3, 1, 3, 1, 1, 1, 3, 1, 1, 1, 0]
    assert {trial.state for trial in history.trials[:11]} == {TrialState.PAUSED} and newly_pruned(schedule) == []
    train(history, slow)
    play(schedule)
    assert lengths(history) == CASES["halving"]


def test_a_pruner_that_comes_later_takes_nothing_back() -> None:
    """A trial put down beyond the rung ends where it is, and is then promoted or pruned as the others."""
    history = pruned_by("none").history
    history.apply(Started(1, 1), 0)
    for number in (1, 2, 3):
        history.apply(EpochEnded(1, epoch(number, accuracy(1, number)), file(f"1-{number}")), 0)
    history.apply(Stopped(1), 0)
    jobs = play(pruned_by("top_k", history=history))
    (job,) = (job for job in jobs if job.trial == 1)
    assert (len(job.epochs), job.until, job.pauses) == (3, 3, True)
    assert (history.trials[0].state, lengths(history)[0]) == ("pruned", 3)


def test_a_rung_does_not_wait_for_the_failed() -> None:
    """A trial that has failed for good is left behind."""
    schedule = pruned_by("top_k", "search.keep=2")
    history = schedule.history
    job = next_job(schedule, ())
    assert isinstance(job, TrainJob) and job.trial == 12
    history.apply(Started(12, 1), 0)
    history.apply(Failed(job, Cause.NAN, "the loss is nan"), 0)
    play(schedule)
    assert lengths(history) == [1, 9, 1, 1, 1, 1, 1, 9, 1, 1, 1, 0]


def test_median_looks_at_the_earlier() -> None:
    """The first four train to the end; later ones stop at once if they are worse than the median of those before them."""
    schedule = pruned_by("median")
    history = schedule.history
    play(schedule)
    assert lengths(history) == [9, 9, 9, 9, 1, 9, 1, 9, 1, 2, 1, 9]  # after two epochs only the better ones are left
    assert history.trials[4].reason == "worse than the median of 4 after 1 epoch"


def test_more_points_join_at_the_first_rung() -> None:
    """With a higher max_trials the new trials begin at the first rung, and those promoted before stay."""
    schedule = pruned_by("top_k", "search.max_trials=6", "search.keep=2")
    history = schedule.history
    play(schedule)
    assert lengths(history) == [1, 9, 1, 9, 1, 1]
    play(prepared(pruned_by("top_k", "search.max_trials=12", "search.keep=2", history=history)))
    assert lengths(history) == [1, 9, 1, 9, 1, 1] + [1] * 5 + [9]


@pytest.mark.parametrize(
    ("first", "factor", "until", "steps"),
    [
        (1, 3, 9, [1, 3, 9]),
        (1, 3, 10, [1, 3, 10]),
        (1, 3, 5, [1, 5]),
        (1, 3, 6, [1, 3, 6]),
        (1, 4, 8, [1, 4, 8]),
        (1, 4, 7, [1, 7]),
        (1, 3, 40, [1, 3, 9, 40]),
        (2, 2, 5, [2, 5]),
        (9, 3, 9, [9]),
        (20, 3, 9, [9]),
    ],
)
def test_rungs(first: int, factor: int, until: int, steps: list[int]) -> None:
    """Rungs grow by the factor and end at the last epoch."""
    assert rungs(first, factor, until) == steps
