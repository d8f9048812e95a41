"""What the coordinator relies on, of each backend: local processes that train, and the simulator."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from src.base.errors import UserError
from src.config.schema import Config
from src.data.load import load
from src.execution.backend import Backend, jobs_of
from src.execution.local import LocalBackend
from src.execution.simulator import Simulator
from src.ledger.events import Checked, EpochEnded, Event, Failed, Finished, Paused, Stopped
from src.ledger.jobs import CheckJob, EvaluateJob, Job, ProbeJob, TrainJob
from src.ledger.objective import ACCURACY
from src.ledger.records import Cause, Epoch, Evaluation, File, Probe
from tests.unit.examples import config, trial_config, write_npz
from tests.unit.execution.answers import answer, hear, hear_all, run_job, wait_until_free

DNN = trial_config("architecture=dnn", "architecture.units=[4]", "training.batch_size=16", "training.threads=1")
DEEP = trial_config("architecture=cnn", "architecture.blocks=3", "architecture.filters=4")  # too many for images of 8×8
LONG = 400  # epochs, of a few milliseconds each


def simulate(job: Job) -> Iterator[Event]:
    """As workers answer: three blocks cannot be built."""
    if isinstance(job, CheckJob) and job.configuration == DEEP:
        return iter([Checked(job.point, "too small")])
    return answer(job)


@dataclass
class Home:
    """A sweep's folder and data, and the processes that local backends start."""

    folder: Path
    config: Config
    digest: str

    def start(self, workers: int = 2, digest: str = "", log: str = "log", memory: float = 8.0) -> LocalBackend:
        """Worker processes of their own."""
        workers_of = self.config.workers.model_copy(update={"count": workers, "memory": memory})
        own = self.config.model_copy(update={"workers": workers_of})
        return LocalBackend(own, self.folder, self.folder / log, digest or self.digest, workers)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """60 small images, and room for checkpoints."""
    folder = tmp_path_factory.mktemp("sweep")
    own = config("data=npz", f"data.path={write_npz(folder / 'images.npz')}")
    return Home(folder, own, load(own.data).digest)


@pytest.fixture(scope="module", params=["local", "simulator"])
def start(request: pytest.FixtureRequest, home: Home) -> Callable[[int], Backend]:
    """Starts a backend of so many slots."""
    return home.start if request.param == "local" else partial(Simulator, simulate)


@pytest.fixture(scope="module")
def backend(start: Callable[[int], Backend]) -> Iterator[Backend]:
    """Two slots, ready and free, for all tests: who ends a backend starts another."""
    with closing(start(2)) as found:
        wait_until_free(found)
        yield found


def train_job(trial: int = 1, until: int = 3, pauses: bool = False) -> TrainJob:
    """A trial from its start."""
    return TrainJob(trial, 1, DNN, 7, ACCURACY, until, until, None, (), pauses=pauses)


def continued(job: TrainJob, events: list[Event], until: int) -> TrainJob:
    """A trial's next attempt, from the last checkpoint that came."""
    ended = [event for event in events if isinstance(event, EpochEnded)]
    last = max(n for n, event in enumerate(ended, 1) if event.checkpoint)
    seen = tuple(event.epoch for event in ended[:last])
    more = {"checkpoint": ended[last - 1].checkpoint, "epochs": seen, "until": until, "pauses": False}
    return replace(job, attempt=job.attempt + 1, **more)  # type: ignore[arg-type]


def epochs_of(events: list[Event], trial: int = 1) -> list[Epoch]:
    """A trial's epochs, as they came."""
    return [event.epoch for event in events if isinstance(event, EpochEnded) and event.trial == trial]


def results(epochs: list[Epoch]) -> list[tuple[int, dict[str, float]]]:
    """What does not depend on the time that it took."""
    return [(epoch.number, epoch.metrics) for epoch in epochs]


# -------------------------------------------------------------------------------------------- slots


def test_a_job_holds_its_slot_until_its_last_event(backend: Backend) -> None:
    """A job makes its slot busy and no other; its epochs leave it there, its last event frees it."""
    job = train_job()
    backend.give(2, job)
    for number in (1, 2, 3):
        event = hear(backend)
        assert isinstance(event, EpochEnded) and (event.trial, event.epoch.number) == (1, number)
        assert jobs_of(backend.slots()) == [job]
        assert [(slot.number, slot.is_free) for slot in backend.slots()] == [(1, True), (2, False)]
    assert isinstance(hear(backend), Finished)
    assert [slot.is_free for slot in backend.slots()] == [True, True]


def test_nothing_comes_of_nothing(backend: Backend) -> None:
    """Where nothing is under way no event comes, and no slot changes."""
    before = backend.slots()
    assert backend.next_event(0.01) is None and backend.slots() == before


# --------------------------------------------------------------------------------------------- jobs


def test_check(backend: Backend) -> None:
    """A check says how large the point's network is."""
    (event,) = run_job(backend, CheckJob(7, DNN))
    assert isinstance(event, Checked) and (event.point, event.reason) == (7, "")
    assert event.parameters > 0 and event.operations > 0 and event.state_bytes > event.parameters


def test_check_of_an_infeasible_point(backend: Backend) -> None:
    """A point that cannot be built is no failure: its check says why."""
    (event,) = run_job(backend, CheckJob(8, DEEP), slot=2)
    assert isinstance(event, Checked) and event.point == 8 and event.reason


def test_probe(backend: Backend) -> None:
    """A probe gives seconds, with the operations that it was asked for."""
    (event,) = run_job(backend, ProbeJob(3, 1234, DNN))
    assert isinstance(event, Probe) and (event.point, event.operations) == (3, 1234)
    assert event.prepare > 0 and event.per_image > 0


def test_train(backend: Backend) -> None:
    """Every epoch comes once and in order, with its metrics; the last has a checkpoint, and the end follows."""
    *ended, last = run_job(backend, train_job())
    assert [epoch.number for epoch in epochs_of(ended)] == [1, 2, 3] and len(ended) == 3
    assert all({"loss", "val_loss", "val_accuracy"} <= epoch.metrics.keys() for epoch in epochs_of(ended))
    assert isinstance(ended[-1], EpochEnded) and ended[-1].checkpoint
    assert isinstance(last, Finished) and last.trial == 1 and last.weights and not last.stopped_early


def test_pause_and_promotion(backend: Backend) -> None:
    """A trial that pauses at a rung goes on from its checkpoint, in another slot, to what it would have come to."""
    whole = run_job(backend, train_job(until=4))
    job = train_job(trial=2, until=2, pauses=True)
    first = run_job(backend, job)
    assert isinstance(first[-1], Paused) and first[-1].trial == 2
    second = run_job(backend, continued(job, first, 4), slot=2)
    assert isinstance(second[-1], Finished)
    ours = epochs_of(first, 2) + epochs_of(second, 2)
    assert [epoch.number for epoch in ours] == [1, 2, 3, 4]
    if isinstance(backend, LocalBackend):
        assert results(ours) == results(epochs_of(whole))


def test_evaluate(backend: Backend) -> None:
    """An evaluation is of the epoch that was asked for, by the weights that training left."""
    finished = run_job(backend, train_job())[-1]
    assert isinstance(finished, Finished)
    (event,) = run_job(backend, EvaluateJob(1, 2, DNN, finished.weights), slot=2)
    assert isinstance(event, Evaluation) and (event.trial, event.epoch) == (1, 2)
    assert event.loss > 0 and 0 <= event.accuracy <= 1


def test_slots_work_at_once(backend: Backend) -> None:
    """Jobs of two slots run at the same time: their events come mixed, each in its own order, each of its trial."""
    backend.give(1, train_job(1, 20))
    backend.give(2, train_job(2, 20))
    assert {job.subject for job in jobs_of(backend.slots())} == {1, 2}
    events = hear_all(backend)
    for trial in (1, 2):
        assert [epoch.number for epoch in epochs_of(events, trial)] == list(range(1, 21))
        assert [event.trial for event in events if isinstance(event, Finished)].count(trial) == 1
    if isinstance(backend, LocalBackend):
        assert results(epochs_of(events, 1)) == results(epochs_of(events, 2)), "the same trial, wherever it is trained"


# ---------------------------------------------------------------------------------------------- end


def test_stopped_then_gone_on_with(start: Callable[[int], Backend], backend: Backend) -> None:
    """A training that is asked to stop is put down at an epoch's end with a checkpoint; from there it comes to the same
    metrics as one that was not stopped."""
    whole, job = run_job(backend, train_job(until=LONG)), train_job(until=LONG)
    with closing(start(1)) as stopping:
        wait_until_free(stopping)
        stopping.give(1, job)
        first = [hear(stopping)]
        stopping.stop()
        first += hear_all(stopping)
        assert stopping.slots()[0].is_free
    *_, last, end = first
    assert isinstance(last, EpochEnded) and last.checkpoint and last.epoch.number < LONG
    assert end == Stopped(1)
    if isinstance(backend, LocalBackend):
        rest = run_job(backend, continued(job, first, LONG))
        assert isinstance(rest[-1], Finished)
        assert results(epochs_of(first) + epochs_of(rest)) == results(epochs_of(whole))


def test_from_its_start_to_its_end(start: Callable[[int], Backend]) -> None:
    """Slots are numbered from 1 and become ready without an event. Closing ends a training at once: nothing is under way
    then, no process is left, and it may be done again."""
    backend = start(1)
    assert [(slot.number, slot.job) for slot in backend.slots()] == [(1, None)]
    (slot,) = wait_until_free(backend)
    assert (slot.number, slot.is_ready, slot.job) == (1, True, None)
    backend.give(1, train_job(until=100 * LONG))
    hear(backend)
    known = [psutil.Process(one.process.pid) for one in backend.workers] if isinstance(backend, LocalBackend) else []
    for _ in range(2):
        backend.close()
        assert jobs_of(backend.slots()) == [] and backend.next_event(0.01) is None
    assert not [process for process in known if process.is_running()]


# ------------------------------------------------------------------------------- local processes only


@pytest.fixture(scope="module")
def local(home: Home) -> Iterator[LocalBackend]:
    """One worker process, which may be killed: another takes its place."""
    with closing(home.start(1)) as backend:
        wait_until_free(backend)
        yield backend


def test_killed_while_it_trains(local: LocalBackend) -> None:
    """A worker that is killed leaves its job as a crash that says what ended it, and is replaced by one that works."""
    job = train_job(until=100 * LONG)
    local.give(1, job)
    hear(local)
    before = local.workers[0].process.pid
    assert before
    os.kill(before, signal.SIGKILL)
    *_, event = hear_all(local)
    assert isinstance(event, Failed) and (event.job, event.cause) == (job, Cause.CRASH)
    assert "SIGKILL" in event.message and not local.slots()[0].is_ready
    wait_until_free(local)
    assert local.workers[0].process.pid != before
    assert isinstance(run_job(local, CheckJob(1, DNN))[0], Checked)


def test_a_job_that_fails_leaves_its_worker(local: LocalBackend) -> None:
    """An error in a job is an event with its cause and traceback; the worker goes on with the next one."""
    wait_until_free(local)
    before = local.workers[0].process.pid
    (event,) = run_job(local, EvaluateJob(1, 1, DNN, File("checkpoints/none.npz", "0" * 64)))
    assert isinstance(event, Failed) and event.cause == Cause.DAMAGED and event.message
    assert isinstance(run_job(local, CheckJob(1, DNN))[0], Checked) and local.workers[0].process.pid == before


def test_given_to_a_dead_worker(local: LocalBackend) -> None:
    """A job given to a worker that has died meanwhile has failed, as if it had been under way."""
    wait_until_free(local)
    local.workers[0].process.kill()
    local.workers[0].process.join()
    job = CheckJob(1, DNN)
    local.give(1, job)
    event = hear(local)
    assert isinstance(event, Failed) and (event.job, event.cause) == (job, Cause.CRASH)


def test_a_worker_that_has_grown_is_replaced(home: Home) -> None:
    """After a job, a worker whose memory has grown by more than is expected of one gives way to another."""
    with closing(home.start(1, memory=1e-6)) as backend:
        wait_until_free(backend)
        before = backend.workers[0].process.pid
        assert isinstance(run_job(backend, CheckJob(1, DNN))[0], Checked) and backend.workers[0].process.pid == before
        assert isinstance(run_job(backend, train_job())[-1], Finished)
        assert backend.workers[0].process.pid != before and not backend.slots()[0].is_ready


def test_other_data(home: Home) -> None:
    """Where the images are not those of the sweep, the backend says so instead of training on them."""
    with closing(home.start(1, digest="of other images")) as backend, pytest.raises(UserError) as error:
        hear(backend)
    assert "the data of images has changed since this sweep began" in str(error.value)


def test_workers_that_die_at_their_start(home: Home) -> None:
    """Workers that never become ready are replaced twice; then the backend gives up and says where to look."""
    with closing(home.start(1, log="missing/log")) as backend, pytest.raises(UserError) as error:
        hear(backend)
    assert "as soon as they start" in str(error.value) and "missing/log" in str(error.value)
