"""What a study may spend, and what it has spent. A budget that is not given is not limited."""

import math
import re
from dataclasses import asdict, dataclass
from typing import Self

from headway.core.errors import UsageError
from headway.core.names import fields_checked, suggestion

__all__ = ["Budget", "Spent"]

_UNITS = {
    "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0,
    "h": 3600.0, "hour": 3600.0, "hours": 3600.0,
    "d": 86400.0, "day": 86400.0, "days": 86400.0,
}  # fmt: skip
_TRIALS = ("trial", "trials", "")
_EXPECTED = "Expected amounts such as '24 trials', '2 hours', '30 min' or '90 s', joined by 'or': '50 trials or 8 h'."


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Count what was spent: executed trials (an answer from the record is free) and seconds of wall time."""

    trials: int = 0
    seconds: float = 0.0


@fields_checked("headway.Budget(trials=24, seconds=7200)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limit a study: `trials` executed, `seconds` of wall time, or both; whichever is used up first ends the search.

    >>> Budget.parse("24 trials or 2 hours")
    Budget(trials=24, seconds=7200.0)
    """

    trials: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        trials, seconds = self.trials, self.seconds
        if trials is not None and not (type(trials) is int and trials >= 1):
            raise UsageError(f"Budget(trials={trials!r}) runs nothing. Give a whole number from 1, or leave it out.")
        if seconds is not None and not (type(seconds) in (int, float) and 0 < seconds < math.inf):
            raise UsageError(f"Budget(seconds={seconds!r}) runs nothing. Give a number above 0, or leave it out.")

    @classmethod
    def of(cls, budget: "str | Budget") -> "Budget":
        """Return the budget that people gave, as they write it or as a `Budget`."""
        match budget:
            case Budget():
                return budget
            case str():
                return cls.parse(budget)
            case _:  # what Python lets through
                raise UsageError(f"The budget {budget!r} of type {type(budget).__name__} cannot be read. {_EXPECTED}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a budget as people write it: amounts joined by `or` or a comma."""
        trials: int | None = None
        seconds: float | None = None
        for part in re.split(r"\s+or\s+|\s*,\s*", text.strip()):
            amount, unit = _amount(text, part)
            if (trials if unit in _TRIALS else seconds) is not None:
                raise UsageError(f"The budget {text!r} gives the same limit twice, again at {part!r}. Give each once.")
            if unit in _UNITS:
                seconds = amount * _UNITS[unit]
            elif amount == int(amount):
                trials = int(amount)
            else:
                raise UsageError(f"The budget {text!r} has {amount} trials. Give a whole number of them.")
        return cls(trials=trials, seconds=seconds)

    def left(self, spent: Spent) -> "Budget":
        """Return what is left, never below zero; the result may be empty, which `parse` would refuse."""
        rest = object.__new__(Budget)
        object.__setattr__(rest, "trials", None if self.trials is None else max(0, self.trials - spent.trials))
        object.__setattr__(rest, "seconds", None if self.seconds is None else max(0.0, self.seconds - spent.seconds))
        return rest

    def exhausted(self, spent: Spent) -> bool:
        """Tell whether nothing more may start."""
        rest = self.left(spent)
        return rest.trials == 0 or rest.seconds == 0

    def to_json(self) -> dict[str, float | int | None]:
        """Return the budget as JSON."""
        return asdict(self)

    def __str__(self) -> str:
        parts: list[str] = []
        if self.trials is not None:
            parts.append(f"{self.trials} trials")
        if self.seconds is not None:
            parts.append(f"{self.seconds:.10g} s")
        return " or ".join(parts) or "unlimited"


def _amount(text: str, part: str) -> tuple[float, str]:
    """Return the number and the unit of one part of a budget."""
    match = re.fullmatch(r"(-?\d{1,15}(?:\.\d{1,15})?)\s*([a-z]*)", part.lower())
    if match is None:
        raise UsageError(f"The budget {text!r} cannot be read at {part!r}. {_EXPECTED}")
    amount, unit = float(match[1]), match[2]
    if unit not in _UNITS and unit not in _TRIALS:
        near = suggestion(unit, ("trials", "seconds", "minutes", "hours", "days"))
        raise UsageError(f"The budget {text!r} has the unknown unit {unit!r}. {near} {_EXPECTED}")
    if amount <= 0:
        raise UsageError(f"The budget {text!r} runs nothing: {part!r} is not above 0. {_EXPECTED}")
    return amount, unit
