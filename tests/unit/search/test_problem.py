"""What can be searched as asked, and what is refused before anything starts."""

from typing import Any

import pytest

from src.base.errors import UserError
from src.search.problem import SearchProblem
from tests.unit.examples import SPACE, config


def problem_of(*overrides: str, space: dict[str, Any] | None = SPACE) -> SearchProblem:
    """The problem of a small grid of four points, or another space."""
    return SearchProblem.of(config(*overrides, space=space))


@pytest.mark.parametrize(
    ("overrides", "space", "words"),
    [
        (("search.strategy=random",), SPACE, "max_trials"),
        ((), {"training": {"epochs": {"choice": [1, 2]}}}, "training.epochs"),
        ((), {"training": {"threads": {"choice": [1, 2]}}}, "training.threads"),
        ((), {"optimizer": {"learning_rate": {"float": {"min": 0.1, "max": 0.2}}}}, "needs a step"),
        ((), {"architecture": {"kernal": {"choice": [3]}}}, "kernal"),
    ],
)
def test_what_cannot_be_planned(overrides: tuple[str, ...], space: dict[str, Any], words: str) -> None:
    """A space that cannot be searched as asked is refused before anything starts."""
    with pytest.raises(UserError, match=words):
        problem_of(*overrides, space=space)


def test_a_constraint_is_checked_first() -> None:
    """A mistake in one is found before any point is proposed."""
    with pytest.raises(UserError, match=r"did you mean 'architecture\.kernel'"):
        problem_of("search.constraints=['architecture.kernal > 3']", space=None)


def test_conditional_points_are_counted_exactly() -> None:
    """A space whose dimensions exclude each other has far fewer points than the product of these, and is complete with them."""
    parts = {str(n): {"int": {"min": 1, "max": 20}, "when": {"architecture.blocks": n + 1}} for n in range(1, 5)}
    space = {"architecture": {"blocks": {"choice": [2, 3, 4, 5]}, "filters": {"0": {"choice": [8]}, **parts}}}
    problem = problem_of("search.strategy=random", "search.max_trials=100", space=space)
    assert problem.space.count == 80


def test_a_grid_is_enumerated_up_to_a_bound() -> None:
    """A hundred thousand points are; with one more it says what to do, and a search at random does not mind."""
    wide: Any = {"architecture": {"dense_units": {"int": {"min": 1, "max": 100_000}}}}
    assert problem_of(space=wide).space.count == 100_000
    wide["architecture"]["dense_units"]["int"]["max"] += 1
    with pytest.raises(UserError, match=r"100,001 points, too many for a grid.*search\.strategy=random"):
        problem_of(space=wide)
    assert problem_of("search.strategy=random", "search.max_trials=2", space=wide).space.count == 100_001
