"""What training makes small: the loss of each image, and how much each class counts."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from src.config.trial import TrialConfig

LOSSES = {
    "crossentropy": keras.losses.CategoricalCrossentropy,
    "focal": keras.losses.CategoricalFocalCrossentropy,  # Lin et al., 2017, with their alpha and gamma
}


def make_loss(configuration: TrialConfig) -> Any:
    """Targets N×classes, scores N×classes → N losses."""
    training = configuration.training
    from_logits = configuration.architecture.head == "logits"
    return LOSSES[training.loss](from_logits=from_logits, label_smoothing=training.label_smoothing, reduction=None)


def class_weights(
    configuration: TrialConfig, labels: NDArray[np.int32], num_classes: int
) -> NDArray[np.float32] | None:
    """By what the losses of each class's images are multiplied in training: their mean over images is 1. None: by nothing.

    `balanced` gives each class the same sum of weights, as scikit-learn's does.
    """
    if configuration.training.class_weights == "none":
        return None
    counts = np.bincount(labels, minlength=num_classes)
    return np.float32(len(labels) / num_classes) / np.maximum(counts, 1).astype(np.float32)
