"""What a person reads while a sweep runs: lines for trials and notices, and what goes to the log."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from src.ledger.events import Checked, EpochEnded, Failed, Finished, Paused, Reused, Started
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob
from src.ledger.notices import Ended, Extended, NothingLeft, Opened, Planned, Stopping, Trouble
from src.ledger.records import Cause, Epoch, Evaluation, Origin, TrialState
from src.reporting.display import start_log
from src.search.proposals import next_point
from tests.unit.examples import file, train_job, trial_config
from tests.unit.reporting.screens import ONE, Stage, second

# -------------------------------------------------------------------------------------------- lines

PIXELS = (
    "500 training images 1×1×1 uint8, pixels from 0 to 255, times 0.00392157 inside the model; "
    "image files are prepared as 'resize'"
)


def test_a_finished_trial() -> None:
    """How many are done of all, which point, its best result and when, how long it took, how long the rest will take."""
    stage = Stage()
    stage.train(1, 0.2, 0.6, 0.4)
    stage.train(2, 0.7, 0.6, 0.65)
    assert stage.lines() == [
        "    1/2  trial 1: activation=relu: val_accuracy 0.6000 at epoch 2, 3.0 s; 4 s left",
        "    2/2  trial 2: activation=tanh: val_accuracy 0.7000 at epoch 1, 3.0 s; 1 s left",
    ]


def test_a_trial_that_was_stopped_early() -> None:
    """The reason stands at its end; by loss, the loss is shown."""
    stage = Stage(("search.objective=val_loss",))
    stage.train(1, 0.6, 0.4, end=Finished(1, file("b"), True, "no better for 1 epoch"))
    assert stage.lines() == [
        "    1/2  trial 1: activation=relu: val_loss 0.4000 at epoch 1, 2.0 s; no better for 1 epoch; 4 s left"
    ]


def test_trials_of_other_roles() -> None:
    """A trial on fresh seeds says so; one on all images has no result of its own. Those to come are counted in the time."""
    stage = Stage(("search.confirm=1", "search.confirm_repeats=1", "search.refit=true"), space=ONE)
    stage.train(1, 0.5, 0.6, 0.7)
    stage.train(2, 0.7, 0.6, 0.5)
    stage.history.apply(Started(3, 1), 0)
    stage.hear(EpochEnded(3, Epoch(1, {"loss": 1.0, "accuracy": 0.5}, 1.0, 0.0), file("a")), Finished(3, file("b")))
    assert stage.lines() == [
        "epoch 1/3 accuracy 0.5000 loss 1.0000 val_accuracy 0.5000 val_loss 0.5000; 9 s left",
        "epoch 2/3 accuracy 0.5000 loss 1.0000 val_accuracy 0.6000 val_loss 0.4000; 8 s left",
        "epoch 3/3 accuracy 0.5000 loss 1.0000 val_accuracy 0.7000 val_loss 0.3000; 7 s left",
        "    1/1  trial 1: activation=relu: val_accuracy 0.7000 at epoch 3, 3.0 s; 7 s left",
        "    2/2  trial 2 (confirm): activation=relu: val_accuracy 0.7000 at epoch 1, 3.0 s; 4 s left",
        "    3/3  trial 3 (refit): activation=relu: trained on all images for 1 epoch, 1.0 s; 1 s left",
    ]


def test_a_single_trial_tells_its_epochs(log: pytest.LogCaptureFixture) -> None:
    """Where there is one trial in all, each epoch is a line; of several they only go to the log."""
    alone, two = Stage(space=ONE), Stage()
    for stage in (alone, two):
        stage.train(1, 0.5, 0.6, 0.7)
    assert alone.lines() == [
        "epoch 1/3 accuracy 0.5000 loss 1.0000 val_accuracy 0.5000 val_loss 0.5000; 3 s left",
        "epoch 2/3 accuracy 0.5000 loss 1.0000 val_accuracy 0.6000 val_loss 0.4000; 2 s left",
        "epoch 3/3 accuracy 0.5000 loss 1.0000 val_accuracy 0.7000 val_loss 0.3000; 1 s left",
        "    1/1  trial 1: activation=relu: val_accuracy 0.7000 at epoch 3, 3.0 s; 1 s left",
    ]
    assert len(two.lines()) == 1
    assert "trial 1 epoch 2 accuracy 0.5000 loss 1.0000 val_accuracy 0.6000 val_loss 0.4000" in log.messages


def test_a_paused_trial() -> None:
    """At a rung: the result so far, of how many epochs."""
    stage = Stage(("search.pruner=top_k", "search.keep=1", "search.rung=2"))
    stage.train(1, 0.6, 0.4, end=Paused(1))
    assert stage.lines() == [
        "         trial 1: activation=relu: val_accuracy 0.6000 at epoch 1 of 2, at a rung; 4 s left"
    ]


def test_what_is_taken_from_another_sweep() -> None:
    """A whole result, a rung, or epochs to go on from: each says from where."""
    epochs = (second(1, 0.4), second(2, 0.6), second(3, 0.5))
    taken = Reused(1, 1, Origin("other", 7), epochs, TrialState.FINISHED, weights=file("b"))
    finished, paused, begun = Stage(), Stage(("search.pruner=top_k", "search.keep=1")), Stage()
    finished.hear(replace(taken, stopped_early=True, reason="no better"))
    paused.hear(replace(taken, epochs=epochs[:1], state=TrialState.PAUSED))
    begun.hear(replace(taken, epochs=epochs[:1], state=TrialState.INTERRUPTED))
    begun.hear(replace(taken, trial=2, epochs=epochs[:2], state=TrialState.INTERRUPTED))
    assert finished.lines() == [
        "    1/2  trial 1: activation=relu: val_accuracy 0.6000 at epoch 2, taken from other trial 7; no better; 4 s left"
    ]
    assert paused.lines() == [
        "         trial 1: activation=relu: val_accuracy 0.4000 at epoch 1 of 1, at a rung, taken from other trial 7; 4 s "
        "left"
    ]
    assert begun.lines() == ["trial 1: 1 epoch taken from other trial 7", "trial 2: 2 epochs taken from other trial 7"]


@pytest.mark.parametrize(
    ("job", "line"),
    [
        (train_job(2), "trial 2 failed and is tried again: an error"),
        (CheckJob(1, trial_config()), "point 1 (check) failed: an error"),
        (ProbeJob(2, 5, trial_config()), "point 2 (probe) failed and is tried again: an error"),
        (EvaluateJob(1, 1, trial_config(), file("b")), "trial 1 (evaluate) failed and is tried again: an error"),
    ],
)
def test_a_failure(job: Job, line: str, log: pytest.LogCaptureFixture) -> None:
    """Which job, and why; in the log it is a warning."""
    stage = Stage()
    stage.hear(Failed(job, Cause.CRASH, "an error"))
    assert stage.lines() == [line] and log.record_tuples == [("sweep", logging.WARNING, line)]


def test_a_failure_for_good() -> None:
    """After the last retry, and where the loss is no number, nothing is said of another."""
    stage = Stage(("search.retries=1",))
    for _ in range(2):
        stage.hear(Failed(train_job(2), Cause.CRASH, "an error"))
    stage.hear(Failed(train_job(1), Cause.NAN, "the loss is NaN"))
    again, *lines = stage.lines()
    assert again == "trial 2 failed and is tried again: an error"
    assert lines == ["trial 2 failed: an error", "trial 1 failed: the loss is NaN"]


def test_what_only_goes_to_the_log(log: pytest.LogCaptureFixture) -> None:
    """Points that cannot be built, and the evaluation on test data; a point that can be built is not worth a line."""
    stage = Stage(is_checked=False)
    stage.hear(Checked(1, "too small"), Checked(2, ""), None)
    stage.hear(Evaluation(1, 2, 0.25, 0.75, 0.0))
    assert stage.lines() == []
    assert log.messages == ["point 1 cannot be built: too small", "test: trial 1 accuracy 0.7500 loss 0.2500"]


def test_points_to_be_proposed_are_counted() -> None:
    """Trials of points that are still to be proposed are among all, and so are those of points under a check."""
    stage = Stage(proposed=1)
    stage.train(1, 0.5, 0.5, 0.5)
    point = next_point(stage.schedule)
    assert point
    stage.history.apply(point, 0)
    stage.train(1, 0.5)
    assert [line[:18] for line in stage.lines()] == ["    1/2  trial 1: "] * 2


# ------------------------------------------------------------------------------------------- notices


def test_which_sweep_this_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name and folder, whether it is new, and which ones may be meant instead, with the keys that differ."""
    monkeypatch.chdir(tmp_path)
    stage, path = Stage(), tmp_path / "sweeps" / "a"
    similar: tuple[tuple[str, dict[str, tuple[Any, Any]]], ...] = (
        ("b", {"training.batch_size": (32, 64), "search.seed": (0, 1)}),
        ("c", {}),
        ("d", {"training.epochs": (5, 10)}),
    )
    stage.hear(Opened(path, True, similar), Opened(path, False, settled="training.threads=2"))
    assert stage.lines() == [
        "sweep a in sweeps/a (new)",
        PIXELS,
        "the sweep b differs only in training.batch_size (32 there), search.seed (0 there)",
        "the sweep c is the same configuration",
        "the sweep d differs only in training.epochs (5 there): the schedule of the learning rate depends on it, so this "
        "one starts anew",
        "sweep a in sweeps/a (going on)",
        PIXELS,
        "auto stands for training.threads=2, as long as this sweep lives",
    ]


def test_notices_in_words() -> None:
    """Fewer epochs than there are, nothing left, the wish to stop, and trouble, which is said once."""
    stage = Stage()
    stage.hear(Extended(9, 3), NothingLeft(True), NothingLeft(False), Stopping(), Stopping())
    stage.hear(Trouble("MLflow: it does not answer"), Trouble("MLflow: it does not answer"), Trouble("another"))
    assert stage.lines() == [
        "note: its trials have had up to 9 epochs already; training.epochs=3 asks for fewer",
        "Nothing is left to do within this budget.",
        "This sweep is complete.",
        "stopping at the end of the running epochs; once more to stop at once",
        "MLflow: it does not answer",
        "another",
    ]


@pytest.mark.usefixtures("clock")
def test_plan_and_end(tmp_path: Path) -> None:
    """Before training the overview with the slots there are, and the time in all; after it the result, and what to do next."""
    stage = Stage(("tracking=none",))
    stage.hear(Opened(tmp_path / "a", True), Planned(2))
    assert stage.lines()[2] == "2 points: 2 to train, 0 infeasible, 0 duplicate"
    assert stage.lines()[3].startswith("2 trials up to epoch 3, 2 workers: about 4 s in all; disk:")
    stage.hear(Ended(True))
    assert stage.lines()[-2] == "No trial has finished."
    assert stage.lines()[-1].startswith("Stopped: 0 of 2 trials finished, 0 under way. To go on: ")
    stage.hear(Ended(False))
    assert stage.lines()[-2].startswith("all trials:   ") and stage.lines()[-2].endswith(f" a --sweeps {tmp_path}")
    assert stage.lines()[-1].startswith("files:        ")


@pytest.mark.usefixtures("log")
def test_the_log(tmp_path: Path) -> None:
    """Everything said goes to the sweep's log, with its time and level, and a disk that is full says nothing of it."""
    start_log(tmp_path / "sweep.log")
    stage = Stage()
    stage.hear(Failed(train_job(2), Cause.CRASH, "an error"))
    stage.train(1, 0.2, 0.1, 0.1)
    warning, *_, last = (tmp_path / "sweep.log").read_text().splitlines()
    assert warning.endswith(" WARNING trial 2 failed and is tried again: an error")
    assert last.endswith(" INFO     1/2  trial 1: activation=relu: val_accuracy 0.2000 at epoch 1, 3.0 s; 4 s left")
    assert not logging.raiseExceptions
