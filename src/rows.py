"""The rows of a sweep's ledger, and what each event changes in them."""

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import singledispatchmethod
from typing import Any, Literal

from src.messages import (
    Checked,
    CheckJob,
    Configuration,
    Dropped,
    EpochEnded,
    EvaluateJob,
    Event,
    Failed,
    Finished,
    Mirrored,
    Paused,
    Pruned,
    Reused,
    Started,
    Stopped,
    Tracked,
    TrainJob,
)
from src.values import Epoch, Evaluation, File, Probe, best_epoch

CHECKS = 2  # workers that may die of checking one point, before it counts as infeasible


@dataclass
class Point:
    """One choice in the space; `unchecked` until a worker has built it. Numbers start at 1."""

    number: int
    values: dict[str, Any]
    configuration: Configuration
    state: Literal["unchecked", "feasible", "infeasible", "duplicate"] = "unchecked"
    reason: str = ""
    parameters: int = 0
    operations: int = 0  # multiply-adds of one image's forward pass
    state_bytes: int = 0  # of all variables, the optimizer's included


@dataclass
class Trial:
    """A point with a seed. Numbers start at 1."""

    number: int
    point: int
    role: str  # search; confirm: the best points once more, on fresh seeds; refit: on all images but test
    repeat: int  # which of the role's seeds, from 0
    seed: int
    state: Literal["waiting", "running", "interrupted", "paused", "pruned", "finished", "failed"] = "waiting"
    reason: str = ""
    attempts: int = 0
    crashes: int = 0  # since the last request to retry
    best_epoch: int = 0
    objective: float | None = None  # at the best epoch
    checkpoint: File | None = None  # to go on from
    checkpoint_epoch: int = 0
    weights: File | None = None  # of the best epoch, once finished
    validation: File | None = None  # `right` and `loss` of each validation image, by those weights
    run_id: str = ""  # MLflow's, once everything of the finished trial is there
    drift: str = ""  # how the versions that trained it differ from those that trained the first
    origin: str = ""  # "<sweep> trial <number>": an equal one, whose epochs it has taken
    epochs: list[Epoch] = field(default_factory=list)  # rows of their own


@dataclass
class Failure:
    """Work that ended in an error; the last words of a worker."""

    number: int
    job: str
    subject: int  # the trial's or point's number
    kind: str
    message: str
    traceback: str
    time: float


@dataclass
class Invocation:
    """One start of the sweep: where, with which amounts, in which versions."""

    number: int
    started: float
    ended: float  # of its last event, so that a killed one has an end too
    host: str
    pid: int
    budget: dict[str, Any]
    environment: dict[str, str]
    mirrored: str = ""  # what MLflow was found complete with


Record = Point | Trial | Probe | Evaluation | Failure | Invocation | tuple[Trial, Epoch]


@dataclass
class History:
    """All rows, kept in memory as events come. `objective` is the sweep's."""

    objective: str
    points: list[Point] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)
    crashes: Counter[tuple[str, int]] = field(default_factory=Counter)

    def trial(self, number: int) -> Trial:
        """The trial of that number."""
        return self.trials[number - 1]

    def point(self, number: int) -> Point:
        """The point of that number."""
        return self.points[number - 1]

    def seconds(self) -> float:
        """All invocations' time together."""
        return sum(invocation.ended - invocation.started for invocation in self.invocations)

    def apply(self, event: Event | Record, now: float) -> list[Record]:
        """Change the rows as the event says; returns those that changed."""
        changed = self.changed(event, now)
        if self.invocations and not isinstance(event, Tracked | Mirrored | Dropped):  # these may come days later
            self.invocations[-1].ended = max(now, self.invocations[-1].started)
        return [*changed, *self.invocations[-1:]]

    @singledispatchmethod
    def changed(self, event: Any, now: float) -> list[Record]:
        """The rows that an event changes."""
        raise AssertionError(f"no rule for {event}")

    @changed.register
    def _(self, point: Point, now: float) -> list[Record]:
        if point.number > len(self.points):
            self.points.append(point)
        return [point]

    @changed.register
    def _(self, trial: Trial, now: float) -> list[Record]:
        if trial.number > len(self.trials):
            self.trials.append(trial)
        return [trial]

    @changed.register
    def _(self, invocation: Invocation, now: float) -> list[Record]:
        self.invocations.append(invocation)
        return []

    @changed.register
    def _(self, probe: Probe, now: float) -> list[Record]:
        self.probes.append(probe)
        return [probe]

    @changed.register
    def _(self, evaluation: Evaluation, now: float) -> list[Record]:
        self.evaluations.append(evaluation)
        return [evaluation]

    @changed.register
    def _(self, event: Checked, now: float) -> list[Record]:
        point = self.point(event.point)
        point.state = "infeasible" if event.reason else "feasible"
        point.reason, point.parameters = event.reason, event.parameters
        point.operations, point.state_bytes = event.operations, event.state_bytes
        return [point]

    @changed.register
    def _(self, event: Started, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.state, trial.reason, trial.attempts, trial.run_id = "running", "", event.attempt, ""
        trial.drift = event.drift or trial.drift
        return [trial]

    @changed.register
    def _(self, event: EpochEnded, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        epoch = add(trial, event.epoch)
        self.find_best(trial)
        if event.checkpoint:
            trial.checkpoint, trial.checkpoint_epoch = event.checkpoint, event.epoch.number
        return [trial, (trial, epoch)]

    @changed.register
    def _(self, event: Finished, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.state, trial.reason = "finished", event.reason
        trial.weights, trial.validation = event.weights, event.validation
        return [trial]

    @changed.register
    def _(self, event: Reused, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        epochs = [add(trial, replace(epoch, ended=now)) for epoch in event.epochs]  # here they have come to be now
        self.find_best(trial)
        trial.state, trial.reason, trial.attempts, trial.run_id = event.state, event.reason, event.attempt, ""
        trial.origin, trial.drift = event.origin, event.drift or trial.drift
        if event.checkpoint:
            trial.checkpoint, trial.checkpoint_epoch = event.checkpoint, len(epochs)
        if event.state == "finished":
            trial.weights, trial.validation = event.weights, event.validation
        return [trial, *((trial, epoch) for epoch in epochs)]

    @changed.register
    def _(self, event: Paused, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.state = "paused"
        return [trial]

    @changed.register
    def _(self, event: Pruned, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.state, trial.reason = "pruned", event.reason
        return [trial]

    @changed.register
    def _(self, event: Stopped, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.state = "interrupted"
        return [trial]

    @changed.register
    def _(self, event: Mirrored, now: float) -> list[Record]:
        self.invocations[-1].mirrored = event.revision
        return []

    @changed.register
    def _(self, event: Dropped, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.checkpoint, trial.checkpoint_epoch, trial.weights = None, 0, None
        return [trial]

    @changed.register
    def _(self, event: Tracked, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.run_id = event.run_id
        return [trial]

    @changed.register
    def _(self, event: Failed, now: float) -> list[Record]:
        job = event.job
        subject = job.trial if isinstance(job, TrainJob | EvaluateJob) else job.point
        kind = type(job).__name__.removesuffix("Work").lower()
        failure = Failure(len(self.failures) + 1, kind, subject, event.kind, event.message, event.traceback, now)
        self.failures.append(failure)
        self.crashes[kind, subject] += 1
        return [failure, *self.failed(event)]

    def find_best(self, trial: Trial) -> None:
        """Which of a trial's epochs is the best."""
        best = best_epoch(trial.epochs, self.objective)
        trial.best_epoch, trial.objective = best.number, best.metrics.get(self.objective)

    def failed(self, event: Failed) -> list[Record]:
        """The row that failed work was about."""
        job = event.job
        if isinstance(job, TrainJob):
            trial = self.trial(job.trial)
            trial.state, trial.reason = "interrupted" if event.kind == "disk" else "failed", event.message
            trial.crashes += event.kind == "crash"
            if event.kind == "damaged":  # its state is gone: the trial starts anew, to the same result
                trial.checkpoint, trial.checkpoint_epoch = None, 0
            return [trial]
        if isinstance(job, EvaluateJob) and event.kind == "damaged":
            trial = self.trial(job.trial)
            trial.state, trial.weights, trial.checkpoint, trial.checkpoint_epoch = "interrupted", None, None, 0
            return [trial]
        if isinstance(job, CheckJob) and self.crashes["check", job.point] >= CHECKS:
            return self.changed(Checked(job.point, f"building it failed twice: {event.message}"), 0)
        return []


def add(trial: Trial, epoch: Epoch) -> Epoch:
    """Give a trial an epoch, the next one or one that it has; as the trial has it then."""
    if epoch.number <= len(trial.epochs):  # after a kill, epochs since the last checkpoint come once more
        before = trial.epochs[epoch.number - 1]
        epoch = replace(epoch, seconds=before.seconds, ended=before.ended)
    trial.epochs[epoch.number - 1 : epoch.number] = [epoch]
    return epoch
