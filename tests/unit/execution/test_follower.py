"""A function that follows a session."""

from src.execution.follower import Follower
from src.ledger.events import Checked
from src.ledger.notices import Ended, LookingAhead
from tests.unit.execution.sessions import Heard, Home


def test_it_hears_events_and_notices(home: Home) -> None:
    """It hears all that happens, from the first notice to the last, and not that nothing happens; it adds nothing."""
    heard: list[Heard] = []
    follower = Follower(heard.append)
    home.run(follower)
    follower.on_event(None)
    assert LookingAhead() in heard and Checked(1, "", 100, 1000, 1200) in heard and heard[-1] == Ended(False)
    assert None not in heard and list(follower.poll()) == []
