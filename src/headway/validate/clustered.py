"""Means over items that come in clusters, as questions about one document do. Evaluations call it.

Items of one cluster are alike, so n items are less than n independent ones; who divides by the square root of n anyway
prints errors that are up to three times too small (Miller, "Adding Error Bars to Evals", 2024, section 2.2).
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from headway.core import Direction, UsageError
from headway.validate._evidence import exact, student
from headway.validate._items import better_sign, check_level, clusters_of, decide, gain_words, shared_items
from headway.validate.comparison import Decision

__all__ = ["ClusteredMean", "ItemComparison", "clustered_mean", "compare_clustered"]

_Item = TypeVar("_Item", bound=Hashable)
_ROUNDING = 1e-12  # of the largest value: cluster sums that cancel leave this much behind


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusteredMean:
    """Hold a mean over items, its standard error, and the degrees of freedom that Student's t has for it."""

    mean: float
    standard_error: float
    degrees: float
    items: int
    clusters: int

    def half_width(self, level: float) -> float:
        """Return half the width of the interval that covers the true mean with probability `level`."""
        from scipy.special import stdtrit

        return float(stdtrit(self.degrees, (1 + level) / 2)) * self.standard_error


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemComparison:
    """Hold the evidence on one candidate that was scored on the same items as its baseline.

    Fields mean what they mean in `Comparison`: `effect` is positive where the candidate is better. `degrees` is None
    where the bootstrap gave the interval. `clusters_needed` is, for `undecided` only, about how many further clusters
    of the same kind would decide an effect of this size with a chance of 80 %; None if more than 1,000.
    """

    metric: str
    direction: Direction
    decision: Decision
    effect: float
    low: float
    high: float
    level: float
    comparisons: int
    p_value: float
    standard_error: float
    degrees: float | None
    items: int
    clusters: int
    baseline_score: float
    candidate_score: float
    clusters_needed: int | None
    sentence: str

    def to_json(self) -> dict[str, str | float | int | None]:
        """Return the comparison as JSON."""
        return asdict(self)


def clustered_mean(values: Sequence[float], clusters: Sequence[Hashable]) -> ClusteredMean:
    """Return the mean of `values` with a standard error that holds where items of one cluster are alike.

    The error is CR2, the bias-reduced sandwich (Bell and McCaffrey, Survey Methodology 28, 2002), which for a mean is
    sqrt(sum over clusters of (sum of residuals)^2 / (1 - share)) / n, with `share` the cluster's share of the items.
    That is unbiased where items are independent. Where clusters are of unequal size and their items alike, it is still
    too small; so it is multiplied by what makes it unbiased in the extreme case, all items of a cluster equal. The
    degrees are Satterthwaite's, under independent items (Imbens and Kolesar, Review of Economics and Statistics 98,
    2016, section IV). With clusters of equal size the factor is 1 and the degrees are the clusters less one.

    With one item in each cluster this is the plain standard error s / sqrt(n) with n - 1 degrees. Nothing changes when
    each item is repeated k times within its cluster: neither the mean nor the error nor the degrees. (Where items are
    repeated unequally often the mean is another one, and so is its error.)

    >>> found = clustered_mean([1.0, 0.0, 1.0, 1.0, 0.0, 0.0], ["a", "a", "b", "b", "c", "c"])
    >>> round(found.standard_error, 4), round(found.degrees, 6)
    (0.2887, 2.0)
    """
    if len(values) != len(clusters):
        raise UsageError(f"{len(values)} values and {len(clusters)} clusters do not match. Give one cluster a value.")
    if not all(map(math.isfinite, values)):
        raise UsageError("A mean needs finite values. Leave out items without one, or give what a failure counts.")
    count = len(values)
    residuals, sizes = defaultdict[Hashable, list[float]](list), defaultdict[Hashable, int](int)
    mean = math.fsum(values) / count if count else math.nan
    for value, cluster in zip(values, clusters, strict=True):
        residuals[cluster].append(value - mean)
        sizes[cluster] += 1
    if len(sizes) < 2:
        raise UsageError(
            f"An error of a mean needs at least 2 clusters, and {count} items lie in {len(sizes)}. What clusters "
            "differ by cannot be seen within one: add items of another."
        )
    shares = [size / count for size in sizes.values()]
    sums = (math.fsum(of_one) / count for of_one in residuals.values())
    scaled = (total / math.sqrt(1 - share) for total, share in zip(sums, shares, strict=True))
    error = math.hypot(*scaled) * math.sqrt(_inflation(shares))
    if error <= _ROUNDING * max(map(abs, values)):
        error = 0.0
    return ClusteredMean(
        mean=mean, standard_error=error, degrees=_degrees(shares), items=count, clusters=len(sizes)
    )  # fmt: skip


def _degrees(shares: Sequence[float]) -> float:
    """Return (trace M)^2 / trace(M M) of the quadratic form M that CR2 is, under independent items.

    M has p_g on its diagonal and -sqrt(q_g q_h) beside it, with q = p^2 / (1 - p), so the trace is 1.
    """
    tails = [share**2 / (1 - share) for share in shares]
    squares = math.fsum(share**2 for share in shares)
    return 1 / (squares + math.fsum(tails) ** 2 - math.fsum(tail**2 for tail in tails))


def _inflation(shares: Sequence[float]) -> float:
    """Return the variance of the mean over the expectation of CR2, where the items of each cluster are all equal."""
    true = math.fsum(share**2 for share in shares)
    expected = math.fsum(share**2 * (1 - 2 * share + true) / (1 - share) for share in shares)
    return max(1.0, true / expected)


def compare_clustered(
    candidate: Mapping[_Item, float],
    baseline: Mapping[_Item, float],
    clusters: Mapping[_Item, Hashable] | None = None,
    *,
    metric: str,
    direction: Direction,
    level: float = 0.95,
    comparisons: int = 1,
) -> ItemComparison:
    """Decide whether a candidate is better than its baseline, by their scores on the same items in clusters.

    The paired differences get the interval of `clustered_mean`, at 1 - (1 - level) / comparisons. Differences whose
    cluster means all agree leave no error to estimate; there the chance that so many agree decides, as in
    `compare_paired`. It speaks for items like these, and for the two runs at hand: what another seed of the training
    would do is a question for `compare_paired`.

    Raises `UsageError` for fewer than two shared items or clusters, and for values that are not finite.
    """
    check_level(level, comparisons)
    items = shared_items(candidate, baseline, metric)
    sign = better_sign(direction)
    differences = [sign * (candidate[item] - baseline[item]) for item in items]
    found = clustered_mean(differences, clusters_of(items, clusters))
    error = (1 - level) / comparisons
    count = found.clusters
    half_width = found.half_width(1 - error)
    if not any(differences):
        decision, p_value, needed = Decision.IDENTICAL, 1.0, None
        words = f"{metric} is identical on all {found.items} items: the change does not reach it."
    else:
        if found.standard_error == 0:
            evidence = exact(count, error, "differences")
            decided, p_value, needed = evidence.decided, evidence.p_value, evidence.seeds_needed
        else:
            p_value, decided = _p_value(found), abs(found.mean) > half_width
            like = student(found.mean, found.standard_error * math.sqrt(count), count, error)
            needed = None if decided else like.seeds_needed
        decision = decide(found.mean, decided=decided)
        remarks = [items_words(found.items, None if clusters is None else count)]
        remarks += [f"adjusted for {comparisons} comparisons"] if comparisons > 1 else []
        words = gain_words(metric, direction, found.mean, half_width, level, remarks) + f": {decision}"
        words += outlook(decision, needed, "items" if clusters is None else "clusters") + "."
    return ItemComparison(
        metric=metric,
        direction=direction,
        decision=decision,
        effect=found.mean,
        low=found.mean - half_width,
        high=found.mean + half_width,
        level=level,
        comparisons=comparisons,
        p_value=min(1.0, p_value * comparisons),
        standard_error=found.standard_error,
        degrees=found.degrees,
        items=found.items,
        clusters=count,
        baseline_score=math.fsum(baseline[item] for item in items) / len(items),
        candidate_score=math.fsum(candidate[item] for item in items) / len(items),
        clusters_needed=needed if decision == Decision.UNDECIDED else None,
        sentence=words,
    )


def outlook(decision: Decision, needed: int | None, unit: str) -> str:
    """Say what an undecided comparison would take."""
    if decision != Decision.UNDECIDED:
        return ""
    if needed is None:
        return f"; an effect of this size would take more than 1000 {unit}"
    return f"; about {needed} further {unit} would decide an effect of this size"


def _p_value(found: ClusteredMean) -> float:
    from scipy.special import stdtr

    return min(1.0, 2 * float(stdtr(found.degrees, -abs(found.mean) / found.standard_error)))


def items_words(items: int, clusters: int | None) -> str:
    return f"{items} paired items" + ("" if clusters is None else f" in {clusters} clusters")
