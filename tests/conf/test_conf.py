"""Every file in `conf/` composes, holds what the schema allows, and says what it is."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from src.config.compose import CONF, resolve, validate
from src.config.schema import Config
from src.ledger.history import History
from src.ledger.records import PointState
from src.search.problem import SearchProblem
from src.search.schedule import Schedule
from src.training.network import InputSpec, build
from tests.unit.examples import composed, config, plain, propose, use_one_thread

use_one_thread()

FILES = sorted(CONF.rglob("*.yaml"))
NEEDED = {"data=npz": ["data.path=images.npz"]}  # what an option does not work without


def options(group: str) -> list[str]:
    """`group=option` for each of a group's files."""
    return sorted(f"{group}={path.stem}" for path in (CONF / group).glob("*.yaml"))


def test_every_folder_is_seen() -> None:
    """The tables below are not empty, and files lie no deeper than one folder."""
    assert {path.parent for path in FILES} == {CONF, *(path for path in CONF.iterdir() if path.is_dir())}


@pytest.mark.parametrize("choice", [choice for group in sorted(CONF.iterdir()) for choice in options(group.name)])
def test_each_option_composes(choice: str) -> None:
    """Each option of each group gives a valid configuration that carries the option's values."""
    chosen = config(choice, *NEEDED.get(choice, []))
    group, _, option = choice.partition("=")
    assert getattr(getattr(chosen, group), "name", option) == option


@pytest.mark.parametrize("choice", options("search"))
def test_each_search_can_be_planned(choice: str) -> None:
    """Each search has a space that can be searched in the default configuration; only `single` has nothing in it."""
    assert bool(SearchProblem.of(config(choice)).space.dimensions) == (choice != "search=single")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_each_file_begins_with_what_it_is(path: Path) -> None:
    """The first line of each file, after where Hydra is to put it, is a comment of some words."""
    first = path.read_text().removeprefix("# @package _global_\n").splitlines()[0]
    assert first.startswith("# ") and len(first.split()) >= 4


def test_the_defaults_are_the_double_convolution_network() -> None:
    """With no arguments: MNIST digits, two blocks of 32 and 64 filters, dense 512, Adam, 10 epochs of 64."""
    chosen = config()
    assert chosen.data.name == "mnist_5k" and chosen.optimizer.name == "adam"
    assert chosen.architecture.model_dump(include={"filters", "padding", "dense_units"}) == {
        "filters": [32, 64],
        "padding": ["same", "valid"],
        "dense_units": [512],
    }
    assert (chosen.training.epochs, chosen.training.batch_size) == (10, 64)


# ---------------------------------------------------------------------------------------- experiments


def train(*overrides: str) -> Config:
    """The checked configuration of `python -m src.train`."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return validate(resolve(compose("train", overrides=list(overrides))))


def dense(inputs: int, outputs: int) -> int:
    """Parameters of a dense layer: a weight for each pair, a bias for each output."""
    return inputs * outputs + outputs


def convolution(size: int, channels: int, filters: int) -> int:
    """Parameters of a convolution: for each filter a weight for each place and channel, and a bias."""
    return (size * size * channels + 1) * filters


# What the documents' networks are on 28×28×1 images of 10 classes: parameters; batch size, epochs; convolutions by
# padding and filters, poolings, dense layers and dropouts in their order; what stands at the end.
DOCUMENTS: dict[str, tuple[int, int, int, str, str]] = {
    # same 28, pooled 14, same 14, pooled 7
    "cnn_5x5": (
        convolution(5, 1, 16) + convolution(5, 16, 32) + dense(7 * 7 * 32, 128) + dense(128, 10),
        32,
        5,
        "same16 pool2 same32 pool2 dense128 dense10",
        "softmax",
    ),
    # same 28, valid 26, pooled 13, same 13, valid 11, pooled 5
    "cnn_double_conv": (
        convolution(3, 1, 32)
        + convolution(3, 32, 32)
        + convolution(3, 32, 64)
        + convolution(3, 64, 64)
        + dense(5 * 5 * 64, 512)
        + dense(512, 10),
        64,
        10,
        "same32 valid32 pool2 same64 valid64 pool2 dense512 dense10",
        "softmax",
    ),
    "dnn_128": (dense(784, 128) + dense(128, 10), 32, 10, "dense128 dense10", "softmax"),
    "dnn_dropout": (
        dense(784, 1024) + dense(1024, 512) + dense(512, 256) + dense(256, 10),
        512,
        10,
        "drop0.1 dense1024 drop0.1 dense512 drop0.1 dense256 dense10",
        "softmax",
    ),
    # valid 26, pooled 13, valid 11, pooled 5
    "lenet": (
        convolution(3, 1, 32) + convolution(3, 32, 64) + dense(5 * 5 * 64, 64) + dense(64, 10),
        32,
        10,
        "valid32 pool2 valid64 pool2 dense64 dense10",
        "logits",
    ),
}


def network_of(chosen: Config) -> Any:
    """The model that is trained, on images of MNIST's size."""
    return build(chosen.trial, InputSpec((28, 28, 1), "uint8", 10, 1 / 255), 1, 1, chosen.training.epochs)


def layers(model: Any) -> str:
    """A model's layers in a few words."""
    words = {
        "Conv2D": lambda layer: f"{layer.padding}{layer.filters}",
        "MaxPooling2D": lambda layer: f"pool{layer.pool_size[0]}",
        "Dense": lambda layer: f"dense{layer.units}",
        "Dropout": lambda layer: f"drop{layer.rate}",
    }
    return " ".join(words[kind](layer) for layer in model.layers if (kind := type(layer).__name__) in words)


def test_every_experiment_is_known_here() -> None:
    """The table above holds every file."""
    assert {f"experiment={name}" for name in DOCUMENTS} == set(options("experiment"))


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("data", options("data"))
def test_each_experiment_composes_on_any_data(name: str, data: str) -> None:
    """An experiment is one trial under its own name, on whatever data, and what is written beside it comes first."""
    chosen = train(f"experiment={name}", data, *NEEDED.get(data, []), "training.batch_size=7", "activation=tanh")
    assert (chosen.experiment, chosen.data.name) == (name, data.partition("=")[2])
    assert (chosen.training.batch_size, chosen.activation.name) == (7, "tanh")
    assert chosen.search.name == "single" and not SearchProblem.of(chosen).space.dimensions


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_experiment_is_its_documents_network(name: str) -> None:
    """Parameters, layers, head, batch size and epochs are those of the document; ReLU and Adam as Keras has them."""
    parameters, batch_size, epochs, shape, head = DOCUMENTS[name]
    chosen = train(f"experiment={name}")
    assert (chosen.training.batch_size, chosen.training.epochs) == (batch_size, epochs)
    model = network_of(chosen)
    assert model.count_params() == parameters
    assert layers(model) == shape
    assert chosen.architecture.head == head
    assert type(model.optimizer).__name__ == "Adam" and float(model.optimizer.learning_rate) == pytest.approx(0.001)
    assert chosen.activation.name == "relu" and chosen.schedule.name == "constant"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_experiment_can_be_swept(name: str) -> None:
    """The same file is a base for a sweep: its network, with the sweep's space over it."""
    chosen = config(f"experiment={name}", "search=activations")
    assert (chosen.experiment, chosen.search.name) == (name, "activations")
    assert chosen.architecture == train(f"experiment={name}").architecture
    assert [dimension.key for dimension in SearchProblem.of(chosen).space.dimensions] == ["activation"]


def test_training_without_an_experiment() -> None:
    """`src.train` alone is one trial of the default configuration."""
    chosen = train()
    assert chosen.experiment is None and chosen.search.name == "single"
    usual = validate(composed(()))
    assert chosen.model_dump(exclude={"search"}) == usual.model_dump(exclude={"search"})


@pytest.mark.parametrize(
    "overrides",
    [(), ("search.strategy=random", "search.max_trials=5"), ("search.strategy=grid", "search.max_trials=5")],
)
def test_an_empty_space_is_one_point(overrides: tuple[str, ...]) -> None:
    """With nothing to search there is one point, by grid and by random, however many trials are asked for."""
    for chosen in (train(*overrides), config("search=single", *overrides), emptied(*overrides)):
        problem = SearchProblem.of(chosen)
        history = History(problem.objective)
        for _ in range(2):  # the second time there is nothing new
            propose(Schedule.of(problem, history))
        (point,) = history.points
        assert point.values == {} and point.state == PointState.UNCHECKED
        assert point.configuration == chosen.trial
        assert chosen.architecture.model_dump() == plain()["architecture"] | {
            "filters": [32, 64],
            "padding": ["same", "valid"],
            "dense_units": [512],
        }


def emptied(*overrides: str) -> Config:
    """Another search, all of whose space was taken out."""
    values = plain("search=cnn_grid", *overrides)
    values["search"]["space"] = {}
    return validate(values)
