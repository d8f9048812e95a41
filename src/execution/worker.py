"""What a worker process does: import TensorFlow once, then one job after another."""

import gc
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from src.base.errors import UNUSABLE, UserError, explain_disk, first_line
from src.base.processes import count_gpus, die_with_parent, ignore_signals, redirect_output
from src.config.schema import Config
from src.ledger.events import Checked, EpochEnded, Event, Failed, Finished, Paused, Stopped
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob, TrainJob
from src.ledger.records import Cause, Evaluation, File, Probe

PROBE_IMAGES = 512


@dataclass(frozen=True)
class Ready:
    """To the coordinator: this worker takes jobs."""


@dataclass(frozen=True)
class Stop:
    """From the coordinator: put the job down at the end of its epoch."""


@dataclass(frozen=True)
class Shared:
    """What all workers of a sweep have in common: its configuration, folder and log, and the digest of its data."""

    config: Config
    folder: Path
    log: Path
    digest: str


def main(pipe: Connection, shared: Shared, number: int, threads: int) -> None:
    """A worker's life: import, load the data, then work until the pipe closes. Its threads are those of its jobs."""
    ignore_signals()
    redirect_output(shared.log)
    die_with_parent()
    set_up_tensorflow(threads, number)
    from src.data.load import load_same

    try:
        data = load_same(shared.config.data, shared.digest)
    except UserError as error:
        pipe.send(error)
        return
    worker = Worker(pipe, shared.config, shared.folder, data)
    inbox = Inbox(pipe)
    gc.freeze()  # what was imported stays: Keras collects garbage before each trial, and need not look through it
    pipe.send(Ready())
    while True:
        job = inbox.next_job()
        for event in report_failure(job, lambda job=job: worker.do(job, inbox.stop)):  # type: ignore[misc]
            pipe.send(event)


class Inbox:
    """Reads the pipe on a thread of its own: work is queued, `Stop` is noted, the pipe's end ends the process."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.stop = threading.Event()
        self.queue: list[Job] = []
        self.arrived = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        """Until the coordinator is gone."""
        while True:
            try:
                message = self.pipe.recv()
            except (EOFError, OSError):
                os._exit(0)
            if isinstance(message, Stop):
                self.stop.set()
                continue
            with self.arrived:
                self.queue.append(message)
                self.arrived.notify()

    def next_job(self) -> Job:
        """Wait for work."""
        with self.arrived:
            self.arrived.wait_for(lambda: bool(self.queue))
            return self.queue.pop(0)


def report_failure(job: Job, events: Callable[[], Iterator[Event]]) -> Iterator[Event]:
    """The events of some work; an error on the way becomes the last of them."""
    from src.ledger.files import DamagedError
    from src.training.loop import NanError

    try:
        yield from events()
    except NanError as error:
        yield Failed(job, Cause.NAN, str(error))
    except DamagedError as error:
        yield Failed(job, Cause.DAMAGED, str(error))
    except Exception as error:
        if isinstance(error, OSError) and error.errno in UNUSABLE:
            yield Failed(job, Cause.DISK, explain_disk(error))
            return
        yield Failed(job, Cause.CRASH, f"{type(error).__name__}: {first_line(error)}"[:500], traceback.format_exc())


@dataclass
class Worker:
    """Does one job after another, with data and TensorFlow at hand."""

    pipe: Connection
    config: Config
    folder: Path
    data: Any  # data.Dataset
    engine: Any = None  # engine.Engine of the last trial

    def do(self, job: Job, stop: threading.Event) -> Iterator[Event]:
        """The events of one job."""
        import keras

        from src.training.engine import kind_of

        if not (isinstance(job, TrainJob) and self.engine and self.engine.kind == kind_of(job)):
            self.engine = None
            keras.backend.clear_session()
        match job:
            case CheckJob():
                yield self.check(job)
            case ProbeJob():
                yield self.probe(job)
            case TrainJob():
                yield from self.train(job, stop)
            case EvaluateJob():
                yield self.evaluate(job)

    def check(self, job: CheckJob) -> Checked:
        """Build the point's model."""
        from src.training.engine import input_spec
        from src.training.network import InfeasibleError, build, count_bytes, count_operations

        try:
            model = build(job.configuration, input_spec(self.data), 1, 1, 1)
        except InfeasibleError as error:
            return Checked(job.point, str(error))
        return Checked(job.point, "", model.count_params(), count_operations(model), count_bytes(model))

    def probe(self, job: ProbeJob) -> Probe:
        """Time a few steps of the point's training."""
        from src.training.loop import time_steps

        prepare, per_image = time_steps(job.configuration, self.data, min(PROBE_IMAGES, len(self.data.train)))
        return Probe(job.point, job.operations, prepare, per_image)

    def train(self, job: TrainJob, stop: threading.Event) -> Iterator[Event]:
        """Train a trial; save its state after some time, when asked to stop, and at its end."""
        from src.ledger.files import read_arrays, write_arrays
        from src.training.engine import Engine
        from src.training.loop import train

        state = read_arrays(self.folder, job.checkpoint) if job.checkpoint else None
        saved = time.monotonic()
        name = f"checkpoints/{job.trial:05d}-{job.attempt}"
        self.engine = self.engine or Engine.of(job, self.data)
        for progress in train(job, self.data, state, self.engine):
            number = progress.epoch.number
            last, is_asked = bool(progress.stop) or number >= job.until, stop.is_set() or number >= job.ends
            checkpoint: File | None = None
            if last or is_asked or time.monotonic() - saved >= self.config.checkpoints.seconds:
                checkpoint = write_arrays(self.folder, f"{name}-{number}.npz", progress.state())
                saved = time.monotonic()
            yield EpochEnded(job.trial, progress.epoch, checkpoint)
            if last and job.pauses and not progress.stop:
                yield Paused(job.trial)
            elif last:
                weights = write_arrays(self.folder, f"{name}-{number}-best.npz", progress.best.weights)
                validation = None
                if not job.refit:
                    validation = write_arrays(self.folder, f"{name}-{number}-validation.npz", progress.best.images)
                yield Finished(job.trial, weights, bool(progress.stop), progress.stop, validation)
            elif is_asked:
                yield Stopped(job.trial)
                return

    def evaluate(self, job: EvaluateJob) -> Evaluation:
        """The best epoch on the test data: loss, accuracy, every prediction; and its model, to be used."""
        from src.data.likeness import facts_of
        from src.ledger.files import read_arrays, write_arrays, write_file
        from src.training.engine import input_spec
        from src.training.export import for_inference, probabilities_of, save_model
        from src.training.losses import make_loss
        from src.training.metrics import measure
        from src.training.network import restore
        from src.training.passes import compile_evaluation

        model = restore(job.configuration, input_spec(self.data), read_arrays(self.folder, job.weights))
        scores, results = compile_evaluation(model, make_loss(job.configuration))(self.data.test)
        metrics = measure(self.data.test.y, results, ("accuracy",))
        name = f"models/{job.trial:05d}-{job.epoch}"
        arrays = {"probabilities": probabilities_of(model, scores)}
        predictions = write_arrays(self.folder, f"{name}-test.npz", arrays)
        exported, facts = for_inference(model), facts_of(self.data)
        saved = write_file(self.folder, f"{name}.keras", lambda path: save_model(exported, path, facts))
        return Evaluation(job.trial, job.epoch, metrics["loss"], metrics["accuracy"], time.time(), predictions, saved)


def set_up_tensorflow(threads: int, number: int) -> None:
    """Threads, GPU and determinism, before anything is computed."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if count_gpus():
        os.environ["CUDA_VISIBLE_DEVICES"] = str((number - 1) % count_gpus())
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if gpus or threads > 1:
        tf.config.experimental.enable_op_determinism()  # one thread is deterministic by itself
