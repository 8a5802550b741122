"""What paired differences prove: the interval, the p-value, and how many more pairs it would take."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Literal

__all__ = ["Evidence", "count_levels", "exact", "least_further", "student"]

_POWER = 0.8
_MOST_SEEDS = 1000
_MANY_LEVELS = 100
_Agreement = Literal["", "differences", "results"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Hold what the pairs prove about an effect. `decided` means that its sign is known at the error rate."""

    half_width: float
    p_value: float
    decided: bool
    seeds_needed: int | None
    agreement: _Agreement = ""


def student(effect: float, sd: float, pairs: int, error: float) -> Evidence:
    """Judge by Student's t: the interval at 1 - `error`, under normal differences (Student, Biometrika 6, 1908).

    The further pairs are those at which `effect` would be found with a power of 80 %, if it and `sd` are the true ones:
    (t(1 - error / 2) + t(power)) * sd / sqrt(n) <= effect (Cohen, "Statistical Power Analysis", 1988, section 2.4).
    """
    stdtr, stdtrit = _student_functions()
    standard_error = sd / math.sqrt(pairs)
    half_width = stdtrit(pairs - 1, 1 - error / 2) * standard_error

    def enough(count: int) -> bool:
        quantiles = stdtrit(count - 1, 1 - error / 2) + stdtrit(count - 1, _POWER)
        return quantiles * sd / math.sqrt(count) <= abs(effect)

    decided = abs(effect) > half_width
    return Evidence(
        half_width=half_width,
        p_value=min(1.0, 2 * stdtr(pairs - 1, -abs(effect) / standard_error)),
        decided=decided,
        seeds_needed=None if decided else least_further(pairs, enough),
    )


def exact(pairs: int, error: float, agreement: _Agreement, levels: int = 1) -> Evidence:
    """Judge differences that are all the same and not zero, of which no spread can be estimated.

    A deterministic experiment gives them, and the difference is then exact; but so does chance where the metric is
    coarse (an accuracy over 20 cases), and two equal pairs are not infinite evidence. The chance is bounded without
    knowing the metric. If all `results` of a side agree: n baselines show one value and n candidates another, with
    probability at most 2 / 4^n under one common distribution (a fair coin's; three values have less). If only the
    `differences` agree: n differences show one value other than zero, with at most 2 / 2^n (the sign test's).
    So three pairs decide at 95 % where the seeds do not matter, six where they do.

    `levels` tells how many values the metric could take within the range of its results (see `count_levels`). Where
    they are many, noise that does not cancel would give n equal differences with probability near levels^-(n - 1); so
    three pairs decide there too, as when a seed adds the same noise to both sides.
    """
    base = 4.0 if agreement == "results" else 2.0

    def chance(count: int) -> float:
        if levels >= _MANY_LEVELS:
            return min(2 * base**-count, 2 * float(levels) ** (1 - count))
        return 2 * base**-count

    decided = chance(pairs) < error
    return Evidence(
        half_width=0.0,
        p_value=chance(pairs),
        decided=decided,
        seeds_needed=None if decided else least_further(pairs, lambda count: chance(count) < error),
        agreement=agreement,
    )


def count_levels(values: Sequence[float], rounding: float) -> int:
    """Return how many steps of the values' grid lie within their range; the grid is their differences' common divisor.

    Real numbers have none but rounding and give billions; an accuracy over 20 cases gives at most 20. Two different
    values alone say nothing of a grid, and give 1.
    """
    distinct = sorted(set(values))
    gaps = [gap for low, high in pairwise(distinct) if (gap := high - low) > rounding]
    if not gaps:
        return 1
    grid = reduce(lambda one, other: _common_divisor(one, other, rounding), gaps)
    return max(1, round((distinct[-1] - distinct[0]) / max(grid, rounding)))


def _common_divisor(large: float, small: float, rounding: float) -> float:
    """Return the greatest common divisor of two lengths, by Euclid's algorithm up to rounding."""
    while small > rounding:
        large, small = small, math.fmod(large, small)
        if large - small <= rounding:  # a remainder of almost a whole step is rounding, too
            small = 0.0
    return large


def least_further(pairs: int, enough: Callable[[int], bool]) -> int | None:
    """Return how many more than `pairs` are `enough`; None if more than 1,000 in all are."""
    low, high = pairs + 1, _MOST_SEEDS
    if low > high or not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low - pairs


def _student_functions() -> tuple[Callable[[int, float], float], Callable[[int, float], float]]:
    # Imported here, since .35 s are too much for commands that only show a stored verdict. scipy.stats takes .9 s.
    from scipy.special import stdtr, stdtrit

    return (lambda degrees, t: float(stdtr(degrees, t))), (lambda degrees, p: float(stdtrit(degrees, p)))
