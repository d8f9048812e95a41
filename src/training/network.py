"""A trial's configuration → a compiled Keras model, or the reason why there is none.

Networks of another kind come through `build_network`: give it another branch, and `config.shapes` its sizes. Every
layer has a name and a seed of its own, so that a model follows from (configuration, seed) alone."""

import math
from dataclasses import dataclass
from typing import Any

import keras

from src.base.hashing import stable_seed
from src.config.shapes import misfit
from src.config.trial import Activation, Cnn, Dnn, TrialConfig
from src.ledger.files import Arrays
from src.training.checkpoint import set_weights
from src.training.optimizer import make_optimizer

Tensor = Any  # keras.KerasTensor


class InfeasibleError(Exception):
    """A configuration whose network cannot exist, and why."""


@dataclass(frozen=True)
class InputSpec:
    """What a model needs to know of its data: the shape H, W, C of an image, classes, and the pixels' factor."""

    shape: tuple[int, ...]
    dtype: str
    num_classes: int
    scale: float


def build(configuration: TrialConfig, images: InputSpec, seed: int, steps_per_epoch: int, epochs: int) -> keras.Model:
    """A compiled model that takes images N×H×W×C as they are and gives N×classes probabilities or logits.

    `epochs` is the last one, on which a schedule may depend. Raises InfeasibleError, with the layer and the shape,
    where an image gets too small for a layer.
    """
    model = build_network(configuration, images, seed)
    model.compile(make_optimizer(configuration, steps_per_epoch, epochs), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def build_network(configuration: TrialConfig, images: InputSpec, seed: int) -> keras.Model:
    """The model as it is before it is compiled. Raises InfeasibleError."""
    dtype = configuration.training.precision
    maker = Layers(configuration, seed, dtype)
    inputs = keras.Input(images.shape, dtype=images.dtype, name="image")
    x = keras.layers.Rescaling(images.scale, dtype=dtype, name="rescale")(inputs)
    architecture = configuration.architecture
    x = add_cnn(x, architecture, maker) if isinstance(architecture, Cnn) else add_dnn(x, architecture, maker)
    x = maker.dense(x, images.num_classes, "head")
    activation = "softmax" if architecture.head == "softmax" else "linear"
    x = keras.layers.Activation(activation, dtype="float32", name=architecture.head)(x)
    return keras.Model(inputs, x, name=architecture.name)


def restore(configuration: TrialConfig, images: InputSpec, weights: Arrays) -> keras.Model:
    """A model with given weights, by their names, to be evaluated; it has no optimizer."""
    model = build_network(configuration, images, 1)
    set_weights(model, weights)
    return model


def count_operations(model: keras.Model) -> int:
    """Multiply-adds of one image's way through the convolutions and dense layers."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            places = math.prod(layer.output.shape[1:-1])
            total += math.prod(layer.kernel.shape) * places
    return total


def count_bytes(model: keras.Model) -> int:
    """Of all variables, the optimizer's included: what a checkpoint holds."""
    variables = [*model.variables, *model.optimizer.variables]
    return sum(4 * math.prod(variable.shape) for variable in variables)


def add_cnn(x: Tensor, a: Cnn, make: "Layers") -> Tensor:
    """Blocks of convolutions and a pooling, then dense layers."""
    for block, filters in enumerate(a.filters, 1):
        for index, padding in enumerate(a.padding, 1):
            x = make.convolution(x, filters, a.kernel, padding, f"block{block}_conv{index}")
            x = make.activate(x, a.batch_norm, f"block{block}_conv{index}")
        x = make.pool(x, a.pool, f"block{block}_pool")
        x = make.dropout(x, a.block_dropout, f"block{block}_dropout")
    x = keras.layers.Flatten(dtype=make.dtype, name="flatten")(x)
    for index, units in enumerate(a.dense_units, 1):
        x = make.activate(make.dense(x, units, f"dense{index}"), False, f"dense{index}")
        x = make.dropout(x, a.dense_dropout, f"dense{index}_dropout")
    return x


def add_dnn(x: Tensor, a: Dnn, make: "Layers") -> Tensor:
    """Dense layers on the flattened image."""
    x = keras.layers.Flatten(dtype=make.dtype, name="flatten")(x)
    x = make.dropout(x, a.input_dropout, "input_dropout")
    for index, (units, rate) in enumerate(zip(a.units, a.dropout, strict=True), 1):
        x = make.activate(make.dense(x, units, f"dense{index}"), a.batch_norm, f"dense{index}")
        x = make.dropout(x, rate, f"dense{index}_dropout")
    return x


@dataclass(frozen=True)
class Layers:
    """Makes layers with names, seeds and the precision of one model."""

    configuration: TrialConfig
    seed: int
    dtype: str

    def initializer(self, name: str) -> Any:
        """Glorot's uniform initial weights, by a seed that follows from the layer's name."""
        return keras.initializers.GlorotUniform(seed=stable_seed(self.seed, name))

    def convolution(self, x: Tensor, filters: int, kernel: int, padding: str, name: str) -> Tensor:
        """A convolution that fits its input, or InfeasibleError."""
        if padding == "valid" and (reason := misfit(name, "valid convolution", kernel, *x.shape[1:3])):
            raise InfeasibleError(reason)
        start = self.initializer(name)
        layer = keras.layers.Conv2D(
            filters, kernel, padding=padding, kernel_initializer=start, dtype=self.dtype, name=name
        )
        return layer(x)

    def pool(self, x: Tensor, size: int, name: str) -> Tensor:
        """A maximum pooling that fits its input, or InfeasibleError."""
        if reason := misfit(name, "pooling", size, *x.shape[1:3]):
            raise InfeasibleError(reason)
        return keras.layers.MaxPooling2D(size, dtype=self.dtype, name=name)(x) if size > 1 else x

    def dense(self, x: Tensor, units: int, name: str) -> Tensor:
        """A dense layer without activation."""
        return keras.layers.Dense(units, kernel_initializer=self.initializer(name), dtype=self.dtype, name=name)(x)

    def dropout(self, x: Tensor, rate: float, name: str) -> Tensor:
        """Dropout by a seed that follows from the name, or nothing."""
        return (
            keras.layers.Dropout(rate, seed=stable_seed(self.seed, name), dtype=self.dtype, name=name)(x) if rate else x
        )

    def activate(self, x: Tensor, batch_norm: bool, name: str) -> Tensor:
        """The configuration's activation of hidden layers, after batch normalisation if asked for."""
        if batch_norm:
            x = keras.layers.BatchNormalization(dtype=self.dtype, name=f"{name}_norm")(x)
        return activation(self.configuration.activation, f"{name}_activation", self.dtype)(x)


def activation(activation: Activation, name: str, dtype: str) -> Any:
    """An activation with its parameters, to be called on a tensor."""
    parameters = activation.model_dump(exclude={"name"})
    match activation.name:
        case "relu":
            return keras.layers.ReLU(**parameters, dtype=dtype, name=name)
        case "elu":
            return keras.layers.ELU(**parameters, dtype=dtype, name=name)
        case "leaky_relu":
            return keras.layers.LeakyReLU(**parameters, dtype=dtype, name=name)
        case "gelu" if parameters["approximate"]:
            return lambda x: keras.ops.gelu(x, approximate=True)  # no layer has this parameter
        case plain:
            return keras.layers.Activation(plain, dtype=dtype, name=name)
