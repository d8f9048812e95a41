"""A model is in MLflow once, with what is to be known of it, and comes back by its address."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from src.base.errors import UserError
from src.data.likeness import facts_of
from src.data.load import load
from src.ledger.files import read_arrays
from src.tracking.models import build_model, delete_artifact, download_model, drop_files, log_model, read_metadata
from src.tracking.runs import TrackedSweep
from src.tracking.store import set_up_mlflow
from src.training.export import load_network
from tests.unit.examples import use_one_thread
from tests.unit.tracking.sweeps import Stored, make_sweep, tracked

use_one_thread()


@pytest.fixture(scope="module")
def stored(home: Path) -> Stored:
    """A sweep whose models want digits."""
    return make_sweep(home, "models", "data.preprocessing=digits")


@pytest.fixture
def here(stored: Stored) -> TrackedSweep:
    """The same with MLflow, where an experiment is current."""
    import mlflow

    client = set_up_mlflow(stored.chosen)
    found = mlflow.set_experiment(experiment_name="models")
    return TrackedSweep(
        client, stored.chosen, tracked(stored, None).sweep, load(stored.chosen.data), found.experiment_id
    )


@pytest.fixture
def run(here: TrackedSweep) -> str:
    """A run of its own."""
    return str(here.client.create_run(here.experiment).info.run_id)


def model_of(stored: Stored, seed: int) -> Any:
    """The first point's model with weights of a seed."""
    weights = read_arrays(stored.path, stored.weights(1, seed))
    return build_model(stored.history, stored.history.trial(1), load(stored.chosen.data), weights)


def model_ids(here: TrackedSweep, run: str) -> list[str]:
    """The models that a run has logged and that are still there."""
    found = here.client.search_logged_models([here.experiment], f"source_run_id = '{run}'")
    return [one.model_id for one in found]


# ------------------------------------------------------------------------------------------ logging


def test_a_model_is_logged_once(stored: Stored, here: TrackedSweep, run: str) -> None:
    """The same weights leave the model that is there, others replace it; their checksum is the run's tag."""
    log_model(here, run, model_of(stored, 1), "first")
    (first,) = model_ids(here, run)
    log_model(here, run, model_of(stored, 1), "first")
    assert model_ids(here, run) == [first]
    location = Path(here.client.get_logged_model(first).artifact_location.removeprefix("file://"))
    assert (location / "data" / "model.keras").is_file()
    log_model(here, run, model_of(stored, 2), "second")
    (second,) = model_ids(here, run)
    assert second != first and not (location / "data" / "model.keras").exists()
    assert here.client.get_run(run).data.tags["model.weights"] == "second"


def test_a_model_says_what_it_takes(stored: Stored, here: TrackedSweep, run: str) -> None:
    """Its signature has the images' shape and type and the number of classes, its metadata how files are
    prepared for it, and what its images are like."""
    import mlflow

    log_model(here, run, model_of(stored, 1), "first")
    info = mlflow.models.get_model_info(f"runs:/{run}/model")
    assert info.metadata == facts_of(here.data) and info.metadata["preprocessing"] == "digits"
    assert info.signature.inputs.to_dict() == [
        {"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": (-1, 8, 8, 1)}}
    ]
    assert info.signature.outputs.to_dict()[0]["tensor-spec"] == {"dtype": "float32", "shape": (-1, 3)}


def test_files_of_a_run_are_dropped(stored: Stored, here: TrackedSweep, run: str, tmp_path: Path) -> None:
    """Model, checkpoint and weight dumps go, and what else there is stays; twice does no harm."""
    log_model(here, run, model_of(stored, 1), "first")
    for name in ("weights.npz", "weights.txt", "summary.txt"):
        here.client.log_text(run, "content", name)
    here.client.log_text(run, "content", "checkpoint/best.weights.h5")
    for _ in range(2):
        drop_files(here.client, run)
        assert {item.path for item in here.client.list_artifacts(run)} == {"summary.txt"}
        assert model_ids(here, run) == [] and here.client.get_run(run).data.tags["model.weights"] == ""
    log_model(here, run, model_of(stored, 1), "first")
    assert len(model_ids(here, run)) == 1, "one that is among the best again is logged anew"


def test_an_artifact_that_is_not_there(here: TrackedSweep, run: str) -> None:
    """Removing it is no mistake, and takes nothing else."""
    here.client.log_text(run, "content", "results.json")
    delete_artifact(here.client, run, "result")
    assert [item.path for item in here.client.list_artifacts(run)] == ["results.json"]
    delete_artifact(here.client, run, "results.json")
    assert here.client.list_artifacts(run) == []


# -------------------------------------------------------------------------------------- downloading


def test_a_model_comes_back(stored: Stored, here: TrackedSweep, run: str, home: Path, tmp_path: Path) -> None:
    """By the run's address or the model's own: the same predictions, and what was logged with it."""
    model = model_of(stored, 1)
    log_model(here, run, model, "first")
    images = load(stored.chosen.data).test.x
    for uri in (f"runs:/{run}/model", f"models:/{model_ids(here, run)[0]}"):
        folder = tmp_path / uri.partition(":")[0]
        folder.mkdir()
        path = download_model(uri, home / "mlruns", folder)
        assert path.is_relative_to(folder) and read_metadata(path) == facts_of(here.data)
        network = load_network(path, read_metadata(path))
        assert network.preprocessing == "digits" and network.shape == (8, 8, 1)
        np.testing.assert_array_equal(network.model.predict(images, verbose=0), model.predict(images, verbose=0))


def test_models_that_are_not_there(here: TrackedSweep, run: str, home: Path, tmp_path: Path) -> None:
    """No database, an address that is wrong and a run without a model are told in a sentence."""
    with pytest.raises(UserError, match=r"there is no .*mlflow\.db: give --mlruns"):
        download_model(f"runs:/{run}/model", tmp_path, tmp_path)
    with pytest.raises(UserError, match="cannot be downloaded from MLflow"):
        download_model("runs:/0123456789abcdef0123456789abcdef/model", home / "mlruns", tmp_path)
    here.client.log_text(run, "no model", "model/notes.txt")
    with pytest.raises(UserError, match="holds no Keras model"):
        download_model(f"runs:/{run}/model", home / "mlruns", tmp_path)


# ----------------------------------------------------------------------------------------- metadata


def mlmodel(folder: Path, content: str | bytes) -> Path:
    """A model's place in MLflow's layout, with that file beside it."""
    (folder / "data").mkdir()
    (folder / "MLmodel").write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "data" / "model.keras"


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        ("metadata:\n  preprocessing: threshold\n", {"preprocessing": "threshold"}),
        ("metadata: null\n", {}),
        ("run_id: abc\n", {}),  # of earlier versions
        ("metadata: [1, 2]\n", {}),
    ],
)
def test_metadata_beside_a_model(tmp_path: Path, content: str, facts: dict[str, str]) -> None:
    """What was logged with a model; nothing of models of earlier versions."""
    assert read_metadata(mlmodel(tmp_path, content)) == facts


def test_a_file_that_mlflow_has_not_written(tmp_path: Path) -> None:
    """A .keras file elsewhere, or that does not exist, has no metadata."""
    assert read_metadata(tmp_path / "mine.keras") == {}


@pytest.mark.parametrize("content", ["- a list\n", "{", b"\xff\xfe\xfa", "", "metadata: !!python/object:os.system {}"])
def test_metadata_that_cannot_be_read(tmp_path: Path, content: str | bytes) -> None:
    """A file that is damaged is named, not taken for one that says nothing."""
    with pytest.raises(UserError, match="MLmodel cannot be read"):
        read_metadata(mlmodel(tmp_path, content))


def test_a_model_of_an_earlier_version(here: TrackedSweep, run: str, home: Path, tmp_path: Path) -> None:
    """It was logged without metadata; its input's name says how files are prepared."""
    import mlflow

    inputs = keras.Input((8, 8, 1), dtype="uint8", name="image_threshold")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    info = mlflow.models.Model.log(
        artifact_path=None, flavor=mlflow.keras, name="model", run_id=run, model=model, pip_requirements=[]
    )
    path = download_model(info.model_uri, home / "mlruns", tmp_path)
    assert read_metadata(path) == {} and load_network(path, read_metadata(path)).preprocessing == "threshold"
