"""Metrics of a pass, by Keras' names: each from the labels and predicted classes of all its images."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from src.training.passes import Results

Labels = NDArray[np.int32]


def measure(labels: Labels, results: Results, names: Iterable[str]) -> dict[str, float]:
    """The mean loss, and the metrics of these names, to the precision of float32: so equal shares of images are equal to
    those that earlier versions measured."""
    values = {"loss": results.losses.mean(dtype=np.float64)}
    values |= {name: METRICS[name](labels, results.predicted) for name in names}
    return {name: float(np.float32(value)) for name, value in values.items()}


def accuracy(labels: Labels, predicted: Labels) -> float:
    """The share of images whose class is predicted."""
    return float(np.mean(labels == predicted))


def balanced_accuracy(labels: Labels, predicted: Labels) -> float:
    """The mean over classes of the share of each one's images that are predicted; classes without images do not count."""
    images, _, hits = counts(labels, predicted)
    return float(np.mean(hits[images > 0] / images[images > 0]))


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """The mean over classes of F1, 2·hits / (images + predictions); classes without either do not count."""
    images, predictions, hits = counts(labels, predicted)
    both = images + predictions
    return float(np.mean(2 * hits[both > 0] / both[both > 0]))


def counts(labels: Labels, predicted: Labels) -> list[NDArray[np.int64]]:
    """Of each class: its images, predictions of it, and those that are right."""
    num_classes = int(max(labels.max(), predicted.max())) + 1
    return [np.bincount(kind, minlength=num_classes) for kind in (labels, predicted, labels[labels == predicted])]


METRICS = {"accuracy": accuracy, "balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1}
