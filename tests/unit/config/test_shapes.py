"""Sizes by arithmetic are those of the networks that are built."""

from collections.abc import Iterator
from random import Random
from typing import Any

import keras
import pytest

from src.config.compose import CONF
from src.config.identity import validate_trial
from src.config.shapes import NetworkSize, measure
from src.config.trial import TrialConfig
from src.search.points import configure
from src.search.problem import SearchProblem
from src.training.network import InfeasibleError, InputSpec, build, count_bytes, count_operations
from tests.unit.examples import config, trial_config, use_one_thread

use_one_thread()
MNIST = (28, 28, 1)
SHAPES = [(8, 8, 1), (9, 7, 2), (28, 28, 1), (32, 20, 3)]
SMALL = ("architecture=dnn", "architecture.units=[3]", "architecture.batch_norm=true", "architecture.dropout=0.5")
PRESETS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
GRID = SearchProblem.of(config("search=cnn_grid"))
OPTIMIZERS: dict[str, list[tuple[str, ...]]] = {
    "adam": [(), ("amsgrad=true",), ("weight_decay=0.1",)],
    "adamw": [(), ("amsgrad=true",)],
    "nadam": [(), ("weight_decay=0.1",)],
    "sgd": [(), ("momentum=0.9",), ("momentum=0.9", "nesterov=true"), ("weight_decay=0.1",)],
    "rmsprop": [(), ("centered=true",), ("momentum=0.9",), ("momentum=0.9", "centered=true")],
    "lion": [(), ("weight_decay=0.1",)],
}
SCHEDULES = {
    f"{path.stem} after {warmup}": (f"schedule={path.stem}", f"schedule.warmup_epochs={warmup}")
    for path in sorted((CONF / "schedule").glob("*.yaml"))
    for warmup in (0, 2)
}


@pytest.fixture
def forget_models() -> Iterator[None]:
    """Keras keeps what it has built until it is told, which takes a while: for tests that build many."""
    yield
    keras.backend.clear_session()


def built(configuration: TrialConfig, shape: tuple[int, ...], num_classes: int) -> NetworkSize:
    """What building the network says of it."""
    try:
        model = build(configuration, InputSpec(shape, "uint8", num_classes, 1 / 255), 1, 1, 1)
    except InfeasibleError as error:
        return NetworkSize(str(error))
    return NetworkSize("", model.count_params(), count_operations(model), count_bytes(model))


def random_network(random: Random) -> dict[str, Any]:
    """A small CNN or DNN of any kind."""

    def rate() -> float:
        return random.choice([0.0, 0.3])

    common = {"batch_norm": random.random() < 0.5, "head": random.choice(["softmax", "logits"])}
    if random.random() < 0.25:
        units = [random.randint(1, 9) for _ in range(random.randint(1, 3))]
        return {"name": "dnn", "units": units, "dropout": [rate() for _ in units], "input_dropout": rate(), **common}
    blocks, convolutions, dense_layers = random.randint(1, 3), random.randint(1, 2), random.randint(0, 2)
    return {
        "name": "cnn",
        "blocks": blocks,
        "filters": [random.randint(1, 6) for _ in range(blocks)],
        "convolutions": convolutions,
        "kernel": random.randint(1, 6),
        "padding": [random.choice(["same", "valid"]) for _ in range(convolutions)],
        "pool": random.randint(1, 4),
        "block_dropout": rate(),
        "dense_layers": dense_layers,
        "dense_units": [random.randint(1, 9) for _ in range(dense_layers)],
        "dense_dropout": rate(),
        **common,
    }


def random_case(seed: int) -> tuple[TrialConfig, tuple[int, ...], int]:
    """A configuration, an image's shape and a number of classes."""
    random = Random(seed)
    values = trial_config().model_dump()
    values["architecture"] = random_network(random)
    values["training"]["precision"] = random.choice(["float32", "mixed_bfloat16"])
    return TrialConfig.model_validate(values), random.choice(SHAPES), random.randint(2, 12)


def test_by_hand() -> None:
    """A network counted by hand: normalised units, dropout, and Adam with its two numbers of its own."""
    trained = 64 * 3 + 3 + 2 * 3 + 3 * 5 + 5
    expected = NetworkSize("", trained + 2 * 3, 64 * 3 + 3 * 5, 4 * (3 * trained + 2 * 3 + 2 + 2))
    assert measure(trial_config(*SMALL), (8, 8, 1), 5) == expected


@pytest.mark.parametrize("preset", PRESETS)
def test_presets(preset: str) -> None:
    """Every preset is as large as it is built."""
    chosen = trial_config(f"experiment={preset}")
    assert measure(chosen, MNIST, 10) == built(chosen, MNIST, 10)


@pytest.mark.usefixtures("forget_models")
def test_the_grid() -> None:
    """So are all points of the documents' grid, of which 24 of 64 cannot be built."""
    space, plain = GRID.space, GRID.plain
    points = [validate_trial(configure(plain, space.dimensions, values)) for values in space.grid]
    sizes = [measure(chosen, MNIST, 10) for chosen in points]
    assert sizes == [built(chosen, MNIST, 10) for chosen in points]
    assert (len(sizes), sum(bool(size.reason) for size in sizes)) == (64, 24)


def test_every_option_is_tried() -> None:
    """The table above holds every optimizer."""
    assert set(OPTIMIZERS) == {path.stem for path in (CONF / "optimizer").glob("*.yaml")}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str) -> None:
    """What an optimizer keeps beside the weights is counted, in each of its variants."""
    for keys in OPTIMIZERS[name]:
        chosen = trial_config(*SMALL, f"optimizer={name}", *(f"optimizer.{key}" for key in keys))
        assert measure(chosen, (8, 8, 1), 3) == built(chosen, (8, 8, 1), 3), keys


@pytest.mark.parametrize("optimizer", ["nadam", "sgd"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules(schedule: str, optimizer: str) -> None:
    """A learning rate is kept unless a schedule, or a warm-up alone, gives it."""
    chosen = trial_config(*SMALL, f"optimizer={optimizer}", *SCHEDULES[schedule])
    assert measure(chosen, (8, 8, 1), 3) == built(chosen, (8, 8, 1), 3)


@pytest.mark.usefixtures("forget_models")
@pytest.mark.parametrize("part", range(6))
def test_any_network(part: int) -> None:
    """Of any configuration, image and number of classes the size, or the reason, is that of building."""
    for seed in range(10 * part, 10 * part + 10):
        case = random_case(seed)
        assert measure(*case) == built(*case), seed


def test_any_network_is_of_all_kinds() -> None:
    """Most of the configurations above can be built, and others fail by a convolution or by a pooling."""
    reasons = [measure(*random_case(seed)).reason for seed in range(60)]
    kinds = [sum(kind in reason for reason in reasons) for kind in ("convolution", "pooling")]
    assert min(kinds) >= 3 and reasons.count("") >= 30


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 7, 1), (7, 8, 1)])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("kernel", "pool"), [(8, 1), (1, 8), (7, 2)])
def test_what_just_fits(kernel: int, pool: int, padding: str, shape: tuple[int, ...]) -> None:
    """A window of its image's size fits; one that is larger by one, on either side, does not."""
    keys = {"blocks": 1, "filters": 2, "convolutions": 1, "kernel": kernel, "pool": pool, "padding": padding}
    values = trial_config().model_dump()
    values["architecture"] |= {**keys, "dense_units": 3}
    chosen = TrialConfig.model_validate(values)
    assert measure(chosen, shape, 2) == built(chosen, shape, 2)
