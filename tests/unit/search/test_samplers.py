"""A proposal follows from the seed, its number and what was proposed before: nothing else."""

from statistics import mean
from typing import Any

import pytest

from src.base.hashing import stable_seed
from src.ledger.records import Values, point_key
from src.search.points import Space
from src.search.samplers import propose
from src.search.space import parse
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


# --------------------------------------------------------------------------------------- by results

MIXED: dict[str, Any] = {
    "architecture": {"pool": {"int": {"min": 1, "max": 6}}, "filters": {"choice": [[8, 8], 16, None]}},
    "optimizer": {
        "choice": ["adam", "sgd"],
        "momentum": {"float": {"min": 0.0, "max": 1.0}, "when": {"optimizer": "sgd"}},
    },
}


def badness(values: Values) -> float:
    """Lower is better: a large pool, no filters, sgd, and a momentum near 0.8."""
    momentum = values["optimizer.momentum"]
    return float(
        2 * (values["architecture.filters"] is not None)
        + 6
        - values["architecture.pool"]
        + (3 if momentum is None else 3 * abs(momentum - 0.8))
    )


def search_mixed(strategy: str, count: int, seed: int = 0) -> list[Values]:
    """That many points, each proposed with the results of all before it, after ten at random."""
    chosen = config(f"search.strategy={strategy}", f"search.seed={seed}", space=MIXED)
    space = Space(parse(MIXED, chosen.model_dump()))
    points: list[Values] = []
    for number in range(count):
        known = [(values, badness(values)) for values in points] if number >= 10 and strategy != "random" else []
        point = propose(chosen.search, space, number, {point_key(values) for values in points}, known)
        assert point is not None
        points.append(point)
    return points


@pytest.mark.parametrize("strategy", ["bayesian", "tpe"])
def test_results_guide_a_strategy(strategy: str) -> None:
    """In a mixed and conditional space, points proposed by results are better than those at random, over some seeds; all
    are points of the space, none comes twice, and the same results give the same point."""
    gains = []
    for seed in range(2):
        points = search_mixed(strategy, 22, seed)
        at_random = search_mixed("random", 22, seed)
        assert points[:10] == at_random[:10] and search_mixed(strategy, 12, seed) == points[:12]
        gains.append(mean(map(badness, at_random[14:])) - mean(map(badness, points[14:])))
        assert len({point_key(point) for point in points}) == 22
        for point in points:
            assert type(point["architecture.pool"]) is int and point["architecture.filters"] in ([8, 8], 16, None)
            assert (point["optimizer.momentum"] is None) == (point["optimizer"] == "adam")
    assert mean(gains) > 1


@pytest.mark.parametrize("strategy", ["bayesian", "tpe"])
@pytest.mark.parametrize("good", [None, 2])
def test_nothing_is_a_value_too(strategy: str, good: int | None) -> None:
    """An option that is null is one of its own, whether it is the good one or not."""
    rate = {"learning_rate": {"float": {"min": 1e-4, "max": 1e-1, "log": True}}}
    space = {"training": {"early_stopping": {"patience": {"choice": [2, 3, None]}}}, "optimizer": rate}
    chosen = config(f"search.strategy={strategy}", space=space)
    dimensions, points = Space(parse(space, chosen.model_dump())), list[Values]()
    for number in range(20):
        known = [(v, float(v["training.early_stopping.patience"] != good)) for v in points] if number >= 10 else []
        point = propose(chosen.search, dimensions, number, {point_key(values) for values in points}, known)
        assert point
        points.append(point)
    picked = [point["training.early_stopping.patience"] for point in points[10:]]
    assert picked.count(good) >= 5


@pytest.mark.parametrize("strategy", ["bayesian", "tpe"])
def test_a_guided_strategy_exhausts_a_finite_space(strategy: str) -> None:
    """Every point comes once, the best of those left first or nearly so; then none."""
    space = {"architecture": {"pool": {"int": {"min": 1, "max": 16}}, "kernel": {"choice": [1, 3]}}}
    chosen = config(f"search.strategy={strategy}", space=space)
    dimensions = Space(parse(space, chosen.model_dump()))
    points: list[Values] = []
    while True:
        known = [(values, -float(values["architecture.pool"])) for values in points] if len(points) >= 10 else []
        point = propose(chosen.search, dimensions, len(points), {point_key(values) for values in points}, known)
        if point is None:
            break
        points.append(point)
    pools = [point["architecture.pool"] for point in points]
    assert sorted(pools) == sorted([*range(1, 17)] * 2)
    assert mean(pools[10:18]) > mean(pools[18:]) + 2


def test_stable_seed() -> None:
    """Seeds are the same on every machine and in every version, positive, and differ by each part."""
    assert stable_seed(0, "search", 0) == 1676505589
    assert len({stable_seed(0, 1), stable_seed(1, 0), stable_seed("0", 1), stable_seed(0, 1, 0)}) == 4
    assert all(0 < stable_seed(number) < 2**31 for number in range(100))
