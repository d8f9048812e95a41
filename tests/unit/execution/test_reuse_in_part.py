"""What is taken of a trial that another sweep has trained for more epochs or for fewer, or that pauses at a rung."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from src.execution.reuse import Source, find_ways
from src.ledger.jobs import TrainJob
from src.ledger.records import Origin, Role, Trial, TrialState
from tests.unit.examples import epoch, file, train_job
from tests.unit.execution.stored import COSINE, RUNG, Own, spoil, store, train


def test_fewer_epochs_are_gone_on_from(tmp_path: Path) -> None:
    """Epochs and checkpoint of a shorter training are taken, the longest there is, and training goes on from there."""
    store(tmp_path, "a", epochs=1)
    longer = store(tmp_path, "b", epochs=3)
    own = Own(tmp_path, ("training.epochs=5",))
    ours = own.take()
    assert (ours.state, ours.origin, len(ours.epochs), ours.weights) == (
        TrialState.INTERRUPTED,
        Origin("b", 2),
        3,
        None,
    )
    job = own.next_job()
    assert isinstance(job, TrainJob) and job.checkpoint and longer.checkpoint
    assert (len(job.epochs), job.until, job.attempt) == (3, 5, 2)
    assert job.checkpoint.sha256 == longer.checkpoint.sha256
    assert own.find() is None, "there is no more of it"


def test_the_whole_is_better_than_a_part(tmp_path: Path) -> None:
    """Where one sweep has all epochs and others have fewer, all are taken."""
    for epochs in (1, 5, 3):
        store(tmp_path, f"of {epochs}", epochs=epochs)
    assert Own(tmp_path, ("training.epochs=5",)).take().origin == Origin("of 5", 2)


def test_a_longer_training_has_not_the_best_of_a_shorter(tmp_path: Path) -> None:
    """More epochs than asked for are no use: their best may be a later one."""
    store(tmp_path, "other", epochs=3)
    assert Own(tmp_path).find() is None


@pytest.mark.parametrize(("epochs", "state"), [(1, TrialState.FINISHED), (2, TrialState.FINISHED), (3, None)])
def test_stopped_early(tmp_path: Path, epochs: int, state: TrialState | None) -> None:
    """What was stopped early has come to its end, unless that was after more epochs than are asked for."""
    store(tmp_path, "other", epochs=epochs, reason="early stopping")
    found = Own(tmp_path).find()
    assert (found.state if found else None) == state
    assert found is None or (found.reason, len(found.epochs)) == ("early stopping", epochs)


@pytest.mark.parametrize(("epochs", "taken"), [(2, False), (3, False), (4, True)])
def test_a_cosine_depends_on_the_last_epoch(tmp_path: Path, epochs: int, taken: bool) -> None:
    """Where learning rates depend on the number of epochs, only a training for as many is equal."""
    store(tmp_path, "other", COSINE, f"training.epochs={epochs}", epochs=epochs)
    assert bool(Own(tmp_path, (COSINE, "training.epochs=4")).find()) == taken


def test_an_older_version_had_not_measured(tmp_path: Path) -> None:
    """Where each validation image's result is missing, the last checkpoint is taken, from which a worker measures."""
    store(tmp_path, "other", measured=False)
    own = Own(tmp_path)
    assert own.take().state == TrialState.INTERRUPTED
    job = own.next_job()
    assert isinstance(job, TrainJob) and len(job.epochs) == job.until == 2


# --------------------------------------------------------------------------------------------- rungs


def test_a_rung_takes_the_first_epochs(tmp_path: Path) -> None:
    """At a pruner's rung the first epochs of a longer training are taken, without files; once promoted, all of it."""
    store(tmp_path, "other")
    own = Own(tmp_path, RUNG)
    ours = own.take()
    assert (ours.state, len(ours.epochs), ours.checkpoint, own.files()) == (TrialState.PAUSED, 1, None, [])
    first = ours.epochs[0]
    ours = own.take()
    assert (ours.state, len(ours.epochs), len(own.files())) == (TrialState.FINISHED, 2, 3)
    assert ours.epochs[0] == first, "MLflow gets an epoch that it has with the same time"


def test_a_rung_that_another_has_ended_at(tmp_path: Path) -> None:
    """A training that ended where ours is to pause gives its checkpoint, but no result."""
    store(tmp_path, "longer", dropped=True)
    store(tmp_path, "short", epochs=1)
    ours = Own(tmp_path, RUNG).take()
    assert (ours.state, ours.checkpoint_epoch, ours.weights, ours.origin) == (
        TrialState.PAUSED,
        1,
        None,
        Origin("short", 2),
    )


def test_a_rung_after_the_end(tmp_path: Path) -> None:
    """A trial that was stopped early before a rung, or at it, is finished there."""
    store(tmp_path, "other", epochs=1, reason="early stopping")
    assert Own(tmp_path, RUNG).take().state == TrialState.FINISHED


def test_a_source_that_is_gone_when_promoted(tmp_path: Path) -> None:
    """Epochs without a checkpoint, and no source any more: it is trained from the start, as after a lost checkpoint."""
    store(tmp_path, "other")
    own = Own(tmp_path, RUNG)
    own.take()
    (tmp_path / "other" / "config.yaml").unlink()
    assert own.find() is None
    job = own.next_job()
    assert isinstance(job, TrainJob) and (job.checkpoint, job.epochs, job.until) == (None, (), 2)
    train(own.ledger, 1, 2)
    ours = own.ledger.history.trial(1)
    assert (ours.state, [one.number for one in ours.epochs]) == (TrialState.FINISHED, [1, 2])


def test_dropped_files(tmp_path: Path) -> None:
    """A trial whose checkpoint and weights were given up serves a rung, and nothing else."""
    for root in (tmp_path / "a", tmp_path / "b"):
        store(root, "other", dropped=True)
    assert Own(tmp_path / "a").find() is None
    found = Own(tmp_path / "b", RUNG).find()
    assert found and (found.state, found.checkpoint) == (TrialState.PAUSED, None)


def test_weights_that_are_damaged_at_a_rung(tmp_path: Path) -> None:
    """A trial that was stopped early at a rung, and whose weights are damaged, is gone on with from its checkpoint, from
    which it stops again; it is not stopped yet."""
    theirs = store(tmp_path, "other", epochs=1, reason="early stopping")
    spoil(tmp_path, "other", theirs.weights)
    ours = Own(tmp_path, RUNG).take()
    assert (ours.state, ours.checkpoint_epoch, ours.stopped_early, ours.reason) == (
        TrialState.INTERRUPTED,
        1,
        False,
        "",
    )


WHOLE = (TrialState.FINISHED, 3, 3)  # state, epochs, number of files
GO_ON = (TrialState.INTERRUPTED, 3, 1)


@pytest.mark.parametrize(
    ("changed", "until", "pauses", "ways"),
    [
        ({}, 3, False, [WHOLE, GO_ON]),
        ({}, 4, False, [GO_ON]),
        ({}, 2, False, []),
        ({}, 3, True, [(TrialState.PAUSED, 3, 1), (TrialState.PAUSED, 3, 0), GO_ON]),
        ({}, 2, True, [(TrialState.PAUSED, 2, 0)]),
        ({}, 4, True, [GO_ON]),
        ({"stopped_early": True}, 3, False, [WHOLE, GO_ON]),
        ({"stopped_early": True}, 4, False, [WHOLE, GO_ON]),
        ({"stopped_early": True}, 3, True, [WHOLE, GO_ON]),
        ({"stopped_early": True}, 4, True, [WHOLE, GO_ON]),
        ({"stopped_early": True}, 2, True, [(TrialState.PAUSED, 2, 0)]),
        ({"weights": None}, 3, False, [GO_ON]),
        ({"validation": None}, 3, False, [GO_ON]),
        ({"checkpoint": None}, 3, False, []),
        ({"checkpoint": None}, 3, True, [(TrialState.PAUSED, 3, 0)]),
        ({"checkpoint": None, "stopped_early": True}, 3, True, []),
        ({"checkpoint_epoch": 2}, 3, False, []),
    ],
)
def test_how_a_trial_of_three_epochs_may_serve(
    changed: dict[str, Any], until: int, pauses: bool, ways: list[tuple[TrialState, int, int]]
) -> None:
    """As a result where it is at its end, at a rung with or without its checkpoint, to go on from; the best way first."""
    epochs, files = [epoch(1), epoch(2), epoch(3)], {"weights": file("b"), "validation": file("v")}
    trial = Trial(1, 1, Role.SEARCH, 0, 1, TrialState.FINISHED, epochs=epochs, checkpoint=file("a"), checkpoint_epoch=3)
    source = Source(Path("other"), replace(trial, **{**files, **changed}))
    job = replace(train_job(1, until=until), pauses=pauses)
    found = sorted(find_ways(job, source), key=lambda way: way.rank)
    assert [(way.state, way.epochs, len(way.files)) for way in found] == ways


def test_a_refit_may_serve_without_validation() -> None:
    """It has no validation images; and what it has itself had is no use to it."""
    trial = Trial(1, 1, Role.REFIT, 0, 1, TrialState.FINISHED, epochs=[epoch(1)], checkpoint_epoch=1)
    source = Source(Path("other"), replace(trial, checkpoint=file("a"), weights=file("b")))
    job = replace(train_job(1, until=1), refit=True)
    assert [way.state for way in find_ways(job, source)] == [TrialState.FINISHED, TrialState.INTERRUPTED]
    again = replace(job, epochs=(epoch(1),), refit=False)
    assert list(find_ways(again, source)) == []
