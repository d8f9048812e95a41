"""A trial that another sweep has trained is taken from there, where it gives the same bits, and only there."""

from pathlib import Path
from typing import Any

import pytest

from src.base.processes import Interrupt
from src.execution.backend import jobs_of
from src.execution.coordinator import Coordinator, fill
from src.execution.simulator import Simulator
from src.ledger.environment import DECISIVE, drift
from src.ledger.events import EpochEnded, Failed, Reused, Started, Stopped
from src.ledger.files import read_file
from src.ledger.jobs import EvaluateJob, TrainJob
from src.ledger.records import Cause, Invocation, Origin, Role, TrialState
from tests.unit.examples import SPACE, config, epoch
from tests.unit.execution.answers import answer
from tests.unit.execution.stored import COSINE, HERE, Own, open_ledger, spoil, store, train, write_file

# -------------------------------------------------------------------------------- the whole result


def test_an_equal_trial_is_taken(tmp_path: Path) -> None:
    """Result, epochs and files of an equal trial become ours, under names of our own, with their origin."""
    theirs = store(tmp_path, "other")
    own = Own(tmp_path)
    ours = own.take()
    assert (ours.state, ours.origin, ours.attempts) == (TrialState.FINISHED, Origin("other", 2), 1)
    assert (ours.best_epoch, ours.objective, ours.checkpoint_epoch) == (2, 0.02, 2)
    assert not ours.stopped_early and not ours.reason
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


def test_what_has_not_finished_is_not_taken(tmp_path: Path) -> None:
    """A trial that another sweep has put down is not its result, whatever files it has."""
    ledger, _ = open_ledger(tmp_path / "other", config("training.epochs=2", space=SPACE))
    train(ledger, 2, 2)
    ledger.save(Stopped(2))
    ledger.close()
    assert Own(tmp_path).find() is None


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
    event = own.library("keras 0 → 1").take(job)
    assert event
    own.ledger.save(event)
    assert own.ledger.history.trial(1).drift == "keras 0 → 1"


# ------------------------------------------------------------------------------------------- trouble


def test_damaged_files_are_never_taken(tmp_path: Path) -> None:
    """A source with a flipped bit is passed over for another one; with none left, nothing is copied."""
    theirs = {name: store(tmp_path, name) for name in ("a", "b")}
    own = Own(tmp_path)
    spoil(tmp_path, "a", theirs["a"].checkpoint)
    found = own.find()
    assert found and found.origin == Origin("b", 2)
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
    assert own.take().origin == Origin("e", 2)


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
    assert (ours.state, ours.reason, ours.attempts) == (TrialState.FINISHED, "", 2)
    assert ours.epochs[1].metrics == theirs.epochs[1].metrics
    assert own.files() == ["00001-2-2-best.npz", "00001-2-2-validation.npz", "00001-2-2.npz"]


# ------------------------------------------------------------------------------------------ the loop


def test_the_loop_goes_by_what_it_takes(tmp_path: Path) -> None:
    """Trials that need no training are taken one after the other; what follows from them is proposed before the rest."""
    store(tmp_path, "other")
    own = Own(tmp_path, ("search.confirm=1", "search.confirm_repeats=1"))
    backend = Simulator(answer)
    coordinator = Coordinator(own.schedule, own.ledger, backend, Interrupt(), lambda event: None, own.library().take)
    taken = []
    while isinstance(event := fill(coordinator), Reused):
        own.ledger.save(event)
        taken.append(event.trial)
    (job,) = jobs_of(backend.slots())
    assert taken == [1] and isinstance(job, TrainJob)
    assert own.ledger.history.trial(job.trial).role == Role.CONFIRM, "and not the evaluation on test images"
