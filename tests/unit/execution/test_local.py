"""How many processes train."""

import os

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.base.processes import count_gpus
from src.execution.local import count_workers, describe_death
from tests.unit.examples import config

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
