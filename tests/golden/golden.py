"""Does the training code still give the bits it gave? Tiny trials, and the hash of all that each leaves.

`python -m tests.golden.golden` compares them with those in `bits.json`, after a change to the training code. Where they
are the same it writes down that the changed sources have been looked at. Where they differ, TRIAL_CODE must be raised.

A trial whose configuration is changed, here or by a default in `conf/`, needs another name: it is another trial.
"""

import ast
import hashlib
import json
import platform
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from src.base.processes import silenced
from src.config.schema import Config
from src.data.dataset import Dataset, Part
from src.execution.worker import set_up_tensorflow
from src.ledger.environment import TRIAL_CODE, describe, device, instructions
from src.ledger.files import Arrays
from src.ledger.jobs import TrainJob
from src.ledger.objective import OBJECTIVES
from src.ledger.records import Epoch
from tests.unit.examples import config

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("src/training/*.py",)  # globs, of the code that decides a trial's bits
STORED = Path(__file__).with_name("bits.json")
THREADS = (1, 2)

Bits = dict[str, dict[str, str]]  # threads → trial → hash
Stored = dict[str, Any]  # trial_code, sources, versions, and bits: of each machine

# ------------------------------------------------------------------------------------------- trials

ALL = ("search=single", "training.batch_size=16", "training.epochs=3")
CNN = (
    *(*ALL, "architecture.blocks=1", "architecture.filters=4", "architecture.convolutions=1"),
    *("architecture.padding=same", "architecture.dense_units=8"),
)
DNN = (*ALL, "architecture=dnn", "architecture.units=[8]")
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
    "reduced": (
        *(*CNN, "activation=gelu", "activation.approximate=true", "architecture.head=logits", "training.epochs=5"),
        *("optimizer=sgd", "optimizer.learning_rate=0.1", "optimizer.momentum=0.9", "optimizer.nesterov=true"),
        *("training.reduce_lr.patience=2", f"training.reduce_lr.min_delta={ALWAYS}", "training.reduce_lr.factor=0.35"),
        *("training.reduce_lr.min_lr=0.02", "search.objective=val_loss"),
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
    "wide": (
        *(*CNN, "architecture.filters=32", "architecture.dense_units=256", "architecture.dense_dropout=0.5"),
        *("optimizer.learning_rate=0.01", "training.batch_size=44", "training.epochs=2"),
    ),
}
FLOATS = {"floats"}  # trials of float32 images; those of the others are uint8
RESUMED = {"resumed"}  # trials that are also put down after an epoch and taken up


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
        set_up_tensorflow(config(f"training.threads={threads}"), 1)
        return {name: hash_of(name, threads) for name in TRIALS}


def hash_of(name: str, threads: int) -> str:
    """Of a trial's results; one in RESUMED must have the same if it is put down and taken up."""
    overrides = (*TRIALS[name], f"training.threads={threads}")
    found = digest(results(overrides, data_of(name)))
    if name in RESUMED:
        assert digest(results(overrides, data_of(name), 1)) == found, f"'{name}' resumed is not as uninterrupted"
    return found


def results(overrides: tuple[str, ...], data: Dataset, pause: int = 0) -> Arrays:
    """All that a trial leaves: metrics, state, best weights, and what these make of validation and test images."""
    whole = config(*overrides)
    state: Arrays | None = None
    epochs: tuple[Epoch, ...] = ()
    for until in (pause, whole.training.epochs) if pause else (whole.training.epochs,):
        job = job_of(whole, until, epochs)
        for progress in train_anew(job, data, state):
            epochs += (progress.epoch,)
            state, best = progress.state(), progress.best_weights()
            if progress.stop or progress.epoch.number == until:
                examined = {} if job.refit else progress.examine()
    metrics = {f"{epoch.number}/{key}": value for epoch in epochs for key, value in epoch.metrics.items()}
    left = {"epoch": metrics, "state": state, "best": best, "validation": examined, "test": test(job, data, best)}
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


def test(job: TrainJob, data: Dataset, weights: Arrays) -> Arrays:
    """Loss and accuracy on the test images, and the probabilities of each, as a worker evaluates."""
    from src.training.export import predict
    from src.training.loop import compile_evaluation, input_spec
    from src.training.network import restore

    model = restore(job.configuration, input_spec(data), weights)
    metrics = compile_evaluation(model, data.test, job.configuration.training.batch_size)(0)
    return {**{key: np.asarray(value) for key, value in metrics.items()}, "predicted": predict(model, data.test.x)}


# ------------------------------------------------------------------------------------------- hashes


def digest(arrays: Arrays) -> str:
    """64 hex digits of names, types, shapes and bytes."""
    sha = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return sha.hexdigest()


def digest_sources() -> str:
    """64 hex digits of what the training code says; comments, docstrings and layout do not count."""
    files = sorted(path for pattern in SOURCES for path in ROOT.glob(pattern))
    return hashlib.sha256("\n".join(skeleton(path.read_text("utf-8")) for path in files).encode()).hexdigest()


def skeleton(source: str) -> str:
    """A module's syntax tree, as text. (That of `ast.dump` is another in each version of Python.)"""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return repr(plain(tree))


def plain(node: Any) -> Any:
    """A syntax tree as nested tuples, without what is empty."""
    if isinstance(node, list):
        return tuple(plain(one) for one in node)
    if not isinstance(node, ast.AST):
        return node
    fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return (type(node).__name__, *((name, plain(value)) for name, value in fields))


# ---------------------------------------------------------------------------------------- environment


def machine() -> str:
    """The device, its instructions, and the C library, whose exp, pow and cos TensorFlow calls."""
    return ", ".join(filter(None, (device(), instructions(), " ".join(platform.libc_ver()))))


def versions() -> dict[str, str]:
    """Of what bits come from, besides this project."""
    here = describe()
    return {name: here[name] for name in ("tensorflow", "keras", "numpy", "onednn")}


# ------------------------------------------------------------------------------------ stored and here


def compute_all() -> Bits:
    """The bits with each number of threads, in a fresh process each, at the same time."""
    with ProcessPoolExecutor(len(THREADS), get_context("spawn"), max_tasks_per_child=1) as pool:
        return {str(threads): bits for threads, bits in zip(THREADS, pool.map(compute, THREADS), strict=True)}


def look() -> Stored:
    """What would be stored of here."""
    here = {"trial_code": TRIAL_CODE, "sources": digest_sources(), "versions": versions()}
    return {**here, "bits": {machine(): compute_all()}}


def differing(stored: Bits, here: Bits) -> list[str]:
    """The trials that both know and whose bits differ."""
    return [
        f"'{trial}' with {threads} thread{'s' if threads != '1' else ''}"
        for threads, bits in here.items()
        for trial, found in bits.items()
        if stored.get(threads, {}).get(trial, found) != found
    ]


def decide(stored: Stored, here: Stored) -> tuple[Stored | None, str]:
    """What is to be stored, or nothing, and a sentence on why."""
    if stored.get("trial_code") != here["trial_code"]:
        return here, f"The bits of trial code {here['trial_code']} are stored in place of all that were."
    [(name, bits)] = here["bits"].items()
    changed = stored["sources"] != here["sources"]
    if stored["versions"] != here["versions"]:
        if changed:
            return None, (
                f"Versions and training sources have both changed, so nothing can be compared: install {stored['versions']}, "
                "or store the bits of the sources as they were first."
            )
        return here, "The bits of these versions are stored in place of all that were."
    before = stored["bits"].get(name)
    if before and (others := differing(before, bits)):
        return None, (
            f"The training code gives other bits than before, in {', '.join(others)}: undo this, or raise TRIAL_CODE in "
            "src/ledger/environment.py, say so in the CHANGELOG, and run this again. Nothing was stored."
        )
    none = f"Nothing was compared, since no bits of {name} were stored; they are now"
    said = "The bits are those stored" if before else none
    said += "; the training sources are stored as looked at." if changed else "."
    return {**here, "bits": {**stored["bits"], name: bits}}, said


def read() -> Stored:
    """What is stored."""
    stored: Stored = json.loads(STORED.read_text("utf-8")) if STORED.exists() else {}
    return stored


def main() -> int:
    """Compare, store, and say so; 1 where nothing could be stored."""
    stored, said = decide(read(), look())
    print(said)
    if stored is None:
        return 1
    STORED.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
