"""Jobs: work for a backend. Their kinds are stored with failures."""

from dataclasses import dataclass
from typing import ClassVar

from src.config.trial import TrialConfig
from src.ledger.objective import Objective
from src.ledger.records import Epoch, File


@dataclass(frozen=True)
class CheckJob:
    """Can this point be built?"""

    kind: ClassVar[str] = "check"
    point: int
    configuration: TrialConfig

    @property
    def subject(self) -> int:
        """The point's number."""
        return self.point

    @property
    def threads(self) -> int:
        """That it is done with."""
        return self.configuration.training.num_threads


@dataclass(frozen=True)
class ProbeJob:
    """How fast does this point train?"""

    kind: ClassVar[str] = "probe"
    point: int
    operations: int
    configuration: TrialConfig

    @property
    def subject(self) -> int:
        """The point's number."""
        return self.point

    @property
    def threads(self) -> int:
        """That it is done with."""
        return self.configuration.training.num_threads


@dataclass(frozen=True)
class TrainJob:
    """Train a trial up to an epoch, from its checkpoint if it has one."""

    kind: ClassVar[str] = "train"
    trial: int
    attempt: int
    configuration: TrialConfig
    seed: int
    objective: Objective
    until: int
    last_epoch: int  # of the sweep's trials: what schedules of the learning rate go by
    checkpoint: File | None
    epochs: tuple[Epoch, ...]  # those that the checkpoint has seen
    refit: bool = False  # train on the validation images too
    pauses: bool = False  # at `until`, where it may go on later

    @property
    def subject(self) -> int:
        """The trial's number."""
        return self.trial

    @property
    def threads(self) -> int:
        """That it is trained with."""
        return self.configuration.training.threads_of(len(self.epochs) + 1)

    @property
    def ends(self) -> int:
        """The last epoch that is trained before it is put down, at the latest where other threads take over."""
        return min(self.until, self.configuration.training.last_alike(len(self.epochs) + 1) or self.until)


@dataclass(frozen=True)
class EvaluateJob:
    """Evaluate a trial's best epoch on the test data."""

    kind: ClassVar[str] = "evaluate"
    trial: int
    epoch: int
    configuration: TrialConfig
    weights: File

    @property
    def subject(self) -> int:
        """The trial's number."""
        return self.trial

    @property
    def threads(self) -> int:
        """That it is done with."""
        return self.configuration.training.num_threads


Job = CheckJob | ProbeJob | TrainJob | EvaluateJob


@dataclass(frozen=True)
class Slot:
    """A place where one job runs at a time, as it is at a moment. Numbers start at 1."""

    number: int
    is_ready: bool
    job: Job | None = None
    is_held: bool = False  # the jobs of others need the machine

    @property
    def is_free(self) -> bool:
        """Whether a job may be given to it."""
        return self.is_ready and self.job is None and not self.is_held
