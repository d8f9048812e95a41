"""Configuration → a compiled Keras model, or the reason why there is none.

Networks of another kind come through `build`: give `add_layers` another branch. Every layer has a
name and a seed of its own, so that a model follows from (configuration, seed) alone.
"""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from src.config import fill_in
from src.ledger import Arrays
from src.messages import Configuration
from src.strategies import stable_seed

Tensor = Any  # keras.KerasTensor


class InfeasibleError(Exception):
    """A configuration whose network cannot exist, and why."""


@dataclass(frozen=True)
class InputSpec:
    """What a model needs to know of its data: the shape H, W, C of an image, classes, and the pixels' factor.

    How image files become such images is kept as the name of the model's input, so that it travels with the model.
    """

    shape: tuple[int, ...]
    dtype: str
    num_classes: int
    scale: float
    preprocessing: str = "resize"


def build(configuration: Configuration, images: InputSpec, seed: int, steps_per_epoch: int) -> keras.Model:
    """A compiled model that takes images N×H×W×C as they are and gives N×classes probabilities or logits.

    Raises InfeasibleError, with the layer and the shape, where an image gets too small for a layer.
    """
    dtype = configuration["training"]["precision"]
    maker = Layers(configuration, seed, dtype)
    inputs = keras.Input(images.shape, dtype=images.dtype, name=f"image_{images.preprocessing}")
    x = keras.layers.Rescaling(images.scale, dtype=dtype, name="rescale")(inputs)
    x = add_cnn(x, maker) if configuration["architecture"]["name"] == "cnn" else add_dnn(x, maker)
    head = configuration["architecture"]["head"]
    x = maker.dense(x, images.num_classes, "head")
    x = keras.layers.Activation("softmax" if head == "softmax" else "linear", dtype="float32", name=head)(x)
    model = keras.Model(inputs, x, name=configuration["architecture"]["name"])
    model.compile(
        optimizer=make_optimizer(configuration, steps_per_epoch),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=head == "logits"),
        metrics=["accuracy"],
        jit_compile=False,  # XLA makes convolutions twice as slow on a CPU
    )
    model.optimizer.build(model.trainable_variables)
    return model


def restore(configuration: Configuration, images: InputSpec, weights: Arrays) -> keras.Model:
    """A compiled model with given weights, by their names; not to be trained on."""
    training = {"epochs": 100_000, **configuration["training"]}  # a point's configuration has none; the schedule rests
    model = build(fill_in({**configuration, "training": training}), images, 1, 1)
    for variable in model.weights:
        variable.assign(weights[variable.path])
    return model


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


# ------------------------------------------------------------------------------------ architectures


def add_cnn(x: Tensor, make: "Layers") -> Tensor:
    """Blocks of convolutions and a pooling, then dense layers."""
    a = make.configuration["architecture"]
    for block, filters in enumerate(a["filters"], 1):
        for index, padding in enumerate(a["padding"], 1):
            x = make.convolution(x, filters, a["kernel"], padding, f"block{block}_conv{index}")
            x = make.activate(x, a["batch_norm"], f"block{block}_conv{index}")
        x = make.pool(x, a["pool"], f"block{block}_pool")
        x = make.dropout(x, a["block_dropout"], f"block{block}_dropout")
    x = keras.layers.Flatten(dtype=make.dtype, name="flatten")(x)
    for index, units in enumerate(a["dense_units"], 1):
        x = make.activate(make.dense(x, units, f"dense{index}"), False, f"dense{index}")
        x = make.dropout(x, a["dense_dropout"], f"dense{index}_dropout")
    return x


def add_dnn(x: Tensor, make: "Layers") -> Tensor:
    """Dense layers on the flattened image."""
    a = make.configuration["architecture"]
    x = keras.layers.Flatten(dtype=make.dtype, name="flatten")(x)
    x = make.dropout(x, a["input_dropout"], "input_dropout")
    for index, (units, rate) in enumerate(zip(a["units"], a["dropout"], strict=True), 1):
        x = make.activate(make.dense(x, units, f"dense{index}"), a["batch_norm"], f"dense{index}")
        x = make.dropout(x, rate, f"dense{index}_dropout")
    return x


@dataclass(frozen=True)
class Layers:
    """Makes layers with names, seeds and the precision of one model."""

    configuration: Configuration
    seed: int
    dtype: str

    def initializer(self, name: str) -> Any:
        """Glorot's uniform initial weights, by a seed that follows from the layer's name."""
        return keras.initializers.GlorotUniform(seed=stable_seed(self.seed, name))

    def convolution(self, x: Tensor, filters: int, kernel: int, padding: str, name: str) -> Tensor:
        """A convolution that fits its input, or InfeasibleError."""
        height, width = x.shape[1:3]
        if padding == "valid" and kernel > min(height, width):
            raise InfeasibleError(f"{name}: a {kernel}×{kernel} valid convolution on {height}×{width}")
        start = self.initializer(name)
        layer = keras.layers.Conv2D(
            filters, kernel, padding=padding, kernel_initializer=start, dtype=self.dtype, name=name
        )
        return layer(x)

    def pool(self, x: Tensor, size: int, name: str) -> Tensor:
        """A maximum pooling that fits its input, or InfeasibleError."""
        height, width = x.shape[1:3]
        if size > min(height, width):
            raise InfeasibleError(f"{name}: a {size}×{size} pooling on {height}×{width}")
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
        return activation(self.configuration["activation"], f"{name}_activation", self.dtype)(x)


def activation(configuration: dict[str, Any], name: str, dtype: str) -> Any:
    """An activation with its parameters, to be called on a tensor."""
    parameters = {key: value for key, value in configuration.items() if key != "name"}
    match configuration["name"]:
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


# ------------------------------------------------------------------------- optimizer and schedule

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "lion": keras.optimizers.Lion,
}


def make_optimizer(configuration: Configuration, steps_per_epoch: int) -> Any:
    """Keras' optimizer with its arguments and the schedule of its learning rate."""
    arguments = {key: value for key, value in configuration["optimizer"].items() if key != "name"}
    rate = arguments.pop("learning_rate")
    schedule = make_schedule(configuration["schedule"], rate, steps_per_epoch, configuration["training"]["epochs"])
    return OPTIMIZERS[configuration["optimizer"]["name"]](learning_rate=schedule, **arguments)


def make_schedule(schedule: dict[str, Any], rate: float, steps_per_epoch: int, epochs: int) -> Any:
    """A number, or Keras' schedule of it by training step, after a linear warm-up if asked for."""
    warmup = schedule["warmup_epochs"] * steps_per_epoch
    after: Any = rate
    if schedule["name"] == "cosine":
        after = keras.optimizers.schedules.CosineDecay(
            rate, max(epochs * steps_per_epoch - warmup, 1), alpha=schedule["final"]
        )
    elif schedule["name"] == "exponential":
        after = keras.optimizers.schedules.ExponentialDecay(rate, steps_per_epoch, schedule["decay"])
    return WarmUp(rate, warmup, after) if warmup else after


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """From rate/steps up to `rate` in `steps` equal steps; then `after`, a number or a schedule."""

    def __init__(self, rate: float, steps: int, after: Any) -> None:
        self.rate, self.steps, self.after = rate, steps, after

    def __call__(self, step: Any) -> Any:
        step = keras.ops.cast(step, "float32")
        later = self.after(keras.ops.maximum(step - self.steps, 0.0)) if callable(self.after) else self.after
        return keras.ops.where(step < self.steps, self.rate * (step + 1) / self.steps, later)

    def get_config(self) -> dict[str, Any]:
        """For Keras' serialisation."""
        return {"rate": self.rate, "steps": self.steps, "after": self.after}
