"""Configuration keys → dimensions → points → configurations.

A space nests like the configuration; its leaves say what a key may be:

    architecture:
      kernel: {choice: [3, 5]}
      dense_layers: {int: {min: 0, max: 3}}                              # step: 1
    optimizer:
      learning_rate: {float: {min: 1e-4, max: 1e-1, log: true, step: 10}}  # a factor where log
    activation: {choice: [relu, tanh]}                                   # a group: whole files
"""

import copy
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from src.config import IDENTITY, UserError, suggest

RESERVED = ("choice", "int", "float", "when")
Values = dict[str, Any]  # dotted key → value; a group's value is its option's name


@dataclass(frozen=True)
class Choice:
    """One of some values, in the order given. A dict among them is a whole group's configuration."""

    key: str
    options: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; `step` adds, or multiplies where `log`."""

    key: str
    low: float
    high: float
    step: float | None
    log: bool
    whole: bool


Dimension = Choice | Range


def parse(space: dict[str, Any], configuration: dict[str, Any]) -> list[Dimension]:
    """The dimensions in the order declared; none is one point. Raises UserError for what cannot be searched."""
    return list(walk(space, configuration, "")) if space else []


def walk(node: Any, configuration: Any, key: str) -> Iterator[Dimension]:
    """The dimensions under one node of the space."""
    where = f"search.space.{key}" if key else "search.space"
    if not isinstance(node, dict) or not node:
        raise UserError(f"{where}: expected choice, int or float, or keys of the configuration; found {node!r}.")
    kinds = [k for k in node if k in RESERVED]
    if kinds:
        yield parse_leaf(key, kinds[0], node, where)
        node = {k: v for k, v in node.items() if k not in kinds}
        configuration = CHOSEN
    for name, child in node.items():
        path = f"{key}.{name}" if key else str(name)
        if not key and name not in IDENTITY:
            raise UserError(f"search.space.{name}: cannot be searched{suggest(str(name), IDENTITY)}.")
        yield from walk(child, look_up(configuration, str(name), key, path), path)


CHOSEN: Any = object()  # stands for a part of the configuration that a point chooses: its keys are not known yet


def look_up(configuration: Any, name: str, key: str, path: str) -> Any:
    """The part of the configuration under a name. Raises UserError where there is none."""
    if configuration is CHOSEN:
        return CHOSEN
    if not isinstance(configuration, dict):
        raise UserError(f"search.space.{path}: {key} is {configuration!r}, which has no keys; search {key} itself.")
    if name not in configuration:
        raise UserError(f"search.space.{path}: there is no such key{suggest(name, configuration)}.")
    return configuration[name]


def parse_leaf(key: str, kind: str, node: dict[str, Any], where: str) -> Dimension:
    """One dimension, from its `choice`, `int` or `float`."""
    value = node[kind]
    if sum(k in node for k in RESERVED) > 1 or kind == "when":
        raise UserError(f"{where}: give exactly one of choice, int and float (found {', '.join(map(str, node))}).")
    if kind == "choice":
        if not isinstance(value, list) or not value:
            raise UserError(f"{where}.choice: expected a list of values, such as [1, 2]; found {value!r}.")
        return Choice(key, tuple(value))
    return parse_range(key, value, kind == "int", where + "." + kind)


def parse_range(key: str, value: Any, whole: bool, where: str) -> Range:
    """{min, max, step, log} as a Range. Raises UserError."""
    if not isinstance(value, dict) or not {"min", "max"} <= value.keys() <= {"min", "max", "step", "log"}:
        raise UserError(f"{where}: expected {{min: …, max: …}} and perhaps step and log; found {value!r}.")
    low, high, step, log = value["min"], value["max"], value.get("step"), value.get("log", False)
    numbers = [n for n in (low, high, step) if n is not None]
    if not all(
        isinstance(n, int if whole else int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers
    ):
        raise UserError(
            f"{where}: min, max and step must be {'whole numbers' if whole else 'numbers'}; found {value!r}."
        )
    if not isinstance(log, bool) or not low < high or (log and low <= 0):
        raise UserError(f"{where}: needs min < max{', and min above 0 for log' if log else ''}; found {value!r}.")
    step = 1 if whole and not log and step is None else step
    if step is not None and step <= (1 if log else 0):
        raise UserError(f"{where}.step: must be above {'1, since log steps multiply' if log else '0'}; found {step}.")
    return Range(key, low, high, step, log, whole)


# ------------------------------------------------------------------------------------------ points


def options(dimension: Dimension) -> list[Any]:
    """All values of a dimension, in order. Raises UserError for a range without steps."""
    if isinstance(dimension, Choice):
        return labels(dimension)
    if dimension.whole and dimension.step is None:
        return list(range(int(dimension.low), int(dimension.high) + 1))
    if dimension.step is None:
        raise UserError(
            f"search.space.{dimension.key}: a grid needs a step for a range; "
            "give one, or a choice, or use search.strategy=random with search.max_trials."
        )
    values = [dimension.low]
    while (value := at_step(dimension, len(values))) <= dimension.high + 1e-9 * abs(dimension.high):
        values.append(value)
    return [round(v) for v in values] if dimension.whole else [float(f"{v:.12g}") for v in values]


def at_step(dimension: Range, index: int) -> float:
    """The value that many steps above the lowest."""
    assert dimension.step is not None
    return dimension.low * dimension.step**index if dimension.log else dimension.low + dimension.step * index


def grid_point(dimensions: list[Dimension], number: int) -> Values | None:
    """The point of that number, or None past the end; the last key varies fastest, as in keras-tuner."""
    values: Values = {}
    for dimension in reversed(dimensions):
        choices = options(dimension)
        number, index = divmod(number, len(choices))
        values[dimension.key] = choices[index]
    return None if number else {dimension.key: values[dimension.key] for dimension in dimensions}


def size(dimensions: list[Dimension]) -> float:
    """How many points there are; infinite with a continuous range."""
    continuous = any(isinstance(d, Range) and d.step is None and not d.whole for d in dimensions)
    return math.inf if continuous else math.prod(len(options(dimension)) for dimension in dimensions)


def labels(choice: Choice) -> list[Any]:
    """How values are written in tables and stored in points: a group by its name, if that tells it apart."""
    names = [option.get("name") for option in choice.options if isinstance(option, dict)]
    return [label(option, len(set(names)) == len(names)) for option in choice.options]


def label(option: Any, by_name: bool) -> Any:
    """One value's label."""
    if not isinstance(option, dict):
        return option
    return option["name"] if by_name and option.get("name") else json.dumps(option)


def configure(configuration: dict[str, Any], dimensions: list[Dimension], values: Values) -> dict[str, Any]:
    """The configuration with a point's values in place; a group's value replaces the whole group."""
    result = copy.deepcopy(configuration)
    for dimension in sorted(dimensions, key=lambda d: d.key.count(".")):  # a group before its keys
        value = values[dimension.key]
        if isinstance(dimension, Choice):
            value = copy.deepcopy(dimension.options[labels(dimension).index(value)])
        *parents, last = dimension.key.split(".")
        node = result
        for name in parents:
            node = node.setdefault(name, {})
        node[last] = value
    return result


def title(values: Values) -> str:
    """A point in a few words: `blocks=2 kernel=3`."""
    if not values:
        return "as configured"
    shown = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in values.items()}
    return " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in shown.items())
