"""What the schema refuses is said in sentences: the key, what it holds, what is allowed."""

import copy
import re
from functools import reduce
from typing import Any

import pytest
from pydantic import ValidationError

from src.base.errors import UserError
from src.config.compose import validate
from src.config.explain import explain_all, locate, siblings
from src.config.identity import flatten
from src.config.schema import Config
from tests.unit.examples import plain

WRONG: list[Any] = [-1, 1e9, 0.5, "wrong", [], {}, None, True]  # somewhere


def said(command: str) -> str:
    """What is said of a configuration that can be composed, and is wrong."""
    words = refusal(plain(*command.split()))
    assert words
    return words


def refusal(values: dict[str, Any]) -> str:
    """What is said of a configuration, if anything is wrong with it."""
    try:
        validate(values)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("+training.epoch=3", ["training.epoch", "did you mean 'epochs'"]),
        ("architecture.name=rnn", ["architecture.name=rnn", "'cnn', 'dnn'"]),
        ("training.precision=float16", ["training.precision=float16", "float32", "mixed_bfloat16"]),
        ("training.epochs=0", ["training.epochs=0", "1"]),
        ("training.epochs=abc", ["training.epochs=abc: should be a whole number"]),
        ("training.epochs=2.5", ["training.epochs=2.5: should be a whole number"]),
        ("data.validation=1.5", ["data.validation=1.5: should be below 1"]),
        ("data.scale=x", ["data.scale=x: should be a number or 'auto'"]),
        ("data.scale=-1", ["data.scale=-1: should be above 0 or 'auto'"]),
        ("training.threads=5000", ["training.threads=5000: should be at most 1024"]),
        ("workers.count=100000", ["workers.count=100000: should be at most 1024 or 'auto'"]),
        ("preview=maybe", ["preview=maybe: should be true or false"]),
        ("search.constraints=[3]", ["search.constraints.0=3: should be text"]),
        ("search.constraints=x", ["search.constraints=x: should be a list, such as [a,b]"]),
        ("search.start=[3]", ["search.start.0=3: should be keys with values, such as {key: value}"]),
        ("paths.sweeps=''", ["paths.sweeps=: should not be empty"]),
        ("paths=foo", ["paths=foo: should be keys with values"]),
        ("optimizer.learning_rate=nan", ["optimizer.learning_rate", "finite"]),
        ("optimizer.learning_rate=inf", ["optimizer.learning_rate", "finite"]),
        ("checkpoints.keep=some", ["checkpoints.keep=some: should be a whole number or 'all'"]),
        ("architecture.padding=[same,vald]", ["architecture.padding", "vald", "'same' or 'valid'"]),
        ("~training.epochs", ["training.epochs", "absent"]),
        ("name=../elsewhere", ["name=../elsewhere: should be letters, digits,"]),
        ("search.space=null", ["search.space=null: should be keys with values"]),
        ("search.space=3", ["search.space=3: should be keys with values"]),
        ("search.pruner=hyperbnd", ["search.pruner=hyperbnd: should be 'none', 'top_k'", "did you mean 'hyperband'?"]),
        ("search.strategy=hyperband", ["should be 'grid',", "(hyperband is a value of search.pruner)"]),
        ("search.pruner=random", ["should be 'none',", "(random is a value of search.strategy)"]),
        ("search.target=99", ["search.target=99", "from 0 to 1"]),
        ("search=cnn_top_k search.rung=10", ["search.rung=10", "training.epochs=10", "lower search.rung"]),
    ],
)
def test_a_mistake_is_named(command: str, words: list[str]) -> None:
    """One message gives the key, the value, what is allowed and the nearest name."""
    message = said(command)
    assert [word for word in words if word not in message] == [] and "\n" not in message


def test_all_mistakes_are_named_at_once() -> None:
    """Two wrong values make one message with a line for each."""
    lines = said("training.epochs=0 training.batch_size=-1").splitlines()
    assert [line.strip().partition(":")[0] for line in lines] == ["training.batch_size=-1", "training.epochs=0"]


@pytest.mark.parametrize("found", [3, None, "cnn", [], {}, {"name": None}])
@pytest.mark.parametrize("group", ["architecture", "training", "search", "tracking"])
def test_odd_mistakes_have_no_traceback(group: str, found: Any) -> None:
    """A number or null where a group belongs is a mistake as any other."""
    values = plain()
    values[group] = found
    with pytest.raises(UserError, match=group):
        validate(values)


def test_several_types_stand_on_one_line() -> None:
    """What a key of several types may be is said after the key, once."""
    with pytest.raises(ValidationError) as error:
        Config.model_validate(values := plain("checkpoints.keep=-1"))
    assert explain_all(error.value, values) == ["checkpoints.keep=-1: should be at least 0 or 'all'"]


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("architecture.filters=-1", "architecture.filters=-1: should be above 0"),  # of two blocks
        ("architecture=dnn architecture.units=-1", "architecture.units=-1: should be above 0"),
        ("architecture.blocks=0", "architecture.blocks=0: should be at least 1"),
    ],
)
def test_one_mistake_is_one_sentence(command: str, line: str) -> None:
    """What stands for several blocks is said once, and what follows from a wrong key not at all."""
    assert said(command) == line


def test_nothing_of_pydantics_own_is_said() -> None:
    """No sentence that a configuration of numbers, words and lists in all places gives is pydantic's."""
    values = plain()
    for key in flatten(values):
        for wrong in WRONG:
            *parents, last = key.split(".")
            changed = copy.deepcopy(values)
            reduce(lambda node, name: node[name], parents, changed)[last] = wrong
            words = refusal(changed)
            assert not re.search("[Ii]nput|String|valid |instance|greater|less than", words), words


def test_a_long_value_is_cut() -> None:
    """A message stays a sentence, whatever was given."""
    assert f"name={'x' * 60}…: should be letters" in said(f"name={'x' * 200}")


@pytest.mark.parametrize(
    ("location", "key"),
    [
        (("training", "epochs"), "training.epochs"),
        (("architecture", "cnn", "filters", 1), "architecture.filters.1"),  # the branch of a union is no key
        (("training", "missing"), "training"),
        (("checkpoints", "keep", "literal['all']"), "checkpoints.keep"),
        ((), ""),
    ],
)
def test_locate(location: tuple[int | str, ...], key: str) -> None:
    """The dotted key of the deepest part that exists, without the steps that only the schema has."""
    assert locate(location, plain()) == key


def test_siblings() -> None:
    """The names that may have been meant."""
    assert siblings("schedule.warmup_epoch", plain()) == {"name", "warmup_epochs"}
    assert siblings("schedule", plain()) == set(plain())
