"""What Hydra cannot read is explained, and nothing that was asked for is passed over in silence."""

import shlex

import pytest

from src.base.errors import UserError
from src.config.overrides import (
    explain_ambiguous,
    explain_merge,
    explain_unread,
    explain_value_of_group,
    refuse_several,
    refuse_unused,
)
from tests.unit.examples import config

GROUPS = ("activation", "data")


def test_several_of_a_group_are_refused() -> None:
    """`activation=[relu,tanh]`, of which Hydra makes one, is answered by what may be meant."""
    with pytest.raises(UserError, match=r"search\.space\.activation\.choice=\[relu,tanh\].*-m activation=relu,tanh"):
        refuse_several(["training.epochs=3", "activation=[relu,tanh]"], GROUPS)
    with pytest.raises(UserError, match=r"choose one of them, or run one after the other \(-m data=npz,mnist_5k\)"):
        refuse_several(["data=[npz,mnist_5k]"], GROUPS)
    refuse_several(["architecture.filters=[8,16]", "activation=relu", "activation=[relu]", "=[a,b]"], GROUPS)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("search.space={}", r"search\.space=\{\} changes nothing.*search=single.*~search\.space\.KEY takes a key out"),
        ("search.space.architecture={}", r"changes nothing.*: ~search\.space\.architecture\.KEY takes"),
        (
            "training.early_stopping={ }",
            r"changes nothing.*name the keys to be changed \(training\.early_stopping\.KEY",
        ),
        (
            "search.rung=3",
            r"search\.rung=3 changes nothing with search\.pruner=none: .* top_k, halving, hyperband, asha, m",
        ),
        ("search.keep=3", r"search\.keep=3 changes nothing with search\.pruner=none: keep is used by top_k;"),
        ("search.pruner=halving search.keep=3", r"with search\.pruner=halving: keep is used by top_k;"),
        ("search=cnn_top_k search.factor=2", r"search\.factor=2 changes nothing with search\.pruner=top_k"),
        ("search.pruner=asha search.prefer=cheaper", r"asha: prefer is used by top_k, halving, hyperband;"),
        ("search.confirm_repeats=3", r"search\.confirm_repeats changes nothing without search\.confirm"),
    ],
)
def test_what_would_change_nothing_is_refused(command: str, words: str) -> None:
    """A key that has no effect is a mistake, and the message says what would give it one."""
    overrides = shlex.split(command.replace("{ }", "'{ }'"))
    with pytest.raises(UserError, match=words):
        refuse_unused(overrides, config(*overrides))


@pytest.mark.parametrize(
    "command",
    [
        "search=single search.space={}",  # it is
        "search.pruner=top_k search.rung=3 search.keep=3",
        "search.pruner=median search.rung=3",
        "search.pruner=asha search.factor=2",
        "search=cnn_top_k search.keep=2 search.pruner=none",  # afterwards, for the others too
        "search.confirm=2 search.confirm_repeats=3",
        "search.confirm=0 search.confirm_repeats=3",
        "+search.space.activation.choice=[relu] ~search.space.architecture",
        "architecture.filters=[8,16] training.epochs=3 activation=relu",
    ],
)
def test_what_has_an_effect_is_taken(command: str) -> None:
    """So is what was written to have none."""
    overrides = command.split()
    refuse_unused(overrides, config(*overrides))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("a b", "'a b' cannot be read: write key=value or group=option."),
        ("--force", "'--force' cannot be read: write key=value or group=option."),
        ("=3", "'=3' cannot be read: write key=value or group=option."),
        ("training.epochs", "'training.epochs' cannot be read: write key=value"),
        ("search.constraints=[activation == relu]", "put each constraint in quotes, as in 'search.constraints=[\""),
        ("paths.sweeps=~/x", "write the path in full"),
        ("search.space.a.choice=[3,5", "a bracket is not closed"),
        ("search.space.a.choice=[x=y]", "put words with special characters in quotes"),
        ("data.path=it's", "in quotes of one kind"),
        ("data.path=a(b).npz", "put the value in quotes, and the whole for your shell: \"data.path='a(b).npz'\"."),
    ],
)
def test_what_cannot_be_read(override: str, words: str) -> None:
    """Which override it is, and how to write it."""
    assert words in explain_unread(override) and override in explain_unread(override)


@pytest.mark.parametrize("override", ["name=a\nb", "name=\udcff", "\udcff=3"])
def test_what_cannot_be_printed(override: str) -> None:
    """It is shown in a way that can be."""
    said = explain_unread(override)
    assert said.isprintable() and "leave out what cannot be printed" in said


def test_several_values() -> None:
    """A list, a text or several runs may be meant; of a group one option, one sweep or several runs."""
    said = explain_ambiguous("data.path=a,b", GROUPS)
    assert "data.path=[a,b]" in said and "\"data.path='a,b'\"" in said and "(-m data.path=a,b)" in said
    assert "would mix these into one" in explain_ambiguous("activation=relu,tanh", GROUPS)


def test_what_cannot_be_merged() -> None:
    """A dict where a list belongs, and anything else."""
    assert explain_merge("search.start={a:1}", []) == "search.start is a list: write it as search.start=[{a:1}]."
    assert "cannot be merged into what a.b is: 3" in explain_merge("a.b={c:1}", 3)


def test_a_value_of_a_group() -> None:
    """`training=3` is answered with the group's options."""
    options = {"training": ["default"], "activation": ["relu", "tanh"]}
    said = explain_value_of_group(["activation=relu", "training=3"], options)
    assert said.startswith("training=3: choose one of the group's options (default)") and "training.KEY" in said
    assert "cannot be read" in explain_value_of_group(["activation=relu", "=3"], options)
