"""What a person sees while a sweep runs: live on a terminal, plain lines elsewhere, and a log file."""

import logging
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from src.analysis.ranking import best, rank_points
from src.base.text import number_of, show_seconds
from src.execution.local import Pool
from src.ledger.events import Checked, EpochEnded, Failed, Finished, Paused, Reused
from src.ledger.history import History
from src.ledger.jobs import EvaluateJob, TrainJob
from src.ledger.records import Epoch, Evaluation, PointState, Role, TrialState
from src.search.budget import budget_of, target
from src.search.estimate import seconds_left
from src.search.problem import Plan
from src.search.schedule import trials_to_come, unfinished

log = logging.getLogger("sweep")
STOPPING = "stopping at the end of the running epochs; once more to stop at once"


@dataclass
class Screen:
    """Follows a sweep's events. With no terminal, each finished trial is a line."""

    console: Console
    plan: Plan
    history: History
    pool: Pool
    train_images: int
    live: Live = field(init=False)
    told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.live = Live(console=self.console, refresh_per_second=4, transient=True, get_renderable=self.draw)

    def __enter__(self) -> "Screen":
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.live.stop()

    def tell(self, event: Any) -> None:
        """Print and log what an event means."""
        if self.pool.stopping and not self.console.is_terminal:
            self.say_once(STOPPING)
        match event:
            case Finished() | Reused(state=TrialState.FINISHED):
                self.say(self.describe_finished(event))
            case Paused() | Reused(state=TrialState.PAUSED):
                self.say(self.describe_paused(event))
            case Reused():
                self.say(describe_taken(event))
            case Failed():
                self.say(f"{describe_subject(event.job)} failed: {event.message}", "warning")
            case Checked(reason=reason) if reason:
                log.info("point %d cannot be built: %s", event.point, reason)
            case EpochEnded() if len(self.history.trials) == 1 and self.count_all() == 1:
                self.say(
                    f"epoch {event.epoch.number}/{target(self.plan.config, self.history)} {describe_epoch(event.epoch)}"
                )
            case EpochEnded():
                log.info("trial %d epoch %d %s", event.trial, event.epoch.number, describe_epoch(event.epoch))
            case Evaluation():
                log.info("test: trial %d accuracy %.4f loss %.4f", event.trial, event.accuracy, event.loss)

    def say(self, line: str, level: str = "info") -> None:
        """A line on the screen and in the log."""
        getattr(log, level)(line)
        self.console.print(
            line,
            style="yellow" if level == "warning" else "",
            highlight=False,
            markup=False,
            soft_wrap=not self.console.is_terminal,
        )

    def say_once(self, line: str) -> None:
        """A warning that is not repeated."""
        if line not in self.told:
            self.told.add(line)
            self.say(line, "warning")

    def describe_finished(self, event: Finished | Reused) -> str:
        """One line for a trial that has finished."""
        trial = self.history.trial(event.trial)
        epoch = best(trial)
        done = f"{self.count_done()}/{self.count_all()}"
        seconds = sum(epoch.seconds for epoch in trial.epochs)
        source = f"taken from {event.origin}" if isinstance(event, Reused) else f"{seconds:.1f} s"
        words = self.history.point(trial.point).title
        reason = f"; {event.reason}" if event.reason else ""
        role = "" if trial.role == Role.SEARCH else f" ({trial.role})"
        result = (
            f"trained on all images for {epoch.number} epochs"
            if trial.objective is None
            else f"{self.history.objective} {trial.objective:.4f} at epoch {epoch.number}"
        )
        line = f"{done:>7}  trial {trial.number}{role}: {words}: {result}, {source}"
        return f"{line}{reason}{self.time_left()}"

    def describe_paused(self, event: Paused | Reused) -> str:
        """One line for a trial that waits to be promoted, or to be pruned."""
        trial = self.history.trial(event.trial)
        words = self.history.point(trial.point).title
        result = f"{self.history.objective} {trial.objective:.4f} at epoch {trial.best_epoch}"
        source = f", taken from {event.origin}" if isinstance(event, Reused) else ""
        return f"         trial {trial.number}: {words}: {result} of {len(trial.epochs)}, at a rung{source}{self.time_left()}"

    def count_done(self) -> int:
        """Trials that have had all their epochs."""
        return len(self.history.trials) - len(unfinished(self.history, budget_of(self.plan.config, self.history)))

    def count_all(self) -> int:
        """Trials there are, and those of points that are being checked or still to be proposed."""
        checking = sum(point.state == PointState.UNCHECKED for point in self.history.points)
        return len(self.history.trials) + checking + trials_to_come(self.plan, self.history)

    def time_left(self) -> str:
        """`, 7 min left`, or nothing as long as it is not known."""
        left = seconds_left(self.plan, self.history, self.train_images, max(len(self.pool.workers), 1))
        return f"; {show_seconds(left)} left" if left else ""

    # ------------------------------------------------------------------------------------- live

    def draw(self) -> Group:
        """A bar, a line for each worker, the best so far."""
        lines: list[Table | Text] = [self.draw_bar(), *(self.draw_worker(worker) for worker in self.pool.workers)]
        if point_results := rank_points(self.history):
            first, objective = point_results[0], self.history.objective
            seeds = f" over {len(first.trials)} seeds" if len(first.trials) > 1 else ""
            text = f"best so far: trial {first.trials[0].number}, {objective} {first.mean(objective.name):.4f}{seeds}"
            lines.append(Text(f"{text} ({first.point.title})", style="green"))
        if self.pool.stopping:
            lines.append(Text(STOPPING, style="yellow"))
        return Group(*lines)

    def draw_bar(self) -> Table:
        """Trials done of all, or points checked while there are none."""
        checked = sum(point.state != PointState.UNCHECKED for point in self.history.points)
        finished = self.count_done()
        checking = not self.history.trials
        done, total = (checked, len(self.history.points)) if checking else (finished, self.count_all())
        table = Table.grid(padding=(0, 1))
        words = "points checked" if checking else "trials"
        table.add_row(
            ProgressBar(total=max(total, 1), completed=done, width=40), f"{done}/{total} {words}{self.time_left()}"
        )
        return table

    def draw_worker(self, worker: Any) -> Text:
        """What one worker does."""
        if not worker.ready:
            return Text(f"  worker {worker.number}: starting TensorFlow", style="dim")
        job = worker.job  # the main thread may change it meanwhile
        if not isinstance(job, TrainJob):
            word = describe_subject(job) if job else "waiting"
            return Text(f"  worker {worker.number}: {word}", style="dim")
        trial = self.history.trial(job.trial)
        words = self.history.point(trial.point).title
        last = f": {describe_epoch(trial.epochs[-1])}" if trial.epochs else ""
        return Text(
            f"  worker {worker.number}: trial {trial.number} ({words}) epoch {len(trial.epochs)}/{target(self.plan.config, self.history)}{last}",
            overflow="ellipsis",
            no_wrap=True,
        )


def describe_subject(job: Any) -> str:
    """`trial 7`, `point 3 (check)`."""
    if isinstance(job, TrainJob):
        return f"trial {job.trial}"
    what = "trial" if isinstance(job, EvaluateJob) else "point"
    return f"{what} {job.subject} ({job.kind})"


def describe_taken(event: Reused) -> str:
    """What a trial begins with."""
    return f"trial {event.trial}: {number_of(len(event.epochs), 'epoch')} taken from {event.origin}"


def describe_epoch(epoch: Epoch) -> str:
    """The metrics of an epoch."""
    shown = ("accuracy", "loss", "val_accuracy", "val_loss")
    return " ".join(f"{key} {epoch.metrics[key]:.4f}" for key in shown if key in epoch.metrics)


def start_log(path: Any) -> None:
    """Everything said goes to the sweep's log too."""
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.raiseExceptions = False  # a full disk must not fill the screen
    log.handlers = [handler]
