"""What a sweep refuses before it trains."""

from pathlib import Path

import pytest

from src.base.errors import UserError
from src.execution.coordinator import propose
from src.ledger.database import Ledger
from src.ledger.events import Checked
from src.ledger.objective import ACCURACY
from src.search.problem import Plan
from src.sweep import refuse_infeasible
from tests.unit.examples import SPACE, config


def test_a_space_without_a_point_that_can_be_trained(tmp_path: Path) -> None:
    """It is refused with every reason and the points that it holds for; one point that can be trained is enough."""
    plan = Plan.of(config("search.constraints=['architecture.kernel > 3']", space=SPACE))
    ledger = Ledger.in_memory(tmp_path, ACCURACY)
    propose(plan, ledger)
    refuse_infeasible(ledger)
    for number in (3, 4):
        ledger.save(Checked(number, "too small"))
    with pytest.raises(UserError) as error:
        refuse_infeasible(ledger)
    said = str(error.value)
    assert said.startswith("none of the 4 points can be trained:")
    assert "constraint: architecture.kernel > 3 (points 1–2)" in said and "too small (points 3–4)" in said
