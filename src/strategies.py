"""Who proposes a point: proposal n follows from (space, seed, n, the points before it), nothing else."""

import hashlib
from collections.abc import Collection
from itertools import islice
from typing import Any

from src.processes import silenced
from src.schema import Search
from src.space import Choice, Dimension, Range, Space, Values, options, size, without_inactive

DRAWS = 100  # of a random point, before the unseen points of a finite space are enumerated


def propose(search: Search, space: Space, number: int, seen: Collection[str]) -> Values | None:
    """The point of that number, or None where there is none left: first those to start with, then the strategy's.

    `seen` holds `point_key` of all points proposed before, in any order.
    """
    if number < len(space.start):
        return space.start[number]
    if search.strategy == "grid":
        return next(islice(space.rest, number - len(space.start), None), None)
    return random_point(space, search.seed, number, seen)


def point_key(values: Values) -> str:
    """Equal for equal points."""
    return repr(sorted(values.items()))


def random_point(space: Space, seed: int, number: int, seen: Collection[str]) -> Values | None:
    """A point drawn at random by keras-tuner's hyperparameters, none twice while unseen ones are left."""
    for draw in range(DRAWS):
        values = sample(space.dimensions, seed, number, draw)
        if point_key(values) not in seen:
            return values
    if size(space.dimensions) == float("inf"):
        return None
    left = [values for values in space.grid if point_key(values) not in seen]
    return left[stable_seed(seed, number) % len(left)] if left else None


def sample(dimensions: list[Dimension], seed: int, number: int, draw: int) -> Values:
    """One point, drawn without regard to the others."""
    values: Values = {}
    for index, (dimension, hyperparameter) in enumerate(zip(dimensions, hyperparameters(dimensions), strict=True)):
        value = hyperparameter.random_sample(stable_seed(seed, number, draw, index))
        values[dimension.key] = value if is_unstepped(dimension) else options(dimension)[value]
    return without_inactive(dimensions, values)


def hyperparameters(dimensions: list[Dimension]) -> list[Any]:
    """keras-tuner's hyperparameters of the space; choices and steps by their index.

    (Its `Choice` refuses lists and None and turns booleans into numbers; its stepped `Float` never
    yields the maximum.)
    """
    with silenced():
        import keras_tuner  # imports TensorFlow

    space = keras_tuner.HyperParameters()
    for dimension in dimensions:
        if is_unstepped(dimension):
            assert isinstance(dimension, Range)
            declare = space.Int if dimension.whole else space.Float
            declare(dimension.key, dimension.low, dimension.high, sampling="log" if dimension.log else "linear")
        else:
            space.Choice(dimension.key, list(range(len(options(dimension)))))
    return list(space.space)


def is_unstepped(dimension: Dimension) -> bool:
    """Whether its values are drawn from the range itself."""
    return not isinstance(dimension, Choice) and dimension.step is None


def stable_seed(*parts: int | str) -> int:
    """A positive 31-bit seed that follows from the parts alone, on every machine and version."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big") % (2**31 - 1) + 1
