"""A state holds all that a trial goes on from, to the last bit."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from src.ledger.files import Arrays, read_arrays, write_arrays
from src.training.checkpoint import Best, copy_state, copy_weights, lent_weights, read_state, set_weights
from tests.unit.examples import use_one_thread
from tests.unit.training.test_network import NOISE, model_of

use_one_thread()
NETWORK = ("architecture=dnn", "architecture.units=[5,4]", "architecture.batch_norm=true", "architecture.dropout=0.5")
NONE = Best({}, {})
LABELS = np.array([0, 1, 2, 0, 1])


def trained(steps: int, *overrides: str, seed: int = 1) -> Any:
    """A model after so many steps."""
    model = model_of(*NETWORK, *overrides, seed=seed)
    for _ in range(steps):
        step(model)
    return model


def step(model: Any) -> None:
    """Train once on the images."""
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(LABELS, model(NOISE, training=True)))
    model.optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)


def bits(arrays: Arrays) -> dict[str, Any]:
    """To be compared to the last bit."""
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def test_weights_have_their_names() -> None:
    """Layer by layer as they are dumped, batch normalisation's averages among them; dropout's generators are none."""
    model = trained(1)
    weights = copy_weights(model)
    dense = {f"{layer}/{part}" for layer in ("dense1", "dense2", "head") for part in ("kernel", "bias")}
    norms = {f"dense{n}_norm/{part}" for n in (1, 2) for part in ("gamma", "beta", "moving_mean", "moving_variance")}
    assert set(weights) == dense | norms
    assert weights["head/kernel"].tobytes() == np.array(model.get_layer("head").kernel).tobytes()


def test_weights_are_copies() -> None:
    """Training on does not change what was copied."""
    model = trained(1)
    before = copy_weights(model)
    kept = bits(before)
    step(model)
    assert bits(before) == kept != bits(copy_weights(model))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lion"])
def test_a_model_goes_on_from_a_state(tmp_path: Path, optimizer: str) -> None:
    """Written to a file and read into a model of another seed, it gives the same bits as if nothing had been."""
    overrides = (f"optimizer={optimizer}", "schedule=exponential")
    model, weights = trained(3, *overrides), copy_weights(trained(1, *overrides))
    best = Best(weights, {"right": np.array([1, 0, 1], np.uint8)})
    saved = write_arrays(tmp_path, "state.npz", copy_state(model, best))
    other = trained(1, *overrides, seed=2)
    read = read_state(other, read_arrays(tmp_path, saved))
    assert [bits(part) for part in read] == [bits(part) for part in best]
    for _ in range(2):  # dropout draws, and the learning rate falls, as they would have
        step(model)
        step(other)
    assert bits(copy_state(other, NONE)) == bits(copy_state(model, NONE))


def test_a_state_has_all_variables() -> None:
    """The model's, dropout's generators among them, the optimizer's, and of the best epoch weights and images."""
    model = trained(1)
    state = copy_state(model, Best({"head/kernel": np.ones(3)}, {"right": np.ones(5), "loss": np.ones(5)}))
    counts = [sum(name.startswith(kind) for name in state) for kind in ("model/", "optimizer/", "best/", "images/")]
    assert counts == [len(model.variables), len(model.optimizer.variables), 1, 2]
    assert len(model.variables) > len(model.weights) and len(state) == sum(counts)


def test_a_state_of_another_network_is_refused() -> None:
    """Where a variable is missing, or has another shape, nothing is taken for it."""
    state = copy_state(trained(1), NONE)
    with pytest.raises(KeyError, match="model/"):
        read_state(model_of(*NETWORK, "architecture.units=[5,4,3]", "architecture.dropout=0.5"), state)
    with pytest.raises(ValueError, match="shape"):
        read_state(model_of(*NETWORK, "architecture.units=[6,4]"), state)


def test_weights_are_set_by_name() -> None:
    """A model of another seed has them, to the last bit; where one is missing, it is named."""
    weights, other = copy_weights(trained(1)), trained(1, seed=2)
    assert bits(copy_weights(other)) != bits(weights)
    set_weights(other, weights)
    assert bits(copy_weights(other)) == bits(weights)
    del weights["head/kernel"]
    with pytest.raises(KeyError, match="head/kernel"):
        set_weights(other, weights)


def test_lent_weights_are_given_back() -> None:
    """Within, the model has the others; afterwards its own, also after an error, and it trains on from these."""
    model, lent = trained(2), copy_weights(trained(1, seed=2))
    before = bits(copy_state(model, NONE))
    with pytest.raises(ZeroDivisionError), lent_weights(model, lent):
        assert bits(copy_weights(model)) == bits(lent)
        raise ZeroDivisionError
    assert bits(copy_state(model, NONE)) == before
