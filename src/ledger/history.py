"""All records of a sweep in memory, and what each event changes in them."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import singledispatchmethod
from typing import Any

from src.ledger.events import (
    Checked,
    Dropped,
    EpochEnded,
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
)
from src.ledger.jobs import CheckJob, EvaluateJob, Job, TrainJob
from src.ledger.objective import Objective
from src.ledger.records import (
    Cause,
    Epoch,
    Evaluation,
    Failure,
    Invocation,
    Point,
    PointState,
    Probe,
    Record,
    Trial,
    TrialState,
)

CHECKS = 2  # workers that may die of checking one point, before it counts as infeasible


@dataclass
class History:
    """All records, changed as events come. `objective` is the sweep's; `followers` hear of every record that changed."""

    objective: Objective
    points: list[Point] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)
    crashes: Counter[tuple[str, int]] = field(default_factory=Counter)  # by the job's kind and subject
    last_failures: dict[tuple[str, int], Failure] = field(default_factory=dict)
    followers: list[Callable[[Record], None]] = field(default_factory=list, compare=False)

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
        """Change the records as the event says; returns those that changed, after the followers have heard of them."""
        changed = self.changed(event, now)
        if self.invocations and not isinstance(event, Tracked | Mirrored | Dropped):  # these may come days later
            self.invocations[-1].ended = max(now, self.invocations[-1].started)
        changed += self.invocations[-1:]
        for record in changed:
            for follow in self.followers:
                follow(record)
        return changed

    @singledispatchmethod
    def changed(self, event: Any, now: float) -> list[Record]:
        """The records that an event changes."""
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
        point.state = PointState.INFEASIBLE if event.reason else PointState.FEASIBLE
        point.reason, point.parameters = event.reason, event.parameters
        point.operations, point.state_bytes = event.operations, event.state_bytes
        return [point]

    @changed.register
    def _(self, event: Started, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.state, trial.reason, trial.stopped_early = TrialState.RUNNING, "", False
        trial.attempts, trial.run_id = event.attempt, ""
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
        trial.state, trial.reason, trial.stopped_early = TrialState.FINISHED, event.reason, event.stopped_early
        trial.weights, trial.validation = event.weights, event.validation
        return [trial]

    @changed.register
    def _(self, event: Reused, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        epochs = [add(trial, replace(epoch, ended=now)) for epoch in event.epochs]  # here they have come to be now
        self.find_best(trial)
        trial.state, trial.reason, trial.stopped_early = event.state, event.reason, event.stopped_early
        trial.attempts, trial.run_id = event.attempt, ""
        trial.origin, trial.drift = event.origin, event.drift or trial.drift
        if event.checkpoint:
            trial.checkpoint, trial.checkpoint_epoch = event.checkpoint, len(epochs)
        if event.state.is_finished:
            trial.weights, trial.validation = event.weights, event.validation
        return [trial, *((trial, epoch) for epoch in epochs)]

    @changed.register
    def _(self, event: Paused, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.state = TrialState.PAUSED
        return [trial]

    @changed.register
    def _(self, event: Pruned, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.state, trial.reason = TrialState.PRUNED, event.reason
        return [trial]

    @changed.register
    def _(self, event: Stopped, now: float) -> list[Record]:
        trial = self.trial(event.trial)
        trial.state = TrialState.INTERRUPTED
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
        number = len(self.failures) + 1
        failure = Failure(number, job.kind, job.subject, event.cause, event.message, event.traceback, now)
        self.note_failure(failure)
        return [failure, *self.failed(job, event)]

    def note_failure(self, failure: Failure) -> None:
        """Keep a failure, and what is asked of all together."""
        self.failures.append(failure)
        self.crashes[failure.job, failure.subject] += 1
        self.last_failures[failure.job, failure.subject] = failure

    def find_best(self, trial: Trial) -> None:
        """Which of a trial's epochs is the best."""
        best = self.objective.best_epoch(trial.epochs)
        trial.best_epoch, trial.objective = best.number, best.metrics.get(self.objective.name)

    def failed(self, job: Job, event: Failed) -> list[Record]:
        """The record that a failed job was about."""
        if isinstance(job, TrainJob):
            trial = self.trial(job.trial)
            trial.state = TrialState.INTERRUPTED if event.cause == Cause.DISK else TrialState.FAILED
            trial.reason, trial.stopped_early = event.message, False
            trial.crashes += event.cause == Cause.CRASH
            if event.cause == Cause.DAMAGED:  # its state is gone: the trial starts anew, to the same result
                trial.checkpoint, trial.checkpoint_epoch = None, 0
            return [trial]
        if isinstance(job, EvaluateJob) and event.cause == Cause.DAMAGED:
            trial = self.trial(job.trial)
            trial.state, trial.stopped_early, trial.weights = TrialState.INTERRUPTED, False, None
            trial.checkpoint, trial.checkpoint_epoch = None, 0
            return [trial]
        if isinstance(job, CheckJob) and self.crashes[job.kind, job.point] >= CHECKS:
            return self.changed(Checked(job.point, f"building it failed twice: {event.message}"), 0)
        return []


def add(trial: Trial, epoch: Epoch) -> Epoch:
    """Give a trial an epoch, the next one or one that it has; as the trial has it then."""
    if epoch.number <= len(trial.epochs):  # after a kill, epochs since the last checkpoint come once more
        before = trial.epochs[epoch.number - 1]
        epoch = replace(epoch, seconds=before.seconds, ended=before.ended)
    trial.epochs[epoch.number - 1 : epoch.number] = [epoch]
    return epoch
