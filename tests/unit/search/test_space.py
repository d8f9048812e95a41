"""Spaces: what may be searched, and in which order."""

import math
from typing import Any

import pytest

from src.base.errors import UserError
from src.search.points import grid, size
from src.search.space import Choice, Range, parse
from tests.unit.examples import plain

CONFIGURATION = plain()


def leaf(node: Any) -> Any:
    """The dimension of a space of one key."""
    return parse({"architecture": {"kernel": node}}, CONFIGURATION)[0]


# ------------------------------------------------------------------------------------------- parsing


def test_parse_keeps_the_order_declared() -> None:
    """Dimensions come with dotted keys, in the order of the space."""
    space = {
        "optimizer": {"learning_rate": {"float": {"min": 0.1, "max": 0.2}}},
        "activation": {"choice": [{"name": "relu"}, {"name": "tanh"}]},
        "architecture": {"pool": {"int": {"min": 1, "max": 3}}, "kernel": {"choice": [3, 5]}},
    }
    keys = [dimension.key for dimension in parse(space, CONFIGURATION)]
    assert keys == ["optimizer.learning_rate", "activation", "architecture.pool", "architecture.kernel"]


@pytest.mark.parametrize(
    ("node", "dimension"),
    [
        ({"choice": [3, None, [1, 2], True]}, Choice("architecture.kernel", (3, None, [1, 2], True))),
        ({"int": {"min": 1, "max": 5}}, Range("architecture.kernel", 1, 5, 1, False, True)),
        ({"int": {"min": 1, "max": 5, "step": 2}}, Range("architecture.kernel", 1, 5, 2, False, True)),
        ({"int": {"min": 1, "max": 8, "log": True}}, Range("architecture.kernel", 1, 8, None, True, True)),
        ({"float": {"min": 0, "max": 0.5}}, Range("architecture.kernel", 0, 0.5, None, False, False)),
        (
            {"float": {"min": 1e-4, "max": 1, "log": True, "step": 10}},
            Range("architecture.kernel", 1e-4, 1, 10, True, False),
        ),
    ],
)
def test_leaves(node: dict[str, Any], dimension: Choice | Range) -> None:
    """A choice, or a range of whole numbers or floats, linear or logarithmic, with or without steps."""
    assert leaf(node) == dimension


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"architecture": {}}, "search.space.architecture"),
        ({"architecture": 3}, "search.space.architecture.*found 3"),
        ({"architecture": {"kernal": {"choice": [3]}}}, r"search\.space\.architecture\.kernal.*did you mean 'kernel'"),
        ({"architcture": {"kernel": {"choice": [3]}}}, "architcture.*did you mean 'architecture'"),
        ({"search": {"seed": {"choice": [1, 2]}}}, "search.space.search: cannot be searched"),
        ({"activation": {"choices": ["relu"]}}, "search.space.activation.choices: .* did you mean 'choice'"),
        ({"architecture": {"kernel": {"choices": [3]}}}, "architecture.kernel.choices: .* did you mean 'choice'"),
        ({"architecture": {"kernel": {"choice": [3], "wehn": {"activation": 3}}}}, "kernel.wehn: .* mean 'when'"),
        ({"data": {"seed": {"choice": [1, 2]}}}, "search.space.data: cannot be searched"),
        ({"architecture": {"kernel": [3, 5]}}, "search.space.architecture.kernel"),
        ({"architecture": {"kernel": {"choice": []}}}, "kernel.choice.*list"),
        ({"architecture": {"kernel": {"choice": 3}}}, "kernel.choice.*list"),
        ({"architecture": {"kernel": {"choice": [3], "int": {"min": 1, "max": 2}}}}, "exactly one"),
        ({"architecture": {"kernel": {"when": [3]}}}, "exactly one"),
        ({"architecture": {"kernel": {"choice": [3], "when": [3]}}}, "kernel.when: expected keys and values"),
        ({"architecture": {"kernel": {"choice": [3], "when": {"pool": 2}}}}, "kernel.when.pool: name a key .* before"),
        (
            {"architecture": {"pool": {"choice": [1, 2]}, "kernel": {"choice": [3], "when": {"architecture.pool": 3}}}},
            "kernel.when.architecture.pool: 3 is none of its values.*Known here: 1, 2|known here: 1, 2",
        ),
        (
            {
                "architecture": {
                    "pool": {"choice": [None]},
                    "kernel": {"choice": [3], "when": {"architecture.pool": None}},
                }
            },
            "None is none of its values",
        ),
        ({"architecture": {"kernel": {"int": [1, 2]}}}, "kernel.int: expected"),
        ({"architecture": {"kernel": {"int": {"min": 1}}}}, "kernel.int: expected"),
        ({"architecture": {"kernel": {"int": {"min": 1, "max": 2, "stop": 1}}}}, "kernel.int: expected"),
        ({"architecture": {"kernel": {"int": {"min": 1, "max": 2.5}}}}, "whole numbers"),
        ({"architecture": {"kernel": {"int": {"min": True, "max": 2}}}}, "whole numbers"),
        ({"architecture": {"kernel": {"float": {"min": "a", "max": 2}}}}, "numbers"),
        ({"architecture": {"kernel": {"float": {"min": 0, "max": math.inf}}}}, "numbers"),
        ({"architecture": {"kernel": {"int": {"min": 2, "max": 2}}}}, "min < max"),
        ({"architecture": {"kernel": {"float": {"min": 0, "max": 2, "log": True}}}}, "above 0 for log"),
        ({"architecture": {"kernel": {"float": {"min": 1, "max": 2, "log": "yes"}}}}, "kernel.float"),
        ({"architecture": {"kernel": {"float": {"min": 0, "max": 2, "step": 0}}}}, "step: must be above 0"),
        ({"architecture": {"kernel": {"int": {"min": 1, "max": 2, "log": True, "step": 1}}}}, "step: must be above 1"),
        pytest.param(
            {"architecture": {"kernel": {"size": {"choice": [3]}}}},
            "search.space.architecture.kernel.size: architecture.kernel is 3, which has no keys",
        ),
        pytest.param({"architecture": {"filters": {"5": {"choice": [3]}}}}, "search.space.architecture.filters.5"),
    ],
)
def test_what_cannot_be_searched(space: dict[str, Any], words: str) -> None:
    """A mistake in the space is named by its key."""
    with pytest.raises(UserError, match=words):
        parse(space, CONFIGURATION)


def test_an_empty_space_is_one_point() -> None:
    """Nothing to search leaves the configuration as it is, once."""
    assert parse({}, CONFIGURATION) == [] and size([]) == 1
    assert grid([]) == [{}]
