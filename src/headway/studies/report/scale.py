"""Axes: from values to pixels, and the round numbers to write beside them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headway.studies.report.words import typographic

__all__ = ["Scale", "quantile", "spread"]

_HUGE = 1e300  # so that a span stays finite, and its inverse too
_FLAT = 1e-12  # of the size: below it, floats make steps of what should be a line
_FAR = 4.0  # spans outside of the axis that a pixel may lie: enough to leave the picture at nearly the true slope


@dataclass(frozen=True, slots=True)
class Scale:
    """Map [low, high] to pixels from `start` to `end`, evenly or in the logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def over(cls, low: float, high: float, start: float, end: float, *, log: bool = False) -> "Scale":
        """Make a scale over a range that may be empty, a single point or too large to subtract."""
        low, high = (min(max(end, -_HUGE), _HUGE) for end in (min(low, high), max(low, high)))
        log = log and low > 1 / _HUGE
        if high - low <= max(_FLAT * max(abs(low), abs(high)), 1 / _HUGE):
            low, high = (low / 2, high * 2) if log else (low - _half(low), high + _half(high))
        return cls(low, high, start, end, log)

    def at(self, value: float) -> float:
        """Return a value's pixel. Values far outside lie a few spans outside."""
        if self.log:
            low, high, value = math.log(self.low), math.log(self.high), math.log(max(value, 1e-300))
        else:
            low, high = self.low, self.high
        part = (min(max(value, -_HUGE), _HUGE) - low) / (high - low)
        return self.start + min(max(part, -_FAR), _FAR) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Tell whether a value lies on the axis."""
        return self.low <= value <= self.high

    def ticks(self, wanted: int = 5) -> list[tuple[float, str]]:
        """Return about so many round values with their texts."""
        if self.log and len(powers := self._powers(wanted)) >= 2:
            return [(value, _plain(value)) for value in powers]
        step = _round_step((self.high - self.low) / max(wanted, 1))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = [index * step for index in range(first, min(last, first + 20) + 1)]
        return [(value, _stepped(value, step, max(abs(self.low), abs(self.high)))) for value in values]

    def _powers(self, wanted: int) -> list[float]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        decades = range(first, last + 1)
        for multiples in ((1,), (1, 3), (1, 2, 5)):
            values = [float(f"{part}e{power}") for power in decades for part in multiples]
            inside = [value for value in values if self.holds(value)]
            if len(inside) >= min(3, wanted):
                return inside[:: max(1, math.ceil(len(inside) / (wanted + 1)))]
        return inside


def spread(values: Sequence[float], margin: float = 0.05) -> tuple[float, float]:
    """Return the range of values, widened a little; (0, 1) where there are none."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = margin * (high - low)
    return (low - room, high + room) if math.isfinite(room) else (low, high)


def quantile(ordered: Sequence[float], part: float) -> float:
    """Return the value below which `part` of the ordered values lie."""
    return ordered[min(len(ordered) - 1, max(0, round(part * (len(ordered) - 1))))]


def _half(end: float) -> float:
    return abs(end) / 2 if abs(end) > 2 / _HUGE else 0.5


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if rough <= factor * power * (1 + 1e-9))


def _stepped(value: float, step: float, largest: float) -> str:
    if step >= 1e6 or largest >= 1e7:
        return _large(value)
    if step >= 1000:
        return typographic(f"{value / 1000:g}k") if value else "0"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return typographic(f"{value + 0.0:.{decimals}f}" if decimals <= 5 else f"{value:.3g}")


def _large(value: float) -> str:
    return typographic(f"{value / 1e6:g}M" if abs(value) < 1e9 else f"{value:.3g}") if value else "0"


def _plain(value: float) -> str:
    return typographic(
        f"{value:g}" if 1e-4 < abs(value) < 1e5 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")
    )
