"""pydantic's errors as sentences: the key, what it holds, what is allowed."""

from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from src.base.errors import suggest
from src.base.text import show_value


def explain_all(error: ValidationError, plain: dict[str, Any]) -> list[str]:
    """One line for each key that is wrong; what a key of several types may be stands on its line."""
    lines: dict[str, str] = {}
    for details in error.errors():
        subject, message = explain(details, plain)
        lines[subject] = f"{lines[subject]}, or {message}" if subject in lines else message
    return [f"{subject}: {message}" if subject else message for subject, message in lines.items()]


def explain(details: ErrorDetails, plain: dict[str, Any]) -> tuple[str, str]:
    """One of pydantic's errors: the key and what it holds; what is wrong or allowed."""
    key = locate(details["loc"], plain)
    kind, found = details["type"], details["input"]
    step = str(details["loc"][-1]) if details["loc"] else ""
    if kind == "extra_forbidden":
        return key, f"there is no such key{suggest(step, siblings(key, plain) - {step})}"
    if kind == "missing":
        return f"{key}.{step}".lstrip("."), "this key is needed and absent"
    if kind == "union_tag_invalid":
        return f"{key}.name={found['name']}", f"allowed are {details['ctx']['expected_tags']}"
    message = details["msg"].removeprefix("Value error, ").replace("Input should", "should")
    return (key if kind == "value_error" else f"{key}={show_value(found)}"), message


def locate(location: tuple[int | str, ...], plain: dict[str, Any]) -> str:
    """The dotted key of the deepest existing part that pydantic's location names.

    Steps that exist only in the schema, such as the branch of a union, are left out.
    """
    keys: list[str] = []
    node: Any = plain
    for step in location:
        inside = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        if step in inside:
            node = node[step]
            keys.append(str(step))
    return ".".join(keys)


def siblings(key: str, plain: dict[str, Any]) -> set[str]:
    """The keys that stand beside a dotted key."""
    node: Any = plain
    for step in key.split(".")[:-1]:
        node = node[int(step)] if isinstance(node, list) else node[step]
    return {str(k) for k in node}
