"""What a person sees while the last of a sweep is written elsewhere, after training."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.status import Status

from src.ledger.notices import Completed, Completing, StoppingAfter


@dataclass
class Completion:
    """Says what is waited for after training, and whether it is complete."""

    console: Console
    again: str = ""  # the command that completes it
    status: Status | None = None

    def __enter__(self) -> "Completion":
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def stop(self) -> None:
        """Nothing is waited for any more."""
        if self.status:
            self.status.stop()

    def show(self, words: str) -> None:
        """What is waited for: in motion on a terminal, a line elsewhere."""
        self.stop()
        if self.console.is_terminal:
            self.status = self.console.status(words)
            self.status.start()
        else:
            self.console.print(words, soft_wrap=True)

    def on_notice(self, notice: Any) -> None:
        """Print what a notice means."""
        match notice:
            case Completing(words=words, may_wait=may_wait):
                self.show(f"{words}{' (Ctrl-C leaves it for later)' * may_wait} …")
            case StoppingAfter(what=what):
                self.show(f"stopping after {what}, which is written to its end first …")
            case Completed(what=what, reason=reason):
                self.stop()
                if reason:
                    text = f"{what} is not complete: {reason}. To complete it: {self.again}"
                    self.console.print(text, style="yellow", markup=False, soft_wrap=True)
