"""pydantic's errors as sentences: the key, what it holds, what is allowed."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from src.base.errors import suggest
from src.base.text import show_value
from src.config.schema import Search

ALLOWED = {  # pydantic's kind of error → what a value should be; {…} is of its context
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    "finite_number": "a finite number",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "string_type": "text",
    "string_pattern_mismatch": "letters, digits, '.', '_' or '-', at most 100, the first a letter or a digit",
    **dict.fromkeys(("string_too_short", "too_short"), "should not be empty"),
    "list_type": "a list, such as [a,b]",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "keys with values, such as {{key: value}}"),
    "literal_error": "{expected}",
    "union_tag_not_found": "keys with values, a name among them",
}
SHOWN = 60  # characters of a value


def explain_all(error: ValidationError, plain: dict[str, Any]) -> list[str]:
    """One line for each key that is wrong; what a key of several types may be stands on its line."""
    lines: dict[str, list[str]] = {}
    for details in error.errors():
        subject, message = explain(details, plain)
        said = lines.setdefault(subject, [])
        if message not in said:  # one value stands for several blocks, convolutions or layers
            said.append(message)
    return [f"{subject}: {join(messages)}" if subject else "; ".join(messages) for subject, messages in lines.items()]


def join(messages: list[str]) -> str:
    """What a value should be, once; other sentences one after the other."""
    alternatives = [message.removeprefix("should be ") for message in messages if message.startswith("should be ")]
    others = [message for message in messages if not message.startswith("should be ")]
    return "; ".join([*([f"should be {' or '.join(alternatives)}"] if alternatives else []), *others])


def explain(details: ErrorDetails, plain: dict[str, Any]) -> tuple[str, str]:
    """One of pydantic's errors: the key and what it holds; what is wrong or allowed."""
    key = locate(details["loc"], plain)
    kind, found, context = details["type"], details["input"], details.get("ctx", {})
    step = str(details["loc"][-1]) if details["loc"] else ""
    if kind == "extra_forbidden":
        return key, f"there is no such key{suggest(step, siblings(key, plain) - {step})}"
    if kind == "missing":
        return f"{key}.{step}".lstrip("."), "this key is needed and absent"
    if kind == "union_tag_invalid":
        return f"{key}.name={found['name']}", f"allowed are {context['expected_tags']}"
    if kind == "value_error":
        return key, details["msg"].removeprefix("Value error, ")
    words = ALLOWED[kind].format_map(context) if kind in ALLOWED else details["msg"].removeprefix("Input should be ")
    hint = hint_at_word(key, found, context["expected"]) if kind == "literal_error" else ""
    shown = show_value(found)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
    return f"{key}={shown}", f"{'' if words.startswith('should') else 'should be '}{words}{hint}"


def hint_at_word(key: str, found: Any, expected: str) -> str:
    """Which word may be meant instead of one that is not allowed, or which key has it."""
    near = difflib.get_close_matches(str(found), re.findall("'([^']*)'", expected), n=1)
    homes = [f"search.{name}" for name, field in Search.model_fields.items() if found in words_of(field.annotation)]
    if near:
        return f"; did you mean '{near[0]}'?"
    return f" ({found} is a value of {homes[0]})" if homes and homes[0] != key else ""


def words_of(annotation: Any) -> Iterable[Any]:
    """The words that a key may hold, where it holds one of some."""
    return getattr(annotation, "__args__", ())


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
