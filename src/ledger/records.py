"""The records of a sweep's ledger: points, trials, epochs, probes, evaluations, failures, invocations."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from src.base.text import last
from src.config.trial import TrialConfig

Values = dict[str, Any]  # dotted key → value; a group's value is its option's name; None where its condition fails


@dataclass(frozen=True)
class File:
    """A file that counts: its path relative to the sweep's folder, and its sha256."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Epoch:
    """What one epoch left. `number` starts at 1; `seconds` it took; `ended` in seconds since 1970."""

    number: int
    metrics: dict[str, float]  # loss, accuracy, learning_rate; val_loss, val_accuracy if it was validated
    seconds: float
    ended: float


@dataclass(frozen=True)
class Probe:
    """A few steps of training, timed: seconds to prepare a model, and seconds an image."""

    point: int
    operations: int
    prepare: float
    per_image: float


@dataclass(frozen=True)
class Evaluation:
    """One evaluation on the test data."""

    trial: int
    epoch: int
    loss: float
    accuracy: float
    ended: float
    predictions: File | None = None  # probabilities N×classes of all test images, as `probabilities`
    model: File | None = None  # the model of that epoch, as Keras saves it


# ------------------------------------------------------------------------------------------ points


class PointState(StrEnum):
    """What is known of a point; `unchecked` until a worker has built it."""

    UNCHECKED = "unchecked"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"
    DUPLICATE = "duplicate"

    @property
    def is_open(self) -> bool:
        """Whether it can be trained, or may turn out to."""
        return self in (PointState.UNCHECKED, PointState.FEASIBLE)


@dataclass
class Point:
    """One choice in the space. Numbers start at 1."""

    number: int
    values: Values
    configuration: TrialConfig | None  # without its budget; None of values that are no configuration
    state: PointState = PointState.UNCHECKED
    reason: str = ""
    parameters: int = 0
    operations: int = 0  # multiply-adds of one image's forward pass
    state_bytes: int = 0  # of all variables, the optimizer's included

    @property
    def key(self) -> str:
        """Equal for equal points."""
        return point_key(self.values)

    @property
    def title(self) -> str:
        """In a few words: `blocks=2 kernel=3`."""
        if not self.values:
            return "as configured"
        known = {key: value for key, value in self.values.items() if value is not None}
        shown = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in known.items()}
        return " ".join(f"{last(key)}={value}" for key, value in shown.items())


def point_key(values: Values) -> str:
    """Equal for equal values."""
    return repr(sorted(values.items()))


# ------------------------------------------------------------------------------------------ trials


class TrialState(StrEnum):
    """Where a trial is on its way."""

    WAITING = "waiting"
    RUNNING = "running"
    INTERRUPTED = "interrupted"  # put down, to go on
    PAUSED = "paused"  # at a rung, to be promoted or pruned
    PRUNED = "pruned"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def is_finished(self) -> bool:
        """Whether it has had all its epochs, or was stopped early."""
        return self is TrialState.FINISHED

    @property
    def is_open(self) -> bool:
        """Whether it is being trained or is still to be."""
        return self in (TrialState.WAITING, TrialState.RUNNING, TrialState.INTERRUPTED)

    @property
    def has_ended(self) -> bool:
        """Whether it trains no more, unless more is asked for."""
        return self in (TrialState.FINISHED, TrialState.PRUNED, TrialState.FAILED)


class Role(StrEnum):
    """What a trial is for."""

    SEARCH = "search"
    CONFIRM = "confirm"  # the best points once more, on fresh seeds
    REFIT = "refit"  # the winner, on all images but test


@dataclass(frozen=True)
class Origin:
    """A trial of another sweep, from which results were taken."""

    sweep: str
    trial: int

    def __str__(self) -> str:
        return f"{self.sweep} trial {self.trial}"


@dataclass
class Trial:
    """A point with a seed. Numbers start at 1."""

    number: int
    point: int
    role: Role
    repeat: int  # which of the role's seeds, from 0
    seed: int
    state: TrialState = TrialState.WAITING
    reason: str = ""  # why it was stopped early, pruned, or failed
    stopped_early: bool = False  # finished before its last epoch
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
    origin: Origin | None = None  # an equal trial, whose epochs it has taken
    fold: int | None = None  # which part of its partition validates; None: the data's own split
    partition: int | None = None  # which division of the images into folds
    threads: list[list[int]] = field(default_factory=list)  # [first epoch, threads], …; empty: as configured
    epochs: list[Epoch] = field(default_factory=list)  # rows of their own


# --------------------------------------------------------------------------- failures, invocations


class Cause(StrEnum):
    """Why a job failed."""

    NAN = "nan"  # never tried again: the same would come of it
    CRASH = "crash"  # may be tried again
    DAMAGED = "damaged"  # a file is not what was written: the trial starts anew
    DISK = "disk"  # ends the invocation


@dataclass
class Failure:
    """A job that ended in an error; the last words of a worker."""

    number: int
    job: str  # its kind
    subject: int  # the trial's or point's number
    cause: Cause
    message: str
    traceback: str
    time: float


@dataclass
class Invocation:
    """One start of the sweep: where, with which budget, in which versions."""

    number: int
    started: float
    ended: float  # of its last event, so that a killed one has an end too
    host: str
    pid: int
    budget: dict[str, Any]
    environment: dict[str, str]
    mirrored: str = ""  # what MLflow was found complete with


Record = Point | Trial | Probe | Evaluation | Failure | Invocation | tuple[Trial, Epoch]
