"""The loop of a sweep, on a backend without training: what is asked, given and written down, and in which order."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from src.base.errors import UserError
from src.execution.coordinator import run
from src.execution.simulator import FILE, Answer, Simulator
from src.ledger.database import read_history
from src.ledger.events import Event, Failed, Paused, Pruned, Reused, Started
from src.ledger.jobs import EvaluateJob, Job, Slot, TrainJob
from src.ledger.records import Cause, Origin, Point, PointState, Trial, TrialState
from tests.unit.examples import epoch
from tests.unit.execution.answers import Sweep, answer, describe


def fails(cause: Cause, times: int = 1000) -> Answer:
    """As `answer`, but the second trial fails so often after its first epoch."""
    left = [times]

    def fail(job: Job) -> Iterator[Event]:
        events = answer(job)
        if not isinstance(job, TrainJob) or job.trial != 2 or not left[0]:
            yield from events
            return
        left[0] -= 1
        yield next(iter(events))
        yield Failed(job, cause, "an error")

    return fail


# ---------------------------------------------------------------------------------------- to the end


def test_everything_is_done_once(tmp_path: Path) -> None:
    """Every point is checked, three are probed, every trial is trained to its end, the best one is evaluated, and all of
    it is on disk."""
    sweep = Sweep(tmp_path)
    run(sweep.own)
    history = read_history(tmp_path, sweep.ledger.history.objective)
    assert [point.state for point in history.points] == [PointState.FEASIBLE] * 4
    assert [(t.state, t.attempts, len(t.epochs), t.best_epoch) for t in history.trials] == [
        (TrialState.FINISHED, 1, 2, 2)
    ] * 4
    assert [(one.trial, one.epoch) for one in history.evaluations] == [(4, 2)]
    assert Counter(job.kind for job in sweep.given) == {"check": 4, "probe": 3, "train": 4, "evaluate": 1}
    assert history == sweep.ledger.history


def test_order_of_what_is_written(tmp_path: Path) -> None:
    """With two slots: points, their checks, trials once all are checked, probes; a trial's start before its epochs, the
    next one's as soon as a slot is free; the evaluation when nothing else is under way."""
    sweep = Sweep(tmp_path, slots=2)
    run(sweep.own)
    assert [describe(event) for event in sweep.saved] == [
        *("point 1", "point 2", "point 3", "point 4"),
        *("checked 1", "checked 2", "checked 3", "checked 4"),
        *("trial 1", "trial 2", "trial 3", "trial 4"),
        *("probe 1", "probe 3", "started 1", "probe 4", "started 2"),
        *("epoch 1/1", "epoch 2/1", "epoch 1/2", "epoch 2/2", "finished 1", "started 3"),
        *("finished 2", "started 4"),
        *("epoch 3/1", "epoch 4/1", "epoch 3/2", "epoch 4/2", "finished 3", "finished 4"),
        "evaluation 4",
    ]


def test_who_follows_hears_what_is_written(tmp_path: Path) -> None:
    """Every event of a job is heard in its order, after it was written down; what the schedule adds is not."""
    sweep = Sweep(tmp_path)
    written: list[Any] = []
    sweep.own.on_event = lambda event: written.append((event, sweep.saved[-1]))
    run(sweep.own)
    own = (Point, Trial, Started, Pruned)
    assert written == [(event, event) for event in sweep.saved if not isinstance(event, own)]


class Late(Simulator):
    """Its slots become ready after two looks, as processes do that have to start."""

    looks = 0

    def slots(self) -> list[Slot]:
        """Not ready at first."""
        return [Slot(slot.number, self.looks > 2, slot.job) for slot in super().slots()]

    def next_event(self, seconds: float) -> Event | None:
        """Nothing comes before they are."""
        self.looks += 1
        return super().next_event(seconds)


def test_nothing_is_given_to_a_slot_that_is_not_ready(tmp_path: Path) -> None:
    """Until a slot is ready the loop waits, and who follows hears that nothing happens."""
    sweep = Sweep(tmp_path)
    sweep.own.backend = Late(answer)
    run(sweep.own)
    assert sweep.heard[:3] == [None] * 3 and None not in sweep.heard[3:]
    assert sweep.states() == [TrialState.FINISHED] * 4


def test_looking_ahead(tmp_path: Path) -> None:
    """Points are checked and speed is measured, and then it is over; trials exist, and none has begun."""
    sweep = Sweep(tmp_path, slots=2)
    sweep.own.ahead_only = True
    run(sweep.own)
    assert Counter(job.kind for job in sweep.given) == {"check": 4, "probe": 3}
    assert sweep.states() == [TrialState.WAITING] * 4


def test_pruned_trials(tmp_path: Path) -> None:
    """All trials come to the rung and wait; the best goes on from its checkpoint, the others are pruned, each once."""
    sweep = Sweep(tmp_path, ("search.pruner=top_k", "search.rung=1", "search.keep=1"), slots=2)
    run(sweep.own)
    assert sweep.states() == [*[TrialState.PRUNED] * 3, TrialState.FINISHED]
    assert [event.trial for event in sweep.saved if isinstance(event, Paused)] == [4, 3, 2, 1]  # the longest first
    assert sorted(event.trial for event in sweep.saved if isinstance(event, Pruned)) == [1, 2, 3]
    last = [job for job in sweep.given if isinstance(job, TrainJob)][-1]
    assert (last.trial, last.attempt, last.until, last.pauses, last.checkpoint) == (4, 2, 2, False, FILE)
    assert [one.number for one in last.epochs] == [1]


def test_fresh_seeds_follow_from_results(tmp_path: Path) -> None:
    """What is proposed only when results are in, is trained in the same loop."""
    sweep = Sweep(tmp_path, ("search.confirm=1", "search.confirm_repeats=2", "search.refit=true"), slots=2)
    run(sweep.own)
    assert [(str(trial.role), trial.point) for trial in sweep.ledger.history.trials[4:]] == [
        ("confirm", 4),
        ("confirm", 4),
        ("refit", 4),
    ]
    assert set(sweep.states()) == {TrialState.FINISHED}
    assert [one.trial for one in sweep.ledger.history.evaluations] == [7]


# ------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("cause", "times", "state", "attempts"),
    [
        (Cause.CRASH, 1, TrialState.FINISHED, 2),
        (Cause.CRASH, 1000, TrialState.FAILED, 3),
        (Cause.DAMAGED, 1, TrialState.FINISHED, 2),
        (Cause.NAN, 1, TrialState.FAILED, 1),
    ],
)
def test_a_trial_that_fails(tmp_path: Path, cause: Cause, times: int, state: TrialState, attempts: int) -> None:
    """A crash is tried again as often as asked for, a NaN never; the others are trained, and the best is evaluated."""
    sweep = Sweep(tmp_path, ("search.retries=2",), answer=fails(cause, times))
    run(sweep.own)
    second = sweep.ledger.history.trial(2)
    assert (second.state, second.attempts, len(sweep.ledger.history.failures)) == (
        state,
        attempts,
        min(times, attempts),
    )
    assert sweep.states()[2:] == [TrialState.FINISHED] * 2 and len(sweep.ledger.history.evaluations) == 1
    assert sum(isinstance(event, Failed) for event in sweep.heard) == min(times, attempts)


def test_a_full_disk_ends_it(tmp_path: Path) -> None:
    """What a worker says of a full disk is written down and raised; the trial is no failure of its own, and goes on."""
    sweep = Sweep(tmp_path, answer=fails(Cause.DISK))
    with pytest.raises(UserError, match="an error"):
        run(sweep.own)
    assert isinstance(sweep.saved[-1], Failed)
    assert sweep.states() == [TrialState.FINISHED, TrialState.INTERRUPTED, TrialState.WAITING, TrialState.WAITING]
    again = Sweep(tmp_path)
    run(again.own)
    assert again.states() == [TrialState.FINISHED] * 4


def test_other_versions_mark_what_they_train(tmp_path: Path) -> None:
    """How versions differ is written down with every trial that starts."""
    sweep = Sweep(tmp_path)
    sweep.own.drift = "keras 1 → 2"
    run(sweep.own)
    assert {trial.drift for trial in sweep.ledger.history.trials} == {"keras 1 → 2"}


# --------------------------------------------------------------------------------------------- reuse


def test_reuse_is_asked_before_a_trial_starts(tmp_path: Path) -> None:
    """What another sweep has of a trial is taken in the place of its start, and heard; the others start after asking."""
    sweep = Sweep(tmp_path)
    order: list[str] = []
    taken = Reused(2, 1, Origin("other", 7), (epoch(1), epoch(2, 0.9)), TrialState.FINISHED, weights=FILE)

    def reuse(job: TrainJob) -> Reused | None:
        order.append(f"asked {job.trial}")
        return taken if job.trial == 2 else None

    sweep.own.reuse = reuse
    sweep.own.on_event = lambda event: order.append(describe(event))
    run(sweep.own)
    trained = [one for one in order if one.partition(" ")[0] in ("asked", "reused", "finished")]
    assert trained == [
        *("asked 1", "finished 1", "asked 2", "reused 2", "asked 3", "finished 3", "asked 4", "finished 4"),
    ]
    assert 2 not in {job.trial for job in sweep.given if isinstance(job, TrainJob)}
    assert not any(isinstance(event, Started) and event.trial == 2 for event in sweep.saved)
    assert [job.trial for job in sweep.given if isinstance(job, EvaluateJob)] == [2], "by what was taken it is the best"
