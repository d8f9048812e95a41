"""A model follows from its configuration and seed; what cannot be built says why."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from src.config.compose import CONF
from src.training.network import (
    InfeasibleError,
    InputSpec,
    activation,
    build,
    build_network,
    count_bytes,
    count_operations,
    restore,
)
from tests.unit.examples import trial_config, use_one_thread

use_one_thread()
BYTES = InputSpec((12, 12, 1), "uint8", 3, 1 / 255)
CNN = ("architecture.filters=[4,8]", "architecture.dense_units=16")
DNN = ("architecture=dnn", "architecture.units=[5]")
NOISE = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 1)).astype(np.uint8)


def model_of(*overrides: str, images: InputSpec = BYTES, seed: int = 1, steps: int = 4, epochs: int = 10) -> Any:
    """The model that a command line makes."""
    return build(trial_config(*overrides), images, seed, steps, epochs)


def options(group: str) -> list[str]:
    """The names of a group's options."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


# ------------------------------------------------------------------------------------------ networks


@pytest.mark.parametrize(
    ("overrides", "parameters", "operations"),
    [
        # 12×12 → same 12, valid 10, pooled 5 → same 5, valid 3, pooled 1: 8 numbers → 16 → 3
        (
            CNN,
            (9 + 1) * 4 + (36 + 1) * 4 + (36 + 1) * 8 + (72 + 1) * 8 + 9 * 16 + 17 * 3,
            9 * 4 * 144 + 36 * 4 * 100 + 36 * 8 * 25 + 72 * 8 * 9 + 8 * 16 + 16 * 3,
        ),
        (
            (
                "architecture.blocks=1",
                "architecture.filters=2",
                "architecture.convolutions=1",
                "architecture.padding=same",
                "architecture.pool=1",
                "architecture.dense_layers=0",
                "architecture.kernel=5",
            ),
            (25 + 1) * 2 + (12 * 12 * 2 + 1) * 3,
            25 * 2 * 144 + 288 * 3,
        ),
        (DNN, 145 * 5 + 6 * 3, 144 * 5 + 5 * 3),
        (
            ("architecture=dnn", "architecture.units=[5,4]", "architecture.batch_norm=true"),
            145 * 5 + 20 + 24 + 16 + 15,
            720 + 20 + 12,
        ),
    ],
)
def test_counts(overrides: tuple[str, ...], parameters: int, operations: int) -> None:
    """Parameters and multiply-adds are those counted by hand."""
    model = model_of(*overrides)
    assert (model.count_params(), count_operations(model)) == (parameters, operations)


def test_bytes_of_a_state() -> None:
    """With Adam a state is the weights and two numbers for each, and little more."""
    weights = 4 * (145 * 5 + 6 * 3)
    assert 3 * weights <= count_bytes(model_of(*DNN)) < 3 * weights + 200
    assert count_bytes(model_of(*DNN, "optimizer=sgd")) < weights + 200


@pytest.mark.parametrize(
    ("overrides", "size", "reason"),
    [
        (("architecture.kernel=5",), (12, 12), "block2_conv2: a 5×5 valid convolution on 4×4"),
        (("architecture.pool=4",), (12, 12), "block2_conv2: a 3×3 valid convolution on 2×2"),
        (("architecture.pool=4", "architecture.padding=same"), (12, 12), "block2_pool: a 4×4 pooling on 3×3"),
        (("architecture.padding=valid",), (12, 2), "block1_conv1: a 3×3 valid convolution on 12×2"),
    ],
)
def test_infeasible(overrides: tuple[str, ...], size: tuple[int, int], reason: str) -> None:
    """Where an image gets too small, the layer and the sizes are named."""
    with pytest.raises(InfeasibleError) as error:
        model_of(*overrides, images=InputSpec((*size, 1), "uint8", 3, 1.0))
    assert str(error.value) == reason


@pytest.mark.parametrize("head", ["softmax", "logits"])
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_outputs(head: str, precision: str) -> None:
    """A float32 number for each class: probabilities, or logits of which they are the softmax."""
    overrides = (*CNN, f"training.precision={precision}")
    x = np.random.default_rng(0).integers(0, 256, (2, 12, 12, 1)).astype(np.uint8)
    y = np.array(model_of(*overrides, f"architecture.head={head}")(x))
    softmax = np.array(model_of(*overrides)(x))
    assert y.dtype == np.float32 and y.shape == (2, 3)
    assert np.allclose(y if head == "softmax" else np.exp(y) / np.exp(y).sum(1, keepdims=True), softmax, atol=1e-6)
    assert np.allclose(softmax.sum(axis=1), 1, atol=1e-5) and not np.allclose(softmax[0], softmax[1])


def test_pixels_are_scaled_once() -> None:
    """Bytes with their scale and floats that are already scaled give the same probabilities."""
    x = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 1)).astype(np.uint8)
    floats = InputSpec((12, 12, 1), "float32", 3, 1.0)
    assert np.allclose(model_of(*CNN)(x), model_of(*CNN, images=floats)(x / np.float32(255)), atol=1e-6)


@pytest.mark.parametrize("network", [CNN, DNN])
def test_the_seed_makes_the_weights(network: tuple[str, ...]) -> None:
    """Equal seeds, equal weights, whatever was built in between; another seed, others; layers differ."""
    first, again, other = (model_of(*network, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True) if a.any())
    wide = {layer.name: layer for layer in model_of("architecture.filters=4", "architecture.padding=same").layers}
    assert not np.array_equal(wide["block1_conv2"].kernel, wide["block2_conv1"].kernel)


def test_dropout_follows_from_the_seed() -> None:
    """Dropout drops the same for the same seed, and layers do not drop alike."""
    overrides = ("architecture=dnn", "architecture.units=[50,50]", "architecture.dropout=0.5")

    def dropped(seed: int) -> list[Any]:
        layers = model_of(*overrides, seed=seed).layers
        drops = [layer for layer in layers if isinstance(layer, keras.layers.Dropout)]
        return [np.array(layer(np.ones((1, 50)), training=True)) for layer in drops]

    (first, second), again, other = dropped(1), dropped(1), dropped(2)
    assert np.array_equal(first, again[0]) and not np.array_equal(first, second)
    assert not np.array_equal(first, other[0])


@pytest.mark.parametrize("network", [CNN, DNN])
def test_it_takes_images_as_they_are(network: tuple[str, ...]) -> None:
    """Its one input is called `image` and has the data's shape and type; what it is trained by comes on top."""
    for spec in (BYTES, InputSpec((12, 16, 3), "float32", 4, 1.0)):
        model = model_of(*network, images=spec)
        (taken,), (given,) = model.inputs, model.outputs
        assert (taken.name, tuple(taken.shape), taken.dtype) == ("image", (None, *spec.shape), spec.dtype)
        assert tuple(given.shape) == (None, spec.num_classes) and model.compiled
        assert not build_network(trial_config(*network), spec, 1).compiled


# ----------------------------------------------------------------------------------------- restoring


def weights_of(model: Any) -> dict[str, Any]:
    """As a checkpoint holds them."""
    return {weight.path: np.array(weight) for weight in model.weights}


@pytest.mark.parametrize(
    "network",
    [
        (*CNN, "architecture.batch_norm=true", "architecture.dense_dropout=0.5"),
        (*DNN, "architecture.head=logits", "architecture.dropout=0.5"),
        (*DNN, "schedule=cosine", "schedule.warmup_epochs=2", "optimizer=sgd"),
    ],
    ids=["cnn", "dnn", "schedule"],
)
def test_a_restored_model_gives_the_same(network: tuple[str, ...]) -> None:
    """A model with the weights of another gives the same outputs, to the bit, though a seed of its own made it."""
    model = model_of(*network, seed=5)
    for weight in model.weights:
        if weight.dtype == "float32":
            weight.assign(np.random.default_rng(0).random(weight.shape))  # as if trained: biases and averages too
    again = restore(trial_config(*network), BYTES, weights_of(model))
    assert np.array_equal(np.array(again(NOISE)), np.array(model(NOISE)))
    assert not np.array_equal(np.array(again(NOISE)), np.array(model_of(*network, seed=5)(NOISE)))
    assert getattr(again, "optimizer", None) is None  # it is to be evaluated


def test_restoring_needs_all_weights() -> None:
    """Weights of another network are not taken for this one's."""
    with pytest.raises(KeyError, match="dense2"):
        restore(trial_config("architecture=dnn", "architecture.units=[5,5]"), BYTES, weights_of(model_of(*DNN)))


# --------------------------------------------------------------------------------------- activations

X = np.array([-3.0, -0.5, 0.0, 0.5, 1.0, 3.0])
PHI = np.array([(1 + math.erf(x / math.sqrt(2))) / 2 for x in X])
FORMULAS: dict[str, tuple[list[str], Callable[[Any], Any]]] = {
    "relu": ([], lambda x: np.maximum(x, 0)),
    "relu with all": (
        ["negative_slope=0.1", "max_value=2", "threshold=0.7"],
        lambda x: np.where(x < 0.7, 0.1 * (x - 0.7), np.minimum(x, 2)),
    ),
    "elu": (["alpha=2"], lambda x: np.where(x > 0, x, 2 * np.expm1(x))),
    "leaky_relu": (["negative_slope=0.3"], lambda x: np.where(x > 0, x, 0.3 * x)),
    "gelu": ([], lambda x: x * PHI),
    "gelu by tanh": (
        ["approximate=true"],
        lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    "sigmoid": ([], lambda x: 1 / (1 + np.exp(-x))),
    "tanh": ([], np.tanh),
    "silu": ([], lambda x: x / (1 + np.exp(-x))),
    "selu": ([], lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    "softplus": ([], lambda x: np.log1p(np.exp(x))),
}


def test_every_activation_has_a_formula() -> None:
    """The table above holds every option."""
    assert {name.partition(" ")[0] for name in FORMULAS} == set(options("activation"))


@pytest.mark.parametrize("name", FORMULAS)
def test_activations(name: str) -> None:
    """An activation with its parameters computes its formula, alone and within a network."""
    parameters, formula = FORMULAS[name]
    overrides = [f"activation={name.partition(' ')[0]}", *(f"activation.{p}" for p in parameters)]
    chosen = trial_config(*overrides).activation
    y = np.array(activation(chosen, "a", "float32")(keras.ops.convert_to_tensor(X, "float32")))
    assert np.allclose(y, formula(X), atol=1e-6)
    assert np.isfinite(model_of(*DNN, *overrides)(np.zeros((1, 12, 12, 1), np.uint8))).all()
