"""A model with its compiled passes: what trains one trial after another, if they differ in nothing but their seeds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.config.trial import TrialConfig
from src.data.dataset import Dataset, Part
from src.ledger.files import Arrays
from src.ledger.jobs import TrainJob
from src.training.checkpoint import Best, lent_weights, read_state
from src.training.losses import class_weights, make_loss
from src.training.metrics import measure
from src.training.network import InputSpec, build, build_network
from src.training.passes import Chunk, Hook, Results, compile_evaluation, compile_training, num_batches, order_of


def input_spec(data: Dataset) -> InputSpec:
    """What a model needs to know of the data."""
    return InputSpec(data.shape, str(data.train.x.dtype), data.num_classes, data.scale)


def steps_per_epoch(data: Dataset, configuration: TrialConfig) -> int:
    """Batches in one epoch, the last one smaller."""
    return num_batches(images_per_epoch(data.train, configuration), configuration.training.batch_size)


def images_per_epoch(part: Part, configuration: TrialConfig) -> int:
    """How many images make an epoch: all of them, unless the configuration says otherwise."""
    return configuration.training.epoch_size or len(part)


@dataclass(frozen=True)
class Engine:
    """Trials of one kind train with the same engine, to the bits that each would have with its own: graphs hold no seed."""

    kind: tuple[TrialConfig, bool, int]  # of the trials that may train with it: see `kind_of`
    seed: int  # that it was built with
    model: keras.Model
    initial: list[NDArray[np.generic]]  # the optimizer's variables before training
    train_chunk: Callable[[int, Chunk], Results]
    evaluate: Callable[[Part], tuple[NDArray[np.float32], Results]]
    data: Dataset
    images: tuple[tf.Tensor, tf.Tensor]  # those to train on and their labels, in the device's memory

    @classmethod
    def of(cls, job: TrainJob, data: Dataset, hooks: Sequence[Hook] = ()) -> "Engine":
        """Build and compile what a trial needs."""
        configuration = job.configuration
        data = data.without_validation() if job.refit else data
        model = build(configuration, input_spec(data), job.seed, steps_per_epoch(data, configuration), job.last_epoch)
        initial = [np.array(variable) for variable in model.optimizer.variables]
        loss, weights = make_loss(configuration), class_weights(configuration, data.train.y, data.num_classes)
        train_chunk = compile_training(model, loss, configuration.training.batch_size, weights, hooks)
        evaluate = compile_evaluation(model, loss)
        images = tf.constant(data.train.x), tf.constant(data.train.y)
        return cls(kind_of(job), job.seed, model, initial, train_chunk, evaluate, data, images)

    @property
    def configuration(self) -> TrialConfig:
        """Of its trials."""
        return self.kind[0]

    def begin(self, job: TrainJob, state: Arrays | None) -> Best:
        """Bring all variables to where a trial begins or goes on; returns its best epoch so far."""
        if state:
            best = read_state(self.model, state)
            return best if best.images else Best(best.weights, self.examine(best.weights))
        if job.seed != self.seed or int(self.model.optimizer.iterations):  # not as it was built
            fresh = build_network(job.configuration, input_spec(self.data), job.seed)
            for variable, value in zip(self.model.variables, fresh.variables, strict=True):
                variable.assign(value)
            for variable, start in zip(self.model.optimizer.variables, self.initial, strict=True):
                variable.assign(start)
        return Best({}, {})

    def train_epoch(self, seed: int, number: int) -> dict[str, float]:
        """Metrics of an epoch of training, by its number."""
        part = self.data.train
        rows, passes = order_of(seed, number, len(part), images_per_epoch(part, self.configuration))
        results = self.train_chunk(seed, Chunk(*self.images, rows, passes, rows))
        return measure(part.y[rows], results, self.configuration.training.metrics)

    def validate(self) -> tuple[dict[str, float], Arrays]:
        """Metrics of the validation images, and what is kept of each; nothing where there are none."""
        part = self.data.validation
        if not len(part):
            return {}, {}
        _, results = self.evaluate(part)
        right = (results.predicted == part.y).astype(np.uint8)
        images = {"right": right, "loss": results.losses, "predicted": results.predicted}
        return measure(part.y, results, self.configuration.training.metrics), images

    def examine(self, weights: Arrays) -> Arrays:
        """What is kept of each validation image, with other weights: a checkpoint of an earlier version lacks it."""
        with lent_weights(self.model, weights):
            return self.validate()[1]


def kind_of(job: TrainJob) -> tuple[TrialConfig, bool, int]:
    """What trials have in common that may train with one engine: all but their seeds."""
    return job.configuration, job.refit, job.last_epoch if job.configuration.depends_on_epochs else 0
