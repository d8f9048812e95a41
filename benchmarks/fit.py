"""Our compiled epochs beside plain `Model.fit`: the same model, data and settings, several seeds.

    python -m benchmarks.fit                             mnist_5k, 5 seeds, about 10 minutes on 2 cores
    python -m benchmarks.fit data=npz data.path=mnist.npz +seeds=3

For each network and seed both train in turn in this process, on the same number of threads. Prints the
mean and standard deviation of the last epoch's validation accuracy, their difference paired by seed with
its standard error, and the median time of an epoch after the first.
"""

import os
import statistics
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table

from src.config import CONF, resolve, validate
from src.data import Dataset, load
from src.messages import Configuration, TrainWork
from src.schema import Config

NETWORKS = {
    "dnn 128": ["architecture=dnn", "training.batch_size=32", "training.epochs=5"],
    "double conv": ["architecture=cnn", "training.batch_size=64", "training.epochs=5"],
    "double conv, dropout, adamw, cosine": [
        "architecture=cnn",
        "architecture.dense_dropout=0.3",
        "optimizer=adamw",
        "schedule=cosine",
        "training.epochs=5",
    ],
}


def main(overrides: list[str]) -> None:
    """Print the table."""
    own, overrides = options(overrides)
    seeds = int(own.get("seeds", 5))
    table = Table("network", "ours", "fit", "ours - fit", "s/epoch ours", "fit", "fit / ours", box=None)
    for name, network in NETWORKS.items():
        config = configure([*network, *overrides])
        data = load(config.data)
        set_threads(config.training.threads)
        ours, fit = zip(*(run_pair(config, data, seed) for seed in range(1, seeds + 1)), strict=True)
        table.add_row(name, *compare(list(ours), list(fit)))
    Console(width=120).print(table)


def options(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    """The benchmark's own options, `+key=value`, and what is left for the configuration."""
    own = {a[1:].partition("=")[0]: a.partition("=")[2] for a in arguments if a.startswith("+")}
    return own, [a for a in arguments if not a.startswith("+")]


def configure(overrides: list[str]) -> Config:
    """The configuration that a command line with these overrides composes."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return validate(resolve(compose("config", overrides)))


def set_threads(count: int) -> None:
    """As a worker does."""
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() != count:
        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(1)


Result = tuple[float, list[float]]  # last validation accuracy, seconds of each epoch


def run_pair(config: Config, data: Dataset, seed: int) -> tuple[Result, Result]:
    """Ours and `fit`, one after the other."""
    import keras

    configuration = config.model_dump()
    keras.backend.clear_session()
    ours = train_ours(configuration, data, seed)
    keras.backend.clear_session()
    return ours, train_fit(configuration, data, seed)


def train_ours(configuration: Configuration, data: Dataset, seed: int) -> Result:
    """By `src.training`."""
    from src.training import train

    epochs = configuration["training"]["epochs"]
    work = TrainWork(1, 1, configuration, seed, "val_accuracy", epochs, None, ())
    history = [progress.epoch for progress in train(work, data, None)]
    return history[-1].metrics["val_accuracy"], [epoch.seconds for epoch in history]


def train_fit(configuration: Configuration, data: Dataset, seed: int) -> Result:
    """By Keras' own loop on NumPy arrays, as one writes it.

    Not after `keras.utils.set_random_seed`: with it, Keras 3.15 shuffles into the same order in every epoch.
    """
    import keras

    from src.model import build
    from src.training import images_of, steps_per_epoch

    model = build(configuration, images_of(data), seed, steps_per_epoch(data, configuration))
    times: list[float] = []

    class Clock(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            times.append(time.perf_counter())

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            times[-1] = time.perf_counter() - times[-1]

    history = model.fit(
        data.train.x,
        data.train.y,
        batch_size=configuration["training"]["batch_size"],
        epochs=configuration["training"]["epochs"],
        validation_data=(data.validation.x, data.validation.y),
        callbacks=[Clock()],
        verbose=0,
    )
    return history.history["val_accuracy"][-1], times


def compare(ours: list[Result], fit: list[Result]) -> list[str]:
    """A row's figures."""
    a, b = [accuracy for accuracy, _ in ours], [accuracy for accuracy, _ in fit]
    difference = [x - y for x, y in zip(a, b, strict=True)]
    error = statistics.stdev(difference) / len(difference) ** 0.5
    times = [statistics.median(t for _, seconds in results for t in seconds[1:]) for results in (ours, fit)]
    return [
        f"{statistics.mean(a):.4f} ± {statistics.stdev(a):.4f}",
        f"{statistics.mean(b):.4f} ± {statistics.stdev(b):.4f}",
        f"{statistics.mean(difference):+.4f} ± {error:.4f}",
        f"{times[0]:.2f}",
        f"{times[1]:.2f}",
        f"{times[1] / times[0]:.2f}",
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
