"""Models for use: without optimizer and loss, loaded, asked for predictions."""

import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from src.base.errors import UserError, first_line
from src.base.processes import silenced


def for_inference(model: keras.Model) -> keras.Model:
    """The model without optimizer and loss: what is saved and served."""
    return keras.Model(model.inputs, model.outputs, name=model.name)


def predict(model: keras.Model, images: NDArray[Any]) -> NDArray[np.float32]:
    """Probabilities N×classes of images N×H×W×C as they are, whether the head gives these or logits.

    The last layer of a model of this project says which; of others, each image's scores do.
    """
    scores: NDArray[np.float32] = np.asarray(model.predict(images, batch_size=256, verbose=0))
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    from_logits: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    head = model.layers[-1].name
    if head in ("softmax", "logits"):
        return scores if head == "softmax" else from_logits
    is_probability = (scores >= 0).all(axis=1) & (np.abs(scores.sum(axis=1) - 1) < 1e-3)
    return np.where(is_probability[:, np.newaxis], scores, from_logits)


def load_model(path: Path) -> Any:
    """A model from a .keras file. Raises UserError."""
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is no Keras model (.keras is a zip file).")
    try:
        with silenced():
            import keras

            return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds
        raise UserError(f"{path} cannot be loaded as a Keras model: {first_line(error)}") from error
