"""What a person sees while a sweep runs: live on a terminal, plain lines elsewhere, and a log file."""

import logging
import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape

from src.analysis.ranking import best
from src.base.text import command, number_of, show_value
from src.data.dataset import Dataset
from src.ledger.events import Checked, EpochEnded, Event, Failed, Finished, Paused, Reused
from src.ledger.history import History
from src.ledger.jobs import Slot
from src.ledger.notices import (
    Ended,
    Extended,
    LookingAhead,
    NothingLeft,
    Notice,
    Observer,
    Opened,
    Planned,
    Stopping,
    Trouble,
)
from src.ledger.records import Evaluation, Role, TrialState
from src.reporting.completion import Completion
from src.reporting.console import overview, print_next_steps, result
from src.reporting.data import describe_images
from src.reporting.progress import STOPPING, Progress, Silence, describe_epoch, describe_subject
from src.reporting.timing import Timing
from src.search.schedule import Schedule, is_tried_again

log = logging.getLogger("sweep")
REDRAW = 0.25  # seconds between two drawings


@dataclass
class Screen(Observer):
    """Follows a session. With no terminal, each finished trial is a line, and where none comes for long, what runs."""

    console: Console
    schedule: Schedule
    slots: Callable[[], list[Slot]]
    data: Dataset
    began: float  # when the session did, by the monotonic clock
    live: Live = field(init=False)
    completion: Completion = field(init=False)
    timing: Timing = field(init=False)
    progress: Progress = field(init=False)
    silence: Silence = field(default_factory=Silence)
    told: set[str] = field(default_factory=set)
    path: Path = Path()  # the sweep's
    is_time_owed: bool = False  # it was not known yet when the plan was printed
    drawn: float = -REDRAW  # when

    def __post_init__(self) -> None:
        self.timing = Timing(self.schedule, self.slots, self.data, self.began)
        self.progress = Progress(self.schedule, self.slots, self.timing)
        draw = self.progress.draw
        self.live = Live(console=self.console, auto_refresh=False, transient=True, get_renderable=draw)
        self.completion = Completion(self.console)

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: Any) -> None:
        self.live.stop()
        self.completion.stop()

    @property
    def history(self) -> History:
        """The sweep's records."""
        return self.schedule.history

    def finish(self, is_done: bool) -> Generator[None, None, None]:
        """The live part goes; what comes after is printed below."""
        self.live.stop()
        self.silence.end()
        yield

    def on_event(self, event: Event | Notice | None) -> None:
        """Print and log what an event means, and draw anew."""
        self.timing.on_event(event)
        self.tell(event)
        running = (trial for trial in self.history.trials if trial.state == TrialState.RUNNING)
        if self.is_time_owed and isinstance(event, EpochEnded) and all(trial.epochs for trial in running):
            self.is_time_owed = False
            self.console.print(self.timing.describe_all(len(self.slots())))
        now = time.monotonic()
        if self.live.is_started and now - self.drawn >= REDRAW:
            self.drawn = now
            self.live.refresh()  # here, since a thread of its own would read records while they change
        if self.silence.is_due():
            self.console.print(self.progress.describe(), style="dim", markup=False, soft_wrap=True)

    def tell(self, event: Event | Notice | None) -> None:
        """Print and log what an event means."""
        match event:
            case Finished() | Reused(state=TrialState.FINISHED):
                self.say(self.describe_finished(event))
            case Paused() | Reused(state=TrialState.PAUSED):
                self.say(self.describe_paused(event))
            case Reused():
                self.say(f"trial {event.trial}: {number_of(len(event.epochs), 'epoch')} taken from {event.origin}")
            case Failed():
                again = " and is tried again" if is_tried_again(self.schedule, event.job) else ""
                self.say(f"{describe_subject(event.job)} failed{again}: {event.message}", "warning")
            case Checked(reason=reason) if reason:
                log.info("point %d cannot be built: %s", event.point, reason)
            case EpochEnded() if len(self.history.trials) == 1 and self.progress.count_all() == 1:
                epoch, until = event.epoch, self.schedule.until
                self.say(f"epoch {epoch.number}/{until} {describe_epoch(epoch)}{self.timing.describe_left()}")
            case EpochEnded():
                log.info("trial %d epoch %d %s", event.trial, event.epoch.number, describe_epoch(event.epoch))
            case Evaluation():
                log.info("test: trial %d accuracy %.4f loss %.4f", event.trial, event.accuracy, event.loss)
            case _:
                self.on_notice(event)

    def on_notice(self, notice: Any) -> None:
        """Print what a notice means."""
        match notice:
            case Opened():
                self.show_opened(notice)
            case Extended(until=until, asked=asked):
                text = f"note: its trials have had up to {until} epochs already; training.epochs={asked} asks for fewer"
                self.console.print(text, style="yellow", soft_wrap=True)
            case LookingAhead():
                self.start_live()
                if not self.console.is_terminal:
                    self.console.print("starting workers, measuring speed …", style="dim")
            case Planned(slots=slots):
                self.live.stop()
                overview(self.console, self.schedule, slots, self.timing.describe_all(slots))
                self.is_time_owed = self.timing.left(slots) is None
                self.start_live()
            case NothingLeft(is_bounded=is_bounded):
                text = "Nothing is left to do within this budget." if is_bounded else "This sweep is complete."
                self.console.print(text)
            case Stopping():
                self.progress.is_stopping = True
                if not self.console.is_terminal:
                    self.say_once(STOPPING)
            case Trouble(message=message):
                self.say_once(message)
            case Ended(is_stopped=is_stopped):
                self.live.stop()
                self.silence.end()
                result(self.console, self.schedule, self.path, self.data)
                print_next_steps(self.console, self.schedule, self.path, is_stopped)
            case _:
                self.completion.on_notice(notice)

    def start_live(self) -> None:
        """Draw from here on, on a terminal; elsewhere, break long silences."""
        if self.console.is_terminal:
            self.live.start(refresh=True)
        else:
            self.silence.begin()

    def show_opened(self, opened: Opened) -> None:
        """Which sweep this is; a new one may be an old one with a key changed by mistake."""
        self.path = path = opened.path
        mlruns = self.schedule.problem.config.paths.mlruns
        self.completion.again = command("sync", path.name, sweeps=path.parent, mlruns=mlruns)
        state = "new" if opened.is_new else "going on"
        self.console.print(f"sweep [b]{path.name}[/b] in {escape(os.path.relpath(path))} ({state})", soft_wrap=True)
        fact, *questions = describe_images(self.data, self.schedule.problem.config.training)
        self.say(fact)
        for question in questions:
            self.say_once(question)
        if opened.settled:
            self.say(f"auto stands for {opened.settled}, as long as this sweep lives")
        for name, changed in opened.similar:
            keys = ", ".join(f"{key} ({show_value(old)} there)" for key, (old, _) in changed.items())
            text = f"the sweep {name} " + (f"differs only in {keys}" if keys else "is the same configuration")
            if changed.keys() == {"training.epochs"}:
                text += ": the schedule of the learning rate depends on it, so this one starts anew"
            self.console.print(text, style="dim", markup=False, soft_wrap=True)

    # ------------------------------------------------------------------------------------ lines

    def say(self, line: str, level: str = "info") -> None:
        """A line on the screen and in the log."""
        self.silence.break_off()
        getattr(log, level)(line)
        style = "yellow" if level == "warning" else ""
        wrap = not self.console.is_terminal
        self.console.print(line, style=style, highlight=False, markup=False, soft_wrap=wrap)

    def say_once(self, line: str) -> None:
        """A warning that is not repeated."""
        if line not in self.told:
            self.told.add(line)
            self.say(line, "warning")

    def describe_finished(self, event: Finished | Reused) -> str:
        """One line for a trial that has finished."""
        trial = self.history.trial(event.trial)
        epoch = best(trial)
        done = f"{self.progress.count_done()}/{self.progress.count_all()}"
        seconds = sum(epoch.seconds for epoch in trial.epochs)
        source = f"taken from {event.origin}" if isinstance(event, Reused) else f"{seconds:.1f} s"
        reason = f"; {event.reason}" if event.reason else ""
        role = "" if trial.role == Role.SEARCH else f" ({trial.role})"
        result = (
            f"trained on all images for {number_of(epoch.number, 'epoch')}"
            if trial.objective is None
            else f"{self.history.objective} {trial.objective:.4f} at epoch {epoch.number}"
        )
        title = self.history.point(trial.point).title
        line = f"{done:>7}  trial {trial.number}{role}: {title}: {result}, {source}"
        return f"{line}{reason}{self.timing.describe_left()}"

    def describe_paused(self, event: Paused | Reused) -> str:
        """One line for a trial that waits to be promoted, or to be pruned."""
        trial = self.history.trial(event.trial)
        result = f"{self.history.objective} {trial.objective:.4f} at epoch {trial.best_epoch} of {len(trial.epochs)}"
        source = f", taken from {event.origin}" if isinstance(event, Reused) else ""
        title = self.history.point(trial.point).title
        return f"         trial {trial.number}: {title}: {result}, at a rung{source}{self.timing.describe_left()}"


def start_log(path: Path) -> None:
    """Everything said goes to the sweep's log too."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.raiseExceptions = False  # a full disk must not fill the screen
    log.handlers = [handler]
