"""The search problem: a configuration with its space and constraints."""

import ast
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from src.base.errors import UserError
from src.config.identity import GROUPS, flatten
from src.config.schema import Config
from src.ledger.objective import OBJECTIVES, Objective
from src.search.constraints import parse as parse_constraint
from src.search.points import GRID_LIMIT, Space, options, parse_start, size
from src.search.space import Choice, Dimension, parse

FIXED = {"training"} | {
    f"training.{key}" for key in ("epochs", "epoch_size", "threads", "more_threads", "metrics")
}  # of all trials


@dataclass(frozen=True)
class SearchProblem:
    """What is asked: a configuration, the space of its points, and what these must meet."""

    config: Config
    space: Space
    constraints: dict[str, ast.expr]  # by what was written

    @classmethod
    def of(cls, config: Config) -> Self:
        """Raises UserError where the space cannot be searched as asked."""
        plain = config.as_written()
        dimensions = parse(config.search.space, plain)
        known = known_keys(plain, dimensions)
        constraints = {text: parse_constraint(text, known) for text in config.search.constraints}
        space = Space(dimensions, parse_start(config.search.start, dimensions))
        refuse_endless(config, dimensions)
        return cls(config, space, constraints)

    @cached_property
    def plain(self) -> dict[str, Any]:
        """The configuration from which points begin, as it was written."""
        return self.config.as_written()

    @property
    def objective(self) -> Objective:
        """What is selected by."""
        return OBJECTIVES[self.config.search.objective]


def refuse_endless(config: Config, dimensions: list[Dimension]) -> None:
    """Raises UserError where a search would have no end, or trials could not be compared."""
    search = config.search
    if search.strategy != "grid" and search.max_trials is None:
        words = "needs search.max_trials, such as search.max_trials=20"
        raise UserError(f"search.strategy={search.strategy} {words}.")
    if fixed := FIXED & {dimension.key for dimension in dimensions}:
        raise UserError(f"search.space.{min(fixed)}: must be the same for all trials; set {min(fixed)}=… instead.")
    for dimension in dimensions:
        if dimension.key == "training.precision" and isinstance(dimension, Choice) and "auto" in dimension.options:
            raise UserError(
                "search.space.training.precision: auto becomes one of the others; name float32 or mixed_bfloat16."
            )
    if search.strategy == "grid":
        for dimension in dimensions:
            options(dimension)  # says what to do about a range without steps
        if (points := size(dimensions)) > GRID_LIMIT:
            words = "use search.strategy=random search.max_trials=100"
            raise UserError(f"search.space has {points:,.0f} points, too many for a grid: {words}.")


def known_keys(plain: dict[str, Any], dimensions: list[Dimension]) -> set[str]:
    """What a constraint may reference: keys of the configuration, of the space, and of the groups that it chooses from."""
    known = set(flatten({key: plain[key] for key in GROUPS})) | {dimension.key for dimension in dimensions}
    groups = ((d.key, o) for d in dimensions if isinstance(d, Choice) for o in d.options if isinstance(o, dict))
    return known.union(*(flatten(option, key) for key, option in groups))
