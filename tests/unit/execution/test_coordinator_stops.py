"""The loop of a sweep that the user stops, and what is left of it for the next one."""

from pathlib import Path

from src.execution.coordinator import run
from src.ledger.events import Checked, Event, Finished
from src.ledger.jobs import EvaluateJob, ProbeJob, TrainJob
from src.ledger.records import Probe, TrialState
from tests.unit.execution.answers import Sweep, describe


def test_interrupted_once(tmp_path: Path) -> None:
    """Asked to stop, nothing new begins; what is under way is put down, and it is over. The wish is told once."""
    sweep = Sweep(tmp_path, ("training.epochs=5",), slots=2)
    sweep.interrupt_at(1)
    run(sweep.own)
    assert sweep.states() == [*[TrialState.INTERRUPTED] * 2, *[TrialState.WAITING] * 2]
    last = ["epoch 1/1", "epoch 2/1", "epoch 1/2", "stopped 2", "stopped 1"]
    assert [describe(event) for event in sweep.saved[-5:]] == last
    assert sweep.stops == 1 and not any(slot.job for slot in sweep.backend.slots())


def test_interrupted_before_it_begins(tmp_path: Path) -> None:
    """Asked to stop beforehand, nothing is given and nothing is written down."""
    for times in (1, 2):
        sweep = Sweep(tmp_path)
        for _ in range(times):
            sweep.own.interrupt.note(15, None)
        run(sweep.own)
        assert (sweep.saved, sweep.heard, sweep.given, sweep.stops) == ([], [], [], 0)
        assert sweep.own.interrupt.signal == 15


def test_interrupted_twice(tmp_path: Path) -> None:
    """A second wish ends it at once: what trains is written down as put down, at its last checkpoint."""
    sweep = Sweep(tmp_path, slots=2)
    sweep.interrupt_at(1, times=2)
    run(sweep.own)
    assert [describe(event) for event in sweep.saved[-3:]] == ["epoch 1/1", "stopped 2", "stopped 1"], "slot by slot"
    assert sweep.states() == [*[TrialState.INTERRUPTED] * 2, *[TrialState.WAITING] * 2]
    assert [trial.checkpoint_epoch for trial in sweep.ledger.history.trials] == [1, 0, 0, 0]
    assert len([slot for slot in sweep.backend.slots() if slot.job]) == 2, "whoever holds the backend ends them"


def test_only_trainings_are_waited_for(tmp_path: Path) -> None:
    """A probe that is under way is left to whoever ends the backend, and is made again."""
    sweep = Sweep(tmp_path, slots=2)

    def hear(event: Event | None) -> None:
        if isinstance(event, Probe):
            sweep.own.interrupt.note(2, None)

    sweep.own.on_event = hear
    run(sweep.own)
    assert isinstance(sweep.saved[-1], Probe) and len(sweep.ledger.history.probes) == 1
    assert any(isinstance(slot.job, ProbeJob) for slot in sweep.backend.slots())
    sweep.ledger.close()
    again = Sweep(tmp_path)
    run(again.own)
    assert len(again.ledger.history.probes) == 3 and again.states() == [TrialState.FINISHED] * 4


def test_a_second_wish_while_points_are_checked(tmp_path: Path) -> None:
    """Only trainings are written down as put down; a check that was under way is made again."""
    sweep = Sweep(tmp_path)

    def hear(event: Event | None) -> None:
        for _ in range(2 * isinstance(event, Checked)):
            sweep.own.interrupt.note(2, None)

    sweep.own.on_event = hear
    run(sweep.own)
    assert [describe(event) for event in sweep.saved[4:]] == ["checked 1"]
    again = Sweep(tmp_path)
    run(again.own)
    assert again.states() == [TrialState.FINISHED] * 4


def test_a_resumed_sweep_does_what_is_left(tmp_path: Path) -> None:
    """Taken up from its folder, a sweep checks and probes nothing again, goes on from checkpoints, and ends as one that
    nobody stopped."""
    for name in ("stopped", "whole"):
        (tmp_path / name).mkdir()
    epochs = ("training.epochs=4",)
    first = Sweep(tmp_path / "stopped", epochs, slots=2)
    first.interrupt_at(9)
    run(first.own)
    first.ledger.close()
    second = Sweep(tmp_path / "stopped", epochs)
    run(second.own)
    jobs = [job for job in second.given if isinstance(job, TrainJob)]
    assert [(job.trial, job.attempt, len(job.epochs)) for job in jobs] == [(3, 2, 2), (4, 2, 1)]
    assert [type(job) for job in second.given[2:]] == [EvaluateJob]
    whole = Sweep(tmp_path / "whole", epochs)
    run(whole.own)
    assert results(second) == results(whole)


def results(sweep: Sweep) -> list[tuple[int, list[tuple[int, dict[str, float]]], int]]:
    """What a sweep has come to."""
    trials = sweep.ledger.history.trials
    return [(t.number, [(one.number, one.metrics) for one in t.epochs], t.best_epoch) for t in trials]


def test_a_complete_sweep_gives_nothing(tmp_path: Path) -> None:
    """Once all is done nothing is written; with more epochs asked for, training goes on from where it ended."""
    run(Sweep(tmp_path).own)
    again = Sweep(tmp_path)
    run(again.own)
    assert (again.saved, again.given) == ([], [])
    more = Sweep(tmp_path, ("training.epochs=3",))
    run(more.own)
    jobs = [job for job in more.given if isinstance(job, TrainJob)]
    assert [(job.trial, job.attempt, len(job.epochs), job.until) for job in jobs] == [
        (n, 2, 2, 3) for n in (1, 2, 3, 4)
    ]
    assert [event.trial for event in more.saved if isinstance(event, Finished)] == [1, 2, 3, 4]
