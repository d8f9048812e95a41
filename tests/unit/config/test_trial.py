"""A trial's configuration has one form, so that equal networks compare equal. Contradictions are refused."""

from typing import Any

import pytest

from src.base.errors import UserError
from src.config.trial import TrialConfig
from tests.unit.examples import config, plain, trial_config


@pytest.mark.parametrize(
    ("command", "key", "canonical"),
    [
        ("architecture.filters=32", "filters", [32, 32]),
        ("architecture.filters=[8,16]", "filters", [8, 16]),
        ("architecture.padding=same", "padding", ["same", "same"]),
        ("architecture.dense_units=64 architecture.dense_layers=3", "dense_units", [64, 64, 64]),
        ("architecture.dense_layers=0", "dense_units", []),
        ("architecture=dnn architecture.units=64", "units", [64]),
        ("architecture=dnn architecture.units=[64,32] architecture.dropout=0.5", "dropout", [0.5, 0.5]),
        ("architecture=dnn architecture.units=[64,32] architecture.dropout=[0,0.5]", "dropout", [0.0, 0.5]),
    ],
)
def test_one_value_stands_for_all(command: str, key: str, canonical: list[Any]) -> None:
    """One value for all blocks or layers becomes a list with one for each."""
    assert getattr(config(*command.split()).architecture, key) == canonical


def test_whole_numbers_become_floats() -> None:
    """1 and 1.0 are one learning rate."""
    assert repr(config("optimizer.learning_rate=1").optimizer.learning_rate) == "1.0"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("architecture.filters=[1,2,3]", "3 values of filters for 2 blocks"),
        ("architecture.padding=[same]", "1 values of padding for 2 convolutions"),
        ("architecture=dnn architecture.units=[]", "architecture.units"),
        ("architecture=dnn architecture.dropout=[0,0]", "2 values of dropout for 1 layers"),
        ("architecture=dnn architecture.dropout=1", "architecture.dropout"),
        ("optimizer=sgd optimizer.nesterov=true", "momentum"),
        ("optimizer=adamw optimizer.weight_decay=null", "adamw needs weight_decay"),
        ("schedule=cosine training.reduce_lr.patience=2", "both set the learning rate"),
        ("schedule.warmup_epochs=1 training.reduce_lr.patience=2", "both set the learning rate"),
        ("training.early_stopping.patience=0", "training.early_stopping.patience=0"),
        ("architecture.batch_norm=1", "architecture.batch_norm=1"),
        ("training.threads=true", "training.threads=true"),
    ],
)
def test_contradictions_are_refused(command: str, words: str) -> None:
    """Keys that contradict each other, and values of the wrong kind, are named."""
    with pytest.raises(UserError, match=words):
        config(*command.split())


@pytest.mark.parametrize(
    "command",
    [
        "optimizer=sgd optimizer.nesterov=true optimizer.momentum=0.9",
        "training.reduce_lr.patience=2",
        "training.early_stopping.patience=2 schedule=cosine",
    ],
)
def test_what_goes_together_is_taken(command: str) -> None:
    """The neighbours of the contradictions above are valid."""
    config(*command.split())


# ------------------------------------------------------------------------------------------- epochs


@pytest.mark.parametrize(("schedule", "answer"), [("constant", False), ("exponential", False), ("cosine", True)])
def test_what_depends_on_the_last_epoch(schedule: str, answer: bool) -> None:
    """Only half a cosine down to the last epoch does; the others are the same, however long a trial is."""
    assert trial_config(f"schedule={schedule}").depends_on_epochs is answer


def test_a_cosine_needs_room() -> None:
    """One epoch at least must follow a warm-up; the other schedules go on without an end."""
    cosine = trial_config("schedule=cosine", "schedule.warmup_epochs=3")
    cosine.refuse_epochs(4)
    with pytest.raises(ValueError, match="leaves no epoch for the cosine"):
        cosine.refuse_epochs(3)
    trial_config("schedule.warmup_epochs=3").refuse_epochs(1)


def test_epochs_are_no_part_of_a_trial() -> None:
    """They are a budget: a trial's configuration neither has nor takes them."""
    assert trial_config() == trial_config("training.epochs=3")
    assert "epochs" not in trial_config().identity()["training"]
    with pytest.raises(ValueError, match="epochs"):
        TrialConfig.model_validate(plain())


# ----------------------------------------------------------------------------------------- identity


def test_the_identity_is_everything_that_decides() -> None:
    """All keys as plain values, from which the same trial comes back; those of a later version only where they differ."""
    network = ("architecture=dnn", "architecture.units=[8,4]")
    later = {
        "epoch_size": 100,
        "loss": "focal",
        "label_smoothing": 0.1,
        "class_weights": "balanced",
        "more_threads": "[[9,2]]",
    }
    trial = trial_config(
        *network, *(f"training.{key}={value}" for key, value in later.items()), "training.metrics=[macro_f1,accuracy]"
    )
    assert trial.identity() == trial.model_dump()
    assert TrialConfig.model_validate(trial.identity()) == trial
    before = trial_config(*network)
    known = {k: v for k, v in before.training.model_dump().items() if k not in {*later, "metrics"}}
    assert before.identity()["training"] == known


def test_threads_by_epoch() -> None:
    """Each pair holds from its epoch on; epochs that do not rise are refused."""
    training = trial_config("training.threads=1", "training.more_threads=[[4,2],[9,8]]").training
    assert [training.threads_of(epoch) for epoch in (1, 3, 4, 8, 9, 50)] == [1, 1, 2, 2, 8, 8]
    assert [training.last_alike(epoch) for epoch in (1, 3, 4, 8, 9)] == [3, 3, 8, 8, None]
    with pytest.raises(UserError, match=r"epochs rise"):
        trial_config("training.more_threads=[[9,8],[4,2]]")


def test_metrics_are_with_accuracy_each_once() -> None:
    """In one order; without accuracy, by which tables go, they are refused."""
    chosen = trial_config("training.metrics=[macro_f1,accuracy,macro_f1]")
    assert chosen.training.metrics == ["accuracy", "macro_f1"]
    with pytest.raises(UserError, match="add it"):
        trial_config("training.metrics=[macro_f1]")


def test_a_trial_cannot_be_changed() -> None:
    """It may be shared by all who speak of it."""
    with pytest.raises(ValueError, match="frozen"):
        trial_config().training.batch_size = 3  # type: ignore[misc]
