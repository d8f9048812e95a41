"""Configuration keys → dimensions → points → configurations.

A space nests like the configuration; its leaves say what a key may be:

    architecture:
      kernel: {choice: [3, 5]}
      dense_layers: {int: {min: 0, max: 3}}                              # step: 1
    optimizer:
      learning_rate: {float: {min: 1e-4, max: 1e-1, log: true, step: 10}}  # a factor where log
    activation: {choice: [relu, tanh]}                                   # a group: whole files
    optimizer:
      choice: [adam, sgd]
      momentum: {choice: [0.0, 0.9], when: {optimizer: sgd}}             # only where that has been chosen
"""

import difflib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from src.base.errors import UserError, suggest
from src.config.identity import GROUPS, flatten

RESERVED = ("choice", "int", "float", "when")
When = tuple[tuple[str, tuple[Any, ...]], ...]  # keys declared before, with the values that they must have


@dataclass(frozen=True)
class Choice:
    """One of some values, in the order given. A dict among them is a whole group's configuration."""

    key: str
    options: tuple[Any, ...]
    when: When = ()


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; `step` adds, or multiplies where `log`."""

    key: str
    low: float
    high: float
    step: float | None
    log: bool
    whole: bool
    when: When = ()


Dimension = Choice | Range


def parse(space: dict[str, Any], configuration: dict[str, Any]) -> list[Dimension]:
    """The dimensions in the order declared; none is one point. Raises UserError for what cannot be searched."""
    dimensions = list(walk(space, configuration, "")) if space else []
    for place, dimension in enumerate(dimensions):
        check_conditions(dimension, {earlier.key: earlier for earlier in dimensions[:place]})
    return dimensions


def check_conditions(dimension: Dimension, earlier: dict[str, Dimension]) -> None:
    """Raises UserError where a condition references what is not declared before, or of values that do not come."""
    for key, values in dimension.when:
        where = f"search.space.{dimension.key}.when.{key}"
        if key not in earlier:
            raise UserError(f"{where}: name a key of the space that is declared before{suggest(key, earlier)}.")
        parent = earlier[key]
        known = labels(parent) if isinstance(parent, Choice) else []
        for value in values:
            if isinstance(parent, Choice) and (value is None or value not in known):
                raise UserError(f"{where}: {value!r} is none of its values{suggest(str(value), map(str, known))}.")


def labels(choice: Choice) -> list[Any]:
    """How values are written in tables and stored in points: a group by its name, if that tells it apart."""
    names = [option.get("name") for option in choice.options if isinstance(option, dict)]
    return [label(option, len(set(names)) == len(names)) for option in choice.options]


def label(option: Any, by_name: bool) -> Any:
    """One value's label."""
    if not isinstance(option, dict):
        return option
    return option["name"] if by_name and option.get("name") else json.dumps(option)


def walk(node: Any, configuration: Any, key: str) -> Iterator[Dimension]:
    """The dimensions under one node of the space."""
    where = f"search.space.{key}" if key else "search.space"
    if not isinstance(node, dict) or not node:
        raise UserError(f"{where}: expected choice, int or float, or keys of the configuration; found {node!r}.")
    kinds = [k for k in node if k in RESERVED]
    if kinds:
        yield parse_leaf(key, node, where)
        node = {k: v for k, v in node.items() if k not in kinds}
        configuration = CHOSEN
    indices = [name for name in node if str(name).isdigit()]
    if sorted(map(int, indices)) != list(range(len(indices))):
        raise UserError(f"{where}.{indices[0]}: number the entries of a list from 0: 0, 1, 2.")
    for name, child in node.items():
        path = f"{key}.{name}" if key else str(name)
        refuse_misspelt(str(name), configuration, path)
        if not key and name not in GROUPS:
            raise UserError(f"search.space.{name}: cannot be searched{suggest(str(name), GROUPS)}.")
        yield from walk(child, look_up(configuration, str(name), key, path), path)


def refuse_misspelt(name: str, configuration: Any, path: str) -> None:
    """Raises UserError for `choices` or `wehn`, unless the configuration has such a key."""
    meant = difflib.get_close_matches(name, RESERVED, n=1, cutoff=0.7)
    if meant and not (isinstance(configuration, dict) and name in configuration):
        raise UserError(f"search.space.{path}: there is no such key; did you mean '{meant[0]}'?")


CHOSEN: Any = object()  # stands for a part of the configuration that a point chooses: its keys are not known yet


def look_up(configuration: Any, name: str, key: str, path: str) -> Any:
    """The part of the configuration under a name. Raises UserError where there is none."""
    if configuration is CHOSEN or (name.isdigit() and not isinstance(configuration, dict | str)):
        return CHOSEN
    if not isinstance(configuration, dict):
        raise UserError(f"search.space.{path}: {key} is {configuration!r}, which has no keys{suggest(name, RESERVED)}.")
    if name not in configuration:
        raise UserError(f"search.space.{path}: there is no such key{suggest(name, configuration)}.")
    return configuration[name]


def parse_leaf(key: str, node: dict[str, Any], where: str) -> Dimension:
    """One dimension, from its `choice`, `int` or `float`, and `when`."""
    kinds = [kind for kind in RESERVED if kind in node and kind != "when"]
    if len(kinds) != 1:
        raise UserError(f"{where}: give exactly one of choice, int and float (found {', '.join(map(str, node))}).")
    (kind,) = kinds
    value, when = node[kind], parse_conditions(node.get("when", {}), where)
    if kind == "choice":
        if not isinstance(value, list) or not value:
            raise UserError(f"{where}.choice: expected a list of values, such as [1, 2]; found {value!r}.")
        return Choice(key, tuple(value), when)
    return replace(parse_range(key, value, kind == "int", where + "." + kind), when=when)


def parse_conditions(node: Any, where: str) -> When:
    """`{optimizer: sgd, architecture.blocks: [2, 3]}` as pairs of a key and its values."""
    if not isinstance(node, dict):
        raise UserError(f"{where}.when: expected keys and values, such as {{optimizer: sgd}}; found {node!r}.")
    return tuple((name, tuple(value) if isinstance(value, list) else (value,)) for name, value in flatten(node).items())


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
