"""A sweep from its command to its results."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from src.ledger.files import read_arrays
from src.ledger.records import TrialState
from tests.functional.conftest import EPOCHS, Home, run


def test_prints_the_result(finished: tuple[Home, str]) -> None:
    """The output says what was trained, which is best, its test accuracy, and what to do next."""
    home, output = finished
    assert "2 points: 2 to train, 0 infeasible, 0 duplicate" in output
    assert f"2 trials up to epoch {EPOCHS}" in output and "about" in output
    assert "has a test accuracy of" in output and "evaluated on test data once" in output
    assert f" -m src.compare {home.folder().name}" in output


def test_trains_well(finished: tuple[Home, str]) -> None:
    """An easy problem is learned: the pieces (loss, metrics, validation) fit together."""
    home, _ = finished
    history = home.history()
    assert [trial.state for trial in history.trials] == [TrialState.FINISHED] * 2
    assert all(len(trial.epochs) == EPOCHS and (trial.objective or 0) > 0.9 for trial in history.trials)
    assert history.evaluations[0].accuracy > 0.9


def test_complete_sweep_trains_nothing_again(finished: tuple[Home, str]) -> None:
    """The same command on a complete sweep says so and touches neither trials nor test data."""
    home, _ = finished
    before = home.history()
    result = home.run()
    assert result.returncode == 0 and "This sweep is complete." in result.stdout
    after = home.history()
    assert after.trials == before.trials and after.evaluations == before.evaluations


def test_compare_agrees_with_the_ledger(finished: tuple[Home, str]) -> None:
    """`compare` gives one row a trial with its run, in all formats."""
    home, _ = finished
    command = [sys.executable, "-m", "src.compare", "latest", "--sweeps", str(home.root / "sweeps")]
    table = json.loads(run([*command, "--format", "json"]).stdout)
    history = home.history()
    assert {row["trial"]: row["run_id"] for row in table} == {t.number: t.run_id for t in history.trials}
    assert {row["activation"] for row in table} == {"relu", "tanh"}
    assert "relu" in run(command).stdout
    assert run([*command, "--format", "csv"]).stdout.startswith("trial,point,role,repeat,state,reason,activation,")


def test_preview_stores_nothing(home: Home) -> None:
    """A preview names duplicates, points that cannot be built, and the cost, and leaves no file behind."""
    space = ["search=cnn_grid", "architecture=cnn", "search.space.architecture.filters.choice=[4,[4,4]]"]
    space += ["data=npz", f"data.path={home.images}", f"paths.sweeps={home.root}/s", f"paths.mlruns={home.root}/m"]
    space += ["search.space.architecture.blocks.choice=[2]", "search.space.architecture.pool.choice=[2]"]
    result = run([sys.executable, "-m", "src.sweep", *space, "~search.space.architecture.dense_layers", "preview=true"])
    assert result.returncode == 0, result.stdout
    assert "8 points: 2 to train, 2 infeasible, 4 duplicate" in result.stdout
    assert "block2_conv2: a 5×5 valid convolution on 4×4" in result.stdout
    assert "about" in result.stdout
    assert not list(home.root.iterdir())


def test_a_trial_that_fails_does_not_end_the_sweep(home: Home) -> None:
    """A loss that becomes NaN is recorded with its reason and not retried; the other trial wins."""
    rates = ["~search.space.activation", "+search.space.optimizer.learning_rate.choice=[0.001,1e30]"]
    options = [
        "optimizer=sgd",
        "schedule=constant",
        "training.epochs=2",
        "tracking=none",
        "architecture.batch_norm=false",
    ]
    result = home.run(*options, *rates, "workers.count=1")
    assert result.returncode == 0, result.stdout
    good, bad = home.history().trials
    assert (good.state, bad.state, bad.attempts) == (TrialState.FINISHED, TrialState.FAILED, 1)
    assert "in epoch 1" in bad.reason and "trial 2 failed" in result.stdout
    again = home.run(*options, *rates, "workers.count=1", "search.retry_failed=true")
    assert home.history().trials[1].attempts == 2 and home.history().trials[0].attempts == 1, again.stdout


def test_random_search_and_more_trials(home: Home) -> None:
    """A random search trains as many points as asked for; asking for more goes on with others."""
    space = ["~search.space.activation", "+search.space.architecture.units.choice=[8,16,24]"]
    space += ["+search.space.optimizer.learning_rate.float={min:0.001,max:0.1,log:true}"]
    options = [
        "search.strategy=random",
        "search.name=random",
        *space,
        "training.epochs=2",
        "tracking=none",
        "checkpoints.keep=1",
    ]
    assert home.run(*options, "search.max_trials=2").returncode == 0
    first = home.history()
    assert home.run(*options, "search.max_trials=3").returncode == 0
    history = home.history()
    assert [trial.state for trial in history.trials] == [TrialState.FINISHED] * 3
    assert [p.values for p in history.points[:2]] == [p.values for p in first.points]
    assert sum(trial.weights is not None for trial in history.trials) == 1, "checkpoints.keep=1 keeps the best alone"


@pytest.mark.parametrize("trial", [1, 2])
def test_mlflow_has_everything_of_a_trial(finished: tuple[Home, str], trial: int) -> None:
    """Every epoch, parameter and artifact of a trial is in MLflow; the model predicts what its weights say."""
    import mlflow

    home, _ = finished
    mlflow.set_tracking_uri(f"sqlite:///{home.root}/mlruns/mlflow.db")
    client = mlflow.MlflowClient()
    row = home.history().trials[trial - 1]
    found = client.get_run(row.run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params["activation.name"] == ("relu", "tanh")[trial - 1]
    assert found.data.params["optimizer.weight_decay"] == "0.004"
    for key in ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"):
        points = client.get_metric_history(row.run_id, key)
        assert [p.step for p in points] == list(range(1, EPOCHS + 1))
        assert [p.value for p in points] == [epoch.metrics[key] for epoch in row.epochs]
    assert found.data.metrics["best/val_accuracy"] == row.objective
    artifacts = {item.path for item in client.list_artifacts(row.run_id)}
    assert artifacts >= {"curves.png", "summary.txt", "weights.npz", "weights.txt", "checkpoint"}
    assert row.weights
    weights = read_arrays(home.folder(), row.weights)
    with np.load(client.download_artifacts(row.run_id, "weights.npz")) as dumped:
        assert all((dumped[name] == array).all() for name, array in weights.items())
    model = mlflow.pyfunc.load_model(f"runs:/{row.run_id}/model")
    with np.load(home.images) as file:
        x, y = file["x_train"][..., np.newaxis], file["y_train"]
    assert (model.predict(x).argmax(axis=1) == y).mean() > 0.9


def test_mlflow_has_the_sweep(finished: tuple[Home, str]) -> None:
    """The parent run has configuration, table, samples, best-so-far and the winner as a model."""
    import mlflow

    home, _ = finished
    mlflow.set_tracking_uri(f"sqlite:///{home.root}/mlruns/mlflow.db")
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name("corners")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "trial" not in run.data.tags]
    assert len(runs) == 3 and parent.info.status == "FINISHED"
    assert {item.path for item in client.list_artifacts(parent.info.run_id)} == {
        "report",
        "config.yaml",
        "results.json",
        "samples.png",
        "test",
    }
    assert len(client.get_metric_history(parent.info.run_id, f"best_so_far/val_accuracy_{EPOCHS}_epochs")) == 2
    assert parent.data.metrics["test_accuracy"] == home.history().evaluations[0].accuracy
    assert parent.outputs and parent.outputs.model_outputs
    table = client.load_table(experiment.experiment_id, "results.json", [parent.info.run_id])
    assert len(table) == 2


def test_mlruns_can_be_rebuilt(finished: tuple[Home, str], tmp_path: Path) -> None:
    """`sync`, and the sweep's own command, write all runs anew where they are not; a second time changes nothing."""
    home = Home(tmp_path / "copy", finished[0].images)  # its ledger learns of the new runs
    shutil.copytree(finished[0].root, home.root)
    command = [sys.executable, "-m", "src.sync", "latest", "--sweeps", str(home.root / "sweeps")]
    rebuilt = home.root / "rebuilt"
    for _ in range(2):
        result = run([*command, "--mlruns", str(rebuilt)])
        assert result.returncode == 0, result.stdout
    again = home.run(f"paths.mlruns={home.root}/again")
    assert again.returncode == 0 and "This sweep is complete." in again.stdout
    assert_rebuilt(home.root / "again")
    assert_rebuilt(rebuilt)


def assert_rebuilt(mlruns: Path) -> None:
    """Three closed runs, each with its model, and each epoch of a trial once."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{mlruns}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("corners").experiment_id])
    assert len(runs) == 3 and {run.info.status for run in runs} == {"FINISHED"}
    for found in runs:
        assert len(client.get_metric_history(found.info.run_id, "val_loss")) == (
            EPOCHS if "trial" in found.data.tags else 0
        )
        assert len(found.outputs.model_outputs) == 1
