"""The golden trials: tiny ones that together touch every layer, activation, optimizer and schedule; and their bits."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from src.base.processes import silenced
from src.config.schema import Config
from src.data.dataset import Dataset, Part
from src.execution.worker import set_up_tensorflow
from src.ledger.files import Arrays
from src.ledger.jobs import TrainJob
from src.ledger.objective import OBJECTIVES
from src.ledger.records import Epoch
from tests.unit.examples import config

ALL = ("search=single", "training.batch_size=16", "training.epochs=3")
CNN = (
    *(*ALL, "architecture.blocks=1", "architecture.filters=4", "architecture.convolutions=1"),
    *("architecture.padding=same", "architecture.dense_units=8"),
)
DNN = (*ALL, "architecture=dnn", "architecture.units=[8]")
METRICS = ("accuracy", "balanced_accuracy", "macro_f1")
ALWAYS = 1e6  # a min_delta by which no epoch is better

TRIALS: dict[str, tuple[str, ...]] = {
    "plain": (
        *(*CNN, "architecture.convolutions=2", "architecture.padding=[same,valid]", "training.epochs=2"),
        *("architecture.blocks=2", "architecture.kernel=2", "architecture.filters=[3,4]"),
    ),
    "resumed": (
        *(*CNN, "architecture.batch_norm=true", "architecture.block_dropout=0.3", "architecture.dense_dropout=0.3"),
        *("activation=elu", "activation.alpha=0.7", "optimizer=adamw", "optimizer.learning_rate=0.02"),
        *("schedule=cosine", "schedule.warmup_epochs=1", "schedule.final=0.1"),
        *("training.epoch_size=60", "search.objective=val_loss"),
    ),
    "short epochs": (
        *(*DNN, "architecture.units=[8,6]", "architecture.batch_norm=true", "architecture.head=logits"),
        *("architecture.input_dropout=0.2", "architecture.dropout=[0.1,0.3]", "activation=gelu"),
        *("optimizer=nadam", "optimizer.beta_1=0.8", "optimizer.weight_decay=0.1", "training.epoch_size=25"),
        *("schedule=exponential", "schedule.decay=0.7", "search.seed=3"),
    ),
    "lowered": (
        *(*CNN, "activation=gelu", "activation.approximate=true", "architecture.head=logits", "training.epochs=5"),
        *("optimizer=sgd", "optimizer.learning_rate=0.01", "optimizer.momentum=0.9", "optimizer.nesterov=true"),
        *("training.reduce_lr.patience=2", f"training.reduce_lr.min_delta={ALWAYS}", "training.reduce_lr.factor=0.4"),
        *("training.reduce_lr.min_lr=0.002", "search.objective=val_loss"),
    ),
    "stopped": (
        *(*DNN, "activation=relu", "activation.negative_slope=0.1", "activation.max_value=0.5"),
        *("activation.threshold=0.05", "optimizer=rmsprop", "optimizer.momentum=0.5", "optimizer.centered=true"),
        *("optimizer.learning_rate=0.05", "training.early_stopping.patience=2"),
        *("training.early_stopping.min_delta=0.01", "training.epochs=9"),
    ),
    "floats": (
        *(*CNN, "architecture.kernel=5", "architecture.padding=valid", "architecture.pool=1"),
        *("activation=leaky_relu", "optimizer=lion", "optimizer.learning_rate=0.01", "optimizer.weight_decay=0.1"),
        *("optimizer.beta_1=0.8", "optimizer.beta_2=0.9"),
    ),
    "warm-up": (
        *(*DNN, "activation=sigmoid", "optimizer.amsgrad=true", "optimizer.beta_1=0.8", "optimizer.beta_2=0.99"),
        *("optimizer.epsilon=1e-4", "optimizer.learning_rate=0.02", "schedule.warmup_epochs=2"),
    ),
    "bfloat16": (
        *(*CNN, "architecture.batch_norm=true", "architecture.block_dropout=0.2", "architecture.head=logits"),
        *("activation=tanh", "training.precision=mixed_bfloat16"),
    ),
    "refit": (
        *(*CNN, "activation=silu", "schedule=exponential", "schedule.warmup_epochs=1", "schedule.decay=0.5"),
        *("search.refit=true", "optimizer.weight_decay=0.05"),
    ),
    "whole batch": (
        *(*DNN, "architecture.input_dropout=0.1", "activation=selu", "optimizer=adamw", "optimizer.amsgrad=true"),
        *("training.batch_size=64", "optimizer.weight_decay=0.2"),
    ),
    "two passes": (
        *(*CNN, "architecture.dense_layers=0", "activation=softplus", "optimizer=rmsprop", "optimizer.rho=0.8"),
        *("training.epoch_size=88", "training.batch_size=10", "training.epochs=2"),
    ),
    "standing still": (
        *(*DNN, "architecture.units=[6,5]", "optimizer=sgd", "optimizer.learning_rate=1e-30", "training.epochs=4"),
        "training.early_stopping.patience=2",
    ),
    "weighted": (
        *(*CNN, "training.label_smoothing=0.1", "training.class_weights=balanced"),
        "training.metrics=[accuracy,balanced_accuracy,macro_f1]",
    ),
    "focal": (*DNN, "training.loss=focal", "architecture.head=logits", "training.batch_size=9"),
    "wide": (
        *(*CNN, "architecture.filters=32", "architecture.dense_units=256", "architecture.dense_dropout=0.5"),
        *("optimizer.learning_rate=0.01", "training.batch_size=44", "training.epochs=2"),
    ),
}
FLOATS = {"floats"}  # trials of float32 images; those of the others are uint8
RESUMED = {"resumed"}  # trials that are also put down after an epoch and taken up
SHARED = {"resumed", "lowered", "bfloat16", "refit"}  # trials that are also trained by what has trained another seed


def data_of(name: str) -> Dataset:
    """Noise that is a little brighter for each class, so that a network learns, but not everything at once."""
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(584) % 3).astype(np.int32)
    images = (random.integers(0, 200, (584, 8, 8, 1)) + 15 * labels[:, None, None, None]).astype(np.uint8)
    x, scale = (images / np.float32(50), 0.5) if name in FLOATS else (images, 1 / 255)
    train, validation, test = (Part(x[where], labels[where]) for where in (slice(44), slice(44, 314), slice(314, 584)))
    return Dataset("golden", train, validation, test, 3, scale, "", "resize")


# ------------------------------------------------------- what is called of the training code: these functions alone


def compute(threads: int) -> dict[str, str]:
    """Trial → hash of all that it leaves, with so many threads. For a fresh process: TensorFlow is set up once."""
    with silenced():
        set_up_tensorflow(threads, 1)
        return {name: hash_of(name, threads) for name in TRIALS}


def hash_of(name: str, threads: int) -> str:
    """Of a trial's results; one in RESUMED must have the same if it is put down and taken up."""
    overrides = (*TRIALS[name], f"training.threads={threads}")
    found = digest(results(overrides, data_of(name)))
    if name in RESUMED:
        assert digest(results(overrides, data_of(name), 1)) == found, f"'{name}' resumed is not as uninterrupted"
    if name in SHARED:
        assert digest(results(overrides, data_of(name), shares=True)) == found, f"'{name}' depends on a trial before"
    return found


def results(overrides: tuple[str, ...], data: Dataset, pause: int = 0, shares: bool = False) -> Arrays:
    """All that a trial leaves: metrics, state, best weights, and what these make of validation and test images.

    It is put down after `pause` epochs, if any; `shares`: by an engine that has trained another seed."""
    whole = config(*overrides)
    state: Arrays | None = None
    epochs: tuple[Epoch, ...] = ()
    for until in (pause, whole.training.epochs) if pause else (whole.training.epochs,):
        job = job_of(whole, until, epochs)
        for progress in train_after_another(job, data) if shares else train_anew(job, data, state):
            epochs += (progress.epoch,)
            state, best = progress.state(), progress.best
    metrics = {f"{epoch.number}/{key}": value for epoch in epochs for key, value in epoch.metrics.items()}
    tested = test(job, data, best.weights)
    left = {"epoch": metrics, "state": state, "best": best.weights, "validation": best.images, "test": tested}
    return {f"{kind}/{key}": np.asarray(value) for kind, values in left.items() for key, value in values.items()}


def job_of(whole: Config, until: int, seen: tuple[Epoch, ...]) -> TrainJob:
    """A trial's job, as the schedule gives it."""
    search, last = whole.search, whole.training.epochs
    return TrainJob(1, 1, whole.trial, search.seed, OBJECTIVES[search.objective], until, last, None, seen, search.refit)


def train_anew(job: TrainJob, data: Dataset, state: Arrays | None) -> Iterator[Any]:
    """Train with nothing left of the trial before, as a worker does."""
    import keras

    from src.training.loop import train

    keras.backend.clear_session()
    return train(job, data, state)


def train_after_another(job: TrainJob, data: Dataset) -> Iterator[Any]:
    """Train with the engine of a trial of another seed, as a worker does with repeats."""
    from src.training.engine import Engine
    from src.training.loop import train

    other = replace(job, seed=job.seed + 1)
    engine = Engine.of(other, data)
    for _ in train(other, data, None, engine):
        pass
    return train(job, data, None, engine)


def test(job: TrainJob, data: Dataset, weights: Arrays) -> Arrays:
    """Loss and accuracy on the test images, and the probabilities of each, as a worker evaluates."""
    from src.training.engine import input_spec
    from src.training.export import predict, probabilities_of
    from src.training.losses import make_loss
    from src.training.metrics import measure
    from src.training.network import restore
    from src.training.passes import compile_evaluation

    model = restore(job.configuration, input_spec(data), weights)
    scores, results = compile_evaluation(model, make_loss(job.configuration))(data.test)
    metrics = measure(data.test.y, results, METRICS)
    assert predict(model, data.test.x).tobytes() == probabilities_of(model, scores).tobytes()
    return {**{key: np.asarray(value) for key, value in metrics.items()}, "predicted": probabilities_of(model, scores)}


# ------------------------------------------------------------------------------------------- hashes


def digest(arrays: Arrays) -> str:
    """64 hex digits of names, types, shapes and bytes."""
    sha = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return sha.hexdigest()
