"""What a whole configuration may not hold together, and what it makes of it."""

import pytest

from src.base.errors import UserError
from src.config.schema import take_scalars, trial_keys
from src.config.trial import TrialConfig
from tests.unit.examples import config, plain


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("schedule=cosine schedule.warmup_epochs=10", "leaves no epoch for the cosine"),
        ("search.refit=true training.reduce_lr.patience=2", "search.refit=true trains on the validation images"),
        (
            "search.refit=true +search.space.training.reduce_lr.patience.choice=[1,2]",
            "search.refit=true trains on the validation images",
        ),
        ("search.repeats=0", "search.repeats=0"),
        ("search.pruner=halving search.repeats=2", "compares points by one seed each: leave search.repeats at 1"),
        ("search.pruner=halving search.rung=10", "training.epochs=10 is the last one: lower search.rung"),
        ("search.pruner=median training.epochs=1 search.rung=2", "first prunes after search.rung=2 epochs"),
        (
            "search.pruner=halving search.prefer=cheaper search.objective=val_loss",
            "search.prefer=cheaper compares accuracies, and search.objective is val_loss",
        ),
        ("search.target=1.5", "an accuracy is a share"),
        ("search.target=-1", "an accuracy is a share"),
    ],
)
def test_contradictions_are_refused(command: str, words: str) -> None:
    """Keys that contradict each other are named."""
    with pytest.raises(UserError, match=words):
        config(*command.split())


@pytest.mark.parametrize(
    "command",
    [
        "schedule=cosine schedule.warmup_epochs=9",
        "search.refit=true training.early_stopping.patience=2",
        "search.repeats=2 search.confirm=2",
        "search.pruner=halving search.rung=9",
        "search.pruner=halving search.rung=1 training.epochs=1",  # so that one epoch can be tried before many
        "search.pruner=halving search.prefer=cheaper",
        "search.target=1.5 search.objective=val_loss",
        "search.target=1",
    ],
)
def test_what_goes_together_is_taken(command: str) -> None:
    """The neighbours of the contradictions above are valid."""
    config(*command.split())


def test_a_configuration_cannot_be_changed() -> None:
    """A checked configuration is frozen."""
    with pytest.raises(ValueError, match="frozen"):
        config().training.epochs = 3  # type: ignore[misc]


# ------------------------------------------------------------------------------------- what it makes


def test_the_trial_of_a_configuration() -> None:
    """What decides a trial's result, as the configuration has it; the number of epochs is left to the budget."""
    chosen = config("architecture.filters=16", "training.epoch_size=100", "activation=tanh")
    trial = chosen.trial
    assert type(trial) is TrialConfig
    for group in ("architecture", "activation", "optimizer", "schedule"):
        assert getattr(trial, group) == getattr(chosen, group)
    assert trial.training.model_dump() == chosen.training.model_dump(exclude={"epochs"})
    assert set(trial_keys(plain())) == set(TrialConfig.model_fields)


def test_values_as_they_were_written() -> None:
    """A space begins from one number for all blocks where one was written, and from a list where that was."""
    for written in (16, [16, 16]):
        values = plain()
        values["architecture"]["filters"] = written
        chosen = config(f"architecture.filters={written}".replace(" ", ""))
        assert chosen.as_written()["architecture"]["filters"] == written
        assert chosen.architecture.model_dump()["filters"] == [16, 16]
    assert config().as_written() == plain()


@pytest.mark.parametrize(
    ("canonical", "written", "taken"),
    [
        ({"a": [1, 1], "b": [2]}, {"a": 1, "b": [2]}, {"a": 1, "b": [2]}),
        ({"a": {"b": [1, 1]}, "c": 1.0}, {"a": {"b": 1}, "c": 1}, {"a": {"b": 1}, "c": 1.0}),
        ({"later": 5}, {}, {"later": 5}),
    ],
)
def test_take_scalars(canonical: object, written: object, taken: object) -> None:
    """Only where a list was made of one value; what was not written, or is no list, stays as it is."""
    assert take_scalars(canonical, written) == taken
