"""What the schema refuses is said in sentences: the key, what it holds, what is allowed."""

from typing import Any

import pytest
from pydantic import ValidationError

from src.base.errors import UserError
from src.config.compose import validate
from src.config.explain import explain_all, locate, siblings
from src.config.schema import Config
from tests.unit.examples import plain


def said(command: str) -> str:
    """What is said of a configuration that can be composed, and is wrong."""
    with pytest.raises(UserError) as error:
        validate(plain(*command.split()))
    return str(error.value)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("+training.epoch=3", ["training.epoch", "did you mean 'epochs'"]),
        ("architecture.name=rnn", ["architecture.name=rnn", "'cnn', 'dnn'"]),
        ("training.precision=float16", ["training.precision=float16", "float32", "mixed_bfloat16"]),
        ("training.epochs=0", ["training.epochs=0", "1"]),
        ("training.epochs=abc", ["training.epochs=abc", "integer"]),
        ("training.epochs=2.5", ["training.epochs=2.5", "integer"]),
        ("data.validation=1.5", ["data.validation=1.5", "less than 1"]),
        ("optimizer.learning_rate=nan", ["optimizer.learning_rate", "finite"]),
        ("optimizer.learning_rate=inf", ["optimizer.learning_rate", "finite"]),
        ("checkpoints.keep=some", ["checkpoints.keep=some", "integer", "'all'"]),
        ("architecture.padding=[same,vald]", ["architecture.padding", "vald", "'same' or 'valid'"]),
        ("~training.epochs", ["training.epochs", "absent"]),
        ("name=../elsewhere", ["name=../elsewhere"]),
        ("search.space=null", ["search.space=null", "dictionary"]),
        ("search.space=3", ["search.space=3", "dictionary"]),
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
    (line,) = explain_all(error.value, values)
    assert (
        line.startswith("checkpoints.keep=-1: should be ") and line.count("checkpoints.keep") == 1 and ", or " in line
    )


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
