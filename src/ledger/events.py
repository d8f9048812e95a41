"""Events: what comes back from a backend, and what the coordinator decides. Probes and evaluations are records as they come."""

from dataclasses import dataclass
from typing import ClassVar

from src.ledger.jobs import Job
from src.ledger.records import Cause, Epoch, Evaluation, File, Origin, Probe, TrialState


@dataclass(frozen=True)
class Checked:
    """A point's check: `reason` says why it cannot be built, or is empty."""

    kind: ClassVar[str] = "checked"
    point: int
    reason: str
    parameters: int = 0
    operations: int = 0
    state_bytes: int = 0


@dataclass(frozen=True)
class Started:
    """A trial's attempt is about to be given to a worker."""

    kind: ClassVar[str] = "started"
    trial: int
    attempt: int
    drift: str = ""  # how the versions differ from those the sweep began with


@dataclass(frozen=True)
class EpochEnded:
    """An epoch of a trial, with the checkpoint written after it, if one was."""

    kind: ClassVar[str] = "epoch_ended"
    trial: int
    epoch: Epoch
    checkpoint: File | None


@dataclass(frozen=True)
class Finished:
    """A trial has reached its last epoch, or was stopped early for `reason`."""

    kind: ClassVar[str] = "finished"
    trial: int
    weights: File
    stopped_early: bool = False
    reason: str = ""
    validation: File | None = None  # `right` and `loss` of each validation image, at the best epoch


@dataclass(frozen=True)
class Reused:
    """A trial has what an equal one of another sweep left: its result, or epochs to go on from or to wait with."""

    kind: ClassVar[str] = "reused"
    trial: int
    attempt: int
    origin: Origin
    epochs: tuple[Epoch, ...]
    state: TrialState  # finished, paused or interrupted
    stopped_early: bool = False
    reason: str = ""  # why it was stopped early
    drift: str = ""  # how our versions, which are those that trained it, differ from those the sweep began with
    checkpoint: File | None = None  # has seen all of `epochs`
    weights: File | None = None
    validation: File | None = None


@dataclass(frozen=True)
class Stopped:
    """A worker has put its job down because it was asked to."""

    kind: ClassVar[str] = "stopped"
    trial: int


@dataclass(frozen=True)
class Paused:
    """A trial has reached a rung, and waits to be promoted."""

    kind: ClassVar[str] = "paused"
    trial: int


@dataclass(frozen=True)
class Pruned:
    """A trial that waited at a rung goes no further, as long as its pruner decides."""

    kind: ClassVar[str] = "pruned"
    trial: int
    reason: str


@dataclass(frozen=True)
class Failed:
    """A job ended in an error."""

    kind: ClassVar[str] = "failed"
    job: Job
    cause: Cause
    message: str
    traceback: str = ""


@dataclass(frozen=True)
class Tracked:
    """Everything of a trial is in MLflow, in this run."""

    kind: ClassVar[str] = "tracked"
    trial: int
    run_id: str


@dataclass(frozen=True)
class Mirrored:
    """MLflow is complete; `revision` says where, and with what."""

    kind: ClassVar[str] = "mirrored"
    revision: str


@dataclass(frozen=True)
class Dropped:
    """A finished trial gives up its checkpoint and weights, to keep the disk small."""

    kind: ClassVar[str] = "dropped"
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
