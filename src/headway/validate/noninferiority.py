"""As good, and cheaper: a candidate that may lose at most a margin, and must save. Cost reductions are judged so."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from headway.core import Direction, UsageError
from headway.validate._items import better_sign, check_level
from headway.validate.comparison import Comparison, Decision
from headway.validate.numbers import format_bound, format_estimate
from headway.validate.paired import compare_paired

__all__ = ["NoninferiorComparison", "compare_noninferior"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoninferiorComparison:
    """Hold the evidence that a candidate is as good as its baseline, up to a margin, and cheaper.

    `accepted`: it loses less than `margin` and costs less, both at the level. `rejected`: it surely loses more than the
    margin, or surely does not cost less. `undecided`: neither is sure. `quality` is the plain comparison of the metric;
    `quality.low` above -margin is what "as good" means. `cost_ratio` is the geometric mean of candidate / baseline,
    with its interval; None where no costs were given.
    """

    metric: str
    cost: str
    margin: float
    decision: Decision
    as_good: Decision
    cheaper: Decision | None
    quality: Comparison
    cost_ratio: float | None
    cost_low: float | None
    cost_high: float | None
    level: float
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON."""
        return asdict(self)


def compare_noninferior(
    candidate: Mapping[int, float],
    baseline: Mapping[int, float],
    margin: float,
    *,
    candidate_cost: Mapping[int, float] | None = None,
    baseline_cost: Mapping[int, float] | None = None,
    metric: str,
    cost: str = "cost",
    direction: Direction,
    level: float = 0.95,
    comparisons: int = 1,
) -> NoninferiorComparison:
    """Decide whether a candidate is as good as its baseline, within `margin`, and cheaper, by results of shared seeds.

    The margin is the largest loss that does not matter, in the metric's units: choose it before the results are known.
    The candidate is as good if the paired interval of `compare_paired` lies above -margin (ICH E9, section 3.3.2), and
    cheaper if the interval of the log of the cost ratio, paired by seed, lies below 0. Both must hold, each at the full
    level: the chance to accept wrongly is then no larger than that of either (Berger, Technometrics 24, 1982).

    Raises `UsageError` for a margin that is not positive, costs of one side only, and costs that are not positive.

    >>> quality = {0: 0.810, 1: 0.803, 2: 0.807}, {0: 0.811, 1: 0.805, 2: 0.807}
    >>> cost = {0: 61.0, 1: 58.0, 2: 63.0}, {0: 99.0, 1: 101.0, 2: 104.0}
    >>> compare_noninferior(
    ...     *quality, 0.01, candidate_cost=cost[0], baseline_cost=cost[1], metric="accuracy", cost="seconds",
    ...     direction="maximize",
    ... ).sentence
    'accuracy is lower by 0.0010 ± 0.0025 (margin 0.01) and seconds is 40 % lower (95 % interval 34 to 45 %, 3 paired seeds): as good, and cheaper: accepted.'
    """  # noqa: E501
    check_level(level, comparisons)
    if not (math.isfinite(margin) and margin > 0):
        raise UsageError(f"The margin {margin} allows no loss. Give the largest loss of {metric} that does not matter.")
    if (candidate_cost is None) != (baseline_cost is None):
        raise UsageError(
            "Costs of one side only cannot be compared. Give candidate_cost and baseline_cost, or neither."
        )
    settings: dict[str, Any] = {"level": level, "comparisons": comparisons}
    quality = compare_paired(candidate, baseline, metric=metric, direction=direction, **settings)
    sign = better_sign(direction)
    helped = {seed: value + sign * margin for seed, value in candidate.items()}
    as_good = compare_paired(helped, baseline, metric=metric, direction=direction, **settings).decision
    if quality.decision == Decision.IDENTICAL:
        as_good = Decision.ACCEPTED  # to the last bit: nothing was lost
    saved = None
    if candidate_cost is not None and baseline_cost is not None:
        logs = (_logs(candidate_cost, cost), _logs(baseline_cost, cost))
        saved = compare_paired(*logs, metric=cost, direction="minimize", **settings)
    decision = _both(as_good, None if saved is None else saved.decision)
    ratio, low, high = (None, None, None) if saved is None else map(math.exp, (-saved.effect, -saved.high, -saved.low))
    return NoninferiorComparison(
        metric=metric,
        cost=cost,
        margin=margin,
        decision=decision,
        as_good=as_good,
        cheaper=None if saved is None else saved.decision,
        quality=quality,
        cost_ratio=ratio,
        cost_low=low,
        cost_high=high,
        level=level,
        sentence=_sentence(quality, margin, as_good, saved, decision),
    )


def _logs(costs: Mapping[int, float], cost: str) -> dict[int, float]:
    for seed, value in costs.items():
        if not (math.isfinite(value) and value > 0):
            raise UsageError(f"{cost} at seed {seed} is {value}. A ratio needs costs above 0: leave the seed out.")
    return {seed: math.log(value) for seed, value in costs.items()}


def _both(as_good: Decision, cheaper: Decision | None) -> Decision:
    parts = [as_good] if cheaper is None else [as_good, cheaper]
    if any(part in (Decision.REJECTED, Decision.IDENTICAL) for part in parts):
        return Decision.REJECTED  # an identical cost is surely no saving
    return Decision.ACCEPTED if all(part == Decision.ACCEPTED for part in parts) else Decision.UNDECIDED


def _sentence(
    quality: Comparison, margin: float, as_good: Decision, saved: Comparison | None, decision: Decision
) -> str:
    half_width = (quality.high - quality.low) / 2
    word = "lower" if (quality.effect >= 0) == (quality.direction == "minimize") else "higher"
    size = f"{format_estimate(abs(quality.effect), half_width)}"
    first = f"{quality.metric} is {word} by {size} (margin {margin:g})"
    if quality.decision == Decision.IDENTICAL:
        first = f"{quality.metric} is identical"
    good = {
        Decision.ACCEPTED: "as good", Decision.REJECTED: "worse than the margin allows"
    }.get(as_good, "perhaps worse than the margin allows")  # fmt: skip
    if saved is None:
        return f"{first} ({quality.level * 100:g} % interval, {quality.pairs} paired seeds): {good}: {decision}."
    cheap = {
        Decision.ACCEPTED: "cheaper", Decision.REJECTED: "dearer", Decision.IDENTICAL: "as dear"
    }.get(saved.decision, "perhaps no cheaper")  # fmt: skip
    joint = "and" if (as_good == Decision.ACCEPTED) == (saved.decision == Decision.ACCEPTED) else "but"
    return f"{first} and {_saving(saved)}: {good}, {joint} {cheap}: {decision}."


def _saving(saved: Comparison) -> str:
    shares = [100 * (1 - math.exp(-gain)) for gain in (saved.effect, saved.low, saved.high)]
    if saved.effect < 0:
        shares = [-share for share in (shares[0], shares[2], shares[1])]
    half_width = abs(shares[2] - shares[1]) / 2
    low, high = (format_bound(share, half_width) for share in shares[1:])
    word = "lower" if saved.effect >= 0 else "higher"
    size = f"{shares[0]:.3g}" if half_width == 0 else f"{shares[0]:.{0 if half_width >= 1 else 1}f}"
    return (
        f"{saved.metric} is {size} % {word} ({saved.level * 100:g} % interval {low} to {high} %, "
        f"{saved.pairs} paired seeds)"
    )
