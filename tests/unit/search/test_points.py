"""Points of a space: all of them, in order, and the configurations that they are."""

import math
from typing import Any

import pytest

from src.base.errors import UserError
from src.ledger.records import Point
from src.search.points import configure, grid, is_value, options, parse_start, size
from src.search.space import parse
from tests.unit.examples import plain

CONFIGURATION = plain()


def leaf(node: Any) -> Any:
    """The dimension of a space of one key."""
    return parse({"architecture": {"kernel": node}}, CONFIGURATION)[0]


@pytest.mark.parametrize(
    ("node", "values"),
    [
        ({"choice": [5, 3]}, [5, 3]),
        ({"int": {"min": 0, "max": 3}}, [0, 1, 2, 3]),
        ({"int": {"min": 1, "max": 6, "step": 2}}, [1, 3, 5]),
        ({"int": {"min": 16, "max": 128, "log": True, "step": 2}}, [16, 32, 64, 128]),
        ({"float": {"min": 0, "max": 0.3, "step": 0.1}}, [0.0, 0.1, 0.2, 0.3]),
        ({"float": {"min": 1e-4, "max": 1e-1, "log": True, "step": 10}}, [0.0001, 0.001, 0.01, 0.1]),
        pytest.param({"float": {"min": -2, "max": -1, "step": 0.5}}, [-2.0, -1.5, -1.0]),
    ],
)
def test_options(node: dict[str, Any], values: list[Any]) -> None:
    """A range's steps begin at its minimum and include its maximum where they meet it."""
    assert repr(options(leaf(node))) == repr(values)


def test_a_grid_needs_steps() -> None:
    """A continuous range has no list of values, and says what to do; its space is infinite."""
    dimension = leaf({"float": {"min": 0, "max": 1}})
    assert size([dimension]) == math.inf
    with pytest.raises(UserError, match=r"search\.space\.architecture\.kernel.*needs a step"):
        options(dimension)


def test_very_many_points_are_counted_at_most() -> None:
    """Where conditions leave more than are enumerated, the product of all dimensions is the bound that is told."""
    many: Any = {"int": {"min": 1, "max": 400}}
    pool = {**many, "when": {"architecture.blocks": 2}}
    space = {"architecture": {"blocks": {"choice": [2, 3]}, "dense_units": many, "pool": pool}}
    assert size(parse(space, CONFIGURATION)) == 2 * 400 * 400
    assert size(parse({"architecture": {"dense_units": many, "pool": many}}, CONFIGURATION)) == 400 * 400
    pool["when"] = {"architecture.blocks": 3, "architecture.dense_units": [1, 2]}
    assert size(parse(space, CONFIGURATION)) == 2 * 400 + 2 * 399


def test_grid_order() -> None:
    """All points, each once, the last key fastest; then None."""
    dimensions = parse({"architecture": {"blocks": {"choice": [2, 3]}, "pool": {"choice": [1, 2, 3]}}}, CONFIGURATION)
    points = grid(dimensions)
    values = [tuple(point.values()) for point in points]
    assert size(dimensions) == 6
    assert values == [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (3, 3)]
    assert points[0] == {"architecture.blocks": 2, "architecture.pool": 1}


def test_configure() -> None:
    """A point's values stand in the configuration, which itself stays as it was."""
    dimensions = parse({"architecture": {"filters": {"choice": [[8, 8], 16]}}}, CONFIGURATION)
    before = repr(CONFIGURATION)
    result = configure(CONFIGURATION, dimensions, {"architecture.filters": [8, 8]})
    assert result["architecture"] == {**CONFIGURATION["architecture"], "filters": [8, 8]}
    assert repr(CONFIGURATION) == before


def test_configure_a_group_then_its_keys() -> None:
    """A group's choice replaces the group whole; a key inside it is set afterwards, wherever it was declared."""
    elu, tanh = {"name": "elu", "alpha": 1.0}, {"name": "tanh"}
    space = {"activation": {"alpha": {"choice": [0.5]}, "choice": [tanh, elu]}}
    dimensions = parse(space, CONFIGURATION)
    values = {"activation.alpha": 0.5, "activation": "elu"}
    for order in (dimensions, dimensions[::-1]):
        assert configure(CONFIGURATION, order, values)["activation"] == {"name": "elu", "alpha": 0.5}
    assert elu == {"name": "elu", "alpha": 1.0}


def test_two_options_of_one_name_are_two() -> None:
    """Two written-out options of a group are two points, even if they have one name."""
    choice = [{"name": "elu", "alpha": 1.0}, {"name": "elu", "alpha": 2.0}]
    dimensions = parse({"activation": {"choice": choice}}, CONFIGURATION)
    points = grid(dimensions)
    assert [configure(CONFIGURATION, dimensions, point)["activation"] for point in points] == choice


CONDITIONAL: dict[str, Any] = {
    "optimizer": {
        "choice": [{"name": "adam"}, {"name": "sgd"}],
        "momentum": {"choice": [0.0, 0.9], "when": {"optimizer": "sgd"}},
        "nesterov": {"choice": [True, False], "when": {"optimizer.momentum": [0.9]}},
    }
}


def test_conditions() -> None:
    """A key whose condition fails has no value and makes no points of its own, and neither do those that depend on it."""
    dimensions = parse(CONDITIONAL, CONFIGURATION)
    assert [tuple(point.values()) for point in grid(dimensions)] == [
        ("adam", None, None),
        ("sgd", 0.0, None),
        ("sgd", 0.9, True),
        ("sgd", 0.9, False),
    ]
    made = [configure(CONFIGURATION, dimensions, point)["optimizer"] for point in grid(dimensions)]
    assert made[0] == {"name": "adam"} and made[3] == {"name": "sgd", "momentum": 0.9, "nesterov": False}
    assert Point(2, grid(dimensions)[1], None).title == "optimizer=sgd momentum=0"


def test_entries_of_a_list() -> None:
    """The filters of each block can be searched one by one, those of the third only where there is one."""
    space = {
        "architecture": {
            "blocks": {"choice": [2, 3]},
            "filters": {
                0: {"choice": [8]},
                1: {"choice": [16, 32]},
                2: {"choice": [64, 128], "when": {"architecture.blocks": 3}},
            },
        }
    }
    dimensions = parse(space, CONFIGURATION)
    made = [configure(CONFIGURATION, dimensions, point)["architecture"]["filters"] for point in grid(dimensions)]
    assert made == [[8, 16], [8, 32], [8, 16, 64], [8, 16, 128], [8, 32, 64], [8, 32, 128]]


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"optimizer": "sgd", "optimizer.momentum": 0.5}, r"search\.start\.0\.optimizer\.momentum: 0.5 is none"),
        ({"optimizer": "sgd"}, "has no value for optimizer.momentum"),
        ({"optimizer": "adam", "rate": 1}, "rate: is no key of the space"),
        ({"optimizer": "adma"}, "'adma' is none of its values"),
        ({"optimizer": "sgd", "optimizer.momentum": False}, "False is none"),
    ],
)
def test_points_to_start_with_are_checked(point: dict[str, Any], words: str) -> None:
    """A starting point that is not in the space is named by its key."""
    with pytest.raises(UserError, match=words):
        parse_start([point], parse(CONDITIONAL, CONFIGURATION))


@pytest.mark.parametrize(
    ("kind", "value", "is_one"),
    [
        ("int", 2, True),
        ("int", 1, True),
        ("int", 5, True),
        ("int", 0, False),
        ("int", 6, False),
        ("int", 2.5, False),
        ("int", True, False),
        ("int", "2", False),
        ("float", 2, True),
        ("float", 2.5, True),
        ("float", 5.1, False),
        ("float", 0.9, False),
        ("float", True, False),
    ],
)
def test_what_lies_in_a_range(kind: str, value: Any, is_one: bool) -> None:
    """Numbers from its lowest to its highest, both included; whole ones where it has only these, and no truth values."""
    assert is_value(leaf({kind: {"min": 1, "max": 5}}), value) == is_one


def test_points_to_start_with() -> None:
    """They may be nested or dotted, leave out what does not apply, and lie between the steps of a range."""
    rate = {"optimizer": {"learning_rate": {"float": {"min": 0.1, "max": 0.5, "step": 0.1}}}}
    assert parse_start([{"optimizer": {"learning_rate": 0.25}}], parse(rate, CONFIGURATION)) == [
        {"optimizer.learning_rate": 0.25}
    ]
    (found,) = parse_start([{"optimizer": "adam"}], parse(CONDITIONAL, CONFIGURATION))
    assert found == {"optimizer": "adam", "optimizer.momentum": None, "optimizer.nesterov": None}
