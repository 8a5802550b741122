"""Evidence that may be looked at after every run. `studies` feeds it paired differences and stops when it is enough.

An e-value is a bet against "the candidate is not better": its expectation is at most 1 where that is true. So the
chance that it ever reaches 1 / alpha is at most alpha (Ville 1939), however often one looks and for whatever reason
one stops. A t-test looked at 20 times at 5 % is wrong more than 20 % of the time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from headway.core import UsageError
from headway.validate._evidence import least_further
from headway.validate._mixture import NOTHING, Spread, log_mixture, log_radius_squared, spread_of
from headway.validate.noise import Noise

__all__ = ["EProcess", "Interval", "evidence", "further_pairs", "spread_evidence"]

_SCALES = (1.0, 3.0, 10.0)
_ROUNDING = 1e-24  # of the squares, relative: what equal differences leave when their mean is subtracted


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Hold an interval for the effect in the metric's units; infinite where the data do not bound it yet."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EProcess:
    """Weigh, difference by difference, whether a candidate is better than its baseline.

    Differences of pairs are positive where the candidate is better. The null hypothesis is an effect of zero or less,
    as a research loop asks one thing of an idea: take it, or not. Effects are mixed over a half-normal distribution
    with the sd `scale`, in sds of one difference. At 1, its default, effects of 1 to 5 sds of one run are found soon:
    of 1.5 within 8 pairs on average where the noise is known, within 11 where it is not (`python -m benchmarks
    peeking`).

    `noise` is what is known of the noise of one difference (`difference_noise` turns that of one run into it):

    - None: nothing. The variance is learned from the differences, and any true variance will do.
    - Finite degrees that are residuals of A/A runs (`learn_noise` without a prior): data. The guarantee is exact if the
      noise is the same here, and the runs are others than those of the pairs.
    - Finite degrees that came from earlier experiments (`learn_noise` with a prior): a prior. The guarantee then
      holds on average over experiments like those, and not within one whose noise is unusually large.
    - Infinite: known. If the true sd is smaller, the guarantee still holds; if it is larger, it does not.

    `aa` differences (a baseline against itself, other runs) may be given to `start`, and enter as data.

    Differences are taken for independent and normal. Those without any spread are no infinite evidence: n of them give
    at most 2^n, what their signs prove.

    The log e-value at a stop that depends on nothing but the e-process and chance may be multiplied with others and
    handed to `OnlineFdr`. With unknown variance, a rule that looks at the size of the differences is not covered by
    that (the bound of `decided` is).

    >>> process = EProcess.start(noise=Noise(0.1))
    >>> for difference in (0.2, 0.3, 0.25, 0.35):
    ...     process = process.after(difference)
    >>> process.decided(0.05)
    True
    """

    noise: Noise | None = None
    scale: float = 1.0
    count: int = 0
    mean: float = 0.0
    residual: float = 0.0  # squares about the mean
    highest: float = 0.0  # log e-value so far; an e-process begins at 1

    def __post_init__(self) -> None:
        """Refuse a noise that would make any difference infinite evidence, and a scale that mixes nothing."""
        _spread(self.noise)
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise UsageError(f"The scale {self.scale} mixes no effects. Give one above 0; 1 is good for most.")

    @classmethod
    def start(cls, noise: Noise | None = None, aa: Sequence[float] = (), scale: float = 1.0) -> Self:
        """Begin without a difference. `aa`: differences that are known to have no effect, as data on their noise."""
        return cls(noise=_with_known_null(noise, aa), scale=scale)

    def after(self, difference: float) -> Self:
        """Return the process with one difference more. Raise `UsageError` if it is not finite."""
        _check_finite([difference])
        count = self.count + 1
        step = difference - self.mean
        mean = self.mean + step / count
        grown = replace(self, count=count, mean=mean, residual=self.residual + step * (difference - mean))
        return replace(grown, highest=max(self.highest, grown.log_e))

    @property
    def log_e(self) -> float:
        """Return the natural logarithm of the e-value now. It may fall again; `highest` is where it has been."""
        squares = self.residual + self.count * self.mean**2
        spread = _spread(self.noise).plus(squares, self.count)
        log_e = log_mixture(self.count * self.mean, self.count, spread, scale=self.scale, one_sided=True)
        without_spread = _spread(self.noise).plus(self.residual, 0).squares <= _ROUNDING * squares
        return min(log_e, self.count * math.log(2)) if without_spread else log_e

    def decided(self, alpha: float) -> bool:
        """Tell whether the candidate is better, with a chance of at most `alpha` that this is ever said wrongly."""
        return self.highest >= -math.log(_checked(alpha))

    def interval(self, level: float) -> Interval:
        """Return an interval that holds the effect at all times together with the chance `level`.

        It is the two-sided normal mixture's (Robbins, Annals of Mathematical Statistics 41, 1970). What
        `decided(alpha)` accepts now lies above zero in `interval(1 - 2 * alpha)`.
        """
        error = 1 - _checked(level)
        if self.count == 0:
            return Interval(low=-math.inf, high=math.inf)
        residual = _spread(self.noise).plus(self.residual, self.count)
        log_squared = log_radius_squared(self.count, residual, scale=self.scale, error=error)
        radius = math.exp(log_squared / 2) if log_squared < math.inf else math.inf
        return Interval(low=self.mean - radius, high=self.mean + radius)


def evidence(differences: Sequence[float], noise: Noise | None = None, aa: Sequence[float] = ()) -> float:
    """Return the log e-value of all differences together, for the end of a confirmation. See `EProcess`.

    It is the mean of three e-values, with scales of 1, 3 and 10: few pairs of unknown noise prove a large effect only
    where large ones were bet on (four pairs at scale 1 never reach 23, whatever they are), and for small ones the mean
    costs little.

    >>> round(evidence([0.3, 0.2, 0.25, 0.4, 0.35]), 1)
    4.8
    """
    _check_finite(differences)
    mean = math.fsum(differences) / max(1, len(differences))
    residual = math.fsum((difference - mean) ** 2 for difference in differences)
    starts = [EProcess.start(noise, aa, scale) for scale in _SCALES]
    return _mean([replace(start, count=len(differences), mean=mean, residual=residual) for start in starts])


def spread_evidence(pairs: int, effect: float, sd: float) -> float:
    """Return the `evidence` of so many differences with this mean and standard deviation, of unknown noise."""
    residual = sd * sd * (pairs - 1)
    return _mean([EProcess(scale=scale, count=pairs, mean=effect, residual=residual) for scale in _SCALES])


def further_pairs(pairs: int, effect: float, sd: float, log_e: float) -> int | None:
    """Return how many further pairs bring the evidence to `log_e`, if they are like those that there are.

    `effect` and `sd` are the mean and the standard deviation of the `pairs` differences. None if more than 1,000.
    """

    def enough(count: int) -> bool:
        return spread_evidence(count, effect, sd) >= log_e

    return least_further(pairs, enough)


def _mean(processes: Sequence[EProcess]) -> float:
    logs = [process.log_e for process in processes]
    highest = max(logs)
    return highest + math.log(math.fsum(math.exp(log - highest) for log in logs) / len(logs))


def _spread(noise: Noise | None) -> Spread:
    return spread_of(noise.sd, noise.degrees) if noise else NOTHING


def _with_known_null(noise: Noise | None, aa: Sequence[float]) -> Noise | None:
    _check_finite(aa)
    if not aa or (noise is not None and math.isinf(noise.degrees)):
        return noise
    pooled = _spread(noise).plus(math.fsum(value * value for value in aa), len(aa))
    return Noise(math.sqrt(pooled.squares / pooled.degrees), pooled.degrees)


def _check_finite(differences: Sequence[float]) -> None:
    wrong = [difference for difference in differences if not math.isfinite(difference)]
    if wrong:
        raise UsageError(f"A difference of {wrong[0]} is no evidence. Leave the pair out, or count the run as failed.")


def _checked(probability: float) -> float:
    if not 0 < probability < 1:
        raise UsageError(f"{probability} is no probability. Give one between 0 and 1, such as 0.05 for alpha.")
    return probability
