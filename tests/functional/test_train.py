"""One configuration from its command to a prediction."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.functional.conftest import Home, run


def train(home: Home, *overrides: str) -> str:
    """A document's experiment on small images; what it prints."""
    base = ["experiment=dnn_128", "data=npz", f"data.path={home.images}"]
    paths = [f"paths.sweeps={home.root}/sweeps", f"paths.mlruns={home.root}/mlruns"]
    result = run([sys.executable, "-m", "src.train", *overrides, *base, *paths])
    assert result.returncode == 0, result.stdout
    return result.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, images: Path) -> tuple[Home, str]:
    """One configuration, trained for three epochs."""
    home = Home(tmp_path_factory.mktemp("trained"), images)
    return home, train(home, "training.epochs=3")


def test_prints_epochs_and_looks_at_the_test_data_once(trained: tuple[Home, str]) -> None:
    """A single training says each epoch and the test accuracy, and its sweep is named after the experiment."""
    home, output = trained
    assert home.folder().name.startswith("dnn_128-single-corners-")
    assert [f"epoch {number}/3 accuracy" in output for number in (1, 2, 3)] == [True] * 3
    assert "1 point: 1 to train" in output and "1 worker:" in output
    assert "evaluated on test data once" in output and len(home.history().evaluations) == 1


def test_what_the_network_did_on_the_test_data_is_in_mlflow(trained: tuple[Home, str]) -> None:
    """First predictions, confusion matrix and worst mistakes lie with the trial and with its sweep."""
    import mlflow

    home, _ = trained
    client = mlflow.MlflowClient(f"sqlite:///{home.root}/mlruns/mlflow.db")
    run_id = home.history().trials[0].run_id
    parent = client.get_run(run_id).data.tags["mlflow.parentRunId"]
    for one in (run_id, parent):
        pictures = {item.path for item in client.list_artifacts(one, "test")}
        assert pictures == {"test/first_predictions.png", "test/confusion.png", "test/mistakes.png"}
        assert client.get_run(one).data.metrics["test_accuracy"] == home.history().evaluations[0].accuracy


def test_predicts_by_sweep_by_uri_and_by_file(trained: tuple[Home, str], tmp_path: Path) -> None:
    """The sweep's winner, its MLflow model and its .keras file say the same of image files; an odd file is skipped."""
    home, _ = trained
    with np.load(home.images) as file:
        x, y = file["x_train"][:30], file["y_train"][:30]
    files = [tmp_path / f"{number}.png" for number in range(len(x))]
    for path, image in zip(files, x, strict=True):
        Image.fromarray(image).save(path)
    sweep = home.folder()
    evaluation = home.history().evaluations[0]
    assert evaluation.model
    folders = ["--sweeps", str(home.root / "sweeps"), "--mlruns", str(home.root / "mlruns"), "--format", "json"]
    models = [sweep.name, f"runs:/{home.history().trials[0].run_id}/model", str(sweep / evaluation.model.path)]
    command = [sys.executable, "-m", "src.predict", *map(str, files), *folders, "--model"]
    printed = [run([*command, model]).stdout for model in models]
    assert printed[0].startswith("model: ") and evaluation.model.path in printed[0]
    said = [json.loads(text[text.index("[") :]) for text in printed]
    assert said[0] == said[1] == said[2] and [one["file"] for one in said[0]] == list(map(str, files))
    assert sum(one["class"] == label for one, label in zip(said[0], y, strict=True)) > 20
    (tmp_path / "0.png").write_text("no image")
    skipped = run([*command[:4], *folders[:4], "--model", sweep.name])
    assert skipped.returncode == 1 and "skipped: " in skipped.stdout and "no image" in skipped.stdout


def test_more_epochs_go_on(trained: tuple[Home, str]) -> None:
    """Asking for more epochs continues from the last one; the epochs before stay as they were."""
    home, _ = trained
    before = home.history().trials[0].epochs
    output = train(home, "training.epochs=5")
    assert "epoch 4/5" in output and "epoch 3/5" not in output
    (trial,) = home.history().trials
    assert trial.epochs[:3] == before and len(trial.epochs) == 5 and trial.attempts == 2


def test_multirun(home: Home) -> None:
    """Hydra's multirun trains one after the other, each as a sweep of its own, and says which is which."""
    output = train(home, "-m", "activation=relu,tanh", "training.epochs=1", "tracking=none")
    assert "job 1: " in output and "job 2: " in output and "activation=tanh" in output
    assert len(list((home.root / "sweeps").glob("dnn_128-single-*/ledger.db"))) == 2
