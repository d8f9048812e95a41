"""The README is held to the code."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from src.config.compose import CONF, resolve, validate
from src.search.problem import Plan

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
HEADERS = "\n".join(path.read_text() for path in sorted(CONF.rglob("*.yaml")))
WORDS = ("GROUP=", "…")  # of a command's general form
SWEEPS = sorted(
    command
    for command in set(re.findall(r"python -m src\.sweep ([^\n`#]*?)(?:\s{2,}.*)?(?:`|\n)", README + HEADERS))
    if not any(word in command for word in WORDS)
)


@pytest.mark.parametrize("command", SWEEPS)
def test_commands_compose(command: str) -> None:
    """Every sweep command in the README and in the YAML headers is one that the schema and the space accept."""
    overrides = [word for word in shlex.split(command) if not word.startswith("--") and word != "job"]
    if "training.epoch=5" in overrides:
        pytest.skip("the README shows it as a mistake")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = validate(resolve(compose("config", [o.replace("FILE", "file") for o in overrides])))
    Plan.of(config)


def test_commands_are_found() -> None:
    """The test above reads commands at all."""
    assert len(SWEEPS) > 8


def test_tree_names_every_module() -> None:
    """The annotated tree has a line for each file of `src/`, and names none that does not exist."""
    there = {path.name for path in (ROOT / "src").glob("*.py")} - {"__init__.py"}
    named = {Path(name).name for name in re.findall(r"`(src/\w+\.py)`", README)}
    assert named == there


def test_groups_name_every_option() -> None:
    """The table of groups lists the options that exist."""
    for group, cell in re.findall(r"^\| `(\w+)` \| (.*) \|$", README, re.MULTILINE):
        options = set(re.findall(r"`(\w+)`", cell))
        assert options == {path.stem for path in (CONF / group).glob("*.yaml")}, group


def test_make_targets_exist() -> None:
    """Every make target the README names is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert (
        set(re.findall(r"`make (\w+)`|\$ make (\w+)", README))
        and {name for pair in re.findall(r"`make (\w+)`|\$ make (\w+)", README) for name in pair if name} <= targets
    )
