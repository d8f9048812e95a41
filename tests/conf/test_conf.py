"""Every file in `conf/` composes, holds what the schema allows, and says what it is."""

from pathlib import Path

import pytest

from src.config import CONF
from src.plan import Plan
from tests.unit.examples import config

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
    """Each search has a space that can be searched in the default configuration."""
    assert Plan.of(config(choice)).dimensions


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_each_file_begins_with_what_it_is(path: Path) -> None:
    """The first line of each file is a comment of some words."""
    first = path.read_text().splitlines()[0]
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
