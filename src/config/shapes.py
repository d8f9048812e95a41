"""How large a trial's network is, or why there is none: by arithmetic, without TensorFlow.

What is counted here is what `training.network` builds from the same configuration."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from src.config.optimizers import Adam, Lion, Nadam, Optimizer, Rmsprop, Sgd
from src.config.trial import Cnn, Dnn, TrialConfig

NUMBER_BYTES = 4  # of each number that is kept, whatever the precision of computing
SEED_NUMBERS = 2  # in the state of a dropout's random numbers


@dataclass(frozen=True)
class NetworkSize:
    """Why a network cannot exist, or how large it is: multiply-adds are of one image, bytes are a checkpoint's."""

    reason: str
    parameters: int = 0
    operations: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Layer:
    """What a layer adds: numbers that are trained, moving averages, a seed's state, multiply-adds; or a reason."""

    trained: int = 0
    averages: int = 0
    seed: int = 0
    operations: int = 0
    reason: str = ""


def measure(configuration: TrialConfig, shape: tuple[int, ...], num_classes: int) -> NetworkSize:
    """The size of the network for images of a shape H, W, C, or the reason why there is none."""
    found: list[Layer] = []
    for layer in layers(configuration.architecture, shape, num_classes):
        if layer.reason:
            return NetworkSize(layer.reason)
        found.append(layer)
    trained = sum(layer.trained for layer in found)
    parameters = trained + sum(layer.averages for layer in found)
    others = sum(layer.seed for layer in found) + scalars(configuration) + trained * slots(configuration.optimizer)
    operations = sum(layer.operations for layer in found)
    return NetworkSize("", parameters, operations, NUMBER_BYTES * (parameters + others))


def misfit(name: str, kind: str, window: int, height: int, width: int) -> str:
    """Why a layer whose window stays within its image cannot exist; empty where it can."""
    return f"{name}: a {window}×{window} {kind} on {height}×{width}" if window > min(height, width) else ""


def layers(a: Cnn | Dnn, shape: tuple[int, ...], num_classes: int) -> Iterator[Layer]:
    """The layers of an architecture in order; what comes after a reason means nothing."""
    if isinstance(a, Dnn):
        yield dropout(a.input_dropout)
        yield from dense_layers([math.prod(shape), *a.units], a.dropout, a.batch_norm, num_classes)
        return
    height, width, channels = shape
    for block, filters in enumerate(a.filters, 1):
        for index, padding in enumerate(a.padding, 1):
            if padding == "valid":
                yield Layer(reason=misfit(f"block{block}_conv{index}", "valid convolution", a.kernel, height, width))
                height, width = height - a.kernel + 1, width - a.kernel + 1
            yield weights(a.kernel**2 * channels, filters, a.batch_norm, height * width)
            channels = filters
        yield Layer(reason=misfit(f"block{block}_pool", "pooling", a.pool, height, width))
        height, width = height // a.pool, width // a.pool
        yield dropout(a.block_dropout)
    numbers = [height * width * channels, *a.dense_units]
    yield from dense_layers(numbers, [a.dense_dropout] * len(a.dense_units), False, num_classes)


def dense_layers(numbers: list[int], rates: list[float], batch_norm: bool, num_classes: int) -> Iterator[Layer]:
    """Dense layers, each from one of these numbers to the next and with its rate of dropout, and then the head."""
    for inputs, units, rate in zip(numbers[:-1], numbers[1:], rates, strict=True):
        yield weights(inputs, units, batch_norm)
        yield dropout(rate)
    yield weights(numbers[-1], num_classes, False)


def weights(inputs: int, outputs: int, batch_norm: bool, places: int = 1) -> Layer:
    """A kernel and a bias, used at so many places of an image, and batch normalisation if asked for.

    That has a factor and an offset for each output, and averages of its mean and variance.
    """
    kernel, normalised = inputs * outputs, 2 * outputs if batch_norm else 0
    return Layer(kernel + outputs + normalised, normalised, operations=kernel * places)


def dropout(rate: float) -> Layer:
    """Dropout, which is no layer at a rate of 0."""
    return Layer(seed=SEED_NUMBERS if rate else 0)


def slots(optimizer: Optimizer) -> int:
    """How many numbers an optimizer keeps beside each that is trained."""
    match optimizer:
        case Adam():
            return 3 if optimizer.amsgrad else 2
        case Nadam():
            return 2
        case Sgd():
            return 1 if optimizer.momentum else 0
        case Rmsprop():
            return 1 + (optimizer.momentum > 0) + optimizer.centered
        case Lion():
            return 1


def scalars(configuration: TrialConfig) -> int:
    """How many numbers an optimizer keeps of its own: the step, the learning rate unless a schedule gives it.

    Nadam also has the product of its momentums.
    """
    schedule = configuration.schedule
    is_scheduled = schedule.name != "constant" or schedule.warmup_epochs > 0
    return 1 + (not is_scheduled) + isinstance(configuration.optimizer, Nadam)
