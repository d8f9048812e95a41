"""Optimizers and schedules of the learning rate."""

from typing import Any

import keras
import tensorflow as tf

from src.config.optimizers import Cosine, Exponential, Schedule
from src.config.trial import TrialConfig


class Adam(keras.optimizers.Adam):  # type: ignore[misc]
    """Keras' Adam, whose step is one operation of TensorFlow by the same formula: Keras' own is a dozen small ones."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change a variable and its two moments."""
        if self.amsgrad:
            super().update_step(gradient, variable, learning_rate)
            return
        index, step = self._get_variable_index(variable), tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class AdamW(Adam):
    """Adam with a weight decay, which Keras' base class applies."""


OPTIMIZERS = {
    "adam": Adam,
    "adamw": AdamW,
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
