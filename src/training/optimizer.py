"""Optimizers and schedules of the learning rate."""

from typing import Any

import keras

from src.config.optimizers import Cosine, Exponential, Schedule
from src.config.trial import TrialConfig

OPTIMIZERS = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "lion": keras.optimizers.Lion,
}


def make_optimizer(configuration: TrialConfig, steps_per_epoch: int, epochs: int) -> Any:
    """Keras' optimizer with its arguments and the schedule of its learning rate; `epochs` is the last one."""
    arguments = configuration.optimizer.model_dump(exclude={"name", "learning_rate"})
    rate = make_schedule(configuration.schedule, configuration.optimizer.learning_rate, steps_per_epoch, epochs)
    return OPTIMIZERS[configuration.optimizer.name](learning_rate=rate, **arguments)


def make_schedule(schedule: Schedule, rate: float, steps_per_epoch: int, epochs: int) -> Any:
    """A number, or Keras' schedule of it by training step, after a linear warm-up if asked for."""
    warmup = schedule.warmup_epochs * steps_per_epoch
    after: Any = rate
    if isinstance(schedule, Cosine):
        after = keras.optimizers.schedules.CosineDecay(
            rate, max(epochs * steps_per_epoch - warmup, 1), alpha=schedule.final
        )
    elif isinstance(schedule, Exponential):
        after = keras.optimizers.schedules.ExponentialDecay(rate, steps_per_epoch, schedule.decay)
    return WarmUp(rate, warmup, after) if warmup else after


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """From rate/steps up to `rate` in `steps` equal steps; then `after`, a number or a schedule."""

    def __init__(self, rate: float, steps: int, after: Any) -> None:
        self.rate, self.steps, self.after = rate, steps, after

    def __call__(self, step: Any) -> Any:
        step = keras.ops.cast(step, "float32")
        later = self.after(keras.ops.maximum(step - self.steps, 0.0)) if callable(self.after) else self.after
        return keras.ops.where(step < self.steps, self.rate * (step + 1) / self.steps, later)

    def get_config(self) -> dict[str, Any]:
        """For Keras' serialisation."""
        return {"rate": self.rate, "steps": self.steps, "after": self.after}
