"""Mistakes of a command line: what Hydra cannot read, said in a sentence, and what it would pass over in silence."""

import re
from collections.abc import Collection, Iterable
from typing import Any

from src.base.errors import UserError
from src.config.identity import GROUPS, flatten
from src.config.schema import Config, Search

CONSTRAINT = '"architecture.dense_units <= 8 * architecture.filters"'
USED_BY = {  # a key of the search → the pruners that use it
    "rung": ("top_k", "halving", "hyperband", "asha", "median"),
    "keep": ("top_k",),
    "factor": ("halving", "hyperband", "asha"),
    "prefer": ("top_k", "halving", "hyperband"),
}


def refuse_several(overrides: Iterable[str], groups: Collection[str]) -> None:
    """Raises UserError for `activation=[relu,tanh]`, of which Hydra would make one of both."""
    for group, _, names in (override.partition("=") for override in overrides):
        if group in groups and names.startswith("[") and "," in names:
            raise UserError(explain_several(group, names[1:-1]))


def explain_several(group: str, names: str) -> str:
    """For several options of a group, of which a configuration holds one."""
    sweep = f"compare them in one sweep (search=single '+search.space.{group}.choice=[{names}]'), "
    return (
        f"{group}=[{names}] would mix these into one: choose one of them, {sweep * (group in GROUPS)}"
        f"or run one after the other (-m {group}={names})."
    )


def refuse_unused(overrides: Iterable[str], config: Config) -> None:
    """Raises UserError for what was asked for and would change nothing."""
    written = dict(override.partition("=")[::2] for override in overrides)
    for key, value in written.items():
        if re.fullmatch(r"\{\s*\}", value) and is_filled(config, key):
            raise UserError(explain_empty(key))
    for key, pruners in USED_BY.items():
        refuse_unpruned(written, config.search, key, pruners)
    if "search.confirm_repeats" in written and not config.search.confirm and "search.confirm" not in written:
        raise UserError("search.confirm_repeats changes nothing without search.confirm: add search.confirm=3.")


def explain_empty(key: str) -> str:
    """For `search.space={}`."""
    words = f"{key}={{}} changes nothing, since Hydra merges it into what is there"
    if not key.startswith("search.space"):
        return f"{words}: name the keys to be changed ({key}.KEY=…)."
    one = "search=single has nothing to search, and " if key == "search.space" else ""
    return f"{words}: {one}~{key}.KEY takes a key out."


def is_filled(config: Config, key: str) -> bool:
    """Whether a dotted key holds other keys."""
    return any(name.startswith(f"{key}.") for name in flatten(config.model_dump()))


def refuse_unpruned(written: dict[str, str], search: Search, key: str, pruners: tuple[str, ...]) -> None:
    """Raises UserError for a pruner's setting where another one prunes, or none, unless none was asked for."""
    is_meant = written.get("search.pruner") == "none"
    if f"search.{key}" in written and search.pruner not in pruners and not is_meant:
        raise UserError(
            f"search.{key}={written[f'search.{key}']} changes nothing with search.pruner={search.pruner}: "
            f"{key} is used by {', '.join(pruners)}; choose one of them (search.pruner={pruners[0]}), or leave it out."
        )


# ------------------------------------------------------------------------- what Hydra cannot read


def explain_unread(override: str) -> str:
    """For an override that Hydra's grammar does not have."""
    key, sign, value = override.partition("=")
    if not sign or not key or key.startswith("-") or re.search(r"\s", key):
        return f"'{override}' cannot be read: write key=value or group=option."
    if not override.isprintable():
        return f"{override!r} cannot be read: leave out what cannot be printed."
    if key.lstrip("+") == "search.constraints":
        return f"{override} cannot be read: put each constraint in quotes, as in 'search.constraints=[{CONSTRAINT}]'."
    if value.startswith("~"):
        return f"{override} cannot be read: write the path in full, since your shell leaves this ~ as it is."
    if any(value.count(a) != value.count(b) for a, b in ("[]", "{}", "()")):
        return f"{override} cannot be read: a bracket is not closed."
    if value.startswith(("[", "{")):
        return f"{override} cannot be read: put words with special characters in quotes, and the whole for your shell."
    if any(sign in value for sign in "'\"$"):
        return f"{override} cannot be read: put the value in quotes of one kind, and the whole in those of the other."
    return f"{override} cannot be read: put the value in quotes, and the whole for your shell: \"{key}='{value}'\"."


def explain_ambiguous(override: str, groups: Collection[str]) -> str:
    """For `training.epochs=1,2`."""
    key, _, values = override.partition("=")
    if key in groups:
        return explain_several(key, values)
    return (
        f"{override} is several values: write a list as {key}=[{values}], a text as \"{key}='{values}'\", "
        f"or run one after the other (-m {key}={values})."
    )


def explain_merge(override: str, held: Any) -> str:
    """For `search.start={…}`, which Hydra cannot merge into a list."""
    key, _, value = override.partition("=")
    if isinstance(held, list):
        example = f"{key}=[{value}]" if key == "search.start" else f"{key}=[a,b]"
        return f"{key} is a list: write it as {example}."
    return f"{override} cannot be merged into what {key} is: {held}."


def explain_value_of_group(overrides: Iterable[str], options: dict[str, list[str]]) -> str:
    """For `training=3`, where a group's option belongs."""
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign or not key:
            return explain_unread(override)
        if key in options and value not in options[key]:
            known = ", ".join(options[key])
            return f"{override}: choose one of the group's options ({known}), or change one of its keys ({key}.KEY=…)."
    return "write group=option or key=value."
