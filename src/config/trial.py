"""What decides one trial: architecture, activation, optimizer, schedule, training; every key with its type and range.

Validation also makes one number for all blocks a list, so that equal networks compare equal."""

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from src.config.marks import IDENTITY
from src.config.optimizers import Optimizer, Schedule
from src.config.strict import Rate, Strict


def as_list(value: Any) -> Any:
    """One value as a list of one."""
    return value if isinstance(value, list) else [value]


def spread(value: Any, length: int, key: str, per: str) -> Any:
    """One value becomes a list of `length`; a list of another length is an error."""
    if not isinstance(value, list):
        return [value] * length
    if len(value) != length:
        raise ValueError(f"{len(value)} values of {key} for {length} {per}: give one for all, or one for each")
    return value


class Cnn(Strict):
    """Blocks of convolutions and a pooling, then dense layers.

    Fields are validated in this order, so a count stands before what it counts.
    """

    name: Literal["cnn"]
    blocks: Annotated[int, Field(ge=1, le=10)]
    filters: list[PositiveInt]
    convolutions: Annotated[int, Field(ge=1, le=10)]
    kernel: PositiveInt
    padding: list[Literal["same", "valid"]]
    pool: PositiveInt
    block_dropout: Rate
    batch_norm: bool
    dense_layers: Annotated[int, Field(ge=0, le=10)]
    dense_units: list[PositiveInt]
    dense_dropout: Rate
    head: Literal["softmax", "logits"]

    @field_validator("filters", "padding", "dense_units", mode="before")
    @classmethod
    def one_for_each(cls, value: Any, info: ValidationInfo) -> Any:
        """One number stands for every block, convolution or layer."""
        counted = {"filters": "blocks", "padding": "convolutions", "dense_units": "dense_layers"}
        count = counted[str(info.field_name)]
        length = info.data.get(count)
        return as_list(value) if length is None else spread(value, length, str(info.field_name), count)


class Dnn(Strict):
    """Dense layers on the flattened image."""

    name: Literal["dnn"]
    units: Annotated[list[PositiveInt], Field(min_length=1), BeforeValidator(as_list)]
    input_dropout: Rate
    dropout: list[Rate]
    batch_norm: bool
    head: Literal["softmax", "logits"]

    @field_validator("dropout", mode="before")
    @classmethod
    def one_for_each(cls, value: Any, info: ValidationInfo) -> Any:
        """One rate stands for every layer."""
        units = info.data.get("units")
        return as_list(value) if units is None else spread(value, len(units), "dropout", "layers")


Architecture = Annotated[Cnn | Dnn, Field(discriminator="name")]


class Plain(Strict):
    """An activation without parameters."""

    name: Literal["sigmoid", "tanh", "silu", "selu", "softplus"]


class Relu(Strict):
    """max(x, 0) and Keras' variations of it."""

    name: Literal["relu"]
    negative_slope: NonNegativeFloat
    max_value: PositiveFloat | None
    threshold: NonNegativeFloat


class Elu(Strict):
    """Exponential linear unit."""

    name: Literal["elu"]
    alpha: NonNegativeFloat


class Gelu(Strict):
    """Gaussian error linear unit."""

    name: Literal["gelu"]
    approximate: bool


class LeakyRelu(Strict):
    """x above 0, negative_slope * x below."""

    name: Literal["leaky_relu"]
    negative_slope: NonNegativeFloat


Activation = Annotated[Plain | Relu | Elu | Gelu | LeakyRelu, Field(discriminator="name")]


class EarlyStopping(Strict):
    """When a trial ends before its last epoch."""

    patience: PositiveInt | None
    min_delta: NonNegativeFloat


class ReduceLr(Strict):
    """When a trial lowers its learning rate."""

    patience: PositiveInt | None
    factor: Annotated[float, Field(gt=0, lt=1)]
    min_delta: NonNegativeFloat
    min_lr: NonNegativeFloat


Metric = Literal["accuracy", "balanced_accuracy", "macro_f1"]


class Training(Strict):
    """How one trial is trained. For how many epochs is a budget, and stands in `schema.Training`."""

    batch_size: PositiveInt
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"]
    precision: Literal["float32", "mixed_bfloat16", "auto"]
    early_stopping: EarlyStopping
    reduce_lr: ReduceLr
    epoch_size: PositiveInt | None = None
    loss: Literal["crossentropy", "focal"] = "crossentropy"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    metrics: list[Metric] = ["accuracy"]
    more_threads: list[Annotated[list[PositiveInt], Field(min_length=2, max_length=2)]] = []

    @field_validator("more_threads")
    @classmethod
    def later_and_later(cls, value: list[list[int]]) -> list[list[int]]:
        """Each pair holds from its epoch on, up to the next."""
        if [epoch for epoch, _ in value] != sorted({epoch for epoch, _ in value}):
            raise ValueError("each pair is [epoch, threads], and epochs rise")
        return value

    @field_validator("metrics")
    @classmethod
    def accuracy_and_others(cls, value: list[str]) -> list[str]:
        """Tables and conclusions are about accuracy, so that it is always measured; each metric once."""
        if "accuracy" not in value:
            raise ValueError("accuracy is always measured: add it")
        return sorted(set(value))

    @property
    def num_threads(self) -> int:
        """Of one worker: in a sweep that exists, `auto` has become a number."""
        assert self.threads != "auto"
        return self.threads

    def threads_of(self, epoch: int) -> int:
        """With which an epoch is trained; the first is 1."""
        return [self.num_threads, *(threads for first, threads in self.more_threads if first <= epoch)][-1]

    def last_alike(self, epoch: int) -> int | None:
        """The last epoch that is trained with the threads of this one; None: all are."""
        return next((first - 1 for first, _ in self.more_threads if first > epoch), None)


class TrialConfig(Strict):
    """What decides one trial's result, together with data, seed and, where a schedule depends on it, the last epoch."""

    architecture: Annotated[Architecture, IDENTITY]
    activation: Annotated[Activation, IDENTITY]
    optimizer: Annotated[Optimizer, IDENTITY]
    schedule: Annotated[Schedule, IDENTITY]
    training: Annotated[Training, IDENTITY]

    @model_validator(mode="after")
    def one_learning_rate(self) -> "TrialConfig":
        """Two rules for the learning rate contradict each other."""
        scheduled = self.schedule.name != "constant" or self.schedule.warmup_epochs
        if self.training.reduce_lr.patience and scheduled:
            raise ValueError(
                "training.reduce_lr and a schedule would both set the learning rate: "
                "choose schedule=constant without warm-up, or training.reduce_lr.patience=null"
            )
        return self

    @property
    def depends_on_epochs(self) -> bool:
        """Whether the last epoch changes what happens before it."""
        return self.schedule.name == "cosine"

    def refuse_epochs(self, epochs: int) -> None:
        """Raises ValueError where a schedule has no room in so many epochs."""
        if self.depends_on_epochs and self.schedule.warmup_epochs >= epochs:
            raise ValueError(
                f"schedule.warmup_epochs={self.schedule.warmup_epochs} leaves no epoch for the cosine: "
                f"training.epochs is {epochs}"
            )

    def identity(self) -> dict[str, Any]:
        """All keys as plain values; those of a later version only where they differ from what was before."""
        return self.model_dump(exclude_defaults=True)
