"""A proposal follows from the seed, its number and what was proposed before: nothing else."""

from typing import Any

import pytest

from src.space import Space, Values, parse
from src.strategies import point_key, propose, stable_seed
from tests.unit.examples import SPACE, config

CONTINUOUS: dict[str, Any] = {
    "optimizer": {"learning_rate": {"float": {"min": 1e-4, "max": 1e-1, "log": True}}},
    "architecture": {"pool": {"int": {"min": 1, "max": 3}}, "filters": {"choice": [[8, 8], 16]}},
}


def draw(space: dict[str, Any], count: int, strategy: str = "random", seed: int = 0) -> list[Values]:
    """Up to that many proposals, one after the other."""
    chosen = config(f"search.strategy={strategy}", f"search.seed={seed}", space=space)
    dimensions = Space(parse(space, chosen.model_dump()))
    points: list[Values] = []
    for number in range(count):
        point = propose(chosen.search, dimensions, number, {point_key(values) for values in points})
        if point is None:
            break
        points.append(point)
    return points


def test_a_grid_ends() -> None:
    """A grid has all its points, in order, and then no more."""
    points = draw(SPACE, 99, "grid")
    assert [tuple(point.values()) for point in points] == [(3, 1), (3, 2), (5, 1), (5, 2)]


def test_random_exhausts_a_finite_space() -> None:
    """Every point comes once, in an order that depends on the seed; then none."""
    space = {"architecture": {"pool": {"int": {"min": 1, "max": 40}}}}
    first, second = ([point["architecture.pool"] for point in draw(space, 99, seed=seed)] for seed in (0, 1))
    assert sorted(first) == sorted(second) == list(range(1, 41)) != first != second


def test_random_is_reproducible() -> None:
    """The same seed, number and history give the same point, whatever was drawn in between; another seed another."""
    points = draw(CONTINUOUS, 6)
    draw(CONTINUOUS, 3, seed=5)
    assert draw(CONTINUOUS, 6) == points
    assert draw(CONTINUOUS, 6, seed=1) != points


def test_random_depends_on_history_as_a_set() -> None:
    """The order of what was seen does not matter, and a resumed search goes on as it would have."""
    chosen = config("search.strategy=random", space=CONTINUOUS)
    dimensions = Space(parse(CONTINUOUS, chosen.model_dump()))
    keys = [point_key(point) for point in draw(CONTINUOUS, 5)]
    assert propose(chosen.search, dimensions, 5, keys) == propose(chosen.search, dimensions, 5, set(keys))
    assert propose(chosen.search, dimensions, 5, keys) == draw(CONTINUOUS, 6)[5]


def test_random_stays_in_its_ranges() -> None:
    """Values lie within their ranges, of the right types, and reach both ends of steps and of a log scale."""
    points = draw(CONTINUOUS, 60)
    rates = [point["optimizer.learning_rate"] for point in points]
    assert all(type(rate) is float and 1e-4 <= rate <= 1e-1 for rate in rates)
    assert min(rates) < 1e-3 < 1e-2 < max(rates)
    assert {repr(point["architecture.pool"]) for point in points} == {"1", "2", "3"}
    assert {repr(point["architecture.filters"]) for point in points} == {"[8, 8]", "16"}


@pytest.mark.parametrize("strategy", ["grid", "random"])
def test_what_to_start_with_comes_first_and_once(strategy: str) -> None:
    """The points given come first; the strategy goes on with all others, each once."""
    chosen = config(f"search.strategy={strategy}", space=SPACE)
    dimensions = parse(SPACE, chosen.model_dump())
    start = [{"architecture.kernel": 5, "architecture.pool": 2}, {"architecture.kernel": 3, "architecture.pool": 2}]
    space = Space(dimensions, start)
    points: list[Values] = []
    while values := propose(chosen.search, space, len(points), {point_key(point) for point in points}):
        points.append(values)
    assert points[:2] == start
    assert sorted(tuple(point.values()) for point in points) == [(3, 1), (3, 2), (5, 1), (5, 2)]


def test_stable_seed() -> None:
    """Seeds are the same on every machine and in every version, positive, and differ by each part."""
    assert stable_seed(0, "search", 0) == 1676505589
    assert len({stable_seed(0, 1), stable_seed(1, 0), stable_seed("0", 1), stable_seed(0, 1, 0)}) == 4
    assert all(0 < stable_seed(number) < 2**31 for number in range(100))
