"""What a key of the configuration is for: said once, on its field, and read from there."""

from enum import Enum
from typing import Any, get_args

from pydantic import BaseModel


class Mark(Enum):
    """A field without a mark has that of its group."""

    IDENTITY = "decides results: a part of the sweep's fingerprint"
    BUDGET = "how far to go: may differ from one invocation to the next, and is recorded with each"
    SETTING = "neither: where things are and how they run"


IDENTITY, BUDGET, SETTING = Mark


def pick(model: BaseModel, mark: Mark, plain: dict[str, Any], inherited: Mark | None = None) -> dict[str, Any]:
    """Those keys of `plain`, which is the model's dump, that have a mark; groups without any are left out."""
    picked: dict[str, Any] = {}
    for name, own in field_marks(type(model), inherited).items():
        value = getattr(model, name)
        if name not in plain:
            continue
        if not isinstance(value, BaseModel):
            picked |= {name: plain[name]} if own == mark else {}
        elif (inner := pick(value, mark, plain[name], own)) or (own == mark and not plain[name]):
            picked[name] = inner
    return picked


def field_marks(kind: type[BaseModel], inherited: Mark | None = None) -> dict[str, Mark | None]:
    """Each field of a model and its mark."""
    return {
        name: next((mark for mark in field.metadata if isinstance(mark, Mark)), inherited)
        for name, field in kind.model_fields.items()
    }


def all_marks(kind: type[BaseModel], prefix: str = "", inherited: Mark | None = None) -> dict[str, set[Mark | None]]:
    """Dotted key → its marks, one unless the alternatives of a group disagree."""
    found: dict[str, set[Mark | None]] = {}
    for name, mark in field_marks(kind, inherited).items():
        parts = groups_of(kind.model_fields[name].annotation)
        for part in parts:
            for key, marks in all_marks(part, f"{prefix}{name}.", mark).items():
                found.setdefault(key, set()).update(marks)
        if not parts:
            found.setdefault(f"{prefix}{name}", set()).add(mark)
    return found


def groups_of(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [group for part in get_args(annotation) for group in groups_of(part)]
