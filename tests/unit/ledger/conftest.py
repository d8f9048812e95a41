"""A ledger with something in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from src.ledger.database import Ledger
from src.ledger.events import Checked
from src.ledger.objective import ACCURACY
from src.ledger.records import Invocation, Point, PointState, Role, Trial
from tests.unit.examples import trial_config


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An invocation, two points with a trial each, a duplicate and a misfit."""
    opened = Ledger.open(tmp_path, ACCURACY)
    opened.save(Invocation(1, 1.5, 1.5, "höst", 7, {"training": {"epochs": 2}}, {"python": "3"}))
    first, second = (trial_config(f"architecture.filters={filters}") for filters in ("[8,16]", "16"))
    opened.save(Point(1, {"filters": [8, 16]}, first))
    opened.save(Point(2, {"filters": 16}, second))
    opened.save(Point(3, {"filters": [16, 16]}, second, PointState.DUPLICATE, "the same as point 2"))
    opened.save(Point(4, {"filters": [1, 2, 3]}, None, PointState.INFEASIBLE, "3 values of filters for 2 blocks"))
    for number in (1, 2):
        opened.save(Checked(number, "", 10, 20, 30))
        opened.save(Trial(number, number, Role.SEARCH, 0, 2**31 - 1))
    yield opened
    opened.close()
