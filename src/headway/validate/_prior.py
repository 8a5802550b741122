"""What ideas do to a metric before one is run: few help, some do nothing, many harm. `race` filters with it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.core import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Posterior", "Prior", "climb", "learn_prior", "posterior"]

_ROUNDS, _CLOSE = 200, 1e-4
_SMALLEST_SCALE = 0.02  # of the noise's sd: a smaller effect cannot be told from none by runs that anybody pays


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Hold how the effects of ideas are spread, in units of the sd of one run's noise; positive is better.

    A share `good` helps, by an exponential with mean `gain`; a share `bad` harms, by one with mean `harm`; the others
    do nothing at all. `strength` tells how many ideas the prior is worth when it is learned further.
    """

    good: float
    bad: float
    gain: float
    harm: float
    strength: float = 15.0

    def __post_init__(self) -> None:
        """Refuse shares and means that are none."""
        shares = 0 < self.good < 1 and 0 <= self.bad < 1 and self.good + self.bad <= 1
        means = all(0 < mean < math.inf for mean in (self.gain, self.harm))
        if not (shares and means and 0 <= self.strength < math.inf):
            raise UsageError(
                f"{self} is no prior. Give shares above 0 with a sum of at most 1, means above 0 in units of the "
                "noise's sd, and a finite strength of at least 0."
            )

    @classmethod
    def default(cls) -> "Prior":
        """Return what to believe of ideas before any has been run: 6 % help, by one sd of the noise."""
        return cls(good=0.06, bad=0.5, gain=1.0, harm=2.0)

    @classmethod
    def from_json(cls, data: dict[str, float]) -> "Prior":
        """Return the prior that `to_json` wrote. Raises `UsageError` for other fields."""
        try:
            return cls(**data)
        except TypeError as error:
            raise UsageError(
                f"{data} is no prior. Give an object with good, bad, gain, harm and strength, as to_json writes it."
            ) from error

    def to_json(self) -> dict[str, float]:
        """Return the prior as JSON."""
        return {name: getattr(self, name) for name in ("good", "bad", "gain", "harm", "strength")}

    def scaled(self, factor: float) -> "Prior":
        """Return the same prior in other units: all effects are `factor` times as large."""
        return Prior(
            good=self.good, bad=self.bad, gain=self.gain * factor, harm=self.harm * factor, strength=self.strength
        )


@dataclass(frozen=True, slots=True)
class Posterior:
    """Hold, for each of several estimates, what its true effect may be.

    `evidence` is the density of the estimate before it was made. `good` and `bad` are the chances that the effect is
    above and below 0, `gain` and `harm` its expected sizes where it is.
    """

    evidence: "Array"
    good: "Array"
    bad: "Array"
    gain: "Array"
    harm: "Array"
    mean: "Array"
    variance: "Array"


def posterior(prior: Prior, estimate: "Array", variance: "Array") -> Posterior:
    """Return the posterior of effects that were estimated with normal errors of these variances.

    An exponential with mean m under a normal likelihood leaves a normal with mean x - variance / m, cut off at 0, and
    the density of x is exp(variance / (2 m^2) - x / m) Phi(x / s - s / m) / m (Grushka, Analytical Chemistry 44, 1972).
    """
    import numpy as np

    sd = np.sqrt(variance)
    log_good, gain, gain_square = _cut_off(estimate, sd, prior.gain)
    log_bad, harm, harm_square = _cut_off(-estimate, sd, prior.harm)
    null = 1 - prior.good - prior.bad
    logs = np.stack(
        [
            log_good + math.log(prior.good),
            log_bad + _log(prior.bad),
            -0.5 * (estimate / sd) ** 2 - np.log(sd) - 0.5 * math.log(2 * math.pi) + _log(null),
        ]
    )
    top = logs.max(axis=0)
    shares = np.exp(logs - top)
    total = shares.sum(axis=0)
    good, bad = shares[0] / total, shares[1] / total
    mean = good * gain - bad * harm
    return Posterior(
        evidence=np.exp(top) * total,
        good=good,
        bad=bad,
        gain=gain,
        harm=harm,
        mean=mean,
        variance=np.maximum(good * gain_square + bad * harm_square - mean**2, 0.0),
    )


def learn_prior(effects: Sequence[float], standard_errors: Sequence[float], *, start: Prior | None = None) -> Prior:
    """Learn the prior from estimated effects, in units of the noise's sd, by expectation-maximization.

    `start` (by default `Prior.default()`) counts as `strength` more ideas that were seen without error, so few effects
    do not say much. Effects may come from earlier studies; pass the result to the next `Race`. Choosing which ideas
    get further seeds by their first results does no harm here, leaving ideas out by their results does.

    Source: Dempster, Laird and Rubin, JRSS B 39 (1977), with the pseudo-observations of a conjugate prior.
    """
    import numpy as np

    start = start or Prior.default()
    estimate, errors = np.asarray(effects, dtype=float), np.asarray(standard_errors, dtype=float)
    if estimate.shape != errors.shape or not (np.isfinite(estimate).all() and (errors > 0).all()):
        raise UsageError(
            f"{len(effects)} effects with {len(standard_errors)} standard errors teach no prior. Give as many finite "
            "effects as standard errors above 0."
        )
    found = climb(start, start, estimate, errors**2, _ROUNDS) if len(effects) else start
    return Prior(
        good=found.good, bad=found.bad, gain=found.gain, harm=found.harm, strength=start.strength + len(effects)
    )


def climb(start: Prior, found: Prior, estimate: "Array", variance: "Array", rounds: int) -> Prior:
    """Go up the posterior of priors from `found`, where `start` is what was believed before the estimates."""
    for _ in range(rounds):
        previous, found = found, _maximized(start, posterior(found, estimate, variance), len(estimate))
        if all(abs(was - now) <= _CLOSE * was for was, now in zip(_fields(previous), _fields(found), strict=True)):
            break
    return found


def _maximized(start: Prior, seen: Posterior, count: int) -> Prior:
    good, bad = float(seen.good.sum()), float(seen.bad.sum())
    was_good, was_bad = start.strength * start.good, start.strength * start.bad
    return Prior(
        good=(good + was_good) / (count + start.strength),
        bad=(bad + was_bad) / (count + start.strength),
        gain=max(_mean(float(seen.good @ seen.gain), good, start.gain, was_good), _SMALLEST_SCALE),
        harm=max(_mean(float(seen.bad @ seen.harm), bad, start.harm, was_bad), _SMALLEST_SCALE),
        strength=start.strength,
    )


def _mean(total: float, weight: float, start: float, strength: float) -> float:
    return (total + start * strength) / (weight + strength) if weight + strength else start


def _fields(prior: Prior) -> tuple[float, ...]:
    return (prior.good, prior.bad, prior.gain, prior.harm)


def _cut_off(estimate: "Array", sd: "Array", scale: float) -> "tuple[Array, Array, Array]":
    """Return the log density of the estimates under an exponential, and the first two moments of the effect."""
    import numpy as np
    from scipy.special import log_ndtr

    at = estimate / sd - sd / scale
    tail = log_ndtr(at)
    density = tail + 0.5 * (sd / scale) ** 2 - estimate / scale - math.log(scale)
    # Below -30 the two terms of the mean cancel; the series of Mills' ratio is exact there.
    far = np.minimum(at, -30.0)
    hazard = np.exp(-0.5 * at**2 - 0.5 * math.log(2 * math.pi) - tail)
    mean = sd * np.where(at < -30.0, -1 / far + 2 / far**3, at + hazard)
    square = sd**2 * np.where(at < -30.0, 2 / far**2, at**2 + 1 + at * hazard)
    return density, mean, square


def _log(share: float) -> float:
    return math.log(share) if share > 0 else -math.inf
