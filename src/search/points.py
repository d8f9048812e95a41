"""Points of a space: all of them, those to begin with, and the configurations that they are."""

import copy
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from src.base.errors import UserError, suggest
from src.config.identity import flatten
from src.ledger.records import Values
from src.search.space import Choice, Dimension, Range, labels

GRID_LIMIT = 100_000  # points that are enumerated


@dataclass
class Space:
    """The dimensions, the points to begin with, and all points of a finite space."""

    dimensions: list[Dimension]
    start: list[Values] = field(default_factory=list)

    @cached_property
    def grid(self) -> list[Values]:
        """All points, in order."""
        return grid(self.dimensions)

    @cached_property
    def rest(self) -> list[Values]:
        """All points but those to begin with."""
        return [values for values in self.grid if values not in self.start]

    @cached_property
    def count(self) -> float:
        """How many points there are; of very many, at most."""
        total = size(self.dimensions)
        return total if total > GRID_LIMIT else len(self.start) + len(self.rest)


def parse_start(start: list[dict[str, Any]], dimensions: list[Dimension]) -> list[Values]:
    """The points to begin with, each a value for every key whose conditions it meets. Raises UserError."""
    return [parse_point(flatten(point), dimensions, f"search.start.{place}") for place, point in enumerate(start)]


def parse_point(given: dict[str, Any], dimensions: list[Dimension], where: str) -> Values:
    """One point, checked against the space."""
    known = [dimension.key for dimension in dimensions]
    for key in given:
        if key not in known:
            raise UserError(f"{where}.{key}: is no key of the space{suggest(key, known)}.")
    values: Values = {}
    for dimension in dimensions:
        active = is_active(dimension, values)
        if active and dimension.key not in given:
            raise UserError(f"{where}: has no value for {dimension.key}.")
        values[dimension.key] = given[dimension.key] if active else None
        if active and not is_value(dimension, given[dimension.key]):
            raise UserError(f"{where}.{dimension.key}: {given[dimension.key]!r} is none of its values in the space.")
    return values


def is_value(dimension: Dimension, value: Any) -> bool:
    """Whether a dimension has this value."""
    if isinstance(dimension, Choice):
        return any(value == known and type(value) is type(known) for known in labels(dimension))
    is_number = isinstance(value, int if dimension.whole else int | float) and not isinstance(value, bool)
    return is_number and dimension.low <= value <= dimension.high


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


def grid(dimensions: list[Dimension]) -> list[Values]:
    """All points; the last key varies fastest, as in keras-tuner."""
    points: list[Values] = [{}]
    for dimension in dimensions:
        points = extend(points, dimension)
    return points


def extend(points: list[Values], dimension: Dimension) -> list[Values]:
    """Each point with each value of one more dimension."""
    choices = options(dimension)
    return [{**p, dimension.key: value} for p in points for value in (choices if is_active(dimension, p) else [None])]


def is_active(dimension: Dimension, values: Values) -> bool:
    """Whether a point meets the conditions of a dimension."""
    return all(values[key] in allowed for key, allowed in dimension.when)


def without_inactive(dimensions: list[Dimension], values: Values) -> Values:
    """A point with None for dimensions whose conditions it does not meet."""
    kept: Values = {}
    for dimension in dimensions:
        kept[dimension.key] = values[dimension.key] if is_active(dimension, kept) else None
    return kept


def size(dimensions: list[Dimension]) -> float:
    """How many points there are, infinite with a continuous range; with conditions, of very many at most."""
    if any(isinstance(d, Range) and d.step is None and not d.whole for d in dimensions):
        return math.inf
    bound = math.prod(len(options(dimension)) for dimension in dimensions)
    if bound <= GRID_LIMIT or not any(dimension.when for dimension in dimensions):
        return bound
    points: list[Values] = [{}]
    for dimension in dimensions:
        points = extend(points, dimension)
        if len(points) > GRID_LIMIT:
            return bound
    return len(points)


def configure(configuration: dict[str, Any], dimensions: list[Dimension], values: Values) -> dict[str, Any]:
    """The configuration with a point's values in place; a group's value replaces the whole group."""
    result = copy.deepcopy(configuration)
    for dimension in sorted(dimensions, key=lambda d: d.key.count(".")):  # a group before its keys
        if not is_active(dimension, values):
            continue
        value = values[dimension.key]
        if isinstance(dimension, Choice):
            value = copy.deepcopy(dimension.options[labels(dimension).index(value)])
        *parents, last = dimension.key.split(".")
        node = result
        for name in parents:
            if not isinstance(node.get(name), dict):  # a list whose entries are chosen one by one
                node[name] = {}
            node = node[name]
        node[last] = value
    return {key: to_lists(value) for key, value in result.items()}


def to_lists(node: Any) -> Any:
    """A configuration with lists where keys are 0, 1, 2."""
    if not isinstance(node, dict):
        return node
    if node and all(str(key).isdigit() for key in node):
        return [node[key] for key in sorted(node, key=int)]
    return {key: to_lists(value) for key, value in node.items()}
