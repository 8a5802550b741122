"""What a comparison can detect, and what it takes: to be asked before the first run, not after the last.

`headway plan power` and `headway replay` call it. Two situations differ. Where an evaluation has many questions, errors
are normal (`questions_needed`). Where a training is repeated with a few seeds, the noise itself is estimated from the
pairs, and often known badly beforehand: `pairs_needed` counts both.
"""

import math
from collections.abc import Callable

from headway.core import UsageError
from headway.validate._items import check_level
from headway.validate.noise import Noise

__all__ = [
    "design_effect",
    "detectable_difference",
    "detectable_effect",
    "pairs_needed",
    "power_of_pairs",
    "questions_needed",
]

_MOST_PAIRS = 100_000
_SLICES = 200  # of the noise's distribution: power is then right to about .002


def questions_needed(
    effect: float,
    *,
    variance: float,
    candidate_variance: float = 0.0,
    baseline_variance: float = 0.0,
    candidate_samples: int = 1,
    baseline_samples: int = 1,
    design_effect: float = 1.0,
    level: float = 0.95,
    power: float = 0.8,
) -> int:
    """Return how many questions an evaluation needs to find a difference of `effect` between two models.

    `variance` is that of the difference between the models' expected scores, question by question; the conditional
    variances are those of a model's score on one question, which `samples` answers a question divide. The formula is
    n = (z(1 - alpha / 2) + z(power))^2 (variance + candidate_variance / candidate_samples + baseline_variance /
    baseline_samples) / effect^2 (Miller, "Adding Error Bars to Evals", 2024, section 5), times the `design_effect` of
    clusters. It takes the variances for known, and is meant for hundreds of questions.

    >>> questions_needed(0.03, variance=1 / 9)
    969
    """
    if effect == 0 or not math.isfinite(effect):
        raise UsageError(f"An effect of {effect} takes no finite number of questions. Give the smallest that matters.")
    total = _total_variance(
        variance, candidate_variance, baseline_variance, candidate_samples, baseline_samples, design_effect
    )
    return max(2, math.ceil(_quantiles(level, power) ** 2 * total / effect**2 - 1e-9))


def detectable_difference(
    questions: int,
    *,
    variance: float,
    candidate_variance: float = 0.0,
    baseline_variance: float = 0.0,
    candidate_samples: int = 1,
    baseline_samples: int = 1,
    design_effect: float = 1.0,
    level: float = 0.95,
    power: float = 0.8,
) -> float:
    """Return the smallest difference that so many questions find with probability `power`.

    It is `questions_needed`, solved for the effect.
    """
    if questions < 2:
        raise UsageError(f"{questions} questions detect nothing. Give at least 2.")
    total = _total_variance(
        variance, candidate_variance, baseline_variance, candidate_samples, baseline_samples, design_effect
    )
    return _quantiles(level, power) * math.sqrt(total / questions)


def design_effect(cluster_size: float, correlation: float) -> float:
    """Return how many times as many items clusters take: 1 + (size - 1) * correlation (Kish, "Survey Sampling", 1965).

    `correlation` is that of two items of one cluster. With clusters of unequal size, give sum(size^2) / sum(size).
    """
    if not (cluster_size >= 1 and 0 <= correlation <= 1):
        raise UsageError(
            f"Clusters of {cluster_size} items with a correlation of {correlation} do not exist. Give a size of at "
            "least 1 and a correlation from 0 to 1."
        )
    return 1 + (cluster_size - 1) * correlation


def power_of_pairs(
    pairs: int,
    effect: float,
    noise: Noise,
    *,
    correlation: float = 0.0,
    level: float = 0.95,
    comparisons: int = 1,
) -> float:
    """Return the probability that so many pairs of runs find an effect, by the t test that `compare_paired` makes.

    A difference of two runs has the standard deviation noise.sd * sqrt(2 (1 - correlation)), where `correlation` is
    what a seed does alike to both sides. The t test's power comes from the noncentral t distribution; over what is not
    known of the noise it is averaged (its "assurance": O'Hagan, Stevens and Campbell, Pharmaceutical Statistics 4,
    2005).
    """
    _check_pairs(effect, noise, correlation, level, comparisons)
    return _power(effect, noise, correlation, (1 - level) / comparisons)(pairs)


def pairs_needed(
    effect: float,
    noise: Noise,
    *,
    correlation: float = 0.0,
    level: float = 0.95,
    power: float = 0.8,
    comparisons: int = 1,
) -> int | None:
    """Return how many pairs of runs find an effect with probability `power`; None if more than 100,000.

    See `power_of_pairs`. Noise that is known from two runs costs many pairs: it may be twice as large as it looked.

    >>> pairs_needed(1.0, Noise(1.0)), pairs_needed(1.0, Noise(1.0, 2))
    (18, 42)
    """
    _check_pairs(effect, noise, correlation, level, comparisons)
    _quantiles(level, power)
    if effect == 0:
        return None
    reached = _power(effect, noise, correlation, (1 - level) / comparisons)
    return _least(lambda pairs: reached(pairs) >= power, _MOST_PAIRS)


def detectable_effect(
    pairs: int,
    noise: Noise,
    *,
    correlation: float = 0.0,
    level: float = 0.95,
    power: float = 0.8,
    comparisons: int = 1,
) -> float:
    """Return the smallest effect, in the metric's units, that so many pairs find with probability `power`."""
    _check_pairs(1.0, noise, correlation, level, comparisons)
    _quantiles(level, power)
    if pairs < 2:
        raise UsageError(f"{pairs} pairs detect nothing: a spread needs two. Give at least 2.")
    if noise.sd == 0 or correlation == 1:
        return 0.0
    error = (1 - level) / comparisons
    low, high = 0.0, noise.sd
    while _power(high, noise, correlation, error)(pairs) < power:
        low, high = high, 2 * high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if _power(middle, noise, correlation, error)(pairs) >= power else (middle, high)
    return high


def _power(effect: float, noise: Noise, correlation: float, error: float) -> Callable[[int], float]:
    import numpy as np
    from scipy.special import chdtri, nctdtr, stdtrit

    spread = noise.sd * math.sqrt(2 * (1 - correlation))
    if math.isinf(noise.degrees):
        sds = np.array([spread])
    else:
        upper_tails = (np.arange(_SLICES) + 0.5) / _SLICES
        sds = spread * np.sqrt(noise.degrees / chdtri(noise.degrees, upper_tails))

    def power(pairs: int) -> float:
        if spread == 0:
            return float(effect != 0)
        shifts = abs(effect) * math.sqrt(pairs) / sds
        critical = float(stdtrit(pairs - 1, 1 - error / 2))
        # Far out, the distribution's series gives NaN instead of the 0 that it should.
        missed = np.nan_to_num(nctdtr(pairs - 1, np.minimum(shifts, critical + 40), critical), nan=0.0)
        wrong_sign = np.nan_to_num(nctdtr(pairs - 1, np.minimum(shifts, critical + 40), -critical), nan=0.0)
        return float(np.mean(1 - missed + wrong_sign))

    return power


def _least(enough: Callable[[int], bool], most: int) -> int | None:
    low, high = 2, 2
    while not enough(high):
        if high >= most:
            return None
        low, high = high + 1, min(2 * high, most)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def _quantiles(level: float, power: float) -> float:
    from scipy.special import ndtri

    check_level(level)
    if not 0.5 <= power < 1:
        raise UsageError(f"The power {power} cannot be planned for. Give a probability from 0.5 to below 1, as 0.8.")
    return float(ndtri((1 + level) / 2) + ndtri(power))


def _total_variance(
    variance: float,
    candidate_variance: float,
    baseline_variance: float,
    candidate_samples: int,
    baseline_samples: int,
    design_effect: float,
) -> float:
    for name, value in (
        ("variance", variance), ("candidate_variance", candidate_variance), ("baseline_variance", baseline_variance)
    ):  # fmt: skip
        if not (math.isfinite(value) and value >= 0):
            raise UsageError(f"{name}={value} is no variance. Give a finite number of at least 0.")
    if min(candidate_samples, baseline_samples) < 1 or not design_effect >= 1:
        raise UsageError(
            f"{candidate_samples} and {baseline_samples} samples a question, design effect {design_effect}: expected "
            "numbers of at least 1."
        )
    return design_effect * (
        variance + candidate_variance / candidate_samples + baseline_variance / baseline_samples
    )  # fmt: skip


def _check_pairs(effect: float, noise: Noise, correlation: float, level: float, comparisons: int) -> None:
    check_level(level, comparisons)
    if not math.isfinite(effect):
        raise UsageError(f"The effect {effect} is not finite. Give it in the metric's units.")
    if not -1 <= correlation <= 1:
        raise UsageError(f"The correlation {correlation} of paired runs does not lie between -1 and 1.")
    del noise  # checks itself
