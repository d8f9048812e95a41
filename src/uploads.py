"""What a run in MLflow holds beside its metrics: its model, once; what is not to be kept is removed with its files."""

from contextlib import suppress
from importlib import metadata
from typing import Any

import numpy as np

from src.data import Dataset

DUMPS = ("weights.npz", "weights.txt", "checkpoint")


def log_model(client: Any, run: str, model: Any, sha256: str, data: Dataset) -> None:
    """The model, once: one of other weights is replaced, one that is there is left."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

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
    )
    client.set_tag(run, "model.weights", sha256)


def drop_files(client: Any, run: str) -> None:
    """Remove a run's model, checkpoint and dumps: it is not among the best any more."""
    delete_models(client, run)
    for path in DUMPS:
        delete_artifact(client, run, path)
    client.set_tag(run, "model.weights", "")


def delete_models(client: Any, run: str) -> None:
    """The models of a run."""
    outputs = client.get_run(run).outputs
    for output in outputs.model_outputs if outputs else []:
        with suppress(Exception):  # deleted before
            delete_model(client, output.model_id)


def delete_model(client: Any, model: str) -> None:
    """A model and its files (MLflow alone would only hide it)."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    location = client.get_logged_model(model).artifact_location
    client.delete_logged_model(model)
    get_artifact_repository(location).delete_artifacts()


def delete_artifact(client: Any, run: str, path: str) -> None:
    """Remove one artifact of a run, if it is there."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    if any(item.path == path for item in client.list_artifacts(run)):
        get_artifact_repository(client.get_run(run).info.artifact_uri).delete_artifacts(path)
