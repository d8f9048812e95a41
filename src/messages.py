"""What is said between coordinator and workers: work to do, and events that come of it."""

from dataclasses import dataclass
from typing import Any, Literal

from src.values import Epoch, Evaluation, File, Probe

Configuration = dict[str, Any]  # one trial's keys, canonical: architecture, activation, optimizer, …


# --------------------------------------------------------------------------------- work


@dataclass(frozen=True)
class CheckJob:
    """Can this point be built?"""

    point: int
    configuration: Configuration


@dataclass(frozen=True)
class ProbeJob:
    """How fast does this point train?"""

    point: int
    operations: int
    configuration: Configuration


@dataclass(frozen=True)
class TrainJob:
    """Train a trial up to an epoch, from its checkpoint if it has one."""

    trial: int
    attempt: int
    configuration: Configuration
    seed: int
    objective: str
    until: int
    checkpoint: File | None
    epochs: tuple[Epoch, ...]  # those that the checkpoint has seen
    refit: bool = False  # train on the validation images too
    pauses: bool = False  # at `until`, where it may go on later


@dataclass(frozen=True)
class EvaluateJob:
    """Evaluate a trial's best epoch on the test data."""

    trial: int
    epoch: int
    configuration: Configuration
    weights: File


Job = CheckJob | ProbeJob | TrainJob | EvaluateJob


# -------------------------------------------------------------------------------- events


@dataclass(frozen=True)
class Checked:
    """A point's check: `reason` says why it cannot be built, or is empty."""

    point: int
    reason: str
    parameters: int = 0
    operations: int = 0
    state_bytes: int = 0


@dataclass(frozen=True)
class Started:
    """A trial's attempt is about to be given to a worker."""

    trial: int
    attempt: int
    drift: str = ""  # how the versions differ from those the sweep began with


@dataclass(frozen=True)
class EpochEnded:
    """An epoch of a trial, with the checkpoint written after it, if one was."""

    trial: int
    epoch: Epoch
    checkpoint: File | None


@dataclass(frozen=True)
class Finished:
    """A trial has reached its last epoch, or was stopped early for `reason`."""

    trial: int
    weights: File
    reason: str
    validation: File | None = None  # `right` and `loss` of each validation image, at the best epoch


@dataclass(frozen=True)
class Reused:
    """A trial has what an equal one of another sweep left: its result, or epochs to go on from or to wait with."""

    trial: int
    attempt: int
    origin: str  # "<sweep> trial <number>"
    epochs: tuple[Epoch, ...]
    state: Literal["finished", "paused", "interrupted"]
    reason: str = ""  # why it was stopped early
    drift: str = ""  # how our versions, which are those that trained it, differ from those the sweep began with
    checkpoint: File | None = None  # has seen all of `epochs`
    weights: File | None = None
    validation: File | None = None


@dataclass(frozen=True)
class Stopped:
    """A worker has put its work down because it was asked to."""

    trial: int


@dataclass(frozen=True)
class Paused:
    """A trial has reached a rung, and waits to be promoted."""

    trial: int


@dataclass(frozen=True)
class Pruned:
    """A trial that waited at a rung goes no further, as long as its pruner decides."""

    trial: int
    reason: str


@dataclass(frozen=True)
class Failed:
    """Work ended in an error: a `crash` may be tried again, `nan` never, a `damaged` file starts anew, `disk` ends all."""

    job: Job
    kind: Literal["nan", "crash", "damaged", "disk"]
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Tracked:
    """Everything of a trial is in MLflow, in this run."""

    trial: int
    run_id: str


@dataclass(frozen=True)
class Mirrored:
    """MLflow is complete; `revision` says where, and with what."""

    revision: str


@dataclass(frozen=True)
class Dropped:
    """A finished trial gives up its checkpoint and weights, to keep the disk small."""

    trial: int


Event = (
    Checked
    | Probe
    | Started
    | EpochEnded
    | Finished
    | Reused
    | Paused
    | Pruned
    | Stopped
    | Failed
    | Evaluation
    | Tracked
    | Mirrored
    | Dropped
)
