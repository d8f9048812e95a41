"""Constraints between keys, as expressions: `architecture.dense_units <= 8 * architecture.filters`.

They are parsed and worked out here, node by node; nothing of them is ever run as code.
"""

import ast
import difflib
import operator
from collections.abc import Callable, Collection, Iterator
from typing import Any

from src.base.errors import RefusedError, UserError, suggest

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
}
MAX_LENGTH = 500  # characters of an expression
Values = dict[str, Any]  # dotted key → value


class NotSetError(Exception):
    """An expression references a key that this point does not have."""


def parse(text: str, known: Collection[str]) -> ast.expr:
    """An expression, checked. Raises UserError for what is not one, or references unknown keys."""
    try:
        if len(text) > MAX_LENGTH:
            raise SyntaxError(f"longer than {MAX_LENGTH} characters")
        node = ast.parse(text.strip(), mode="eval").body
        names = list(read_names(node))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        words = getattr(error, "msg", str(error))
        example = "architecture.dense_units <= 8 * architecture.filters"
        raise UserError(f"search.constraints: '{text}': {words}; write it as in: {example}") from error
    for name in names:
        if name not in known:
            raise UserError(f"search.constraints: '{text}': there is no key '{name}'{explain_unknown(name, known)}.")
    return node


def explain_unknown(name: str, known: Collection[str]) -> str:
    """Which key may be meant; what has no dot is rather a word that stands there without quotes."""
    if "." in name:
        return suggest(name, known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"{f' (perhaps {near[0]})' if near else ''}; a word needs quotes of its own: '{name}'"


def holds(node: ast.expr, values: Values) -> bool:
    """Whether a point meets an expression; one that references keys that it does not have is met."""
    try:
        return bool(work_out(node, values))
    except NotSetError:
        return True
    except (TypeError, ZeroDivisionError, LookupError, OverflowError) as error:
        raise RefusedError(f"search.constraints: '{ast.unparse(node)}' cannot be evaluated: {error}.") from error


def read_names(node: ast.AST) -> Iterator[str]:
    """The keys that an expression references. Raises SyntaxError for what is not allowed in one."""
    match node:
        case ast.Name() | ast.Attribute():
            yield dotted(node)
        case ast.Constant(value=int() | float() | str() | None):
            pass
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in OPERATORS for op in ops):
            for part in (left, *others):
                yield from read_names(part)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            yield from read_names(left)
            yield from read_names(right)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
            yield from read_names(operand)
        case ast.BoolOp(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            for part in parts:
                yield from read_names(part)
        case ast.Subscript(value=value, slice=ast.Constant(value=int())):
            yield from read_names(value)
        case _:
            raise SyntaxError(f"'{ast.unparse(node)}' is not allowed here")


def work_out(node: ast.AST, values: Values) -> Any:
    """The value of an expression."""
    match node:
        case ast.Name() | ast.Attribute():
            return look_up(dotted(node), values)
        case ast.Constant(value=value):
            return value
        case ast.Compare(left=left, ops=ops, comparators=others):
            parts = [work_out(part, values) for part in (left, *others)]
            return all(OPERATORS[type(op)](a, b) for op, a, b in zip(ops, parts, parts[1:], strict=False))
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](*numbers(work_out(left, values), work_out(right, values)))
        case ast.UnaryOp(op=op, operand=operand):
            return OPERATORS[type(op)](work_out(operand, values))
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(work_out(part, values) for part in parts)
        case ast.BoolOp(values=parts):
            return any(work_out(part, values) for part in parts)
        case ast.Subscript(value=value, slice=ast.Constant(value=int() as index)):
            return entry(work_out(value, values), index)
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [work_out(part, values) for part in parts]
    raise AssertionError(f"{node} was not checked")


def numbers(*values: Any) -> tuple[Any, ...]:
    """Only these are reckoned with: a text times a number would fill the memory."""
    for value in values:
        if not isinstance(value, int | float):
            raise TypeError(f"{value!r} is no number")
    return values


def look_up(name: str, values: Values) -> Any:
    """The value of a key."""
    if values.get(name) is None:  # None stands for a key whose condition fails
        raise NotSetError(name)
    return values[name]


def entry(items: Any, index: int) -> Any:
    """An entry of a list, if the point's is so long."""
    if isinstance(items, list) and index >= len(items):
        raise NotSetError(str(index))
    return items[index]


def dotted(node: ast.AST) -> str:
    """`architecture.filters`. Raises SyntaxError for anything else with a dot in it."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
    raise SyntaxError(f"'{ast.unparse(node)}' is not allowed here")
