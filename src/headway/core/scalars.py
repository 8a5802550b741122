"""Plain values as people give them to a search space: what counts as a number, as a range, as a constant."""

import math
import numbers
from typing import TypeGuard, cast

from headway.core.errors import SpaceError

__all__ = ["Scalar", "check_constant", "check_range", "is_real", "is_whole"]

Scalar = bool | int | float | str | None


def is_real(value: object) -> TypeGuard[float]:
    """Tell whether it is a number, NumPy's included; True is none."""
    return not isinstance(value, bool) and isinstance(value, numbers.Real)


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whether it is a whole number, NumPy's included; True is none, and neither is 2.0."""
    return not isinstance(value, bool) and isinstance(value, numbers.Integral)


def check_range(kind: str, low: object, high: object, log: bool, step: object) -> None:
    """Raise `SpaceError` where the ends of a range, its scale and its step do not go together."""
    for name, value in (("low", low), ("high", high), ("step", 1 if step is None else step)):
        if not is_real(value):
            raise SpaceError(f"{kind} has {name}={value!r}. Expected a number, as in {kind}(1, 8).")
    bottom, top, grain = cast("float", low), cast("float", high), cast("float | None", step)
    if not (math.isfinite(bottom) and math.isfinite(top) and math.isfinite(top - bottom)):
        raise SpaceError(f"{kind}({low}, {high}) is not bounded. Give finite bounds.")
    if bottom > top:
        raise SpaceError(f"{kind}({low}, {high}) has low above high. Swap them: {kind}({high}, {low}).")
    if log and bottom <= 0:
        raise SpaceError(f"{kind}({low}, {high}, log=True) includes {low}, which has no logarithm. Start above 0.")
    if grain is not None and (log or not 0 < grain < math.inf):
        raise SpaceError(
            f"{kind}({low}, {high}) has step={step}{' with log=True' if log else ''}: use one positive "
            "step on a linear scale, or a logarithmic scale without a step."
        )


def check_constant(name: str, value: object) -> Scalar:
    """Return a value that may stand in a space for itself, or raise `SpaceError`."""
    if not isinstance(value, bool | int | float | str | None):
        options = list(cast("list[object]", value)) if isinstance(value, list | tuple) else None
        several = "" if options is None else f"; for a list of options write Choice({options!r})"
        raise SpaceError(
            f"The parameter {name!r} is {value!r}. Expected Float(low, high), Int(low, high), Choice([...]), or a "
            f"plain value for a constant{several}."
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise SpaceError(
            f"The parameter {name!r} is {value!r}, which has no JSON form. Give a finite number or a name."
        )
    return value
