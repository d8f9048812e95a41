"""How far a running sweep is: what is done, what each worker does, how long the rest takes; drawn live, or as a line."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from src.ledger.history import History
from src.ledger.jobs import EvaluateJob, Job, Slot, TrainJob
from src.ledger.records import Epoch, PointState
from src.reporting.timing import Timing
from src.search.schedule import Schedule, trials_to_come

STOPPING = "stopping at the end of the running epochs; once more to stop at once"
SHOWN = 4  # jobs that a line tells
SOON, SELDOM = 10.0, 60.0  # seconds without a line, after which there is one: at first, and in a long sweep
SHARE = 0.1  # of the time since the start, between the two


@dataclass
class Progress:
    """How far a sweep is."""

    schedule: Schedule
    slots: Callable[[], list[Slot]]
    timing: Timing
    is_stopping: bool = False

    @property
    def history(self) -> History:
        """The sweep's records."""
        return self.schedule.history

    def count_done(self) -> int:
        """Trials that have had all their epochs."""
        return len(self.history.trials) - self.schedule.index.count_unfinished(self.schedule.budget)

    def count_all(self) -> int:
        """Trials there are, and those of points that are being checked or still to be proposed."""
        checking = self.schedule.index.points.count(PointState.UNCHECKED)
        return len(self.history.trials) + checking + trials_to_come(self.schedule)

    # ------------------------------------------------------------------------------------ as a line

    def describe(self) -> str:
        """What runs now, with the epochs that it has had."""
        jobs = [self.describe_job(slot.job) for slot in self.slots() if slot.job]
        more = [f"{len(jobs) - SHOWN} more"] if len(jobs) > SHOWN else []
        doing = f"{'stopping' if self.is_stopping else 'running'}: {', '.join(jobs[:SHOWN] + more)}"
        if not jobs:
            doing = "waiting" if all(slot.is_ready for slot in self.slots()) else "starting workers"
        return f"{f'{self.count_done()}/{self.count_all()}':>7}  {doing}{self.timing.describe_left()}"

    def describe_job(self, job: Job) -> str:
        """`trial 7 (3/10 epochs)`, or what else it is."""
        if not isinstance(job, TrainJob):
            return describe_subject(job)
        return f"trial {job.trial} ({len(self.history.trial(job.trial).epochs)}/{self.schedule.until} epochs)"

    # ---------------------------------------------------------------------------------------- drawn

    def draw(self) -> Group:
        """A bar, a line for each slot, the best so far."""
        lines: list[Table | Text] = [self.draw_bar(), *(self.draw_slot(slot) for slot in self.slots())]
        if first := next(self.schedule.ranking.points(), None):
            objective = self.history.objective
            seeds = f" over {len(first.trials)} seeds" if len(first.trials) > 1 else ""
            mean = f"{objective} {first.mean(objective.name):.4f}{seeds}"
            lines.append(
                Text(f"best so far: trial {first.trials[0].number}, {mean} ({first.point.title})", style="green")
            )
        if self.is_stopping:
            lines.append(Text(STOPPING, style="yellow"))
        return Group(*lines)

    def draw_bar(self) -> Table:
        """Trials done of all, or points checked while there are none."""
        points = len(self.history.points)
        checked = points - self.schedule.index.points.count(PointState.UNCHECKED)
        checking = not self.history.trials
        done, total = (checked, points) if checking else (self.count_done(), self.count_all())
        table = Table.grid(padding=(0, 1))
        words = "points checked" if checking else "trials"
        bar = ProgressBar(total=max(total, 1), completed=done, width=40)
        table.add_row(bar, f"{done}/{total} {words}{self.timing.describe_left()}")
        return table

    def draw_slot(self, slot: Slot) -> Text:
        """What runs in one slot."""
        if not slot.is_ready:
            what = f" for {describe_subject(slot.job)}" if slot.job else ""
            return Text(f"  worker {slot.number}: starting TensorFlow{what}", style="dim")
        if not isinstance(slot.job, TrainJob):
            word = describe_subject(slot.job) if slot.job else "waiting"
            return Text(f"  worker {slot.number}: {word}", style="dim")
        trial = self.history.trial(slot.job.trial)
        last = f": {describe_epoch(trial.epochs[-1])}" if trial.epochs else ""
        epochs = f"epoch {len(trial.epochs)}/{self.schedule.until}"
        words = f"  worker {slot.number}: trial {trial.number} ({self.history.point(trial.point).title}) {epochs}{last}"
        return Text(words, overflow="ellipsis", no_wrap=True)


@dataclass
class Silence:
    """Knows when a line is due because nothing was said for a while: soon at first, more seldom the longer a sweep takes."""

    began: float | None = None  # somebody waits for a line since then
    broken: float = 0.0  # when something was said last

    def begin(self) -> None:
        """From here on somebody waits for a line."""
        self.break_off()
        self.began = self.broken if self.began is None else self.began

    def end(self) -> None:
        """Nobody waits any more."""
        self.began = None

    def break_off(self) -> None:
        """Something is said."""
        self.broken = time.monotonic()

    def is_due(self) -> bool:
        """Whether it has been quiet for long enough; if so, it begins anew."""
        now = time.monotonic()
        if self.began is None or now - self.broken < min(max(SHARE * (now - self.began), SOON), SELDOM):
            return False
        self.break_off()
        return True


def describe_subject(job: Job) -> str:
    """`trial 7`, `point 3 (check)`."""
    if isinstance(job, TrainJob):
        return f"trial {job.trial}"
    what = "trial" if isinstance(job, EvaluateJob) else "point"
    return f"{what} {job.subject} ({job.kind})"


def describe_epoch(epoch: Epoch) -> str:
    """The metrics of an epoch."""
    shown = ("accuracy", "loss", "val_accuracy", "val_loss")
    return " ".join(f"{key} {epoch.metrics[key]:.4f}" for key in shown if key in epoch.metrics)
