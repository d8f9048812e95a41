"""Training follows from its arguments alone: put down and taken up, it gives the same bits."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from src.data.dataset import Dataset
from src.ledger.files import Arrays, read_arrays, write_arrays
from src.ledger.jobs import TrainJob
from src.ledger.objective import ACCURACY, LOSS
from src.ledger.records import Epoch
from src.training.checkpoint import set_weights
from src.training.engine import Engine, steps_per_epoch
from src.training.loop import NanError, Progress, time_steps, train
from tests.unit.examples import arrays, config, dataset, trial_config, use_one_thread, write_npz

use_one_thread()
DNN = ("architecture=dnn", "architecture.units=[8]", "training.batch_size=16")
CNN = (
    *("architecture.blocks=1", "architecture.filters=4", "architecture.dense_units=8", "training.batch_size=16"),
    *("architecture.batch_norm=true", "architecture.block_dropout=0.3", "architecture.dense_dropout=0.3"),
)

OVERFITTING = (*DNN, "architecture.units=[64]", "optimizer.learning_rate=0.02")
REDUCING = ("training.reduce_lr.patience=1", "training.reduce_lr.min_delta=100")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """60 images of noise with labels of chance: training overfits, so that the best epoch is not the last."""
    labels = np.random.default_rng(1).permutation(np.arange(60) % 3)
    return dataset(write_npz(tmp_path_factory.mktemp("data") / "noise.npz", y_train=labels))


def job_of(*overrides: str, until: int, seen: tuple[Epoch, ...] = (), seed: int = 7) -> TrainJob:
    """A job as a schedule gives it."""
    chosen = config(*overrides)
    return TrainJob(1, 1, chosen.trial, seed, LOSS, until, chosen.training.epochs, None, seen)


def follow(job: TrainJob, data: Dataset, state: Arrays | None = None) -> tuple[list[Progress], Arrays]:
    """All epochs of a job, and the state after the last."""
    steps = []
    for progress in train(job, data, state):
        steps.append(progress)
        last = progress.state()
    return steps, last


def metrics(steps: list[Progress]) -> list[dict[str, float]]:
    """What was measured in each epoch."""
    return [progress.epoch.metrics for progress in steps]


def bits(state: Arrays) -> dict[str, Any]:
    """Arrays, to be compared to the last bit."""
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in state.items()}


# ---------------------------------------------------------------------------------------- exactness


@pytest.mark.parametrize(
    ("overrides", "first_epochs"),
    [
        ((*CNN, "optimizer=adamw", "schedule=cosine", "schedule.warmup_epochs=1"), 4),
        ((*CNN, "training.epoch_size=22"), 2),
        (
            (*CNN, "optimizer=sgd", "optimizer.momentum=0.9", *REDUCING),
            2,
        ),
    ],
    ids=["cosine", "short epochs", "extended"],
)
def test_resumed_is_uninterrupted(data: Dataset, tmp_path: Path, overrides: tuple[str, ...], first_epochs: int) -> None:
    """Two epochs, saved to a file, read by a new model and gone on with: the same metrics, state and best weights.

    (Dropout, batch normalisation, schedules; the second also has first been asked for two epochs, then for four.)
    """
    whole, state = follow(job_of(*overrides, "training.epochs=4", until=4), data)
    begun, half = follow(job_of(*overrides, f"training.epochs={first_epochs}", until=2), data)
    saved = write_arrays(tmp_path, "half.npz", half)
    seen = tuple(progress.epoch for progress in begun)
    rest, resumed = follow(
        job_of(*overrides, "training.epochs=4", until=4, seen=seen), data, read_arrays(tmp_path, saved)
    )
    assert [progress.epoch.number for progress in rest] == [3, 4]
    assert metrics(begun) + metrics(rest) == metrics(whole)
    assert bits(resumed) == bits(state) and bits(rest[-1].best.weights) == bits(whole[-1].best.weights)


def test_the_seed_decides(data: Dataset) -> None:
    """Another seed gives another result, from other weights and another order of images."""
    results = [metrics(follow(job_of(*DNN, until=1, seed=seed), data)[0]) for seed in (1, 1, 2)]
    assert results[0] == results[1] != results[2]


def test_what_was_finished_says_so_again(data: Dataset) -> None:
    """A job that has already seen its last epoch yields it once more, without training."""
    steps, state = follow(job_of(*DNN, until=2), data)
    seen = tuple(progress.epoch for progress in steps)
    again, after = follow(job_of(*DNN, until=2, seen=seen), data, state)
    assert [progress.epoch for progress in again] == [seen[-1]]
    assert bits(after) == bits(state)


# ------------------------------------------------------------------------------------- best, stopped


def test_best_weights_are_those_of_the_best_epoch(data: Dataset) -> None:
    """Put into a new model, the best weights have the best epoch's validation loss, not the last one's."""
    overrides = OVERFITTING
    steps, _ = follow(job_of(*overrides, until=12), data)
    best = LOSS.best_epoch([progress.epoch for progress in steps])
    assert best.number < 12
    engine = Engine.of(job_of(*overrides, until=12, seed=1), data)
    set_weights(engine.model, steps[-1].best.weights)
    evaluated, _ = engine.validate()
    assert evaluated["loss"] == best.metrics["val_loss"] != steps[-1].epoch.metrics["val_loss"]


def test_early_stopping(data: Dataset) -> None:
    """Training ends after `patience` epochs without a validation loss better by `min_delta`, and says so."""
    stopping = ("training.early_stopping.patience=2", "training.early_stopping.min_delta=100")
    steps, _ = follow(job_of(*DNN, *stopping, until=9), data)
    assert [bool(progress.stop) for progress in steps] == [False, False, True]
    assert "early stopping" in steps[-1].stop and "2 epochs" in steps[-1].stop


def test_reduce_lr(data: Dataset) -> None:
    """The learning rate falls by `factor` for each `patience` epochs without a better loss, not below `min_lr`."""
    rule = ("patience=1", "min_delta=100", "factor=0.5", "min_lr=0.003")
    overrides = (*DNN, "optimizer.learning_rate=0.01", *(f"training.reduce_lr.{key}" for key in rule))
    steps, _ = follow(job_of(*overrides, until=5), data)
    assert [m["learning_rate"] for m in metrics(steps)] == pytest.approx([0.01, 0.01, 0.005, 0.003, 0.003])


def test_a_loss_that_is_no_number(data: Dataset) -> None:
    """It ends the trial, with the epoch and a hint."""
    with pytest.raises(NanError, match=r"epoch 1.*smaller learning rate"):
        follow(job_of(*DNN, "optimizer=sgd", "optimizer.learning_rate=1e30", until=3), data)


# ------------------------------------------------------------------------------- single images, refit


@pytest.mark.parametrize(
    "overrides",
    [(), ("architecture.head=logits",), ("training.early_stopping.patience=3",)],
    ids=["softmax", "logits", "stopped"],
)
def test_each_image_as_the_best_epoch_sees_it(data: Dataset, overrides: tuple[str, ...]) -> None:
    """What is stored of each validation image has the best epoch's accuracy and loss as its means, not the last one's."""
    steps, _ = follow(job_of(*OVERFITTING, *overrides, until=12), data)
    best = LOSS.best_epoch([progress.epoch for progress in steps])
    assert best.number < steps[-1].epoch.number
    images = steps[-1].best.images
    kept = ("right", "loss", "predicted")
    assert {name: values.shape for name, values in images.items()} == dict.fromkeys(kept, (len(data.validation),))
    assert images["right"].mean() == pytest.approx(best.metrics["val_accuracy"])
    assert images["loss"].mean() == pytest.approx(best.metrics["val_loss"], rel=1e-5)
    assert images["loss"].mean() != pytest.approx(steps[-1].epoch.metrics["val_loss"], rel=1e-4)


def test_a_refit_trains_on_all_images_but_test(data: Dataset) -> None:
    """Validation images are trained on and not measured by, the last epoch is the best, and nothing stops it early."""
    whole = data.without_validation()
    assert (len(whole.train), len(whole.validation)) == (len(data.train) + len(data.validation), 0)
    assert steps_per_epoch(whole, trial_config(*DNN)) > steps_per_epoch(data, trial_config(*DNN))
    overrides = (*DNN, "optimizer=sgd", "optimizer.learning_rate=1e-30", "training.early_stopping.patience=1")
    steps, state = follow(replace(job_of(*overrides, until=3), refit=True), data)
    assert [set(m) for m in metrics(steps)] == [{"loss", "accuracy", "learning_rate"}] * 3
    assert metrics(steps)[0]["loss"] == pytest.approx(untrained_loss(whole, overrides), rel=1e-5)
    assert ACCURACY.best_epoch([progress.epoch for progress in steps]).number == 3
    last = {name.removeprefix("best/"): array for name, array in state.items() if name.startswith("best/")}
    assert bits(last) == bits(steps[-1].weights())


def test_a_refit_resumes_too(data: Dataset) -> None:
    """Put down and taken up, it ends with the same bits."""
    whole, state = follow(replace(job_of(*CNN, until=2), refit=True), data)
    begun, half = follow(replace(job_of(*CNN, until=1), refit=True), data)
    _, resumed = follow(replace(job_of(*CNN, until=2, seen=(begun[0].epoch,)), refit=True), data, half)
    assert bits(resumed) == bits(state) and len(whole) == 2


# ------------------------------------------------------------------------------------------ learning


def test_it_learns(tmp_path: Path) -> None:
    """Images whose brightness tells their class are told apart; every metric is there, and time has passed."""
    data = dataset(write_npz(tmp_path / "a.npz", **arrays()))
    steps, _ = follow(job_of("architecture=dnn", "training.batch_size=4", "activation=tanh", until=20), data)
    last = steps[-1].epoch
    assert last.metrics["val_accuracy"] == 1.0 and last.metrics["loss"] < steps[0].epoch.metrics["loss"]
    assert set(last.metrics) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    assert last.seconds > 0 and last.ended > steps[0].epoch.ended


def test_every_image_is_trained_on_once(data: Dataset) -> None:
    """An epoch's loss at a learning rate of nearly nothing is the mean over all images, the last small batch too."""
    overrides = (*DNN, "optimizer=sgd", "optimizer.learning_rate=1e-30", "training.batch_size=13")
    steps, _ = follow(job_of(*overrides, until=1), data)
    assert metrics(steps)[0]["loss"] == pytest.approx(untrained_loss(data, overrides), rel=1e-5)


def untrained_loss(data: Dataset, overrides: tuple[str, ...]) -> float:
    """Of the images to train on, before training."""
    engine = Engine.of(job_of(*overrides, until=1), data)
    _, results = engine.evaluate(data.train)
    return float(results.losses.mean())


def test_time_steps(data: Dataset) -> None:
    """A probe measures some time for preparing and for each image."""
    prepare, per_image = time_steps(trial_config(*DNN), data, 32)
    assert prepare > 0 and 0 < per_image < 1
