"""How long a session takes: the time that has passed, and what is left."""

import pytest

from src.ledger.events import EpochEnded, Started
from src.ledger.jobs import Slot
from src.ledger.notices import Planned
from src.ledger.records import Probe
from src.reporting import timing
from src.search.estimate import LAST, REPORT
from tests.unit.reporting.screens import ONE, Clock, Stage, second


def test_the_time_left_of_many_trials_may_be_a_second_old(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are many trials, which are looked at to estimate it, it is shown again for a second."""
    monkeypatch.setattr(timing, "MANY", 2)
    stage = Stage()
    before = stage.screen.timing.describe_left()
    stage.history.apply(Started(1, 1), 0)
    stage.history.apply(EpochEnded(1, second(1, 0.5), None), 0)
    assert stage.screen.timing.describe_left() == before == "; 7 s left"
    clock.now += 1
    assert stage.screen.timing.describe_left() == "; 6 s left"


@pytest.mark.parametrize("event", [Probe(1, 1000, 2.0, 0.002), EpochEnded(1, second(1, 0.5), None)])
def test_the_end_takes_as_long_as_the_start_says(clock: Clock, event: Probe | EpochEnded) -> None:
    """The start ends where the first job that was timed began; what comes later changes nothing."""
    stage = Stage(("tracking=none",))
    stage.history.apply(Started(1, 1), 0)
    own = stage.screen.timing
    own.start = None
    clock.now += 10
    before = own.left(1)
    own.on_event(event)
    began = 10 - (2.0 if isinstance(event, Probe) else 1.0)
    clock.now += 5
    own.on_event(Probe(2, 1000, 0.0, 0.002))
    after = own.left(1)
    assert own.start == pytest.approx(began)
    assert before and after and before - after == pytest.approx((REPORT + LAST) * (10 - began))
    assert own.passed() == 15


def test_all_of_the_time(clock: Clock) -> None:
    """What has passed and what is left, with as many workers as are said."""
    stage = Stage()
    clock.now += 20
    assert stage.screen.timing.describe_all(1) == "about [b]27 s[/b] in all"
    assert stage.screen.timing.describe_all(2) == "about [b]24 s[/b] in all"


def test_time_that_is_not_known_at_first(clock: Clock) -> None:
    """Where no speed was measured, the time is a line of its own once all that train have had an epoch, said once."""
    stage = Stage(("tracking=none", "search.repeats=2"), space=ONE, slots=[Slot(1, True), Slot(2, True)])
    stage.history.probes.clear()
    stage.hear(Planned(2))
    clock.now += 10
    for trial in (1, 2):
        stage.history.apply(Started(trial, 1), 0)
    for trial, number in ((1, 1), (1, 2), (2, 1), (2, 2)):
        stage.hear(EpochEnded(trial, second(number, 0.5), None))
    planned, *others = [line for line in stage.lines() if "known after" in line or "in all" in line]
    assert "2 workers: time known after an epoch; disk:" in planned
    assert others == ["about 13 s in all"]
