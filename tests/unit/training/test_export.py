"""What is served has no optimizer, and gives probabilities whatever its head."""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from src.training.export import for_inference, predict
from tests.unit.examples import use_one_thread
from tests.unit.training.test_network import CNN, DNN, NOISE, model_of

use_one_thread()


def softmax(scores: Any) -> Any:
    """By hand, an image a row."""
    powers = [[math.exp(float(score) - max(map(float, row))) for score in row] for row in scores]
    return np.array([[power / sum(row) for power in row] for row in powers])


@pytest.mark.parametrize("factor", [1, 1000])  # with 1000 an exponential would overflow
def test_predict_gives_probabilities(factor: int) -> None:
    """Whether a model ends in softmax or logits, each image has the softmax of its last layer's sums, and they add to 1."""
    logits, probabilities = (model_of(*CNN, f"architecture.head={head}", seed=3) for head in ("logits", "softmax"))
    for model in (logits, probabilities):
        head = model.get_layer("head")
        head.kernel.assign(factor * head.kernel)
    images = np.concatenate([NOISE, np.zeros_like(NOISE[:1])])  # of very different sums
    wanted = softmax(np.array(logits(images)))
    for model in (logits, probabilities):
        found = predict(model, images)
        assert found.dtype == np.float32 and found.shape == (6, 3)
        assert np.allclose(found, wanted, atol=1e-5) and np.allclose(found.sum(axis=1), 1, atol=1e-5)


def test_predict_takes_any_number_of_images() -> None:
    """One image or more than a batch: each has the probabilities that it has alone."""
    model = model_of(*DNN, "architecture.head=logits")
    images = np.random.default_rng(0).integers(0, 256, (300, 12, 12, 1)).astype(np.uint8)
    together = predict(model, images)
    assert together.shape == (300, 3)
    assert all(np.allclose(predict(model, images[i : i + 1]), together[i], atol=1e-6) for i in (0, 255, 256, 299))


def test_for_inference(tmp_path: Path) -> None:
    """What is served has neither optimizer nor loss, and the same outputs, also once it was saved and loaded."""
    model = model_of(*CNN)
    served = for_inference(model)
    assert model.optimizer is not None and model.compiled
    served.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for one in (served, loaded):
        assert getattr(one, "optimizer", None) is None and not one.compiled
        assert np.array_equal(np.array(one(NOISE)), np.array(model(NOISE)))
        assert sum(weight.size for weight in one.get_weights()) == model.count_params()
