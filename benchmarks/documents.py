"""The five networks of the documents on full MNIST: ours beside plain `Model.fit` and what the documents report.

    python -m benchmarks.documents                                   Keras' MNIST, 3 seeds, hours on 2 cores
    python -m benchmarks.documents data=npz data.path=mnist.npz +seeds=1 +only=dnn_128+lenet

Both train on the same nine tenths of the training images, one after the other on one thread, for the document's
epochs; the last epoch's weights are then evaluated on the 10,000 test images (the documents do so too). Prints
mean and standard deviation over seeds, the difference with its standard error, and the median time.
"""

import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from hydra import compose, initialize_config_dir
from rich.console import Console

from src.config.compose import CONF, resolve, validate
from src.config.schema import Config
from src.data.dataset import Dataset
from src.data.load import load
from src.ledger.jobs import TrainJob
from src.ledger.objective import ACCURACY
from src.reporting.boards import new_table

REPORTED = {  # by the documents: test accuracy, loss
    "cnn_5x5": "> 0.98, < 0.05",
    "dnn_dropout": "0.9826, 0.056",
    "cnn_double_conv": "–",
    "lenet": "–",
    "dnn_128": "0.9789",
}
Result = tuple[float, float, float]  # test accuracy, test loss, seconds


def main(arguments: list[str]) -> None:
    """Print a line as each pair of runs ends, and the table at the end."""
    own, overrides = options(arguments)
    names = own["only"].split("+") if "only" in own else sorted(p.stem for p in (CONF / "experiment").glob("*.yaml"))
    configs = {
        name: configure([f"experiment={name}", "training.threads=1", *(overrides or ["data=mnist"])]) for name in names
    }
    table = new_table(
        "experiment", "document", "accuracy ours", "fit", "ours - fit", "loss ours", "fit", "s ours", "s fit"
    )
    console = Console(width=160, highlight=False)
    for name, config in configs.items():
        data = load(config.data)
        set_threads(config.training.num_threads)
        ours: list[Result] = []
        fit: list[Result] = []
        for seed in range(1, int(own.get("seeds", 3)) + 1):
            ours.append(train_ours(config, data, seed))
            fit.append(train_fit(config, data, seed))
            console.print(f"{name} seed {seed}: ours {show(ours[-1])}; fit {show(fit[-1])}")
        table.add_row(name, REPORTED[name], *compare(ours, fit))
    console.print(table)


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


def train_ours(config: Config, data: Dataset, seed: int) -> Result:
    """By `src.training`, as a worker does it."""
    import keras

    from src.training.engine import Engine
    from src.training.loop import train
    from src.training.metrics import measure

    keras.backend.clear_session()
    start = time.perf_counter()
    epochs = config.training.epochs
    job = TrainJob(1, 1, config.trial, seed, ACCURACY, epochs, epochs, None, ())
    engine = Engine.of(job, data)
    for _ in train(job, data, None, engine):
        pass
    seconds = time.perf_counter() - start
    metrics = measure(data.test.y, engine.evaluate(data.test)[1], ("accuracy",))
    return metrics["accuracy"], metrics["loss"], seconds


def train_fit(config: Config, data: Dataset, seed: int) -> Result:
    """By Keras' own loop on NumPy arrays, as one writes it.

    Not after `keras.utils.set_random_seed`: with it, Keras 3.15 shuffles into the same order in every epoch.
    """
    import keras

    from src.training.engine import input_spec
    from src.training.network import build_network

    keras.backend.clear_session()
    epochs = config.training.epochs
    start = time.perf_counter()
    model = build_network(config.trial, input_spec(data), seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=config.architecture.head == "logits")
    arguments = config.optimizer.model_dump(exclude={"name"})
    optimizer = keras.optimizers.get({"class_name": config.optimizer.name, "config": arguments})
    model.compile(optimizer, loss, metrics=["accuracy"], jit_compile=False)
    validation, size = (data.validation.x, data.validation.y), config.training.batch_size
    model.fit(data.train.x, data.train.y, batch_size=size, epochs=epochs, validation_data=validation, verbose=0)
    seconds = time.perf_counter() - start
    loss, accuracy = model.evaluate(data.test.x, data.test.y, verbose=0)
    return accuracy, loss, seconds


def compare(ours: list[Result], fit: list[Result]) -> list[str]:
    """A row's figures."""
    (accuracy, loss, seconds), (fit_accuracy, fit_loss, fit_seconds) = zip(*ours, strict=True), zip(*fit, strict=True)
    difference = statistics.mean(accuracy) - statistics.mean(fit_accuracy)
    error = ((spread(accuracy) ** 2 + spread(fit_accuracy) ** 2) / len(ours)) ** 0.5
    return [
        *(f"{statistics.mean(values):.4f} ± {spread(values):.4f}" for values in (accuracy, fit_accuracy)),
        f"{difference:+.4f} ± {error:.4f}",
        *(f"{statistics.mean(values):.4f} ± {spread(values):.4f}" for values in (loss, fit_loss)),
        *(f"{statistics.median(values):.0f}" for values in (seconds, fit_seconds)),
    ]


def spread(values: list[float] | tuple[float, ...]) -> float:
    """The standard deviation; 0 of one value."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def show(result: Result) -> str:
    """One run."""
    return f"accuracy {result[0]:.4f} loss {result[1]:.4f} in {result[2]:.0f} s"


if __name__ == "__main__":
    main(sys.argv[1:])
