"""Local worker processes: give a job, hear events, replace the dead.

A worker ends itself when its pipe closes, so none outlives the coordinator."""

import signal
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from src.base.errors import UserError
from src.base.processes import count_cores, count_gpus, start_process
from src.config.schema import Config
from src.execution.worker import Ready, Stop, main
from src.ledger.events import EpochEnded, Event, Failed
from src.ledger.jobs import Job, Slot
from src.ledger.records import Cause

DEATHS_AT_START = 3  # of workers that never got ready, before the sweep gives up


@dataclass
class Process:
    """A worker's process, its pipe, and what it is doing."""

    number: int
    process: BaseProcess
    pipe: Connection
    ready: bool = False
    job: Job | None = None
    size: int = 0  # bytes of memory after its first job


class LocalBackend:
    """The worker processes of a sweep on this machine; `useful` is how many could have something to do at once."""

    def __init__(self, config: Config, folder: Path, log: Path, digest: str, useful: int) -> None:
        self.config, self.folder, self.log, self.digest = config, folder, log, digest
        self.stopping = False
        self.deaths_at_start = 0
        self.workers: list[Process] = []
        try:
            for number in range(1, count_workers(config, useful) + 1):
                self.workers.append(self.start(number))
        except BaseException:
            self.close()
            raise

    def start(self, number: int) -> Process:
        """A new process, on its way to being ready."""
        process, pipe = start_process(main, f"worker-{number}", self.config, self.folder, self.log, self.digest, number)
        return Process(number, process, pipe)

    def slots(self) -> list[Slot]:
        """One for each worker, as they are now."""
        return [Slot(worker.number, worker.ready, worker.job) for worker in self.workers]

    def give(self, slot: int, job: Job) -> None:
        """Hand a job to a worker that is ready and free."""
        worker = next(worker for worker in self.workers if worker.number == slot)
        worker.job = job
        with suppress(OSError):  # it has died: `next_event` will say so
            worker.pipe.send(job)

    def next_event(self, seconds: float) -> Event | None:
        """Wait for a worker to say something; None if none did for that long, or only that it is ready."""
        pipes = {worker.pipe: worker for worker in self.workers}
        for pipe in wait(list(pipes), seconds):
            worker = pipes[pipe]  # type: ignore[index]
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                return self.replace_dead(worker)
            if isinstance(message, UserError):
                raise message
            if isinstance(message, Ready):
                worker.ready, self.deaths_at_start = True, 0
                return None
            if not isinstance(message, EpochEnded):
                worker.job = None
                self.recycle(worker)
            return message  # type: ignore[no-any-return]
        return None

    def recycle(self, worker: Process) -> None:
        """Replace a worker that has grown by as much as is expected of a whole one."""
        with suppress(psutil.Error):  # it has died: `next_event` will say so
            size = psutil.Process(worker.process.pid).memory_info().rss
            worker.size = worker.size or size
            if not self.stopping and size - worker.size > self.config.workers.memory * 1e9:
                worker.process.kill()
                worker.process.join()
                worker.pipe.close()
                self.workers[self.workers.index(worker)] = self.start(worker.number)

    def replace_dead(self, worker: Process) -> Event | None:
        """Replace a worker that died; its job, if it had any, has failed."""
        worker.process.join(5)
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        if not worker.ready:
            self.deaths_at_start += 1
        if self.deaths_at_start >= DEATHS_AT_START:
            raise UserError(f"workers end as soon as they start; {self.log} says why.")
        position = self.workers.index(worker)
        if self.stopping:
            del self.workers[position]
        else:
            self.workers[position] = self.start(worker.number)
        return Failed(worker.job, Cause.CRASH, describe_death(worker.process.exitcode)) if worker.job else None

    def stop(self) -> None:
        """Ask every worker to put its job down at its epoch's end."""
        self.stopping = True
        for worker in self.workers:
            if worker.job:
                with suppress(OSError):  # it has died
                    worker.pipe.send(Stop())

    def close(self) -> None:
        """End all processes now."""
        for worker in self.workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
        self.workers = []


def count_workers(config: Config, useful: int) -> int:
    """As configured, or as many as cores and memory allow, one a GPU where there are any; but none without work."""
    return max(1, min(useful, allowed_workers(config)))


def allowed_workers(config: Config) -> int:
    """As many as the configuration and this machine allow."""
    if config.workers.count != "auto":
        return config.workers.count
    if gpus := count_gpus():
        return gpus
    cores = count_cores() // config.training.num_threads
    memory = int(psutil.virtual_memory().available / 1e9 / config.workers.memory)
    return min(cores, memory)


def describe_death(code: int | None) -> str:
    """What an exit code says."""
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}{hint}"
    return f"the worker process ended with code {code}"
