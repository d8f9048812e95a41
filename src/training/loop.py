"""Train one trial: each epoch is one compiled graph; what happens follows from its arguments alone.

A state holds all variables of model and optimizer (dropout's generators among them), the weights of the best epoch so
far, and what it said of each validation image. Everything else, such as patience, follows from the metrics of the epochs.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import keras

from src.config.trial import TrialConfig
from src.data.dataset import Dataset, Part
from src.ledger.files import Arrays
from src.ledger.jobs import TrainJob
from src.ledger.objective import ACCURACY
from src.ledger.records import Epoch
from src.training.checkpoint import Best, copy_state, copy_weights
from src.training.engine import Engine


class NanError(Exception):
    """The loss is no number any more: training on is no use, and neither is trying again."""


@dataclass(frozen=True)
class Progress:
    """An epoch that ended. The functions copy arrays when called; `stop` says why it was the last."""

    epoch: Epoch
    state: Callable[[], Arrays]
    weights: Callable[[], Arrays]  # as they are now
    best: Best
    stop: str


def train(job: TrainJob, data: Dataset, state: Arrays | None, engine: Engine | None = None) -> Iterator[Progress]:
    """Train from `state` (which has seen `job.epochs`) or from the start, yielding at each epoch's end.

    `engine` is one of an earlier trial of this kind. Raises NanError where the loss stops being finite, and whatever
    TensorFlow raises.
    """
    configuration, history = job.configuration, list(job.epochs)
    engine = engine or Engine.of(job, data)
    model, best = engine.model, engine.begin(job, state)

    def progress() -> Progress:
        current, stop = best, stop_reason(history, configuration)
        return Progress(history[-1], lambda: copy_state(model, current), lambda: copy_weights(model), current, stop)

    def is_done() -> bool:
        return len(history) >= job.until or bool(stop_reason(history, configuration))

    if history and is_done():  # it was ended after its last epoch, before it could say that it has finished
        yield progress()
    while not is_done():
        epoch, images = run(engine, job.seed, len(history) + 1)
        history.append(epoch)
        if job.objective.best_epoch(history) is epoch:
            best = Best(copy_weights(model), images)
        reduce_learning_rate(model, history, configuration)
        yield progress()


def run(engine: Engine, seed: int, number: int) -> tuple[Epoch, Arrays]:
    """One epoch of training and one pass over the validation images: its metrics, and what is kept of each image."""
    start = time.perf_counter()
    metrics = engine.train_epoch(seed, number)
    validation, images = engine.validate()
    metrics |= {f"val_{key}": value for key, value in validation.items()}
    bad = [key for key, value in metrics.items() if not math.isfinite(value)]
    if bad:
        raise NanError(f"{bad[0]} is {metrics[bad[0]]} in epoch {number}: a smaller learning rate may help")
    metrics["learning_rate"] = float(engine.model.optimizer.learning_rate)
    return Epoch(number, metrics, time.perf_counter() - start, time.time()), images


def time_steps(configuration: TrialConfig, data: Dataset, images: int) -> tuple[float, float]:
    """Seconds to build and trace a model, and seconds an image of training, over that many images."""
    start = time.perf_counter()
    few = replace(data, train=Part(data.train.x[:images], data.train.y[:images]))
    training = configuration.training.model_copy(update={"epoch_size": None})
    whole = configuration.model_copy(update={"training": training})
    engine = Engine.of(TrainJob(1, 1, whole, 1, ACCURACY, 1, 1, None, ()), few)
    engine.train_epoch(1, 1)
    middle = time.perf_counter()
    engine.train_epoch(1, 2)
    seconds = time.perf_counter() - middle
    return max(middle - start - seconds, 0.0), seconds / len(few.train)


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
