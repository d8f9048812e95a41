"""Every key says once what it is for; whether it makes another sweep follows from that."""

from typing import Annotated, Any

import pytest

from src.base.hashing import fingerprint
from src.config.compose import validate
from src.config.identity import flatten, identity
from src.config.marks import BUDGET, IDENTITY, SETTING, Mark, all_marks, field_marks, groups_of, pick
from src.config.schema import Config
from src.config.strict import Strict
from src.data.load import name_of
from src.ledger.sweep_folder import sweep_path
from tests.unit.examples import config, plain

MARKS = all_marks(Config)
CNN = "architecture.filters=32 architecture.padding=same architecture.dense_units=64"
NPZ = "data=npz data.path=a/images.npz"

# Key → the command line on which it is tried, and another value of it there.
OTHER: dict[str, tuple[str, str]] = {
    "architecture.name": ("", "architecture=dnn"),
    "architecture.blocks": (CNN, "1"),
    "architecture.filters": (CNN, "16"),
    "architecture.convolutions": (CNN, "1"),
    "architecture.kernel": ("", "5"),
    "architecture.padding": (CNN, "valid"),
    "architecture.pool": ("", "3"),
    "architecture.block_dropout": ("", "0.1"),
    "architecture.batch_norm": ("", "true"),
    "architecture.dense_layers": (CNN, "2"),
    "architecture.dense_units": (CNN, "32"),
    "architecture.dense_dropout": ("", "0.1"),
    "architecture.head": ("", "logits"),
    "architecture.units": ("architecture=dnn", "[64]"),
    "architecture.input_dropout": ("architecture=dnn", "0.1"),
    "architecture.dropout": ("architecture=dnn", "0.1"),
    "activation.name": ("activation=tanh", "silu"),
    "activation.negative_slope": ("", "0.1"),
    "activation.max_value": ("", "6"),
    "activation.threshold": ("", "0.5"),
    "activation.alpha": ("activation=elu", "2"),
    "activation.approximate": ("activation=gelu", "true"),
    "optimizer.name": ("optimizer.weight_decay=0.1", "adamw"),
    "optimizer.learning_rate": ("", "0.002"),
    "optimizer.weight_decay": ("", "0.1"),
    "optimizer.beta_1": ("", "0.8"),
    "optimizer.beta_2": ("", "0.99"),
    "optimizer.epsilon": ("", "1e-6"),
    "optimizer.amsgrad": ("", "true"),
    "optimizer.momentum": ("optimizer=sgd", "0.5"),
    "optimizer.nesterov": ("optimizer=sgd optimizer.momentum=0.9", "true"),
    "optimizer.rho": ("optimizer=rmsprop", "0.8"),
    "optimizer.centered": ("optimizer=rmsprop", "true"),
    "schedule.name": ("", "schedule=exponential"),
    "schedule.warmup_epochs": ("", "1"),
    "schedule.final": ("schedule=cosine", "0.1"),
    "schedule.decay": ("schedule=exponential", "0.5"),
    "training.batch_size": ("", "32"),
    "training.threads": ("", "2"),
    "training.precision": ("", "mixed_bfloat16"),
    "training.early_stopping.patience": ("", "3"),
    "training.early_stopping.min_delta": ("", "0.1"),
    "training.reduce_lr.patience": ("", "3"),
    "training.reduce_lr.factor": ("", "0.3"),
    "training.reduce_lr.min_delta": ("", "0.1"),
    "training.reduce_lr.min_lr": ("", "0.1"),
    "training.epoch_size": ("", "100"),
    "training.more_threads": ("", "[[3,2]]"),
    "training.loss": ("", "focal"),
    "training.label_smoothing": ("", "0.1"),
    "training.class_weights": ("", "balanced"),
    "training.metrics": ("", "[accuracy,macro_f1]"),
    "training.epochs": ("", "3"),
    "data.name": ("data=mnist", "fashion_mnist"),
    "data.validation": ("", "0.2"),
    "data.test": ("", "0.2"),
    "data.seed": ("", "1"),
    "data.scale": ("", "0.5"),
    "data.preprocessing": ("", "threshold"),
    "data.path": (NPZ, "b/images.npz"),
    "search.name": ("", "other"),
    "search.strategy": ("search.max_trials=5", "random"),
    "search.objective": ("", "val_loss"),
    "search.seed": ("", "1"),
    "search.max_trials": ("", "3"),
    "search.max_seconds": ("", "60"),
    "search.max_epochs": ("", "30"),
    "search.repeats": ("", "2"),
    "search.confirm": ("", "2"),
    "search.confirm_repeats": ("", "3"),
    "search.refit": ("", "true"),
    "search.pruner": ("", "halving"),
    "search.rung": ("", "2"),
    "search.keep": ("", "2"),
    "search.factor": ("", "2"),
    "search.prefer": ("", "cheaper"),
    "search.target": ("", "0.9"),
    "search.constraints": ("", "['architecture.kernel < 5']"),
    "search.start": ("search=single", "[{architecture:{kernel:3}}]"),
    "search.reuse": ("", "false"),
    "search.retries": ("", "5"),
    "search.retry_failed": ("", "true"),
    "search.space": ("", "search.space.architecture.kernel.choice=[3]"),
    "workers.count": ("", "2"),
    "workers.memory": ("", "3"),
    "tracking.name": ("", "tracking=none"),
    "tracking.uri": ("", "http://localhost:5000"),
    "tracking.keep": ("", "3"),
    "tracking.curves": ("", "false"),
    "tracking.checkpoint": ("", "false"),
    "tracking.model": ("", "false"),
    "tracking.weights_npz": ("", "false"),
    "tracking.weights_txt": ("", "false"),
    "tracking.weights_txt_values": ("", "7"),
    "name": ("", "mine"),
    "preview": ("", "true"),
    "paths.sweeps": ("", "elsewhere"),
    "paths.mlruns": ("", "elsewhere"),
    "checkpoints.keep": ("", "3"),
    "checkpoints.seconds": ("", "5"),
    "resume.steal": ("", "true"),
    "resume.allow_drift": ("", "true"),
}
NAMING = {"name", "experiment"}  # what a sweep is called, whatever it is


def before_and_after(key: str) -> tuple[Config, Config]:
    """Two configurations that differ in a key."""
    if key == "experiment":  # presets set more than their own name
        return config(), validate({**plain(), "experiment": "mine"})
    base, other = OTHER[key]
    change = other if "=" in other else f"{key}={other}"
    found = config(*base.split()), config(*base.split(), change)
    before, after = (flatten(one.model_dump(exclude={"search": {"space"}})) for one in found)
    before["search.space"], after["search.space"] = (one.search.space for one in found)
    assert before.get(key) != after.get(key)
    return found


def name(chosen: Config) -> str:
    """What its sweep is called, on the same data."""
    return sweep_path(chosen, name_of(chosen.data), "digest").name


def test_every_key_is_tried_here() -> None:
    """The table above has a line for each key that the schema has, whatever its group's option."""
    assert {*OTHER, "experiment"} == set(MARKS)


def test_every_key_has_one_mark() -> None:
    """None is forgotten, and the options of a group agree."""
    assert {key: marks for key, marks in MARKS.items() if len(marks) != 1 or None in marks} == {}


@pytest.mark.parametrize("key", [key for key, marks in MARKS.items() if IDENTITY in marks])
def test_a_key_that_decides_results_makes_another_sweep(key: str) -> None:
    """Another value of it has another identity, and so another name."""
    before, after = before_and_after(key)
    assert fingerprint(identity(before, "digest")) != fingerprint(identity(after, "digest"))
    assert name(before) != name(after)


@pytest.mark.parametrize("key", [key for key, marks in MARKS.items() if IDENTITY not in marks])
def test_a_key_that_decides_no_results_makes_no_other_sweep(key: str) -> None:
    """How far it goes, where things are and how they run: its sweep is the same one, and found by the same name."""
    before, after = before_and_after(key)
    assert identity(before, "digest") == identity(after, "digest")
    assert (name(before) == name(after)) is (key not in NAMING)


# ------------------------------------------------------------------------------------------- how


class Inner(Strict):
    """A group within a group."""

    a: int = 1
    b: Annotated[int, BUDGET] = 2


class Option(Strict):
    """Another one, with a key of the same name and one of its own."""

    a: Annotated[int, SETTING] = 1
    c: list[int] = []


class Outer(Strict):
    """A whole."""

    inner: Annotated[Inner, IDENTITY] = Inner()
    either: Annotated[Inner | Option | None, SETTING] = None
    free: int = 0
    deep: Annotated[dict[str, Any], IDENTITY] = {}


def test_a_key_without_a_mark_has_that_of_its_group() -> None:
    """A mark of its own comes first; what stands in no group and has none is found out."""
    assert field_marks(Inner, IDENTITY) == {"a": IDENTITY, "b": BUDGET}
    assert all_marks(Outer) == {
        **{"inner.a": {IDENTITY}, "inner.b": {BUDGET}},
        **{"either.a": {SETTING}, "either.b": {BUDGET}, "either.c": {SETTING}},
        **{"free": {None}, "deep": {IDENTITY}},
    }


def test_groups_of() -> None:
    """The models that a key may hold, through whatever it is wrapped in."""
    assert groups_of(Inner | Option | None) == [Inner, Option]
    assert groups_of(Annotated[Inner, SETTING]) == [Inner]
    assert groups_of(int | None) == groups_of(dict[str, Any]) == []


@pytest.mark.parametrize(
    ("mark", "picked"),
    [
        (IDENTITY, {"inner": {"a": 1}, "deep": {"x": {"y": 1}}}),
        (BUDGET, {"inner": {"b": 2}, "either": {"b": 3}}),
        (SETTING, {"either": {"a": 1}}),
    ],
)
def test_pick(mark: Mark, picked: dict[str, Any]) -> None:
    """The keys of one mark in their groups; groups that have none of them are left out."""
    outer = Outer(either=Inner(b=3), deep={"x": {"y": 1}})
    assert pick(outer, mark, outer.model_dump()) == picked


def test_pick_of_what_was_left_out() -> None:
    """Of a dump without defaults only what is there; a group is there if any of it is, or if it has no keys."""
    outer = Outer(inner=Inner(b=3))
    dumped = outer.model_dump(exclude_defaults=True)
    assert dumped == {"inner": {"b": 3}}
    assert pick(outer, BUDGET, dumped) == {"inner": {"b": 3}}
    assert pick(outer, IDENTITY, dumped) == pick(outer, SETTING, dumped) == {}
