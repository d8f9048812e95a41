"""A sweep is known by what decides its results, in this version as in those before it."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from src.base.errors import UserError
from src.base.hashing import fingerprint
from src.config.identity import budget, differences, flatten, identity, validate_trial
from src.config.marks import BUDGET, IDENTITY, all_marks
from src.config.schema import Config
from src.config.strict import Strict
from src.config.trial import TrialConfig
from tests.unit.examples import config, plain, trial_config


def name_of(*overrides: str) -> str:
    """The fingerprint of what a command line composes, on the same data."""
    return fingerprint(identity(config(*overrides), "digest"))


# Command line → the first half of its fingerprint, as the versions before this layout of the code had it.
GOLDEN = {
    "": "9176983eecd3418f",
    "data=mnist": "2dca7bd8131ad8ef",
    "data=fashion_mnist": "3047a8bf161a4bb2",
    "data=npz data.path=a.npz data.seed=3": "eb41f9378313b634",
    "data.preprocessing=threshold data.scale=0.5": "c1b9310d150745c4",
    "search=cnn_random": "92818abfadb46e8d",
    "search=cnn_bayesian": "03d102388a06b997",
    "search=cnn_hyperband": "36744c48fdd789f7",
    "search=cnn_top_k": "13b321a692ff8f79",
    "search=dnn_grid": "a2e0ce1d286e21b7",
    "search=optimizers": "1d9e8325a470cda1",
    "search=activations": "da16d90913bd9fdd",
    "search=quick": "4d8eb9de2e8fde5a",
    "search=single": "8289ac0d71bb7fd1",
    "schedule=cosine schedule.warmup_epochs=1": "8b93e1d050b480e0",
    "schedule=cosine training.epochs=20": "c2ddd164f238e306",
    "search=single +search.space.schedule.choice=[constant,cosine]": "345f6fc0147ebf63",
    "schedule=exponential optimizer=sgd optimizer.momentum=0.9 optimizer.nesterov=true": "8d4bcd472702fce6",
    "experiment=lenet search=activations": "96adeddec6e69f4c",
    "experiment=dnn_dropout": "416f954835ad7718",
    "experiment=cnn_5x5 tracking=none workers.count=2": "beacf2b649a4ed87",
    "experiment=dnn_128 data=fashion_mnist search=single search.repeats=5": "5780f800fbc0b017",
    "experiment=cnn_double_conv training.epoch_size=1000": "3853381cac1ea5c2",
    "architecture.filters=16 architecture.padding=same training.precision=mixed_bfloat16 training.threads=2": "af71105894c002d5",
    "activation=gelu optimizer=lion optimizer.weight_decay=0.01 training.early_stopping.patience=3": "41ec6c7f68e891c1",
    (
        "search=single search.constraints=['architecture.kernel<5'] search.start=[{architecture:{blocks:2}}] "
        "search.objective=val_loss search.confirm=3 search.refit=true"
    ): "b864aa7efd50d50d",
}


@pytest.mark.parametrize("command", GOLDEN)
def test_sweeps_keep_their_names(command: str) -> None:
    """What was composed before is the same sweep today: its folder is found again."""
    assert name_of(*command.split(" ") if command else ())[:16] == GOLDEN[command]


def test_the_data_itself_is_identity() -> None:
    """Other images are another sweep; the same file elsewhere is the same one."""
    here, there = (config("data=npz", f"data.path={path}") for path in ("a.npz", "b.npz"))
    assert identity(here, "1") == identity(there, "1") != identity(here, "2")


def test_one_for_all_is_told_from_one_for_each() -> None:
    """A space over the number of blocks goes on differently from 32 and from [32,32], so they are two sweeps."""
    assert name_of("architecture.filters=32") != name_of("architecture.filters=[32,32]")
    assert name_of("architecture.filters=32") == name_of("architecture.filters=32", "search.max_trials=3")


def test_a_key_that_came_later_changes_nothing() -> None:
    """`training.epoch_size` did not exist at first: as long as it is null, sweeps and points are what they were."""
    chosen = config()
    assert "epoch_size" not in identity(chosen, "digest")["training"]
    assert name_of("training.epoch_size=null") == name_of() != name_of("training.epoch_size=100")
    found = validate_trial(chosen.model_dump())
    assert "epoch_size" not in found.identity()["training"] and found.training.epoch_size is None
    assert TrialConfig.model_validate(found.identity()) == found


@pytest.mark.parametrize("command", ["schedule=cosine", "+search.space.schedule.choice=[constant,cosine]"])
def test_epochs_are_identity_where_a_cosine_depends_on_them(command: str) -> None:
    """With a cosine in it, or among its choices, more epochs are another sweep."""
    assert name_of(command) != name_of(command, "training.epochs=20")


def test_a_group_without_a_name_has_an_identity() -> None:
    """A choice of a schedule without its name is infeasible later, but no traceback here."""
    space = {"schedule": {"choice": [{"warmup_epochs": 1}]}}
    assert identity(config(space=space), "digest")["search"]["space"] == space


# ---------------------------------------------------------------------------------- groups to come


class Flips(Strict):
    """Whether images are flipped, and by what chance."""

    name: Literal["none", "flips"] = "none"
    chance: float = 0.0


class NoShifts(Strict):
    """One option of a group, whose keys have no defaults of their own."""

    name: Literal["none"]


class Shifts(Strict):
    """The other."""

    name: Literal["shifts"]
    pixels: int


class LaterTrial(TrialConfig):
    """A trial's configuration in a later version."""

    flips: Annotated[Flips, IDENTITY] = Flips()
    shifts: Annotated[NoShifts | Shifts, Field(discriminator="name"), IDENTITY] = NoShifts(name="none")


class Later(Config):
    """The whole configuration in a later version."""

    flips: Annotated[Flips, IDENTITY] = Flips()
    shifts: Annotated[NoShifts | Shifts, Field(discriminator="name"), IDENTITY] = NoShifts(name="none")


def later(**groups: Any) -> dict[str, Any]:
    """What decides results in a later version, with these groups."""
    values = {**plain(), **groups}
    return identity(Later.model_validate(values).note_written(values), "digest")


@pytest.mark.parametrize("groups", [{}, {"flips": {}}, {"flips": {"name": "none"}, "shifts": {"name": "none"}}])
def test_a_group_that_comes_later_changes_nothing(groups: dict[str, Any]) -> None:
    """As long as it says what was before, whether it is left out or written, sweeps are what they were."""
    assert later(**groups) == identity(config(), "digest")


@pytest.mark.parametrize(
    "groups",
    [
        {"flips": {"chance": 0.5}},
        {"flips": {"name": "flips", "chance": 0.5}},
        {"shifts": {"name": "shifts", "pixels": 0}},
        {"flips": {"chance": 0.5}, "shifts": {"name": "shifts", "pixels": 2}},
    ],
)
def test_a_group_that_says_otherwise_is_another_sweep(groups: dict[str, Any]) -> None:
    """And what it says is named as the difference, nothing else."""
    changed = differences(identity(config(), "digest"), later(**groups))
    assert {key: new for key, (_, new) in changed.items()} == flatten(groups)


def test_trials_of_before_a_group_are_read() -> None:
    """What was stored of a trial is a trial of the later version, and still has the same identity."""
    stored = trial_config().identity()
    assert LaterTrial.model_validate(stored).identity() == stored
    other = LaterTrial.model_validate({**stored, "flips": {"chance": 0.5}})
    assert other.identity() == {**stored, "flips": {"chance": 0.5}}


# ------------------------------------------------------------------------------------------- budget


def test_the_budget_is_what_is_marked_so() -> None:
    """Exactly these keys are recorded with each invocation, as the configuration has them."""
    marked = {key for key, marks in all_marks(Config).items() if BUDGET in marks}
    chosen = config("search.max_trials=3", "search.confirm=2", "workers.count=2")
    recorded = flatten(budget(chosen))
    assert set(recorded) == marked
    assert recorded == {key: value for key, value in flatten(chosen.model_dump()).items() if key in marked}


def test_the_budget_is_recorded_as_before() -> None:
    """Reports and MLflow's tags name its keys, and ledgers of before have the same ones, but for search.prefer."""
    assert budget(config("search=cnn_grid")) == {
        "training": {"epochs": 10},
        "search": {
            **{"max_trials": None, "max_seconds": None, "max_epochs": None, "target": None, "repeats": 1},
            **{"confirm": 0, "confirm_repeats": 5, "refit": False, "reuse": True, "retries": 1},
            **{"pruner": "none", "rung": 1, "keep": 4, "factor": 3, "prefer": "best"},
        },
        "workers": {"count": "auto"},
    }


# ------------------------------------------------------------------------------ trials, differences


def test_validate_trial_says_what_is_wrong() -> None:
    """A point's misfit is one line that names the keys."""
    values = plain("optimizer=sgd")
    values["architecture"]["filters"] = [1, 2, 3]
    values["optimizer"]["nesterov"] = True
    with pytest.raises(UserError, match=r"3 values of filters for 2 blocks.*; .*nesterov=true needs momentum"):
        validate_trial(values)


def test_validate_trial_needs_room_for_a_cosine() -> None:
    """A warm-up as long as all epochs is a misfit of the point, though epochs are no part of it."""
    values = plain("schedule=cosine", "training.epochs=3")
    values["schedule"]["warmup_epochs"] = 3
    with pytest.raises(UserError, match=r"leaves no epoch for the cosine: training\.epochs is 3"):
        validate_trial(values)


def test_equal_networks_have_equal_forms() -> None:
    """One number for all blocks is the same trial as that number for each, whatever the epochs."""
    one, each = (plain(f"architecture.filters={filters}") for filters in ("16", "[16,16]"))
    each["training"]["epochs"] = 99
    assert validate_trial(one) == validate_trial(each)


def test_differences() -> None:
    """Keys that differ come dotted, with both values; an absent key counts as None."""
    old = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert differences(old, {"a": {"b": 2, "c": [1, 2]}, "e": 3}) == {"a.b": (1, 2), "d": (1, None), "e": (None, 3)}


def test_flatten() -> None:
    """Nested keys become dotted ones; lists stay values, and so does what is no dict at all."""
    assert flatten({"a": {"b": 1, "c": [{"d": 2}]}, "e": None}) == {"a.b": 1, "a.c": [{"d": 2}], "e": None}
    assert flatten({"a": {}}) == {} and flatten(3, "a") == {"a": 3}
