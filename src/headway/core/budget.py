"""What a study may spend, and what it has spent. A budget that is not given is not limited."""

import re
from dataclasses import asdict, dataclass
from typing import Self

from headway.core.errors import UsageError

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limit a study: `trials` executed, `seconds` of wall time, or both; whichever is used up first ends the search.

    >>> Budget.parse("24 trials or 2 hours")
    Budget(trials=24, seconds=7200.0)
    """

    trials: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.trials is not None and self.trials < 1:
            raise UsageError(f"A budget of {self.trials} trials runs nothing. Give at least 1 trial.")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"A budget of {self.seconds} seconds runs nothing. Give more than 0 seconds.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a budget as people write it: amounts joined by `or` or a comma."""
        trials: int | None = None
        seconds: float | None = None
        for part in re.split(r"\s+or\s+|\s*,\s*", text.strip()):
            match = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([a-z]*)", part.lower())
            if match is None:
                raise UsageError(f"The budget {text!r} cannot be read at {part!r}. {_EXPECTED}")
            amount, unit = float(match[1]), match[2]
            if unit not in _UNITS and unit not in _TRIALS:
                raise UsageError(f"The budget {text!r} has the unknown unit {unit!r}. {_EXPECTED}")
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
