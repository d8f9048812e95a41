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
from src.execution.worker import Ready, Shared, Stop, main
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
    threads: int
    ready: bool = False
    job: Job | None = None
    size: int = 0  # bytes of memory after its first job


class LocalBackend:
    """The worker processes of a sweep on this machine; `useful` is how many could have something to do at once."""

    def __init__(self, config: Config, folder: Path, log: Path, digest: str, useful: int) -> None:
        self.config, self.log = config, log
        self.shared = Shared(config, folder, log, digest)
        self.stopping = False
        self.deaths_at_start = 0
        self.workers: list[Process] = []
        try:
            for number in range(1, count_workers(config, useful) + 1):
                self.workers.append(self.start(number))
        except BaseException:
            self.close()
            raise

    def start(self, number: int, threads: int = 0) -> Process:
        """A new process with so many threads, or as many as trials begin with, on its way to being ready."""
        threads = threads or self.config.training.num_threads
        process, pipe = start_process(main, f"worker-{number}", self.shared, number, threads)
        return Process(number, process, pipe, threads)

    def slots(self) -> list[Slot]:
        """One for each worker, as they are now; all are held while the threads of those with a job fill all cores."""
        threads = sum(worker.threads for worker in self.workers if worker.job)
        is_full = (
            self.config.workers.count == "auto" and bool(threads) and threads >= count_cores() and not count_gpus()
        )
        return [Slot(worker.number, worker.ready, worker.job, is_full) for worker in self.workers]

    def give(self, slot: int, job: Job) -> None:
        """Hand a job to a worker that is ready and free; a process has the threads that it was started with.

        One that has as many as the job goes before the one that was named; where there is none, that one is replaced."""
        named = next(worker for worker in self.workers if worker.number == slot)
        free = [named, *(worker for worker in self.workers if worker.ready and not worker.job)]
        worker = next((worker for worker in free if worker.threads == job.threads), None)
        if worker:
            worker.job = job
            self.send(worker)
        else:
            self.replace(named, job.threads).job = job  # it hears of it when it is ready

    def send(self, worker: Process) -> None:
        """Tell a worker its job."""
        with suppress(OSError):  # it has died: `next_event` will say so
            worker.pipe.send(worker.job)

    def replace(self, worker: Process, threads: int) -> Process:
        """End a worker's process, and start another in its place."""
        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        place = self.workers.index(worker)
        self.workers[place] = self.start(worker.number, threads)
        return self.workers[place]

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
                if worker.job:
                    self.send(worker)
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
                self.replace(worker, worker.threads)

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
            self.workers[position] = self.start(worker.number, worker.threads)
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
