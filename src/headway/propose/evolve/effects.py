"""What a change does to a program: it helps, does nothing, or harms; and what one noisy score says of which.

Sizes of gains and of harms are exponential, each with a mean of its own. A normal distribution in their place believes
in the many small gains that there would be if changes helped as often as they harm, and follows them; its tails are so
light, too, that a child which broke would pull its parent down. Simulated, the normal one cost a tenth of what
evolutions of 60 trials come to, also where effects truly are normal (`benchmarks/archive.py`).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Effects", "Told"]

_THIRD = 1 / 3
_PRIOR_COUNTS = 10.0  # changes that the shares begin with, a third of each kind
_SHARED_COUNTS = 4.0  # changes of the common mean size that each side's mean begins with
_DEEP = -35.0  # sds, below which the tail of a normal is taken from its expansion
_ROOT = math.sqrt(2 * math.pi)
_CLEAR = 1e9  # sds: what is so far beyond the noise is as it looks


class Told(NamedTuple):
    """Hold what a gap says of the effect behind it: its mean and variance, chances of gain and harm, their sizes."""

    mean: float
    variance: float
    helpful: float
    harmful: float
    gain: float
    harm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Hold the shares of changes that help and that harm, and the mean sizes of gains and harms, in units of scores."""

    helpful: float = _THIRD
    harmful: float = _THIRD
    gain: float = 1.0
    harm: float = 1.0

    @classmethod
    def guessed(cls, sd: float) -> "Effects":
        """Return effects of this standard deviation, a third of each kind."""
        size = sd / math.sqrt(4 * _THIRD)
        return cls(gain=size, harm=size)

    @classmethod
    def learned(cls, found: Iterable[Told], least: float) -> "Effects":
        """Return shares and sizes by what was told of changes; sizes are `least` at least.

        One step of expectation maximization, from counts that keep a few changes from saying too much.
        """
        number, helpful, harmful, gains, harms = 0, 0.0, 0.0, 0.0, 0.0
        for told in found:
            number += 1
            helpful += told.helpful
            harmful += told.harmful
            gains += told.helpful * told.gain
            harms += told.harmful * told.harm
        common = (gains + harms) / (helpful + harmful) if helpful + harmful > 0 else least
        return cls(
            helpful=(helpful + _PRIOR_COUNTS * _THIRD) / (number + _PRIOR_COUNTS),
            harmful=(harmful + _PRIOR_COUNTS * _THIRD) / (number + _PRIOR_COUNTS),
            gain=max(least, (gains + _SHARED_COUNTS * common) / (helpful + _SHARED_COUNTS)),
            harm=max(least, (harms + _SHARED_COUNTS * common) / (harmful + _SHARED_COUNTS)),
        )

    @property
    def mean(self) -> float:
        """Return the mean effect."""
        return self.helpful * self.gain - self.harmful * self.harm

    @property
    def variance(self) -> float:
        """Return the variance of effects."""
        return 2 * (self.helpful * self.gain**2 + self.harmful * self.harm**2) - self.mean**2

    def told(self, gap: float, variance: float) -> Told:
        """Return what a gap between a child and its parent, known up to this variance, says of the effect."""
        sd = math.sqrt(variance)
        z = gap / sd
        if abs(z) > _CLEAR:
            return Told(gap, variance, float(gap > 0), float(gap < 0), max(gap, 0.0), max(-gap, 0.0))
        up, gain, gain_square = _tail(z, self.gain / sd)
        down, harm, harm_square = _tail(-z, self.harm / sd)
        up += math.log(self.helpful)
        down += math.log(self.harmful)
        none = math.log(1 - self.helpful - self.harmful) - z * z / 2 - math.log(_ROOT)
        most = max(up, down, none)
        up, down, none = math.exp(up - most), math.exp(down - most), math.exp(none - most)
        helpful, harmful = up / (up + down + none), down / (up + down + none)
        mean = helpful * gain - harmful * harm
        spread = helpful * gain_square + harmful * harm_square - mean * mean
        return Told(mean * sd, max(spread, 1e-9) * variance, helpful, harmful, gain * sd, harm * sd)


def _tail(z: float, size: float) -> tuple[float, float, float]:
    """Return the log density of a gap, and mean and mean square of the effect behind it, if it is exponential.

    All in sds of the gap. The effect then is normal about `z - 1 / size`, cut off below zero.
    """
    about = z - 1 / size
    if about < _DEEP:
        below = -1 / about
        log = -z * z / 2 + math.log(below / (size * _ROOT))
        return log, below * (1 - 2 * below * below), 2 * below * below * (1 - 5 * below * below)
    chance = 0.5 * math.erfc(-about / math.sqrt(2))
    hazard = math.exp(-about * about / 2) / (_ROOT * chance)
    mean = about + hazard
    log = math.log(chance / size) - z / size + 0.5 / (size * size)
    return log, mean, max(0.0, 1 - hazard * mean) + mean * mean
