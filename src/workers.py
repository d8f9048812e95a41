"""Processes that train: each imports TensorFlow once and takes work over a pipe.

A worker ends itself when its pipe closes, so none outlives the coordinator.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from src.config import UserError
from src.messages import (
    Checked,
    CheckWork,
    EpochEnded,
    EvaluateWork,
    Event,
    Failed,
    Finished,
    ProbeWork,
    Stopped,
    TrainWork,
    Work,
)
from src.schema import Config
from src.values import Evaluation, File, Probe

SPAWN = multiprocessing.get_context("spawn")
PROBE_IMAGES = 512
READY, STOP = "ready", "stop"
DEATHS_AT_START = 3  # of workers that never got ready, before the sweep gives up

# ----------------------------------------------------------------------------- in the coordinator


@dataclass
class Worker:
    """A process, its pipe, and what it is doing."""

    number: int
    process: BaseProcess
    pipe: Connection
    ready: bool = False
    work: Work | None = None


class Pool:
    """The worker processes of a sweep."""

    def __init__(self, config: Config, folder: Path, log: Path) -> None:
        self.config, self.folder, self.log = config, folder, log
        self.stopping = False
        self.deaths_at_start = 0
        self.workers = [self.start(number) for number in range(1, count_workers(config) + 1)]

    def start(self, number: int) -> Worker:
        """A new process, on its way to being ready."""
        process, pipe = start_process(main, f"worker-{number}", self.config, self.folder, self.log, number)
        return Worker(number, process, pipe)

    def busy(self) -> list[Work]:
        """The work under way."""
        return [worker.work for worker in self.workers if worker.work]

    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self.busy()

    def give(self, worker: Worker, work: Work) -> None:
        """Hand work to a worker that is ready and free."""
        worker.work = work
        with suppress(OSError):  # it has died: `next_event` will say so
            worker.pipe.send(work)

    def free(self) -> list[Worker]:
        """Workers that are ready and have nothing to do."""
        return [worker for worker in self.workers if worker.ready and not worker.work]

    def next_event(self, seconds: float) -> Event | None:
        """Wait for a worker to say something; None if none did for that long, or only that it is ready."""
        pipes = {worker.pipe: worker for worker in self.workers}
        for pipe in wait(list(pipes), seconds):
            worker = pipes[pipe]  # type: ignore[index]
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                return self.bury(worker)
            if message == READY:
                worker.ready, self.deaths_at_start = True, 0
                return None
            if not isinstance(message, EpochEnded):
                worker.work = None
            return message  # type: ignore[no-any-return]
        return None

    def bury(self, worker: Worker) -> Event | None:
        """Replace a worker that died; its work, if it had any, has failed."""
        worker.process.join(5)
        if not worker.ready:
            self.deaths_at_start += 1
        if self.deaths_at_start >= DEATHS_AT_START:
            raise UserError(f"workers end as soon as they start; {self.log} says why.")
        position = self.workers.index(worker)
        if self.stopping:
            del self.workers[position]
        else:
            self.workers[position] = self.start(worker.number)
        return Failed(worker.work, "crash", describe_death(worker.process.exitcode)) if worker.work else None

    def stop(self) -> None:
        """Ask every worker to put its work down at its epoch's end."""
        self.stopping = True
        for worker in self.workers:
            if worker.work:
                with suppress(OSError):  # it has died
                    worker.pipe.send(STOP)

    def close(self) -> None:
        """End all processes now."""
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
        self.workers = []


def start_process(target: Callable[..., None], name: str, *arguments: Any) -> tuple[BaseProcess, Connection]:
    """A process that runs `target(pipe, *arguments)`, and our end of its pipe.

    It is born deaf to Ctrl-C, which a terminal sends to everyone: the coordinator decides.
    """
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=target, args=(theirs, *arguments), name=name, daemon=True)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()
    return process, ours


def count_workers(config: Config) -> int:
    """As configured, or as many as cores and memory allow; one a GPU where there are any."""
    if config.workers.count != "auto":
        return config.workers.count
    if gpus := count_gpus():
        return gpus
    cores = (
        len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    ) // config.training.threads
    memory = int(psutil.virtual_memory().available / 1e9 / config.workers.memory)
    return max(1, min(cores, memory))


def count_gpus() -> int:
    """NVIDIA GPUs of this machine, found without TensorFlow."""
    gpus = Path("/proc/driver/nvidia/gpus")
    return len(list(gpus.iterdir())) if gpus.is_dir() else 0


def describe_death(code: int | None) -> str:
    """What an exit code says."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}{hint}"
    return f"the worker process ended with code {code}"


# ---------------------------------------------------------------------------------- in the worker


def main(pipe: Connection, config: Config, folder: Path, log: Path, number: int) -> None:
    """A worker's life: import, load the data, then work until the pipe closes."""
    redirect_output(log)
    die_with_parent()
    set_up_tensorflow(config, number)
    from src.data import load

    worker = Desk(pipe, config, folder, load(config.data))
    inbox = Inbox(pipe)
    pipe.send(READY)
    while True:
        work = inbox.next_work()
        for event in report_failure(work, lambda work=work: worker.do(work, inbox.stop)):  # type: ignore[misc]
            pipe.send(event)


class Inbox:
    """Reads the pipe on a thread of its own: work is queued, `STOP` is noted, the pipe's end ends the process."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.stop = threading.Event()
        self.queue: list[Work] = []
        self.arrived = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        """Until the coordinator is gone."""
        while True:
            try:
                message = self.pipe.recv()
            except (EOFError, OSError):
                os._exit(0)
            if message == STOP:
                self.stop.set()
                continue
            with self.arrived:
                self.queue.append(message)
                self.arrived.notify()

    def next_work(self) -> Work:
        """Wait for work."""
        with self.arrived:
            self.arrived.wait_for(lambda: bool(self.queue))
            return self.queue.pop(0)


def report_failure(work: Work, events: Callable[[], Iterator[Event]]) -> Iterator[Event]:
    """The events of some work; an error on the way becomes the last of them."""
    from src.ledger import DamagedError
    from src.training import NanError

    try:
        yield from events()
    except NanError as error:
        yield Failed(work, "nan", str(error))
    except DamagedError as error:
        yield Failed(work, "damaged", str(error))
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        yield Failed(work, "crash", f"{type(error).__name__}: {lines[0]}"[:500], traceback.format_exc())


@dataclass
class Desk:
    """Does one piece of work after another, with data and TensorFlow at hand."""

    pipe: Connection
    config: Config
    folder: Path
    data: Any  # data.Dataset

    def do(self, work: Work, stop: threading.Event) -> Iterator[Event]:
        """The events of one piece of work."""
        import keras

        keras.backend.clear_session()
        match work:
            case CheckWork():
                yield self.check(work)
            case ProbeWork():
                yield self.probe(work)
            case TrainWork():
                yield from self.train(work, stop)
            case EvaluateWork():
                yield self.evaluate(work)

    def check(self, work: CheckWork) -> Checked:
        """Build the point's model."""
        from src.model import InfeasibleError, build, count_bytes, count_operations
        from src.training import images_of

        try:
            model = build(work.configuration, images_of(self.data), 1, 1)
        except InfeasibleError as error:
            return Checked(work.point, str(error))
        return Checked(work.point, "", model.count_params(), count_operations(model), count_bytes(model))

    def probe(self, work: ProbeWork) -> Probe:
        """Time a few steps of the point's training."""
        from src.training import time_steps

        prepare, per_image = time_steps(work.configuration, self.data, min(PROBE_IMAGES, len(self.data.train)))
        return Probe(work.point, work.operations, prepare, per_image)

    def train(self, work: TrainWork, stop: threading.Event) -> Iterator[Event]:
        """Train a trial; save its state after some time, when asked to stop, and at its end."""
        from src.ledger import read_arrays, write_arrays
        from src.training import train

        state = read_arrays(self.folder, work.checkpoint) if work.checkpoint else None
        saved = time.monotonic()
        name = f"checkpoints/{work.trial:05d}-{work.attempt}"
        for progress in train(work, self.data, state):
            number = progress.epoch.number
            last = bool(progress.stop) or number == work.until
            checkpoint: File | None = None
            if last or stop.is_set() or time.monotonic() - saved >= self.config.checkpoints.seconds:
                checkpoint = write_arrays(self.folder, f"{name}-{number}.npz", progress.state())
                saved = time.monotonic()
            yield EpochEnded(work.trial, progress.epoch, checkpoint)
            if last:
                weights = write_arrays(self.folder, f"{name}-{number}-best.npz", progress.best_weights())
                yield Finished(work.trial, weights, progress.stop)
            elif stop.is_set():
                yield Stopped(work.trial)
                return

    def evaluate(self, work: EvaluateWork) -> Evaluation:
        """The best epoch's loss and accuracy on the test data."""
        from src.ledger import read_arrays
        from src.model import build
        from src.training import compile_evaluation, images_of, load_weights

        model = build(work.configuration, images_of(self.data), 1, 1)
        load_weights(model, read_arrays(self.folder, work.weights))
        metrics = compile_evaluation(model, self.data.test, work.configuration["training"]["batch_size"])(0)
        return Evaluation(work.trial, work.epoch, metrics["loss"], metrics["accuracy"], time.time())


def redirect_output(log: Path) -> None:
    """What TensorFlow prints goes to the log, or nowhere if there is none."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, sys.stdout.fileno() if sys.stdout else 1)
    os.dup2(file, sys.stderr.fileno() if sys.stderr else 2)


def die_with_parent() -> None:
    """On Linux the kernel ends this process with its coordinator, even in the middle of a long step."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def set_up_tensorflow(config: Config, number: int) -> None:
    """Threads, GPU and determinism, before anything is computed."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if count_gpus():
        os.environ["CUDA_VISIBLE_DEVICES"] = str((number - 1) % count_gpus())
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(config.training.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if gpus or config.training.threads > 1:
        tf.config.experimental.enable_op_determinism()  # one thread is deterministic by itself
