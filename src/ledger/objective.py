"""What a sweep selects by, and which epoch is the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from src.ledger.records import Epoch


@dataclass(frozen=True)
class Objective:
    """A metric of validation that trials are selected by."""

    name: str  # its key in an epoch's metrics
    is_higher_better: bool
    tie_breaker: str  # the metric that decides between equals; better the other way round
    unit: str  # of a difference, in sentences
    factor: int  # from the metric to that unit
    axis: str  # the unit's name on an axis
    per_image: Literal["right", "loss"]  # what is stored of each validation image, whose mean the metric is

    def __str__(self) -> str:
        return self.name

    def score(self, metrics: dict[str, float]) -> tuple[float, float]:
        """Lower is better, whatever the direction: by the metric, ties by the other one."""
        value, other = metrics[self.name], metrics[self.tie_breaker]
        return (-value, other) if self.is_higher_better else (value, -other)

    def is_reached(self, value: float, target: float) -> bool:
        """Whether a value is as good as a target."""
        return value >= target if self.is_higher_better else value <= target

    def best_epoch(self, epochs: Sequence[Epoch]) -> Epoch:
        """The first of the best epochs; the last one of a trial that had no validation images."""
        if self.name not in epochs[-1].metrics:
            return epochs[-1]
        return min(epochs, key=lambda epoch: self.score(epoch.metrics))


ACCURACY = Objective("val_accuracy", True, "val_loss", " points", 100, "percentage points", "right")
LOSS = Objective("val_loss", False, "val_accuracy", "", 1, "val_loss", "loss")
OBJECTIVES = {objective.name: objective for objective in (ACCURACY, LOSS)}
