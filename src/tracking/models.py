"""Models in MLflow: logged once with what is to be known of them, replaced, downloaded."""

import gc
import os
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from src.base.errors import UserError, first_line
from src.data.dataset import Dataset
from src.ledger.files import Arrays
from src.ledger.history import History
from src.ledger.records import Trial
from src.tracking.runs import TrackedSweep
from src.tracking.store import choose_store, database, set_environment, store_uri

DUMPS = ("weights.npz", "weights.txt", "checkpoint")


# -------------------------------------------------------------------------------------- downloading


def download_model(uri: str, mlruns: Path, folder: Path) -> Path:
    """The .keras file of a model in MLflow, put into a folder. Raises UserError."""
    set_environment()
    import mlflow

    server = os.environ.get("MLFLOW_TRACKING_URI")
    if not server and not database(mlruns).is_file():
        raise UserError(f"there is no {database(mlruns)}: give --mlruns, or set MLFLOW_TRACKING_URI to a server.")
    try:
        choose_store(server or store_uri(mlruns))
        found = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))
    except Exception as error:  # MLflow and its stores raise many kinds
        raise UserError(f"{uri} cannot be downloaded from MLflow: {first_line(error)}") from error
    models = sorted(found.rglob("*.keras"))
    if not models:
        raise UserError(f"{uri} holds no Keras model.")
    return models[0]


def read_metadata(model: Path) -> dict[str, Any]:
    """What was logged with a model, by its .keras file among MLflow's: {} if nothing was, or it lies elsewhere.

    MLflow stores it at MLmodel, the model at data/model.keras beside it. Raises UserError.
    """
    path = model.resolve().parent.parent / "MLmodel"
    if not path.is_file():
        return {}
    try:
        found = yaml.safe_load(path.read_text())["metadata"]
    except KeyError:
        return {}
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}") from error
    return found if isinstance(found, dict) else {}


# ------------------------------------------------------------------------------------------ logging


def log_model(tracked: TrackedSweep, run: str, model: Any, sha256: str) -> None:
    """Log a model, once: one of other weights is replaced, one that is there is left."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    client, data = tracked.client, tracked.data
    if client.get_run(run).data.tags.get("model.weights") == sha256:
        return
    delete_models(client, run)
    images = TensorSpec(data.train.x.dtype, (-1, *data.shape))
    outputs = TensorSpec(np.dtype("float32"), (-1, data.num_classes))
    mlflow.models.Model.log(
        artifact_path=None,
        flavor=mlflow.keras,
        name="model",
        run_id=run,
        model=model,
        signature=ModelSignature(Schema([images]), Schema([outputs])),
        pip_requirements=[f"{name}=={metadata.version(name)}" for name in ("tensorflow", "keras", "numpy")],
        metadata=tracked.facts,
    )
    client.set_tag(run, "model.weights", sha256)


def drop_files(client: Any, run: str) -> None:
    """Remove a run's model, checkpoint and dumps: it is not among the best any more."""
    delete_models(client, run)
    for path in DUMPS:
        delete_artifact(client, run, path)
    client.set_tag(run, "model.weights", "")


def delete_models(client: Any, run: str) -> None:
    """Delete the models of a run."""
    outputs = client.get_run(run).outputs
    for output in outputs.model_outputs if outputs else []:
        with suppress(Exception):  # deleted before
            delete_model(client, output.model_id)


def delete_model(client: Any, model: str) -> None:
    """Delete a model and its files (MLflow alone would only hide it)."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    location = client.get_logged_model(model).artifact_location
    client.delete_logged_model(model)
    get_artifact_repository(location).delete_artifacts()


def delete_artifact(client: Any, run: str, path: str) -> None:
    """Remove one artifact of a run, if it is there."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    if any(item.path == path for item in client.list_artifacts(run)):
        get_artifact_repository(client.get_run(run).info.artifact_uri).delete_artifacts(path)


# ----------------------------------------------------------------------------------------- building


def build_model(history: History, trial: Trial, data: Dataset, weights: Arrays) -> Any:
    """A trial's model with the weights of its best epoch."""
    settle()
    import keras

    from src.training.engine import input_spec
    from src.training.export import for_inference
    from src.training.network import restore

    keras.backend.clear_session()
    configuration = history.point(trial.point).configuration
    assert configuration
    return for_inference(restore(configuration, input_spec(data), weights))


@cache
def settle() -> None:
    """Import what builds models. It stays: Keras collects garbage before each, and need not look through it."""
    import src.training.loop  # noqa: F401

    gc.collect()
    gc.freeze()
