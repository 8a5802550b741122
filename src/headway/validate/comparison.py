"""What a comparison of a candidate with its baseline says. `studies` stores it; every page shows it."""

import enum
from dataclasses import asdict, dataclass, replace

from headway.core import Direction

__all__ = ["Comparison", "Decision", "withheld"]


class Decision(enum.StrEnum):
    """Say what the evidence allows."""

    ACCEPTED = "accepted"  # better than the baseline, at the level asked for
    REJECTED = "rejected"  # worse, at the same level
    UNDECIDED = "undecided"  # the interval holds both signs
    IDENTICAL = "identical"  # every pair is equal to the last bit: the change does not reach the metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Hold the evidence on one candidate.

    `effect` is the mean of the paired differences in the metric's units, positive where the candidate is better,
    whatever the `direction`. [`low`, `high`] is its interval. With `comparisons` = m finalists that are judged
    together, interval and `p_value` (two-sided) are Bonferroni's: the interval holds at 1 - (1 - `level`) / m, so
    that all m hold together at `level`; the p-value is m times the single one, at most 1.

    `seeds_needed` is, for `undecided` only, about how many further pairs it takes to decide an effect of this size
    with a chance of 80 %; None if more than 1,000. The means are over the paired seeds only.
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
    pairs: int
    sd_of_differences: float
    baseline_mean: float
    candidate_mean: float
    seeds_needed: int | None
    sentence: str

    def to_json(self) -> dict[str, str | float | int | None]:
        """Return the comparison as JSON."""
        return asdict(self)


def withheld(comparison: Comparison, why: str) -> Comparison:
    """Return the comparison with its decision taken back to undecided; `why` goes into its sentence."""
    words = comparison.sentence.removesuffix(f": {comparison.decision}.")
    return replace(comparison, decision=Decision.UNDECIDED, sentence=f"{words}: {Decision.UNDECIDED}, {why}.")
