"""MLflow is brought to where the ledger is, whatever it has already: every test on a real store."""

from pathlib import Path
from typing import Any

import pytest

from src.ledger.events import EpochEnded, Finished, Pruned, Started, Tracked
from src.ledger.records import Role
from src.tracking.mirror import MlflowMirror, kept_trials
from src.tracking.runs import search_runs, sweep_id
from src.tracking.store import set_up_mlflow
from src.tracking.trial_run import show_trial
from tests.unit.examples import epoch, file, use_one_thread
from tests.unit.tracking.sweeps import Stored, complete, configured, half_done, history_of, play, tracked, trial

use_one_thread()
KEYS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


def open_mirror(stored: Stored) -> MlflowMirror:
    """The mirror of a sweep, as its process opens it."""
    return MlflowMirror.open(set_up_mlflow(stored.chosen), stored.chosen, tracked(stored, None).sweep)


def reconcile(mirror: MlflowMirror, stored: Stored, finishing: bool = False, is_done: bool = False) -> list[int]:
    """Bring MLflow to where the ledger is, and the ledger to know of it; the trials that were named."""
    events: list[Tracked] = []
    try:
        for event in mirror.reconcile(finishing, is_done):
            events.append(event)
    finally:
        stored.play(*events)
    return [event.trial for event in events]


def runs_of(stored: Stored) -> tuple[Any, dict[int, Any]]:
    """The sweep's own run in MLflow, and those of its trials."""
    here = tracked(stored, set_up_mlflow(stored.chosen))
    experiment = here.client.get_experiment_by_name("corners").experiment_id
    found = list(search_runs(here.client, experiment, sweep_id(here.sweep, stored.history)))
    (own,) = [run for run in found if "trial" not in run.data.tags]
    trials = [run for run in found if run is not own]
    numbered = {int(run.data.tags["trial"]): run for run in trials}
    assert len(numbered) == len(trials), "a trial has one run"
    return own, numbered


def artifacts(stored: Stored, run: Any) -> set[str]:
    """What lies at the top of a run's artifacts."""
    return {item.path for item in set_up_mlflow(stored.chosen).list_artifacts(run.info.run_id)}


def models(run: Any) -> list[str]:
    """The models that a run has logged."""
    return [output.model_id for output in run.outputs.model_outputs] if run.outputs else []


# ---------------------------------------------------------------------------------------- following


def test_nothing_before_the_sweep_began(home: Path) -> None:
    """A ledger without an invocation has nothing to show, and gets no run."""
    stored = half_done(home, "not-begun")
    stored.ledger.connection.execute("DELETE FROM invocations")
    mirror = open_mirror(stored)
    assert list(mirror.reconcile(False, False)) == [] and mirror.parent == ""


def test_a_sweep_under_way(home: Path) -> None:
    """Trials that began have runs under the sweep's own; only what is at rest is named as complete."""
    stored = half_done(home, "under-way")
    assert reconcile(open_mirror(stored), stored) == [1]
    own, trials = runs_of(stored)
    assert own.info.status == "RUNNING" and own.info.run_name == "under-way" and trials.keys() == {1, 2}
    assert {run.data.tags["mlflow.parentRunId"] for run in trials.values()} == {own.info.run_id}
    assert (trials[1].info.status, trials[2].info.status) == ("FINISHED", "RUNNING")
    assert trials[1].data.tags["revision"] == "finished 2 1 kept" and "revision" not in trials[2].data.tags
    assert stored.history.trial(1).run_id == trials[1].info.run_id
    assert artifacts(stored, trials[1]) == {"curves.png", "summary.txt", "weights.npz", "weights.txt", "checkpoint"}
    assert len(models(trials[1])) == 1 and artifacts(stored, trials[2]) == set()
    assert trials[2].data.params["parameters"] == "102" and trials[2].data.params["activation"] == "tanh"


def test_what_was_mirrored_before_goes_on(home: Path) -> None:
    """Another process finds the runs and adds what is new: runs are created once, every point is there once."""
    stored = half_done(home, "goes-on")
    first = open_mirror(stored)
    reconcile(first, stored)
    before = runs_of(stored)[1]
    complete(stored)
    assert reconcile(open_mirror(stored), stored) == [2, 3]
    own, trials = runs_of(stored)
    assert {number: run.info.run_id for number, run in before.items()}.items() <= {
        number: run.info.run_id for number, run in trials.items()
    }.items()
    client = set_up_mlflow(stored.chosen)
    for number, run in trials.items():
        for key in KEYS:
            assert [point.step for point in client.get_metric_history(run.info.run_id, key)] == [1, 2]
        accuracies = [one.metrics["val_accuracy"] for one in stored.history.trial(number).epochs]
        points = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert [point.value for point in points] == accuracies
    assert own.data.metrics["test_accuracy"] == trials[2].data.metrics["test_accuracy"] == 0.75
    assert models(trials[1]) == models(before[1]), "a model is logged once"


def test_looking_again_changes_nothing(home: Path) -> None:
    """Where MLflow has everything, nothing is written, and no trial is named that the ledger knows to be there."""
    stored = half_done(home, "again", "tracking.curves=false")
    complete(stored)
    mirror = open_mirror(stored)
    assert reconcile(mirror, stored, True, True) == [1, 2, 3]
    before = [run.to_dictionary() for run in (runs_of(stored)[0], *runs_of(stored)[1].values())]
    assert reconcile(mirror, stored, True, True) == []
    assert [run.to_dictionary() for run in (runs_of(stored)[0], *runs_of(stored)[1].values())] == before
    stored.play(Started(1, 1), Finished(1, stored.history.trial(1).weights or file("best")))  # forgets its run
    assert reconcile(mirror, stored, True, True) == [1]


def test_what_fails_for_one_trial_leaves_the_others_their_turn(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are shown and named, then the error is raised; the sweep's own run is not closed before it is over."""
    stored = half_done(home, "fails", "tracking.curves=false")
    complete(stored)

    def fail(here: Any, run: Any, history: Any, one: Any, *rest: Any) -> None:
        if one.number == 2:
            raise OSError("no room")
        show_trial(here, run, history, one, *rest)

    monkeypatch.setattr("src.tracking.mirror.show_trial", fail)
    with pytest.raises(OSError, match="no room"):
        reconcile(open_mirror(stored), stored, True, True)
    assert [one.number for one in stored.history.trials if one.run_id] == [1, 3]
    own, _ = runs_of(stored)
    assert own.info.status == "RUNNING" and "winner" not in own.data.tags
    monkeypatch.setattr("src.tracking.mirror.show_trial", show_trial)
    assert reconcile(open_mirror(stored), stored, True, True) == [2]
    assert runs_of(stored)[0].info.status == "FINISHED"


# ---------------------------------------------------------------------------------------- finishing


def test_a_sweep_that_is_complete(home: Path) -> None:
    """Its own run is closed, with configuration, samples, table, report, the winner's model and the answer."""
    stored = half_done(home, "whole")
    complete(stored)
    (stored.path / "report").mkdir()
    (stored.path / "report" / "report.html").write_text("the report")
    reconcile(open_mirror(stored), stored, True, True)
    own, trials = runs_of(stored)
    assert {run.info.status for run in (own, *trials.values())} == {"FINISHED"}
    assert own.data.tags["state"] == "complete" and own.data.tags["winner"].startswith("First: trial 2")
    assert artifacts(stored, own) == {"config.yaml", "samples.png", "results.json", "report", "test"}
    assert artifacts(stored, trials[2]) >= {"test", "curves.png"} and "test" not in artifacts(stored, trials[1])
    assert len(models(own)) == 1 and own.data.metrics["best_so_far/val_accuracy_2_epochs"] == 0.8
    client = set_up_mlflow(stored.chosen)
    note = client.get_experiment(own.info.experiment_id).tags["mlflow.note.content"]
    assert f"[whole](#/experiments/{own.info.experiment_id}" in note
    assert "trial 2" in own.data.tags["mlflow.note.content"]
    table = client.load_table(own.info.experiment_id, "results.json", [own.info.run_id])
    assert sorted(table["trial"]) == [1, 2, 3]


def test_the_table_and_the_winner_follow(home: Path) -> None:
    """Finished once more with another winner: one table, one model, and the numbers of the new one."""
    stored = half_done(home, "follows", "tracking.curves=false")
    complete(stored)
    mirror = open_mirror(stored)
    reconcile(mirror, stored, True, True)
    before = models(runs_of(stored)[0])
    stored.play(trial(4, repeat=1, point=2), Started(4, 1))
    stored.play(EpochEnded(4, epoch(1, 0.9), None), EpochEnded(4, epoch(2, 0.95), None))
    stored.play(Finished(4, stored.weights(2, seed=2)))
    reconcile(open_mirror(stored), stored, True, True)
    own, _ = runs_of(stored)
    (model,) = [one for one in models(own) if one not in before]
    client = set_up_mlflow(stored.chosen)
    with pytest.raises(Exception, match="not found"):
        client.get_logged_model(before[0])
    assert client.get_logged_model(model).status == "READY"
    table = client.load_table(own.info.experiment_id, "results.json", [own.info.run_id])
    assert sorted(table["trial"]) == [1, 2, 3, 4]


def test_a_sweep_that_was_stopped(home: Path) -> None:
    """What is still running when the session ends was interrupted; the ledger may learn of it later."""
    stored = half_done(home, "stopped")
    assert reconcile(open_mirror(stored), stored, True, False) == [1, 2]
    own, trials = runs_of(stored)
    assert (own.info.status, own.data.tags["state"]) == ("KILLED", "interrupted")
    assert (trials[2].info.status, trials[2].data.tags["state"]) == ("KILLED", "interrupted")
    stored.play(Started(2, 2))
    reconcile(open_mirror(stored), stored)
    own, trials = runs_of(stored)
    assert own.info.status == trials[2].info.status == "RUNNING"


def test_a_trial_that_never_began_has_no_run(home: Path) -> None:
    """Neither has one that waits; a pruned one has the epochs that it was given."""
    stored = half_done(home, "pruned")
    stored.play(Pruned(2, "place 3 of 3"))
    assert reconcile(open_mirror(stored), stored, True, True) == [1, 2]
    _, trials = runs_of(stored)
    assert trials.keys() == {1, 2} and trials[2].info.status == "KILLED"
    assert trials[2].data.tags["reason"] == "place 3 of 3" and trials[2].data.metrics["val_accuracy"] == 0.7


# ----------------------------------------------------------------------------------- what is kept


def test_only_the_best_keep_their_files(home: Path) -> None:
    """With tracking.keep=1 the first has model and weights until another is better."""
    stored = half_done(home, "kept", "tracking.keep=1", "tracking.curves=false")
    reconcile(open_mirror(stored), stored)
    first = runs_of(stored)[1][1]
    assert len(models(first)) == 1
    complete(stored)
    reconcile(open_mirror(stored), stored)
    _, trials = runs_of(stored)
    assert artifacts(stored, trials[1]) == {"summary.txt"} and artifacts(stored, trials[3]) == set()
    assert artifacts(stored, trials[2]) >= {"weights.npz", "weights.txt", "checkpoint"}
    assert trials[1].data.tags["model.weights"] == "" and trials[1].data.tags["revision"] == "finished 2 1 "
    client = set_up_mlflow(stored.chosen)
    with pytest.raises(Exception, match="not found"):
        client.get_logged_model(models(first)[0])


@pytest.mark.parametrize(
    ("keep", "kept"), [("all", {1, 2, 3, 4}), (0, set()), (1, {4}), (2, {4, 3}), (9, {1, 2, 3, 4})]
)
def test_which_trials_are_kept(tmp_path: Path, keep: int | str, kept: set[int]) -> None:
    """The final trial comes first, here the refit of the winner, then the best of the search."""
    history = history_of(configured(tmp_path), *(trial(number) for number in (1, 2, 3)))
    play(history, trial(4, Role.REFIT, point=3))
    for number, accuracy in ((1, 0.5), (2, 0.6), (3, 0.7), (4, 0.1)):
        play(history, Started(number, 1), EpochEnded(number, epoch(1, accuracy), None), Finished(number, file("best")))
    assert kept_trials(history, keep) == kept
