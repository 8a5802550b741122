"""Values that are written as literals or as arithmetic of these (`2**19`, `-1`, `64 * 1024`), and their texts."""

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from headway.core import Scalar, UsageError

_LARGEST = 2**63
_LARGEST_EXPONENT = 128
_LARGEST_PART = 2**256  # of a sum or a product on the way
_Operation = Callable[[Any, Any], Any]
_OPERATIONS: Mapping[type[ast.operator], _Operation] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Pow: lambda a, b: a**b,
}


@dataclass(frozen=True, slots=True)
class Folded:
    """Hold a literal's value."""

    value: Scalar


def folded(node: ast.expr) -> Folded | None:
    """Return the value of a literal or of arithmetic of numbers, or None. `None` itself is no value."""
    try:
        value = _value(node)
    except (ArithmeticError, TypeError, ValueError, RecursionError):
        return None
    if isinstance(value, bool | str):
        return Folded(value)
    fits = isinstance(value, int | float) and math.isfinite(value) and abs(value) < _LARGEST
    return Folded(value) if fits else None


def literal_text(name: str, value: object, old: str) -> str:
    """Return how a value is written in the place of `old`: a power of two stays one.

    >>> literal_text("TOTAL_BATCH_SIZE", 2**20, "2**19")
    '2**20'
    """
    if isinstance(value, bool | str):
        return repr(value)
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"The knob {name!r} cannot be {value!r}. Give a finite number, a text or a truth value.")
    if isinstance(value, int) and old.replace(" ", "").startswith("2**") and value > 0 and value.bit_count() == 1:
        mark = " ** " if " " in old else "**"
        return f"2{mark}{value.bit_length() - 1}"
    return repr(value)


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            first, second = _number(left), _number(right)
            if max(abs(first), abs(second)) > _LARGEST_PART:
                return None  # a power tower would be computed for ever
            if isinstance(op, ast.Pow) and (abs(second) > _LARGEST_EXPONENT or abs(first) > _LARGEST):
                return None
            return _OPERATIONS[type(op)](first, second)
        case _:
            return None


def _number(node: ast.expr) -> int | float:
    value = _value(node)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{ast.unparse(node)} is no number")
    return value
