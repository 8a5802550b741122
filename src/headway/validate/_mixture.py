"""The arithmetic of mixture e-processes for normal data, in logarithms. `eprocess` and `noise` call it.

Every e-value here is a likelihood ratio: of an unknown effect, mixed over a normal or half-normal distribution, to
none. The data enter through three numbers. Observations w_i that have mean theta * h_i and one variance give score =
sum h_i w_i, information = sum h_i^2 and squares = sum w_i^2. For plain differences, h_i = 1.

Where the variance is not known, it is integrated out on both sides under the right Haar prior d sigma / sigma. The
ratio then depends on the data only through what no change of unit can alter, so that it is a martingale without an
effect, whatever the true variance (Wang and Ramdas, "Anytime-valid t-tests and confidence sequences for Gaussian
means with unknown variance", Sequential Analysis 44, 2025; Lai, Annals of Statistics 4, 1976). The integral has a
closed form: with k = r / (1 + r * information), r the mixture's variance in units of the data's, and `degrees`
squares in all, it is

    (1 + r * information)^(-1/2) * (1 - k * score^2 / squares)^(-degrees / 2)

and for the half-normal mixture twice that, times a probability of Student's t. Squares of other data with the same
variance simply add to `squares` and `degrees`; with infinitely many of them it is the formula for a known variance.
"""

import math
from dataclasses import dataclass

from headway.core import UsageError

__all__ = ["NOTHING", "Spread", "log_mixture", "log_radius_squared", "spread_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Hold what is known of a variance: a sum of squares with its degrees, or, where they are infinite, the sd."""

    degrees: float
    squares: float = math.nan
    sd: float = math.nan

    def plus(self, squares: float, count: float) -> "Spread":
        """Add the squares of `count` observations; they tell nothing new of a known variance."""
        if math.isinf(self.degrees):
            return self
        return Spread(degrees=self.degrees + count, squares=self.squares + squares)


NOTHING = Spread(degrees=0.0, squares=0.0)


def spread_of(sd: float, degrees: float) -> Spread:
    """Return the spread that a scaled inverse chi-square distribution stands for. Refuse a known one of zero."""
    if sd == 0 and math.isinf(degrees):
        raise UsageError("With a noise that is known to be zero, any difference is proof. Leave it out, or measure it.")
    return Spread(degrees=degrees, sd=sd) if math.isinf(degrees) else Spread(degrees=degrees, squares=degrees * sd * sd)


def log_mixture(score: float, information: float, spread: Spread, *, scale: float, one_sided: bool) -> float:
    """Return the log e-value; `spread` holds all squares, those of the scored observations among them.

    `scale` is the sd of the mixed effects, in sds of one observation. Without any spread there is no evidence: 0.
    """
    if not spread.squares and not math.isinf(spread.degrees):
        return 0.0
    shrink = scale**2 / (1 + scale**2 * information)
    log_e = -math.log1p(scale**2 * information) / 2
    if math.isinf(spread.degrees):
        t = math.sqrt(shrink) * score / spread.sd
        log_e += t * t / 2
    else:
        explained = shrink * score**2 / spread.squares
        log_e -= spread.degrees / 2 * math.log1p(-explained)
        t = math.copysign(math.sqrt(spread.degrees * explained / (1 - explained)), score)
    return log_e + math.log(2) + _log_student(t, spread.degrees) if one_sided else log_e


def log_radius_squared(count: int, residual: Spread, *, scale: float, error: float) -> float:
    """Return the log of the squared distance from the mean at which the two-sided mixture reaches 1 / `error`.

    `residual` holds the squares about the mean of the `count` observations, with `count` degrees for them. Infinite
    where no effect would be enough, which is so for the first few observations of unknown variance.
    """
    needed = math.log1p(scale**2 * count) / 2 - math.log(error)
    shrink = scale**2 / (1 + scale**2 * count)
    if math.isinf(residual.degrees):
        return 2 * math.log(residual.sd) + math.log(2 * needed / shrink) - 2 * math.log(count)
    explained = -math.expm1(-2 * needed / residual.degrees)
    margin = shrink * count - explained
    if margin <= 0:
        return math.inf
    if residual.squares == 0:
        return -math.inf
    return math.log(explained) + math.log(residual.squares) - math.log(count * margin)


def _log_student(t: float, degrees: float) -> float:
    """Return log P(T <= t) of Student's t, the normal's at infinite degrees, also where the probability underflows."""
    # Imported here, since validate is imported by commands that only show a stored verdict.
    from scipy.special import betaln, hyp2f1, log_ndtr, stdtr

    if math.isinf(degrees):
        return float(log_ndtr(t))
    probability = float(stdtr(degrees, t))
    if probability > 1e-200:
        return math.log(probability)
    # Half the incomplete beta function I_x(a, 1/2), by its series (NIST Handbook, 8.17.8).
    a, x = degrees / 2, degrees / (degrees + t * t)
    log_beta = a * math.log(x) + math.log1p(-x) / 2 - math.log(a) - float(betaln(a, 0.5))
    return log_beta + math.log(float(hyp2f1(a + 0.5, 1.0, a + 1.0, x))) - math.log(2)
