"""Optimizers and schedules of the learning rate: their keys, types and ranges."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from src.config.strict import Rate, Strict


class OptimizerBase(Strict):
    """Common to every optimizer; the other keys are Keras' own arguments."""

    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat | None


class Adam(OptimizerBase):
    """Adam and AdamW."""

    name: Literal["adam", "adamw"]
    beta_1: Rate
    beta_2: Rate
    epsilon: PositiveFloat
    amsgrad: bool

    @model_validator(mode="after")
    def adamw_needs_weight_decay(self) -> "Adam":
        """Keras takes no AdamW without."""
        if self.name == "adamw" and self.weight_decay is None:
            raise ValueError("adamw needs weight_decay as a number: optimizer.weight_decay=0 is none")
        return self


class Nadam(OptimizerBase):
    """Adam with Nesterov momentum."""

    name: Literal["nadam"]
    beta_1: Rate
    beta_2: Rate
    epsilon: PositiveFloat


class Sgd(OptimizerBase):
    """Gradient descent."""

    name: Literal["sgd"]
    momentum: Rate
    nesterov: bool

    @model_validator(mode="after")
    def nesterov_needs_momentum(self) -> "Sgd":
        """Keras ignores `nesterov` without momentum: say so instead."""
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov=true needs momentum above 0 (0.9 is usual)")
        return self


class Rmsprop(OptimizerBase):
    """RMSprop."""

    name: Literal["rmsprop"]
    rho: Rate
    momentum: Rate
    epsilon: PositiveFloat
    centered: bool


class Lion(OptimizerBase):
    """Lion."""

    name: Literal["lion"]
    beta_1: Rate
    beta_2: Rate


Optimizer = Annotated[Adam | Nadam | Sgd | Rmsprop | Lion, Field(discriminator="name")]


class Constant(Strict):
    """The learning rate throughout."""

    name: Literal["constant"]
    warmup_epochs: NonNegativeInt


class Cosine(Strict):
    """Half a cosine down to `final` of the learning rate at the last epoch."""

    name: Literal["cosine"]
    warmup_epochs: NonNegativeInt
    final: Annotated[float, Field(ge=0, le=1)]


class Exponential(Strict):
    """A factor an epoch."""

    name: Literal["exponential"]
    warmup_epochs: NonNegativeInt
    decay: Annotated[float, Field(gt=0, le=1)]


Schedule = Annotated[Constant | Cosine | Exponential, Field(discriminator="name")]
