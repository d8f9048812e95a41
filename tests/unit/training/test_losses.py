"""The loss is Keras' crossentropy, smoothed and weighted as asked for."""

import numpy as np
import pytest
import tensorflow as tf

from src.training.losses import class_weights, make_loss
from tests.unit.examples import trial_config, use_one_thread

use_one_thread()
SCORES = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]], np.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_probabilities_and_logits(smoothing: float) -> None:
    """Both heads give, of each image, minus the logarithm of its class's probability, a share of it spread over all."""
    targets = tf.one_hot([0, 1], 3)
    shares = (1 - smoothing) * targets.numpy() + smoothing / 3
    wanted = -(shares * np.log(SCORES)).sum(axis=1)
    for head, scores in (("softmax", SCORES), ("logits", np.log(SCORES) + 5)):
        loss = make_loss(trial_config(f"architecture.head={head}", f"training.label_smoothing={smoothing}"))
        assert loss(targets, scores).numpy() == pytest.approx(wanted, rel=1e-5)


def test_balanced_classes() -> None:
    """Each class of the images has the same sum of weights, and their mean is 1; without, there are none."""
    labels = np.array([0] * 8 + [1] * 2 + [2] * 2, np.int32)
    weights = class_weights(trial_config("training.class_weights=balanced"), labels, 3)
    assert weights is not None
    assert [weights[labels[labels == label]].sum() for label in range(3)] == pytest.approx([4, 4, 4])
    assert class_weights(trial_config(), labels, 3) is None


def test_a_class_without_images() -> None:
    """It has a finite weight, which nothing uses."""
    weights = class_weights(trial_config("training.class_weights=balanced"), np.array([0, 0, 2], np.int32), 3)
    assert weights is not None and np.isfinite(weights).all()


def test_focal() -> None:
    """Crossentropy, by alpha, and by the power gamma of what is missing to a probability of 1."""
    loss = make_loss(trial_config("training.loss=focal"))
    right = SCORES[[0, 1], [0, 1]]
    assert loss(tf.one_hot([0, 1], 3), SCORES).numpy() == pytest.approx(
        -0.25 * (1 - right) ** 2 * np.log(right), rel=1e-5
    )
