"""Small facts that rows and messages share, and which epoch is the best."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """A file that counts: its path relative to the sweep's folder, and its sha256."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Epoch:
    """What one epoch left. `number` starts at 1; `seconds` it took; `ended` in seconds since 1970."""

    number: int
    metrics: dict[str, float]  # loss, accuracy, learning_rate; val_loss, val_accuracy if it was validated
    seconds: float
    ended: float


@dataclass(frozen=True)
class Probe:
    """A few steps of training, timed: seconds to prepare a model, and seconds an image."""

    point: int
    operations: int
    prepare: float
    per_image: float


@dataclass(frozen=True)
class Evaluation:
    """The test data looked at: once for each row."""

    trial: int
    epoch: int
    loss: float
    accuracy: float
    ended: float
    predictions: File | None = None  # probabilities N×classes of all test images, as `probabilities`
    model: File | None = None  # the model of that epoch, as Keras saves it


def score(metrics: dict[str, float], objective: str) -> tuple[float, float]:
    """Lower is better: by the objective, ties by the other of accuracy and loss."""
    accuracy, loss = -metrics["val_accuracy"], metrics["val_loss"]
    return (accuracy, loss) if objective == "val_accuracy" else (loss, accuracy)


def best_epoch(epochs: Sequence[Epoch], objective: str) -> Epoch:
    """The first of the best epochs; the last one of a trial that had no validation images."""
    if objective not in epochs[-1].metrics:
        return epochs[-1]
    return min(epochs, key=lambda epoch: score(epoch.metrics, objective))
