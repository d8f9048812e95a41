"""How many processes train."""

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.base.processes import count_gpus
from src.data.load import load
from src.execution.local import LocalBackend, Process, count_workers, describe_death
from src.ledger.events import Checked, EpochEnded, Finished
from src.ledger.jobs import CheckJob
from tests.unit.examples import config, write_npz
from tests.unit.execution.answers import run_job, wait_until_free
from tests.unit.execution.test_backends import DNN, Home, train_job

AUTO = config("workers.count=auto", "workers.memory=1e-9")  # so little that memory is no limit
CORES = len(os.sched_getaffinity(0))


@given(useful=st.integers(-1, 10_000), count=st.sampled_from(["auto", 1, 2, 7, 500]))
def test_never_more_than_the_work(useful: int, count: str | int) -> None:
    """There is at least one worker, and never one without work, whatever was asked for."""
    found = count_workers(config(f"workers.count={count}"), useful)
    assert 1 <= found <= max(useful, 1)


@pytest.mark.parametrize(("count", "useful", "found"), [(3, 10, 3), (3, 3, 3), (3, 2, 2), (3, 1, 1), (3, 0, 1)])
def test_as_many_as_asked_for(count: int, useful: int, found: int) -> None:
    """A number is taken at its word, up to the useful work, on any machine."""
    assert count_workers(config(f"workers.count={count}", "workers.memory=1e9"), useful) == found


@pytest.mark.skipif(count_gpus() > 0, reason="there GPUs are counted, not cores")
def test_one_a_core() -> None:
    """By itself there is a worker for each core, or for as many cores as one has threads."""
    assert count_workers(AUTO, 10_000) == CORES
    for threads in (1, 2, CORES, 2 * CORES):
        chosen = config("workers.count=auto", "workers.memory=1e-9", f"training.threads={threads}")
        assert count_workers(chosen, 10_000) == max(CORES // threads, 1)


@pytest.mark.skipif(count_gpus() > 0, reason="there GPUs are counted, not cores")
def test_memory_is_a_limit() -> None:
    """No more workers than fit into the memory that is free, and one where not even one does."""
    free = psutil.virtual_memory().available / 1e9
    assert count_workers(config("workers.count=auto", f"workers.memory={free / 1.5}"), 10_000) == 1
    assert count_workers(config("workers.count=auto", "workers.memory=1e6"), 10_000) == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "SIGKILL; the system may have run out of memory"),
        (-11, "by SIGSEGV"),
        (3, "with code 3"),
        (0, "with code 0"),
    ],
)
def test_how_a_worker_died(code: int, words: str) -> None:
    """A signal is named, and what it may mean; an exit code is said."""
    assert describe_death(code).endswith(words)


def test_a_job_with_other_threads(tmp_path: Path) -> None:
    """It is done by another process in the worker's place; what it comes to is what a worker of so many threads gives."""
    own = config("data=npz", f"data.path={write_npz(tmp_path / 'images.npz')}")
    training = DNN.training.model_copy(update={"threads": 2})
    job = replace(train_job(), configuration=DNN.model_copy(update={"training": training}))
    with closing(Home(tmp_path, own, load(own.data).digest).start(1)) as backend:
        wait_until_free(backend)
        before = backend.workers[0].process.pid
        results = [run_job(backend, job) for _ in range(2)]
        assert backend.workers[0].process.pid != before and backend.workers[0].threads == 2
        assert isinstance(run_job(backend, CheckJob(1, DNN))[0], Checked) and backend.workers[0].threads == 1
    metrics = [[e.epoch.metrics for e in events if isinstance(e, EpochEnded)] for events in results]
    assert metrics[0] == metrics[1] and isinstance(results[0][-1], Finished)


@pytest.mark.skipif(count_gpus() > 0, reason="there GPUs are counted, not cores")
def test_no_slot_is_free_while_threads_fill_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job with many threads has the machine to itself, unless so many workers were asked for."""
    for count, is_free in (("auto", False), ("2", True)):
        backend = LocalBackend.__new__(LocalBackend)
        backend.config = config(f"workers.count={count}")
        busy, idle = (Process(number, None, None, CORES, True) for number in (1, 2))  # type: ignore[arg-type]
        backend.workers = [busy, idle]
        assert [slot.is_free for slot in backend.slots()] == [True, True]
        busy.job = CheckJob(1, DNN)
        assert [slot.is_free for slot in backend.slots()] == [False, is_free]
        assert all(slot.is_ready for slot in backend.slots()), "it waits, it does not start"


def test_a_job_is_given_to_a_worker_with_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """If one is free, no process is replaced: the one that was named before others."""
    backend, sent = LocalBackend.__new__(LocalBackend), list[int]()
    monkeypatch.setattr(backend, "send", lambda worker: sent.append(worker.number))
    for threads, named, taken in (((2, 1), 1, 2), ((1, 1), 2, 2), ((1, 1), 1, 1)):
        backend.workers = [Process(n, None, None, count, True) for n, count in enumerate(threads, 1)]  # type: ignore[arg-type]
        backend.give(named, CheckJob(1, DNN))
        assert sent.pop() == taken
        assert [worker.number for worker in backend.workers if worker.job] == [taken]
