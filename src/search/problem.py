"""The search problem: a configuration with its space and constraints."""

import ast
from dataclasses import dataclass, field, replace
from typing import Any

from src.base.errors import UserError
from src.config.identity import GROUPS, flatten
from src.config.schema import Config
from src.search.constraints import parse as parse_constraint
from src.search.points import GRID_LIMIT, Space, options, parse_start, size
from src.search.space import Choice, Dimension, parse

FIXED = {"training", "training.epochs", "training.epoch_size", "training.threads"}  # the same for all trials


@dataclass
class Plan:
    """A configuration with its space. What it remembers can be computed anew from the rows."""

    config: Config
    space: Space
    constraints: dict[str, ast.expr]  # by what was written
    seen: set[str] = field(default_factory=set)  # keys of the points proposed
    first: dict[str, int] = field(default_factory=dict)  # fingerprint of a configuration → its first point
    noted: int = 0  # points in `seen` and `first`
    exhausted: bool = False
    expected: dict[tuple[int, int], int] = field(default_factory=dict)  # trials and epochs → epochs with the pruner
    training: bool = True  # False: check and probe only
    drift: str = ""  # how versions differ from those that trained so far: see `environment`

    @classmethod
    def of(cls, config: Config) -> "Plan":
        """Raises UserError where the space cannot be searched as asked."""
        plain = config.as_written()
        dimensions = parse(config.search.space, plain)
        known = known_keys(plain, dimensions)
        constraints = {text: parse_constraint(text, known) for text in config.search.constraints}
        plan = cls(config, Space(dimensions, parse_start(config.search.start, dimensions)), constraints)
        if config.search.strategy != "grid" and config.search.max_trials is None:
            words = "needs search.max_trials, such as search.max_trials=20"
            raise UserError(f"search.strategy={config.search.strategy} {words}.")
        if fixed := FIXED & {dimension.key for dimension in dimensions}:
            raise UserError(f"search.space.{min(fixed)}: must be the same for all trials; set {min(fixed)}=… instead.")
        if config.search.strategy == "grid":
            for dimension in dimensions:
                options(dimension)  # says what to do about a range without steps
            if (points := size(dimensions)) > GRID_LIMIT:
                words = "use search.strategy=random search.max_trials=100"
                raise UserError(f"search.space has {points:,.0f} points, too many for a grid: {words}.")
        return plan


def ahead_only(plan: Plan) -> Plan:
    """The same plan up to where training would begin."""
    return replace(plan, training=False)


def known_keys(plain: dict[str, Any], dimensions: list[Dimension]) -> set[str]:
    """What a constraint may speak of: keys of the configuration, of the space, and of the groups that it chooses from."""
    known = set(flatten({key: plain[key] for key in GROUPS})) | {dimension.key for dimension in dimensions}
    groups = ((d.key, o) for d in dimensions if isinstance(d, Choice) for o in d.options if isinstance(o, dict))
    return known.union(*(flatten(option, key) for key, option in groups))
