"""What decides a sweep's results, and how two configurations differ."""

from typing import Any

from pydantic import ValidationError

from src.base.errors import UserError
from src.config.explain import explain_all
from src.config.marks import BUDGET, IDENTITY, pick
from src.config.schema import Config, trial_keys
from src.config.trial import TrialConfig

GROUPS = tuple(TrialConfig.model_fields)  # what can be searched


def validate_trial(plain: dict[str, Any]) -> TrialConfig:
    """One trial's keys of a configuration, in canonical form: equal networks have equal forms. Raises UserError."""
    try:
        found = TrialConfig.model_validate(trial_keys(plain))
        found.refuse_epochs(plain["training"]["epochs"])
    except ValidationError as error:
        raise UserError("; ".join(explain_all(error, plain))) from None
    except ValueError as error:
        raise UserError(str(error)) from None
    return found


def identity(config: Config, data_digest: str) -> dict[str, Any]:
    """What decides a sweep's results. Two configurations with equal identities are one sweep.

    A key or a group that was added later is left out as long as it has the value of before.
    """
    parts = pick(config, IDENTITY, config.as_written(exclude_defaults=True))
    if depends_on_epochs(config):
        parts["training"]["epochs"] = config.training.epochs
    return {"data": {**parts.pop("data"), "digest": data_digest}, **parts}


def budget(config: Config) -> dict[str, Any]:
    """How far an invocation is to go, as the configuration says it."""
    return pick(config, BUDGET, config.model_dump())


def depends_on_epochs(config: Config) -> bool:
    """Whether the number of epochs changes what happens within them, so that more is another sweep."""
    entry = config.search.space.get("schedule", {})
    choices = entry.get("choice", []) if isinstance(entry, dict) else []
    return "cosine" in {config.schedule.name, *(choice.get("name") for choice in choices if isinstance(choice, dict))}


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one of dotted keys; lists stay values."""
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, child in value.items():
        flat |= flatten(child, f"{prefix}.{key}" if prefix else str(key))
    return flat


def differences(old: dict[str, Any], new: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted key → (old, new) wherever two nested dicts differ; None stands for an absent key."""
    a, b = flatten(old), flatten(new)
    return {key: (a.get(key), b.get(key)) for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)}
