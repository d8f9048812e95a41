"""What a worker does with a job, in this process: events, files, failures; and what comes through its pipe."""

import errno
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.config.schema import Config
from src.data.likeness import facts_of
from src.execution.worker import Inbox, Stop, Worker, report_failure
from src.ledger.events import EpochEnded, Event, Failed, Finished, Paused, Stopped
from src.ledger.files import DamagedError, read_arrays
from src.ledger.jobs import CheckJob, EvaluateJob, Job, TrainJob
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, Evaluation
from src.training.export import read_facts
from src.training.loop import NanError
from tests.unit.examples import config, dataset, train_job, trial_config, use_one_thread, write_npz

use_one_thread()
DNN = ("architecture=dnn", "architecture.units=[4]", "training.batch_size=16")


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """A worker of 60 small images that saves states at a trial's end only."""
    data = dataset(write_npz(tmp_path / "images.npz"), "data.preprocessing=digits")
    return Worker(Pipe()[0], config("checkpoints.seconds=1000"), tmp_path, data)


def job_of(*overrides: str, until: int = 3, **how: Any) -> TrainJob:
    """A small trial from its start."""
    return TrainJob(4, 2, trial_config(*DNN, *overrides), 7, ACCURACY, until, until, None, (), **how)


def do(worker: Worker, job: Job, stop_after: int = 0) -> list[Event]:
    """All events of a job; asked to stop when so many have come."""
    stop, events = threading.Event(), []
    for event in worker.do(job, stop):
        events.append(event)
        if len(events) == stop_after:
            stop.set()
    return events


def checkpoints(events: list[Event]) -> list[bool]:
    """Which epochs left a state."""
    return [event.checkpoint is not None for event in events if isinstance(event, EpochEnded)]


# ---------------------------------------------------------------------------------------- training


def test_files_of_a_trial(worker: Worker, tmp_path: Path) -> None:
    """The end of a trial leaves its state, its best weights and each validation image's result, under names of trial,
    attempt and epoch."""
    *ended, last = do(worker, job_of())
    assert checkpoints(ended) == [False, False, True]
    assert isinstance(last, Finished) and last.validation and not last.reason
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["00004-2-3-best.npz", "00004-2-3-validation.npz", "00004-2-3.npz"]
    right = read_arrays(tmp_path, last.validation)["right"]
    best = max(e.epoch.metrics["val_accuracy"] for e in ended if isinstance(e, EpochEnded))
    assert len(right) == len(worker.data.validation) and right.mean() == pytest.approx(best)


def test_state_is_saved_as_time_passes(worker: Worker) -> None:
    """With no time between checkpoints every epoch leaves one."""
    worker.config = config("checkpoints.seconds=0")
    assert checkpoints(do(worker, job_of())) == [True] * 3


def test_stopped_at_an_epochs_end(worker: Worker) -> None:
    """Asked to stop, the next epoch to end is the last, and leaves a state; at its last epoch a trial ends as ever."""
    events = do(worker, job_of(until=9), stop_after=2)
    assert checkpoints(events) == [False, False, True] and events[-1] == Stopped(4)
    assert isinstance(do(worker, job_of(), stop_after=2)[-1], Finished)


def test_put_down_where_other_threads_take_over(worker: Worker) -> None:
    """After the last epoch of its number of threads a trial leaves a state, to go on from with the next; not at its end."""
    job = job_of("training.more_threads=[[3,2]]", until=4)
    assert (job.threads, job.ends) == (1, 2)
    events = do(worker, job)
    assert checkpoints(events) == [False, True] and events[-1] == Stopped(4)
    seen = tuple(event.epoch for event in events if isinstance(event, EpochEnded))
    rest = replace(job, epochs=seen, checkpoint=events[-2].checkpoint)  # type: ignore[union-attr]
    assert (rest.threads, rest.ends) == (2, 4)
    assert isinstance(do(worker, job_of("training.more_threads=[[4,2]]", until=3))[-1], Finished)


def test_paused(worker: Worker, tmp_path: Path) -> None:
    """At a rung there is a state to go on from, and no result yet."""
    events = do(worker, job_of(pauses=True))
    assert checkpoints(events) == [False, False, True] and events[-1] == Paused(4)
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1


@pytest.mark.parametrize("pauses", [False, True])
def test_stopped_early(worker: Worker, pauses: bool) -> None:
    """A trial that stops by itself is finished, with the reason, also where it would have paused."""
    overrides = ("training.early_stopping.patience=1", "training.early_stopping.min_delta=1")
    *ended, last = do(worker, job_of(*overrides, until=9, pauses=pauses))
    assert isinstance(last, Finished) and last.stopped_early and last.reason
    assert len(ended) < 9 and checkpoints(ended)[-1]


def test_a_refit_has_no_validation(worker: Worker) -> None:
    """Trained on validation images too, a trial has nothing to say about them."""
    *ended, last = do(worker, job_of(refit=True))
    assert isinstance(last, Finished) and last.validation is None
    assert isinstance(ended[-1], EpochEnded) and "val_loss" not in ended[-1].epoch.metrics


def test_goes_on_from_a_checkpoint(worker: Worker) -> None:
    """From a state, the next epochs come, with the metrics that they would have had."""
    whole, first = do(worker, job_of(until=4)), do(worker, job_of(until=2, pauses=True))
    seen = tuple(event.epoch for event in first if isinstance(event, EpochEnded))
    last = first[-2]
    assert isinstance(last, EpochEnded)
    rest = do(worker, replace(job_of(until=4), checkpoint=last.checkpoint, epochs=seen))
    ours = [(e.epoch.number, e.epoch.metrics) for e in first + rest if isinstance(e, EpochEnded)]
    assert ours == [(e.epoch.number, e.epoch.metrics) for e in whole if isinstance(e, EpochEnded)]


# ------------------------------------------------------------------------------- checks and evaluation


def test_why_a_point_cannot_be_built(worker: Worker) -> None:
    """The reason names the layer and its sizes."""
    (event,) = do(
        worker, CheckJob(3, trial_config("architecture=cnn", "architecture.blocks=3", "architecture.filters=4"))
    )
    assert "pooling on 1×1" in event.reason  # type: ignore[union-attr]


def test_evaluation_and_its_files(worker: Worker, tmp_path: Path) -> None:
    """The probabilities of all test images are stored, by which loss and accuracy were made, and the model, which says
    how image files are prepared for it, and what its images are like."""
    finished = do(worker, job_of())[-1]
    assert isinstance(finished, Finished)
    (event,) = do(worker, EvaluateJob(4, 3, trial_config(*DNN), finished.weights))
    assert isinstance(event, Evaluation) and event.predictions and event.model
    probabilities, test = read_arrays(tmp_path, event.predictions)["probabilities"], worker.data.test
    assert probabilities.shape == (len(test), 3) and np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert event.accuracy == pytest.approx((probabilities.argmax(axis=1) == test.y).mean())
    assert event.model.path == "models/00004-3.keras"
    facts = read_facts(tmp_path / event.model.path)
    assert facts == facts_of(worker.data) and facts["preprocessing"] == "digits"


# ------------------------------------------------------------------------------------------ failures


@pytest.mark.parametrize(
    ("error", "cause", "words"),
    [
        (NanError("the loss is NaN in epoch 1"), Cause.NAN, "the loss is NaN in epoch 1"),
        (DamagedError("its checksum differs"), Cause.DAMAGED, "its checksum differs"),
        (
            OSError(errno.ENOSPC, "No space left on device", "a.npz"),
            Cause.DISK,
            "a.npz cannot be written (No space left",
        ),
        (OSError(errno.EACCES, "Permission denied", "a.npz"), Cause.DISK, "a.npz cannot be used (Permission denied"),
        (OSError(errno.EIO, "Input/output error"), Cause.CRASH, "OSError: [Errno 5] Input/output error"),
        (ValueError("odd\nand more"), Cause.CRASH, "ValueError: odd"),
        (MemoryError(), Cause.CRASH, "MemoryError: MemoryError"),
    ],
)
def test_an_error_is_the_last_event(error: Exception, cause: Cause, words: str) -> None:
    """What a job had said stays; its error follows with its cause and a sentence, and a crash with its traceback."""
    job = train_job()

    def events() -> Iterator[Event]:
        yield Paused(1)
        raise error

    first, last = report_failure(job, events)
    assert first == Paused(1) and isinstance(last, Failed)
    assert (last.job, last.cause) == (job, cause) and last.message.startswith(words) and "\n" not in last.message
    assert bool(last.traceback) == (cause == Cause.CRASH)


def test_a_long_error_is_cut() -> None:
    """A message is at most 500 characters."""

    def events() -> Iterator[Event]:
        raise ValueError("x" * 1000)
        yield

    (event,) = report_failure(train_job(), events)
    assert isinstance(event, Failed) and len(event.message) == 500


# ---------------------------------------------------------------------------------------------- pipe


def test_jobs_wait_and_stop_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs are queued as they come; the wish to stop is noted at once, before them; the pipe's end ends the process."""
    ended = threading.Event()
    monkeypatch.setattr(os, "_exit", lambda code: ended.set() or sys.exit(code))  # type: ignore[func-returns-value]
    ours, theirs = Pipe()
    inbox, jobs = Inbox(theirs), [train_job(1), train_job(2)]
    for message in (*jobs, Stop()):
        ours.send(message)
    assert inbox.stop.wait(60)
    assert [inbox.next_job(), inbox.next_job()] == jobs
    ours.close()
    assert ended.wait(60)


def test_a_configuration_travels(worker: Worker) -> None:
    """What a worker is started with comes to it as it was."""
    ours, theirs = Pipe()
    ours.send(worker.config)
    received = theirs.recv()
    assert isinstance(received, Config) and received == worker.config
