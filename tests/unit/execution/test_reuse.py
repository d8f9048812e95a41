"""A trial that another sweep has trained is taken from there, where it gives the same bits, and only there."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.execution.coordinator import fill
from src.execution.reuse import Library
from src.ledger.database import Ledger, read_history
from src.ledger.environment import DECISIVE, drift
from src.ledger.events import Checked, Dropped, EpochEnded, Failed, Finished, Reused, Started
from src.ledger.files import read_file, write_arrays
from src.ledger.jobs import EvaluateJob, Job, TrainJob
from src.ledger.records import Cause, File, Invocation, Probe, Role, Trial, TrialState
from src.ledger.sweep_folder import create_or_check
from src.search.problem import Plan
from src.search.proposals import new_points
from src.search.schedule import new_trials, next_job
from tests.unit.examples import SPACE, config, epoch

ONE = {"architecture": {"kernel": {"choice": [3]}, "pool": {"choice": [2]}}}  # the second of SPACE's four points
HERE = dict.fromkeys(DECISIVE, "1")
COSINE = "schedule=cosine"
RUNG = ("search.pruner=top_k", "search.rung=1", "search.keep=1")


# ---------------------------------------------------------------------------------- sweeps on disk


def open_ledger(folder: Path, plan: Plan, digest: str = "digest", environment: dict[str, str] = HERE) -> Ledger:
    """A sweep as it is before its first training."""
    create_or_check(folder, plan.config, digest)
    ledger = Ledger.open(folder, plan.config.search.objective)
    ledger.save(Invocation(1, 1.0, 1.0, "here", 1, {}, environment))
    for point in new_points(plan, ledger.history):
        ledger.save(point)
        ledger.save(Checked(point.number, "", 1, 1, 1))
        ledger.save(Probe(point.number, 1, 1.0, 1.0))
    for trial in new_trials(plan, ledger.history):
        ledger.save(trial)
    return ledger


def train(ledger: Ledger, number: int, epochs: int, reason: str = "", drift: str = "", measured: bool = True) -> None:
    """A trial trained to its end; an older version had not `measured` the validation images."""
    trial = ledger.history.trial(number)
    attempt = trial.attempts + 1
    ledger.save(Started(number, attempt, drift))
    for one in range(1, epochs + 1):
        state = write_file(ledger, trial, f"{attempt}-state") if one == epochs else None
        ledger.save(EpochEnded(number, epoch(one, one / 100), state))
    validation = write_file(ledger, trial, f"{attempt}-validation") if measured else None
    ledger.save(Finished(number, write_file(ledger, trial, f"{attempt}-best"), reason, validation))


def write_file(ledger: Ledger, trial: Trial, name: str) -> File:
    """A file like no other."""
    assert ledger.folder
    content = np.array([trial.point, len(trial.epochs)])
    return write_arrays(ledger.folder, f"checkpoints/{trial.number}-{name}.npz", {f"{ledger.folder} {name}": content})


def store(
    root: Path,
    name: str,
    *overrides: str,
    epochs: int = 2,
    digest: str = "digest",
    environment: dict[str, str] = HERE,
    dropped: bool = False,
    **how: Any,
) -> Trial:
    """Another sweep, whose second trial is all that it has trained."""
    plan = Plan.of(config("training.epochs=2", *overrides, space=SPACE))
    ledger = open_ledger(root / name, plan, digest, environment)
    train(ledger, 2, epochs, **how)
    if dropped:
        ledger.save(Dropped(2))
    ledger.close()
    return ledger.history.trial(2)


@dataclass
class Own:
    """Our sweep, of one trial, which is equal to the one that other sweeps have trained."""

    root: Path
    overrides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.plan = Plan.of(config("training.epochs=2", *self.overrides, space=ONE))
        self.ledger = open_ledger(self.root / "own", self.plan)

    def next_job(self) -> Job | None:
        """What the plan asks for."""
        return next_job(self.plan, self.ledger.history, ())

    def find(self, **changed: Any) -> Reused | None:
        """What there is of the trial that the plan asks for, or of one that is changed so."""
        job = self.next_job()
        assert isinstance(job, TrainJob), job
        library = Library(self.plan.config, self.root / "own", "digest", HERE)
        return library.take(replace(job, **changed))

    def take(self, **changed: Any) -> Trial:
        """Our trial, after what was found is in the ledger, and can be read from there."""
        event = self.find(**changed)
        assert event
        self.ledger.save(event)
        assert read_history(self.root / "own", self.ledger.history.objective).trials == self.ledger.history.trials
        return self.ledger.history.trial(1)

    def files(self) -> list[str]:
        """The names of what lies in our folder of checkpoints."""
        return sorted(path.name for path in (self.root / "own" / "checkpoints").glob("*"))


def spoil(root: Path, name: str, file: File | None) -> None:
    """One bit of another sweep's file is another."""
    assert file
    path = root / name / file.path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# -------------------------------------------------------------------------------- the whole result


def test_an_equal_trial_is_taken(tmp_path: Path) -> None:
    """Result, epochs and files of an equal trial become ours, under names of our own, with their origin."""
    theirs = store(tmp_path, "other")
    own = Own(tmp_path)
    ours = own.take()
    assert (ours.state, ours.origin, ours.attempts) == ("finished", "other trial 2", 1)
    assert (ours.best_epoch, ours.objective, ours.checkpoint_epoch) == (2, 0.02, 2)
    assert [(e.number, e.metrics, e.seconds) for e in ours.epochs] == [
        (e.number, e.metrics, e.seconds) for e in theirs.epochs
    ]
    assert own.files() == ["00001-1-2-best.npz", "00001-1-2-validation.npz", "00001-1-2.npz"]
    for name in ("checkpoint", "weights", "validation"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        assert read_file(tmp_path / "own", mine) == read_file(tmp_path / "other", other)
    assert isinstance(own.next_job(), EvaluateJob), "nothing is left to train"


def test_what_is_taken_was_trained_now(tmp_path: Path) -> None:
    """The versions that trained it are those of the invocation in which it was taken, as for a trained one."""
    store(tmp_path, "other")
    own = Own(tmp_path)
    own.ledger.history.invocations[0].environment = {**HERE, "numpy": "of before"}
    own.ledger.save(Invocation(2, 2e9, 2e9, "here", 1, {}, HERE))
    own.ledger.history.invocations[0].ended = 2.0
    own.take()
    assert drift(own.ledger.history, HERE) == ""


@pytest.mark.parametrize(
    "key", ["search.repeats=2", "search.pruner=median", "search.name=b", "data.preprocessing=digits"]
)
def test_amounts_do_not_matter(tmp_path: Path, key: str) -> None:
    """What does not decide a trial's bits does not keep it from being taken."""
    store(tmp_path, "other", key)
    assert Own(tmp_path).find()


@pytest.mark.parametrize(
    "overrides",
    [
        ("search.seed=7",),
        ("search.objective=val_loss",),
        ("data.scale=0.5",),
        ("training.batch_size=8",),
        ("training.threads=2",),
        ("training.early_stopping.patience=9",),
        ("optimizer.learning_rate=0.01",),
        (COSINE,),
    ],
)
def test_other_keys_are_other_trials(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    """A key that decides bits makes it another trial; once ours has the same it is taken."""
    for root in (tmp_path / "a", tmp_path / "b"):
        store(root, "other", *overrides)
    assert Own(tmp_path / "a").find() is None
    assert Own(tmp_path / "b", overrides).find()


@pytest.mark.parametrize(
    "how",
    [
        {"digest": "of other images"},
        {"drift": "keras 1 → 2"},
        *({"environment": {**HERE, name: "2"}} for name in DECISIVE),
        {"environment": {name: "1" for name in DECISIVE if name != "device"}},
    ],
)
def test_other_data_and_versions_give_other_bits(tmp_path: Path, how: dict[str, Any]) -> None:
    """Nothing is taken that was trained on other data or under other versions, or under unknown ones."""
    store(tmp_path, "other", **how)
    assert Own(tmp_path).find() is None


def test_versions_that_decide_nothing(tmp_path: Path) -> None:
    """Another commit or MLflow is no reason to train again."""
    store(tmp_path, "other", environment={**HERE, "git": "abc", "mlflow": "2"})
    assert Own(tmp_path).find()


def test_a_refit_is_another_trial(tmp_path: Path) -> None:
    """What was trained on other images than the search's, those of validation too, is not taken for it."""
    store(tmp_path, "other")
    assert Own(tmp_path).find(refit=True) is None


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    """With search.reuse=false nothing is taken."""
    store(tmp_path, "other")
    assert Own(tmp_path, ("search.reuse=false",)).find() is None


def test_drift_is_marked(tmp_path: Path) -> None:
    """A sweep that goes on under other versions marks what it takes, as it marks what it trains."""
    store(tmp_path, "other")
    own = Own(tmp_path)
    job = own.next_job()
    assert isinstance(job, TrainJob)
    event = Library(own.plan.config, tmp_path / "own", "digest", HERE, "keras 0 → 1").take(job)
    assert event
    own.ledger.save(event)
    assert own.ledger.history.trial(1).drift == "keras 0 → 1"


# ------------------------------------------------------------------------------- in whole or in part


def test_fewer_epochs_are_gone_on_from(tmp_path: Path) -> None:
    """Epochs and checkpoint of a shorter training are taken, the longest there is, and training goes on from there."""
    store(tmp_path, "a", epochs=1)
    longer = store(tmp_path, "b", epochs=3)
    own = Own(tmp_path, ("training.epochs=5",))
    ours = own.take()
    assert (ours.state, ours.origin, len(ours.epochs), ours.weights) == ("interrupted", "b trial 2", 3, None)
    job = own.next_job()
    assert isinstance(job, TrainJob) and job.checkpoint and longer.checkpoint
    assert (len(job.epochs), job.until, job.attempt) == (3, 5, 2)
    assert job.checkpoint.sha256 == longer.checkpoint.sha256
    assert own.find() is None, "there is no more of it"


def test_the_whole_is_better_than_a_part(tmp_path: Path) -> None:
    """Where one sweep has all epochs and others have fewer, all are taken."""
    for epochs in (1, 5, 3):
        store(tmp_path, f"of {epochs}", epochs=epochs)
    assert Own(tmp_path, ("training.epochs=5",)).take().origin == "of 5 trial 2"


def test_a_longer_training_has_not_the_best_of_a_shorter(tmp_path: Path) -> None:
    """More epochs than asked for are no use: their best may be a later one."""
    store(tmp_path, "other", epochs=3)
    assert Own(tmp_path).find() is None


@pytest.mark.parametrize(("epochs", "state"), [(1, "finished"), (2, "finished"), (3, None)])
def test_stopped_early(tmp_path: Path, epochs: int, state: str | None) -> None:
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
    assert (ours.state, len(ours.epochs), ours.checkpoint, own.files()) == ("paused", 1, None, [])
    first = ours.epochs[0]
    ours = own.take()
    assert (ours.state, len(ours.epochs), len(own.files())) == ("finished", 2, 3)
    assert ours.epochs[0] == first, "MLflow gets an epoch that it has with the same time"


def test_a_rung_that_another_has_ended_at(tmp_path: Path) -> None:
    """A training that ended where ours is to pause gives its checkpoint, but no result."""
    store(tmp_path, "longer", dropped=True)
    store(tmp_path, "short", epochs=1)
    ours = Own(tmp_path, RUNG).take()
    assert (ours.state, ours.checkpoint_epoch, ours.weights, ours.origin) == ("paused", 1, None, "short trial 2")


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
    assert (ours.state, [one.number for one in ours.epochs]) == ("finished", [1, 2])


def test_dropped_files(tmp_path: Path) -> None:
    """A trial whose checkpoint and weights were given up serves a rung, and nothing else."""
    for root in (tmp_path / "a", tmp_path / "b"):
        store(root, "other", dropped=True)
    assert Own(tmp_path / "a").find() is None
    found = Own(tmp_path / "b", RUNG).find()
    assert found and (found.state, found.checkpoint) == ("paused", None)


# ------------------------------------------------------------------------------------------- trouble


def test_damaged_files_are_never_taken(tmp_path: Path) -> None:
    """A source with a flipped bit is passed over for another one; with none left, nothing is copied."""
    theirs = {name: store(tmp_path, name) for name in ("a", "b")}
    own = Own(tmp_path)
    spoil(tmp_path, "a", theirs["a"].checkpoint)
    found = own.find()
    assert found and found.origin == "b trial 2"
    own.ledger.delete_orphans()
    spoil(tmp_path, "b", theirs["b"].checkpoint)
    assert own.find() is None and own.files() == []


def test_damaged_weights_beside_a_checkpoint(tmp_path: Path) -> None:
    """Where only the weights are damaged the checkpoint is taken, in which they are too."""
    theirs = store(tmp_path, "other")
    spoil(tmp_path, "other", theirs.weights)
    assert Own(tmp_path).take().state == TrialState.INTERRUPTED


def test_what_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    """Sweeps without a ledger, with a damaged one, of a later version, or with a strange configuration harm nothing."""
    for name in ("a", "b", "c", "d"):
        store(tmp_path, name)
    (tmp_path / "a" / "ledger.db").unlink()
    (tmp_path / "b" / "ledger.db").write_bytes(b"no database" * 400)
    (tmp_path / "c" / "config.yaml").write_text("search: {objective: val_accuracy}")
    (tmp_path / "d" / "config.yaml").write_text("[1")
    (tmp_path / "notes").mkdir()
    own = Own(tmp_path)
    assert own.find() is None
    store(tmp_path, "e")
    assert own.take().origin == "e trial 2"


def test_killed_before_it_is_written_down(tmp_path: Path) -> None:
    """Copies that no row names are swept out, and the trial is taken once more."""
    store(tmp_path, "other")
    own = Own(tmp_path)
    assert own.find() and len(own.files()) == 3
    own.ledger.delete_orphans()
    assert own.files() == [] and own.take().state == TrialState.FINISHED


def test_what_a_trial_had_is_replaced(tmp_path: Path) -> None:
    """A trial under way that another sweep has finished meanwhile takes the result; its own checkpoint goes."""
    own = Own(tmp_path)
    own.ledger.save(Started(1, 1))
    own.ledger.save(EpochEnded(1, epoch(1, 0.01), write_file(own.ledger, own.ledger.history.trial(1), "own")))
    job = own.next_job()
    assert isinstance(job, TrainJob)
    own.ledger.save(Failed(job, Cause.CRASH, "its end"))
    theirs = store(tmp_path, "other")
    ours = own.take()
    assert (ours.state, ours.reason, ours.attempts) == ("finished", "", 2)
    assert ours.epochs[1].metrics == theirs.epochs[1].metrics
    assert own.files() == ["00001-2-2-best.npz", "00001-2-2-validation.npz", "00001-2-2.npz"]


# ------------------------------------------------------------------------------------------ the loop


class OneWorker:
    """A pool whose worker is given work and does nothing."""

    def __init__(self) -> None:
        self.stopping = False
        self.given: list[Job] = []

    def free(self) -> Iterator[int]:
        """The worker, as long as it has nothing to do."""
        return iter([] if self.given else [1])

    def busy(self) -> list[Job]:
        """What it has been given."""
        return self.given

    def give(self, worker: int, job: Job) -> None:
        """Take it."""
        self.given.append(job)


def test_the_loop_goes_by_what_it_takes(tmp_path: Path) -> None:
    """Trials that need no training are taken one after the other; what follows from them is proposed before the rest."""
    store(tmp_path, "other")
    own = Own(tmp_path, ("search.confirm=1", "search.confirm_repeats=1"))
    library, pool = Library(own.plan.config, tmp_path / "own", "digest", HERE), OneWorker()
    taken = []
    while event := fill(own.plan, own.ledger, pool, library.take):  # type: ignore[arg-type]
        own.ledger.save(event)
        taken.append(event.trial)
    (job,) = pool.given
    assert taken == [1] and isinstance(job, TrainJob)
    assert own.ledger.history.trial(job.trial).role == Role.CONFIRM, "and not the look at the test images"
