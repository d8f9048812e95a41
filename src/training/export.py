"""Models for use: saved with what is to be known of them, loaded, asked for predictions.

Keras is imported once a model is at hand, so that a file that is none is told at once.
"""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from src.base.errors import UserError, first_line
from src.base.processes import silenced
from src.config.schema import Preprocessing
from src.data.likeness import match_range

FACTS = (
    "sweep.json"  # the facts' place in a .keras file, which is a zip; Keras leaves names that it does not know alone
)

BATCH = 256  # images that are predicted at once

Facts = dict[str, Any]  # what is to be known of a model: see `src.data.likeness.facts_of`


# ------------------------------------------------------------------------------------------ saving


def for_inference(model: Any) -> Any:
    """The model without optimizer and loss: what is saved and served."""
    import keras

    return keras.Model(model.inputs, model.outputs, name=model.name)


def save_model(model: Any, path: Path, facts: Facts) -> None:
    """Write a .keras file: the model as Keras saves it, and facts on it."""
    model.save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(zipfile.ZipInfo(FACTS), json.dumps(facts, sort_keys=True))  # without the time of writing


def read_facts(path: Path) -> Facts:
    """The facts in a .keras file; {} of one that was not written by `save_model`. Raises UserError."""
    try:
        with zipfile.ZipFile(path) as archive:
            facts = json.loads(archive.read(FACTS))
    except KeyError:
        return {}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: {FACTS} in it cannot be read: {first_line(error)}") from error
    return facts if isinstance(facts, dict) else {}


# ----------------------------------------------------------------------------------------- loading


@dataclass(frozen=True)
class Network:
    """A Keras model that takes images N×H×W×C of one size and gives N×classes scores, and the facts on it."""

    model: Any
    facts: Facts

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image: height, width, channels."""
        height, width, channels = self.model.inputs[0].shape[1:]
        return height, width, channels

    @property
    def dtype(self) -> str:
        """Of the pixels that it takes."""
        return str(self.model.inputs[0].dtype)

    @property
    def preprocessing(self) -> str:
        """How image files are made ready for it: by its facts, or its input's name, as models of earlier versions
        have it (`image_digits`); `resize` where nothing is known."""
        way = str(self.facts.get("preprocessing") or self.model.inputs[0].name.rpartition("_")[2])
        return way if way in get_args(Preprocessing) else "resize"


def load_network(path: Path, facts: Facts | None = None) -> Network:
    """A network of images from a .keras file, with the facts in it if none are given.

    Raises UserError where it is no model, or not one of images of one size and some classes.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file.")
    model = load_model(path)
    refuse_other_shapes(model, path)
    return Network(model, facts or read_facts(path))


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


def refuse_other_shapes(model: Any, path: Path) -> None:
    """Raises UserError for a model that does not take images, or does not give scores of classes."""
    inputs, outputs = (shapes(model, end) for end in ("inputs", "outputs"))
    if len(inputs) != 1 or len(inputs[0]) != 4 or None in inputs[0][1:] or inputs[0][3] not in (1, 2, 3, 4):
        raise UserError(f"{path}: this model does not take images of one size (N×H×W×C, 1 to 4 channels).")
    if len(outputs) != 1 or len(outputs[0]) != 2 or (outputs[0][1] or 0) < 2:
        raise UserError(f"{path}: this model does not give one score for each of some classes (N×classes).")


def shapes(model: Any, end: str) -> list[tuple[int | None, ...]]:
    """Of a model's inputs or outputs; none if it was never built."""
    try:
        return [tuple(tensor.shape) for tensor in getattr(model, end)]
    except (AttributeError, ValueError, TypeError):
        return []


# -------------------------------------------------------------------------------------- predicting


def predict(model: Any, images: NDArray[Any]) -> NDArray[np.float32]:
    """Probabilities N×classes of images N×H×W×C as they are, whether the head gives these or logits.

    The last layer of a model of this project says which; of others, each image's scores do.
    """
    return probabilities_of(model, score(model, images))


def probabilities_of(model: Any, scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities N×classes of what a model says, N×classes."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    from_logits: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    head = model.layers[-1].name
    if head in ("softmax", "logits"):
        return scores if head == "softmax" else from_logits
    is_probability = (scores >= 0).all(axis=1) & (np.abs(scores.sum(axis=1) - 1) < 1e-3)
    return np.where(is_probability[:, np.newaxis], scores, from_logits)


def score(model: Any, images: NDArray[Any]) -> NDArray[np.float32]:
    """What a model says of images, N×classes: as Keras' `predict`, without the start of tf.data."""
    import tensorflow as tf

    signature = tf.TensorSpec((None, *images.shape[1:]), images.dtype)
    run = tf.function(lambda batch: model(batch, training=False), input_signature=[signature])
    batches = (images[start : start + BATCH] for start in range(0, len(images), BATCH))
    return np.concatenate([np.asarray(run(batch), np.float32) for batch in batches])


@dataclass(frozen=True)
class Seen:
    """An image file as a network saw it, and its probabilities of each class."""

    file: Path
    pixels: NDArray[Any]
    probabilities: NDArray[np.float32]

    def ranked(self) -> list[tuple[int, float]]:
        """Classes and probabilities, the most probable first."""
        order = np.argsort(-self.probabilities, kind="stable")
        return [(int(label), round(float(self.probabilities[label]), 6)) for label in order]


def prepare_images(
    network: Network, images: Sequence[Any], preprocessing: Preprocessing | None = None
) -> list[NDArray[Any] | None]:
    """Pillow's images as arrays H×W×C for a network, by another way than its own if one is given; None of an empty
    page."""
    from src.data.image_files import prepare  # here, since workers do not need what it imports

    way = preprocessing or network.preprocessing
    prepared = [prepare(image, way, network.shape, network.dtype) for image in images]
    return [one if one is None else match_range(one, network.facts.get("images")) for one in prepared]


def classify(network: Network, images: Sequence[NDArray[Any]], called: str = "the model") -> NDArray[np.float32]:
    """Probabilities N×classes of N prepared images. Raises UserError where they are no numbers; it names the model."""
    with silenced():
        probabilities = predict(network.model, np.stack(images))
    if not np.isfinite(probabilities).all():
        raise UserError(f"{called} gives no numbers for these images (NaN): its training has failed.")
    return probabilities
