"""How far results of the same code lie apart when only the seed differs, and whether the control stays where it was."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from headway.core import UsageError
from headway.validate._mixture import NOTHING, log_mixture, spread_of
from headway.validate._spending import left_after, share

__all__ = [
    "Drift",
    "Noise",
    "PairedNoise",
    "difference_noise",
    "drift",
    "learn_noise",
    "learn_paired_noise",
    "prior_noise",
]

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_DEGREES = 1e4  # of a fitted prior: above, experiments do not differ in their noise


@dataclass(frozen=True, slots=True)
class Noise:
    """Hold what is known of the noise of one run, in the metric's units.

    The variance has a scaled inverse chi-square distribution: `degrees` * `sd`^2 / chi-square(`degrees`) (Gelman et
    al., "Bayesian Data Analysis", third edition, section 2.6). With infinite `degrees` it is known.
    """

    sd: float
    degrees: float = math.inf

    def __post_init__(self) -> None:
        """Refuse what is no spread."""
        if not (math.isfinite(self.sd) and self.sd >= 0 and self.degrees > 0):
            raise UsageError(f"{self} is no noise. Give a finite sd of at least 0 and degrees above 0.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedNoise:
    """Hold the noise of the difference of two runs on one seed, and the correlation that the seed makes of them."""

    difference: Noise
    correlation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Hold the evidence that results moved."""

    log_e: float
    since: int  # index of the likeliest first value of the new level
    change: float  # in the metric's units: mean from there on, minus mean before

    def found(self, alpha: float) -> bool:
        """Tell whether the values moved; said wrongly with a chance of at most `alpha` over all looks together."""
        return self.log_e >= -math.log(alpha)


def learn_noise(groups: Sequence[Sequence[float]], prior: Noise | None = None) -> Noise:
    """Return the noise of one run from groups of repeated runs: the same code in each group, only seeds differ.

    The variance is pooled over the groups, each about its own mean. A `prior` (see `prior_noise`) counts as that many
    degrees more: the posterior of the scaled inverse chi-square distribution, which is the shrinkage of limma's
    `squeezeVar` (Smyth, "Linear models and empirical Bayes methods", Statistical Applications in Genetics 3, 2004,
    section 4).

    Raises `UsageError` where nothing was repeated and there is no prior.

    >>> learn_noise([[3.0, 4.0], [2.0, 3.0, 4.0]]).degrees
    3.0
    """
    _check_finite(value for group in groups for value in group)
    degrees = float(sum(len(group) - 1 for group in groups if group))
    squares = math.fsum(_squares(group) for group in groups if group)
    if prior is not None and math.isinf(prior.degrees):
        return prior
    if prior is not None:
        degrees, squares = degrees + prior.degrees, squares + prior.degrees * prior.sd**2
    if degrees == 0:
        raise UsageError("No group holds two runs of the same code, so the noise is unknown. Run the baseline twice.")
    return Noise(math.sqrt(squares / degrees), degrees)


def prior_noise(history: Sequence[Noise]) -> Noise:
    """Return how the noise of one run is distributed among experiments like these; a new one starts from it.

    Each experiment brings its own pooled estimate without a prior, at least two of them, all on one metric. Sample
    variances then follow sd^2 * F(their degrees, the prior's degrees) (Smyth 2004, section 4); `sd` and `degrees` are
    those of maximum likelihood, as moments of log variances, which he takes, do badly where groups hold two or three
    runs. The degrees are infinite where the experiments differ no more than chance explains.
    """
    if len(history) < 2 or not any(noise.sd for noise in history):
        raise UsageError(
            f"{len(history)} experiments do not show how noise differs. Give at least 2, one with an sd above 0."
        )
    degrees = [min(noise.degrees, _MOST_DEGREES) for noise in history]
    total = math.fsum(degrees)
    typical = math.fsum(d * noise.sd**2 for d, noise in zip(degrees, history, strict=True)) / total
    variances = [noise.sd**2 / typical for noise in history]
    variance, prior_degrees = _likeliest(variances, degrees)
    known = prior_degrees > _MOST_DEGREES / 2
    return Noise(math.sqrt(typical * variance), math.inf if known else prior_degrees)


def learn_paired_noise(runs: Sequence[Mapping[int, float]]) -> PairedNoise:
    """Return the noise of a difference on a shared seed, from several codes' results by seed.

    Results are a code's level plus a seed's level plus noise (two-way analysis of variance, by least squares, as not
    every code need have run on every seed). A difference on one seed has twice the variance of that noise. The
    correlation is 1 minus its share in the variance within codes; below zero it is chance, and the seed does nothing.

    Raises `UsageError` where fewer than two codes share two seeds.
    """
    rows = [(code, seed, value) for code, results in enumerate(runs) for seed, value in results.items()]
    _check_finite(value for _, _, value in rows)
    seeds = {seed: index for index, seed in enumerate(dict.fromkeys(seed for _, seed, _ in rows))}
    squares, degrees = _additive_residual(
        [code for code, _, _ in rows], [seeds[seed] for _, seed, _ in rows], [value for _, _, value in rows]
    )
    if degrees < 1:
        raise UsageError(
            "No two codes share two seeds, so the noise of a difference is unknown. Run both on seeds 0 and 1."
        )
    within = learn_noise([list(results.values()) for results in runs])
    variance = squares / degrees
    correlation = 1 - variance / within.sd**2 if within.sd else 0.0
    return PairedNoise(difference=Noise(math.sqrt(2 * variance), float(degrees)), correlation=max(-1.0, correlation))


def difference_noise(noise: Noise, correlation: float = 0.0) -> Noise:
    """Return the noise of the difference of two runs. `correlation` is what a shared seed makes between them."""
    if not -1 <= correlation < 1:
        raise UsageError(
            f"A correlation of {correlation} leaves no difference. Give one from -1 to below 1; 0 if unknown."
        )
    return Noise(noise.sd * math.sqrt(2 * (1 - correlation)), noise.degrees)


def drift(values: Sequence[float], noise: Noise | None = None) -> Drift:
    """Weigh whether the control, run again and again, has moved. Call it after every run, values in time order.

    Each moment at which a step may have come is weighed by the two-sided mixture over its size, on the difference of
    the means after and before it, whatever the first level; a slow drift looks much like a step. The moments'
    e-values are averaged with fixed weights, so `found` keeps its error rate however often it is asked (see
    `EProcess` for what `noise`, here of one run, promises; None learns it from the values).
    """
    _check_finite(values)
    if len(values) < 2:
        return Drift(log_e=0.0, since=0, change=0.0)
    count, level = len(values), math.fsum(values) / len(values)
    sums = list(accumulate(value - level for value in values))[:-1]  # about the mean, so that digits are not lost
    known = spread_of(noise.sd, noise.degrees) if noise else NOTHING
    spread = known.plus(_squares(values), count - 1)
    changes = [-total * count / (before * (count - before)) for before, total in enumerate(sums, 1)]
    weighed = [
        math.log(share(before)) + log_mixture(-sums[before - 1], information, spread, scale=1.0, one_sided=False)
        for before, information in ((before, before * (count - before) / count) for before in range(1, count))
    ]
    best = max(range(count - 1), key=weighed.__getitem__)
    return Drift(log_e=_log_sum([*weighed, math.log(left_after(count - 1))]), since=best + 1, change=changes[best])


def _likeliest(variances: Sequence[float], degrees: Sequence[float]) -> tuple[float, float]:
    """Return the variance and the degrees of the prior under which the sample variances are likeliest."""
    # Imported here, since validate is imported by commands that only show a stored verdict.
    from scipy.optimize import minimize

    def loss(point: "NDArray[np.float64]") -> float:
        return -_log_likelihood(variances, degrees, math.exp(point[0]), math.exp(point[1]))

    bounds = ((-30.0, 10.0), (math.log(0.1), math.log(_MOST_DEGREES)))
    found = minimize(loss, (0.0, math.log(4.0)), method="L-BFGS-B", bounds=bounds)
    return math.exp(found.x[0]), math.exp(found.x[1])


def _log_likelihood(
    variances: Sequence[float], degrees: Sequence[float], variance: float, prior_degrees: float
) -> float:
    """Return the log density of scaled F variates, without the powers of the variances alone: so one may be zero."""
    half = prior_degrees / 2
    return math.fsum(
        math.lgamma(d / 2 + half)
        - math.lgamma(half)
        + d / 2 * math.log(d / (prior_degrees * variance))
        - (d / 2 + half) * math.log1p(d * found / (prior_degrees * variance))
        for found, d in zip(variances, degrees, strict=True)
    )


def _additive_residual(codes: Sequence[int], seeds: Sequence[int], values: Sequence[float]) -> tuple[float, int]:
    """Return the squares that a level for each code and each seed leaves, and their degrees."""
    if not values:
        return 0.0, 0
    import numpy as np

    here = np.arange(len(values))
    design = np.zeros((len(values), max(codes) + max(seeds) + 2))
    design[here, codes] = 1
    design[here, max(codes) + 1 + np.asarray(seeds)] = 1
    centred = np.asarray(values) - math.fsum(values) / len(values)
    solution, _, rank, _ = np.linalg.lstsq(design, centred, rcond=None)
    return float(np.sum((centred - design @ solution) ** 2)), len(values) - int(rank)


def _check_finite(values: Iterable[float]) -> None:
    wrong = [value for value in values if not math.isfinite(value)]
    if wrong:
        raise UsageError(f"Results must be finite to learn from them; there is {wrong[0]}. Leave failed runs out.")


def _squares(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values)


def _log_sum(logs: Sequence[float]) -> float:
    highest = max(logs)
    return highest + math.log(math.fsum(math.exp(value - highest) for value in logs))
