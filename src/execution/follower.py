"""An observer that hands events and notices on to a function."""

from collections.abc import Callable
from dataclasses import dataclass

from src.ledger.events import Event
from src.ledger.notices import Notice, Observer


@dataclass
class Follower(Observer):
    """Hands on what it hears."""

    follow: Callable[[Event | Notice], None]

    def on_event(self, event: Event | Notice | None) -> None:
        """Hand it on; not that nothing has happened."""
        if event is not None:
            self.follow(event)
