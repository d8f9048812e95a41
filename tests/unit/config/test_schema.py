"""Canonical forms: equal networks compare equal. Contradictions are refused."""

from typing import Any

import pytest

from src.base.errors import UserError
from tests.unit.examples import config


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
        ("schedule=cosine schedule.warmup_epochs=10", "leaves no epoch for the cosine"),
        ("schedule=cosine training.reduce_lr.patience=2", "both set the learning rate"),
        ("schedule.warmup_epochs=1 training.reduce_lr.patience=2", "both set the learning rate"),
        ("training.early_stopping.patience=0", "training.early_stopping.patience=0"),
        ("search.refit=true training.reduce_lr.patience=2", "search.refit=true trains on the validation images"),
        (
            "search.refit=true +search.space.training.reduce_lr.patience.choice=[1,2]",
            "search.refit=true trains on the validation images",
        ),
        ("search.repeats=0", "search.repeats=0"),
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
        "schedule=cosine schedule.warmup_epochs=9",
        "training.reduce_lr.patience=2",
        "training.early_stopping.patience=2 schedule=cosine",
    ],
)
def test_what_goes_together_is_taken(command: str) -> None:
    """The neighbours of the contradictions above are valid."""
    config(*command.split())


def test_a_configuration_cannot_be_changed() -> None:
    """A checked configuration is frozen."""
    with pytest.raises(ValueError, match="frozen"):
        config().training.epochs = 3  # type: ignore[misc]
