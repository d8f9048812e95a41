"""What a search does beyond training each point once: seeds, confirmation, refit, rungs, what others have trained."""

import sys
from pathlib import Path

import pytest

from src.ledger.database import read_history
from src.ledger.records import Origin, Role, Trial, TrialState, point_key
from src.ledger.sweep_folder import open_sweep
from tests.functional.conftest import Home, kill_group, run

SHORT = ("schedule=constant", "training.epochs=4", "training.batch_size=64")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Home:
    """A sweep without pruner or interruption, in a folder of its own."""
    home = Home(tmp_path_factory.mktemp("whole"), images)
    assert home.run(*SHORT, "tracking=none", "name=whole").returncode == 0
    return home


def test_report_without_mlflow(whole: Home) -> None:
    """The report is the sweep's own: it is written at the end whether or not MLflow is used, and nothing of MLflow's is."""
    report = (whole.folder() / "report" / "report.html").read_text()
    assert "activation" in report and "has a test accuracy of" in report
    assert {"trials.csv", "points.csv"} <= {file.name for file in (whole.folder() / "report").iterdir()}
    assert not (whole.root / "mlruns").exists()


def bits(trial: Trial) -> tuple[object, ...]:
    """What equal trials have in common: metrics of all epochs, weights, each validation image's result."""
    assert trial.weights and trial.validation
    metrics = [epoch.metrics for epoch in trial.epochs]
    return trial.state, metrics, trial.best_epoch, trial.weights.sha256, trial.validation.sha256


def test_confirmed_and_refitted(home: Home) -> None:
    """The best are trained on fresh seeds, the winner on all images, and that model alone sees the test images; in MLflow too."""
    result = home.run(*SHORT, "search.repeats=2", "search.confirm=2", "search.confirm_repeats=2", "search.refit=true")
    assert result.returncode == 0, result.stdout
    assert "fresh seeds" in result.stdout and "the winner trained on validation images too" in result.stdout
    history = home.history()
    assert [(t.role, t.repeat) for t in history.trials] == [
        *[(Role.SEARCH, repeat) for repeat in (0, 0, 1, 1)],
        *[(Role.CONFIRM, repeat) for repeat in (0, 0, 1, 1)],
        (Role.REFIT, 0),
    ]
    assert {trial.state for trial in history.trials} == {TrialState.FINISHED}
    refit = history.trials[-1]
    assert "val_loss" not in refit.epochs[-1].metrics and refit.validation is None
    assert [evaluation.trial for evaluation in history.evaluations] == [refit.number]
    assert all(trial.validation for trial in history.trials[:-1])
    assert (home.folder() / "report" / "report.html").is_file()
    assert_in_mlflow(home, refit.run_id)


def assert_in_mlflow(home: Home, refit: str) -> None:
    """A run for each trial, and the refit's with its model and its look at the test images."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{home.root}/mlruns/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("corners").experiment_id])
    assert len(runs) == 1 + 9 and {run.info.status for run in runs} == {"FINISHED"}
    found = client.get_run(refit)
    assert found.outputs and found.outputs.model_outputs and "test_accuracy" in found.data.metrics
    assert {item.path for item in client.list_artifacts(refit)} >= {"curves.png", "checkpoint", "weights.npz", "test"}


def test_pruned_then_continued(home: Home, whole: Home) -> None:
    """A pruned trial keeps its curve; without the pruner it goes on from there, to the weights it would have had."""
    result = home.run(*SHORT, "search.pruner=top_k", "search.keep=1")
    assert result.returncode == 0, result.stdout
    assert sorted((t.state, len(t.epochs)) for t in home.history().trials) == [
        (TrialState.FINISHED, 4),
        (TrialState.PRUNED, 1),
    ]
    assert (
        "place 2 of 2 after 1 epoch" in {trial.reason for trial in home.history().trials} and "pruned" in result.stdout
    )
    assert result.stdout.count("at a rung") == 2
    assert home.run(*SHORT).returncode == 0
    assert [bits(trial) for trial in home.history().trials] == [bits(trial) for trial in whole.history().trials]


def trials_of(home: Home, name: str) -> list[Trial]:
    """Of one of several sweeps in a folder."""
    sweep = open_sweep(home.root / "sweeps" / name)
    return read_history(sweep.path, sweep.objective).trials


def test_never_trained_twice(home: Home, whole: Home) -> None:
    """A trial that another sweep has trained is taken from it, one with fewer epochs is gone on from, both to the bits
    that training alone gives; terminal, `compare` and MLflow say where it is from."""
    short = [option.replace("epochs=4", "epochs=2") for option in SHORT]
    first = home.run(*short, "tracking=none", "name=first", "search.space.activation.choice=[relu]")
    assert first.returncode == 0, first.stdout
    second = home.run(*SHORT, "tracking=none", "name=second")  # relu goes on from epoch 2, tanh is trained
    assert second.returncode == 0, second.stdout
    relu, tanh = trials_of(home, "second")
    assert [bits(relu), bits(tanh)] == [bits(trial) for trial in trials_of(whole, "whole")]
    assert (relu.origin, relu.attempts, tanh.origin, tanh.attempts) == (Origin("first", 1), 2, None, 1)
    assert "trial 1: 2 epochs taken from first trial 1\n" in second.stdout

    third = home.run(*SHORT, "name=third", "search.space.activation.choice=[tanh]", "search.name=other")
    assert third.returncode == 0, third.stdout
    (taken,) = trials_of(home, "third")
    assert bits(taken) == bits(tanh) and taken.attempts == 1 and taken.objective
    line = f"1/1  trial 1: activation=tanh: val_accuracy {taken.objective:.4f} at epoch {taken.best_epoch}, taken from"
    assert f"{line} second trial 2" in third.stdout and "epoch 1/4" not in third.stdout
    assert "has a test accuracy of" in third.stdout
    compared = run([sys.executable, "-m", "src.compare", "third", "--sweeps", str(home.root / "sweeps")])
    assert compared.stdout.endswith("1 trial was taken from other sweeps (search.reuse=false trains anew): second.\n")
    assert_origin_in_mlflow(home, taken)


def assert_origin_in_mlflow(home: Home, taken: Trial) -> None:
    """The run says where the trial is from, and has everything that the run of a trained one has."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{home.root}/mlruns/mlflow.db")
    found = client.get_run(taken.run_id)
    assert (found.info.status, found.data.tags["origin"]) == ("FINISHED", "second trial 2")
    assert [point.step for point in client.get_metric_history(taken.run_id, "val_loss")] == [1, 2, 3, 4]
    assert {item.path for item in client.list_artifacts(taken.run_id)} >= {"curves.png", "checkpoint", "weights.npz"}
    assert found.outputs and found.outputs.model_outputs


def test_guided_then_killed(home: Home) -> None:
    """A search that goes by results, killed while it trains and gone on with, proposes and trains what one that nobody
    stopped does, to the same bits; in both no point is there before the one before it has a result."""
    rate = "+search.space.optimizer.learning_rate.float={min:1e-4,max:1e-2,log:true}"
    guided = (*SHORT[::2], "training.epochs=2", rate, "search.strategy=bayesian", "search.max_trials=12")
    alone = ("workers.count=1", "tracking=none")
    whole = Home(home.root / "whole", home.images)
    assert whole.run(*guided, *alone).returncode == 0
    process = home.start(*guided, *alone)
    home.wait_for(lambda history: len(history.trials) == 11, process)
    kill_group(process)
    assert home.run(*guided, *alone).returncode == 0
    ours, theirs = home.history(), whole.history()
    assert [point.values for point in ours.points] == [point.values for point in theirs.points]
    assert [[e.metrics for e in t.epochs] for t in ours.trials] == [
        [e.metrics for e in t.epochs] for t in theirs.trials
    ]
    assert len({point_key(point.values) for point in ours.points}) == len(ours.points) >= 12
