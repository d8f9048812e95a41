"""A trial's run shows what the ledger has of the trial, and says so once all of it is there."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from src.ledger.events import EpochEnded, Failed, Started
from src.ledger.jobs import EvaluateJob
from src.ledger.records import Cause, File, Origin, TrialState
from src.tracking import dumps, trial_run
from src.tracking.runs import TrialRun
from src.tracking.trial_run import STATUSES, push_epochs, revision_of, show_failures, show_trial, tag_trial
from tests.unit.examples import epoch, train_job
from tests.unit.tracking.sweeps import FakeClient, Stored, make_sweep, tracked, trial


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    """A sweep whose first trial has had two epochs; curves are not drawn."""
    stored = make_sweep(tmp_path, "mine", "tracking.curves=false")
    stored.play(Started(1, 1), EpochEnded(1, epoch(1, 0.5), None), EpochEnded(1, epoch(2, 0.6), None))
    yield stored
    stored.ledger.close()


def show(stored: Stored, client: FakeClient, state: TrialState, is_kept: bool = True, number: int = 1) -> None:
    """A trial's run, described already, is brought to where the ledger is."""
    run, one = TrialRun("one", is_described=True), stored.history.trial(number)
    show_trial(tracked(stored, client), run, stored.history, one, state, is_kept)


# --------------------------------------------------------------------------------------- revisions


@pytest.mark.parametrize(
    ("state", "is_kept", "revision"),
    [
        (TrialState.FINISHED, True, "finished 2 3 kept"),
        (TrialState.FINISHED, False, "finished 2 3 "),
        (TrialState.INTERRUPTED, False, "interrupted 2 3 "),
    ],
)
def test_revisions_are_those_of_stores_that_exist(state: TrialState, is_kept: bool, revision: str) -> None:
    """State, epochs, attempts and whether files are kept, in the words that runs are tagged with."""
    assert revision_of(trial(1, attempts=3, epochs=[epoch(1), epoch(2)]), state, is_kept) == revision


def test_every_state_has_a_status() -> None:
    """MLflow knows a word for each state of a trial."""
    assert set(STATUSES) == set(TrialState)
    assert set(STATUSES.values()) == {"RUNNING", "SCHEDULED", "KILLED", "FINISHED", "FAILED"}


# ------------------------------------------------------------------------------------ showing a trial


@pytest.mark.parametrize(("state", "status"), [(TrialState.RUNNING, "RUNNING"), (TrialState.WAITING, "SCHEDULED")])
def test_a_trial_under_way_has_no_end(stored: Stored, state: TrialState, status: str) -> None:
    """Its run is open, and not marked as complete, so that it is looked at again."""
    client = FakeClient()
    show(stored, client, state)
    assert client.of("update_run") == [(("one",), {"status": status})]
    assert "set_terminated" not in client.names() and "revision" not in client.tags()


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (TrialState.INTERRUPTED, "KILLED"),
        (TrialState.PAUSED, "KILLED"),
        (TrialState.PRUNED, "KILLED"),
        (TrialState.FAILED, "FAILED"),
    ],
)
def test_a_trial_that_rests_has_an_end(stored: Stored, state: TrialState, status: str) -> None:
    """Its run ends with its last epoch, and is marked as complete last of all."""
    client = FakeClient()
    show(stored, client, state, is_kept=False)
    assert client.of("set_terminated") == [(("one",), {"status": status, "end_time": 1_002_000})]
    assert client.names()[-1] == "set_tag" and client.tags()["revision"] == f"{state} 2 1 "
    assert client.tags()["state"] == state.value


def test_tags_say_what_may_change(stored: Stored) -> None:
    """State, reason and drift, and the budget of the latest invocation; where it came from, of a trial that was taken."""
    client = FakeClient()
    one = replace(stored.history.trial(1), reason="no progress", drift="keras 3.15 → 3.16")
    tag_trial(tracked(stored, client), TrialRun("one"), stored.history, one, TrialState.FINISHED)
    tags = client.tags()
    assert (tags["state"], tags["reason"], tags["drift"]) == ("finished", "no progress", "keras 3.15 → 3.16")
    assert tags["training.epochs"] == "2" and tags["search.repeats"] == "1" and "origin" not in tags
    taken = replace(one, origin=Origin("other", 4))
    tag_trial(tracked(stored, client), TrialRun("one"), stored.history, taken, TrialState.FINISHED)
    assert client.tags()["origin"] == "other trial 4"


def test_epochs_are_pushed_once(stored: Stored) -> None:
    """Each epoch's metrics and seconds, at the ledger's time; by one process only those that are new."""
    client, run, one = FakeClient(), TrialRun("one"), stored.history.trial(1)
    push_epochs(tracked(stored, client), run, one)
    first = client.metrics()
    assert run.epochs == 2 and len(first) == 2 * 6
    assert ("val_accuracy", 0.6, 1_002_000, 2) in first and ("seconds", 2.0, 1_001_000, 1) in first
    push_epochs(tracked(stored, client), run, one)
    assert client.metrics() == first
    stored.play(EpochEnded(1, epoch(3, 0.7), None))
    push_epochs(tracked(stored, client), run, one)
    assert {step for _, _, _, step in client.metrics()[len(first) :]} == {3}
    again = TrialRun("one")  # in another process, which does not know: the same points once more
    other = FakeClient()
    push_epochs(tracked(stored, other), again, one)
    assert other.metrics() == client.metrics()


def test_failures_of_training_are_shown(stored: Stored) -> None:
    """What a worker said before it failed on this trial; not on others, and not of another kind."""
    client = FakeClient()
    show_failures(tracked(stored, client), TrialRun("one"), stored.history, stored.history.trial(1))
    assert client.calls == []
    look = EvaluateJob(1, 1, train_job().configuration, File("a", "0"))
    stored.play(
        Failed(train_job(1), Cause.CRASH, "first", "line 1"),
        Failed(train_job(2), Cause.CRASH, "of another", "line 2"),
        Failed(look, Cause.CRASH, "of a look", "line 3"),
        Failed(train_job(1), Cause.CRASH, "second", "line 4"),
    )
    show_failures(tracked(stored, client), TrialRun("one"), stored.history, stored.history.trial(1))
    assert client.of("log_text") == [(("one", "first\nline 1\nsecond\nline 4", "failures.txt"), {})]


# ------------------------------------------------------------------------------------ finished trials


@pytest.fixture
def dumped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the functions that build models and delete them, which need MLflow itself."""
    asked: list[str] = []
    monkeypatch.setattr(trial_run, "build_model", lambda *_: asked.append("build"))
    monkeypatch.setattr(dumps, "write", lambda *_: asked.append("dump"))
    monkeypatch.setattr(trial_run, "log_model", lambda *_: asked.append("log"))
    monkeypatch.setattr(trial_run, "drop_files", lambda *_: asked.append("drop"))
    return asked


def test_the_best_epoch_is_shown_by_metrics_of_its_own(stored: Stored, dumped: list[str]) -> None:
    """`best/…` has the values of the best epoch, its number and the parameters; the rate of learning is left out."""
    stored.finish(2, epoch(1, 0.9), epoch(2, 0.4))
    client = FakeClient()
    show(stored, client, TrialState.FINISHED, number=2)
    found = {key: (value, time, step) for key, value, time, step in client.metrics() if key.startswith("best/")}
    assert found.keys() == {f"best/{key}" for key in ("loss", "accuracy", "val_loss", "val_accuracy", "epoch")}
    assert found["best/val_accuracy"] == (0.9, 1_001_000, 0) and found["best/epoch"][0] == 1
    assert ("parameters", 102.0, 1_001_000, 0) in client.metrics()


@pytest.mark.parametrize(
    ("is_kept", "overrides", "asked"),
    [
        (True, (), ["build", "dump", "log"]),
        (True, ("tracking.model=false",), ["build", "dump"]),
        (False, (), ["drop"]),
    ],
)
def test_files_of_a_finished_trial(
    tmp_path: Path, dumped: list[str], is_kept: bool, overrides: tuple[str, ...], asked: list[str]
) -> None:
    """One that is kept has its weights in every form, its model if asked for; of one that is not all files go."""
    stored = make_sweep(tmp_path, "other", "tracking.curves=false", *overrides)
    stored.finish(1, epoch(1))
    show(stored, FakeClient(), TrialState.FINISHED, is_kept)
    assert dumped == asked


def test_weights_that_are_damaged_or_gone(stored: Stored, dumped: list[str]) -> None:
    """The run has all else, and is marked as complete: what is not there cannot come later."""
    stored.finish(2, epoch(1))
    for path in stored.path.glob("checkpoints/2-*"):
        path.write_text("damaged")
    client = FakeClient()
    show(stored, client, TrialState.FINISHED, number=2)
    assert dumped == [] and client.tags()["revision"] == "finished 1 1 kept"


@pytest.mark.parametrize("curves", [True, False])
def test_curves_are_drawn_if_asked_for(tmp_path: Path, dumped: list[str], curves: bool) -> None:
    """`curves.png` is among the artifacts of a finished trial, unless that is switched off."""
    stored = make_sweep(tmp_path, "drawn", f"tracking.curves={str(curves).lower()}")
    stored.finish(1, epoch(1), epoch(2))
    names: list[str] = []
    client = FakeClient({"log_artifacts": lambda run, folder: names.extend(p.name for p in Path(folder).iterdir())})
    show(stored, client, TrialState.FINISHED)
    assert names == (["curves.png"] if curves else [])
