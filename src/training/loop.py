"""Train one trial: each epoch is one compiled graph; what happens follows from its arguments alone.

A state holds all variables of model and optimizer (dropout's generators among them) and the weights
of the best epoch so far. Everything else, such as patience, follows from the metrics of the epochs.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.config.trial import TrialConfig
from src.data.dataset import Dataset, Part
from src.ledger.files import Arrays
from src.ledger.jobs import TrainJob
from src.ledger.records import Epoch
from src.training.checkpoint import copy_state, copy_weights, lent_weights, read_state
from src.training.network import InputSpec, build, build_network

Array = NDArray[Any]
Run = Callable[[int], dict[str, float]]  # number of an epoch → its metrics


class NanError(Exception):
    """The loss is no number any more: training on is no use, and neither is trying again."""


@dataclass(frozen=True)
class Progress:
    """An epoch that ended. The functions copy arrays when called; `stop` says why it was the last."""

    epoch: Epoch
    state: Callable[[], Arrays]
    weights: Callable[[], Arrays]  # as they are now
    best_weights: Callable[[], Arrays]
    examine: Callable[[], Arrays]  # each validation image by the best weights
    stop: str


def input_spec(data: Dataset) -> InputSpec:
    """What a model needs to know of the data."""
    return InputSpec(data.shape, str(data.train.x.dtype), data.num_classes, data.scale)


def steps_per_epoch(data: Dataset, configuration: TrialConfig) -> int:
    """Batches in one epoch, the last one smaller."""
    return math.ceil(images_per_epoch(data.train, configuration) / configuration.training.batch_size)


def images_per_epoch(part: Part, configuration: TrialConfig) -> int:
    """How many images make an epoch: all of them, unless the configuration says otherwise."""
    return configuration.training.epoch_size or len(part)


@dataclass(frozen=True)
class Engine:
    """A model with its compiled epochs. Trials that differ in nothing but their seeds train with the same, to the bits
    that each would have with its own: graphs hold no seed."""

    kind: tuple[TrialConfig, bool, int]  # of the trials that may train with it
    seed: int  # that it was built with
    model: keras.Model
    initial: list[Array]  # the optimizer's variables before training
    train_once: Callable[[int, int], dict[str, float]]  # seed and number of an epoch → its metrics
    validate: Run
    data: Dataset

    @classmethod
    def of(cls, job: TrainJob, data: Dataset) -> "Engine":
        """Build and compile what a trial needs."""
        configuration = job.configuration
        data = data.without_validation() if job.refit else data
        model = build(configuration, input_spec(data), job.seed, steps_per_epoch(data, configuration), job.last_epoch)
        evaluate = compile_evaluation(model, data.validation, configuration.training.batch_size)
        validate = evaluate if len(data.validation) else no_metrics
        initial = [np.array(variable) for variable in model.optimizer.variables]
        train_once = compile_training(model, data.train, configuration)
        return cls(kind_of(job), job.seed, model, initial, train_once, validate, data)

    def begin(self, job: TrainJob, state: Arrays | None) -> Arrays:
        """Bring all variables to where a trial begins or goes on; returns the weights of its best epoch so far."""
        if state:
            return read_state(self.model, state)
        if job.seed == self.seed and not int(self.model.optimizer.iterations):  # as it was built
            return {}
        fresh = build_network(job.configuration, input_spec(self.data), job.seed)
        for variable, value in zip(self.model.variables, fresh.variables, strict=True):
            variable.assign(value)
        for variable, start in zip(self.model.optimizer.variables, self.initial, strict=True):
            variable.assign(start)
        return {}


def kind_of(job: TrainJob) -> tuple[TrialConfig, bool, int]:
    """What trials have in common that may train with one engine: all but their seeds."""
    return job.configuration, job.refit, job.last_epoch if job.configuration.depends_on_epochs else 0


def train(job: TrainJob, data: Dataset, state: Arrays | None, engine: Engine | None = None) -> Iterator[Progress]:
    """Train from `state` (which has seen `job.epochs`) or from the start, yielding at each epoch's end.

    `engine` is one of an earlier trial of this kind. Raises NanError where the loss stops being finite, and whatever
    TensorFlow raises.
    """
    configuration, history = job.configuration, list(job.epochs)
    engine = engine or Engine.of(job, data)
    model, validation = engine.model, engine.data.validation
    best = engine.begin(job, state)
    train_once = partial(engine.train_once, job.seed)

    def progress() -> Progress:
        current = best
        return Progress(
            history[-1],
            lambda: copy_state(model, current),
            lambda: copy_weights(model),
            lambda: current,
            lambda: examine(model, current, validation),
            stop_reason(history, configuration),
        )

    def is_done() -> bool:
        return len(history) >= job.until or bool(stop_reason(history, configuration))

    if history and is_done():  # it was ended after its last epoch, before it could say that it has finished
        yield progress()
    while not is_done():
        epoch = run(model, train_once, engine.validate, len(history) + 1)
        history.append(epoch)
        if job.objective.best_epoch(history) is epoch:
            best = copy_weights(model)
        reduce_learning_rate(model, history, configuration)
        yield progress()


def run(model: keras.Model, train_once: Run, evaluate: Run, number: int) -> Epoch:
    """One epoch of training and one pass over the validation images."""
    start = time.perf_counter()
    metrics = train_once(number)
    metrics |= {f"val_{key}": value for key, value in evaluate(number).items()}
    bad = [key for key, value in metrics.items() if not math.isfinite(value)]
    if bad:
        raise NanError(f"{bad[0]} is {metrics[bad[0]]} in epoch {number}: a smaller learning rate may help")
    metrics["learning_rate"] = float(model.optimizer.learning_rate)
    return Epoch(number, metrics, time.perf_counter() - start, time.time())


def compile_training(
    model: keras.Model, part: Part, configuration: TrialConfig
) -> Callable[[int, int], dict[str, float]]:
    """Seed and number of an epoch → loss and accuracy. The images come in passes over all of them, each pass in an order
    that follows from (seed, its number); an epoch is the next so many of this stream, by default one pass."""
    x, y = tf.constant(part.x), tf.constant(part.y)
    count, size = len(part), images_per_epoch(part, configuration)
    batch_size = configuration.training.batch_size
    passes = size // count if size % count == 0 else math.ceil(size / count) + 1  # that an epoch may lie in

    def shuffled(seed_and_pass: tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.stateless_shuffle(tf.range(count), seed=seed_and_pass)

    @tf.function  # type: ignore[untyped-decorator]
    def epoch(seed: tf.Tensor, first: tf.Tensor, skipped: tf.Tensor) -> None:
        seeds = tf.stack([tf.repeat(seed, passes), first + tf.range(passes)], axis=1)
        order = tf.reshape(tf.map_fn(shuffled, seeds), [-1])[skipped : skipped + size]
        for step in tf.range(math.ceil(size / batch_size)):
            batch = order[step * batch_size : (step + 1) * batch_size]
            model.train_step((tf.gather(x, batch), tf.gather(y, batch)))

    def run_once(seed: int, number: int) -> dict[str, float]:
        model.reset_metrics()
        before, skipped = divmod((number - 1) * size, count)
        epoch(tf.constant(seed), tf.constant(before + 1), tf.constant(skipped))
        return read_metrics(model)

    return run_once


def compile_evaluation(model: keras.Model, part: Part, batch_size: int) -> Run:
    """Loss and accuracy over all images; the argument is not used."""
    x, y = tf.constant(part.x), tf.constant(part.y)
    count = len(part)

    @tf.function  # type: ignore[untyped-decorator]
    def evaluation() -> None:
        for step in tf.range(math.ceil(count / batch_size)):
            batch = slice(step * batch_size, (step + 1) * batch_size)
            model.test_step((x[batch], y[batch]))

    def run_once(number: int = 0) -> dict[str, float]:
        model.reset_metrics()
        evaluation()
        return read_metrics(model)

    return run_once


def no_metrics(number: int) -> dict[str, float]:
    """Of a part without images."""
    return {}


def examine(model: keras.Model, weights: Arrays, part: Part) -> Arrays:
    """Which images a model with these weights gets `right` (0 or 1), and the `loss` of each; its own weights stay."""
    right, losses = [], []
    with lent_weights(model, weights):
        for start in range(0, len(part), 256):
            y = part.y[start : start + 256]
            scores = model(part.x[start : start + 256], training=False)
            right.append(np.argmax(scores, axis=1) == y)
            losses.append(np.asarray(model.loss.call(y, scores)))
    return {"right": np.concatenate(right).astype(np.uint8), "loss": np.concatenate(losses).astype(np.float32)}


def read_metrics(model: keras.Model) -> dict[str, float]:
    """Loss and accuracy since the last reset."""
    return {key: float(value) for key, value in model.get_metrics_result().items()}


def time_steps(configuration: TrialConfig, data: Dataset, images: int) -> tuple[float, float]:
    """Seconds to build and trace a model, and seconds an image of training, over that many images."""
    start = time.perf_counter()
    part = Part(data.train.x[:images], data.train.y[:images])
    model = build(configuration, input_spec(data), 1, 1, 1)
    training = configuration.training.model_copy(update={"epoch_size": None})
    whole = configuration.model_copy(update={"training": training})
    train_once = compile_training(model, part, whole)
    train_once(1, 1)
    middle = time.perf_counter()
    train_once(1, 2)
    seconds = time.perf_counter() - middle
    return max(middle - start - seconds, 0.0), seconds / len(part)


def waited(history: Sequence[Epoch], min_delta: float) -> int:
    """Epochs since the validation loss was last better by `min_delta` than the best before."""
    best, wait = math.inf, 0
    for epoch in history:
        better = epoch.metrics["val_loss"] < best - min_delta
        best, wait = (epoch.metrics["val_loss"], 0) if better else (best, wait + 1)
    return wait


def stop_reason(history: Sequence[Epoch], configuration: TrialConfig) -> str:
    """Why training ends before its last epoch, or nothing."""
    stopping = configuration.training.early_stopping
    if not history or "val_loss" not in history[-1].metrics:
        return ""
    if stopping.patience and waited(history, stopping.min_delta) >= stopping.patience:
        return f"early stopping: no better validation loss for {stopping.patience} epochs"
    return ""


def reduce_learning_rate(model: keras.Model, history: Sequence[Epoch], configuration: TrialConfig) -> None:
    """Lower the learning rate each time the validation loss has not improved for `patience` epochs more."""
    rule = configuration.training.reduce_lr
    wait = waited(history, rule.min_delta) if rule.patience else 0
    if rule.patience and wait and wait % rule.patience == 0:
        model.optimizer.learning_rate = max(float(model.optimizer.learning_rate) * rule.factor, rule.min_lr)
