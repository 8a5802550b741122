"""One sentence for people on what a comparison found."""

from headway.core import Direction
from headway.validate._evidence import Evidence
from headway.validate.comparison import Decision
from headway.validate.numbers import format_bound, format_estimate

__all__ = ["identical_sentence", "sentence"]


def identical_sentence(metric: str, pairs: int) -> str:
    """Say that nothing changed, to the last bit."""
    return f"{metric} is identical on all {_seeds(pairs, 'paired')}: the change does not reach it."


def sentence(
    metric: str,
    direction: Direction,
    decision: Decision,
    effect: float,
    evidence: Evidence,
    *,
    pairs: int,
    level: float,
    comparisons: int,
) -> str:
    """Say by how much, how surely, what follows, and, where nothing follows, what it would take."""
    word = "lower" if (effect >= 0) == (direction == "minimize") else "higher"
    size = abs(effect)
    among = f" adjusted for {comparisons} finalists" if comparisons > 1 else ""
    seeds = _seeds(pairs, "paired")
    if evidence.agreement:
        what = f"{metric} is {word} by exactly {size:.6g} on each of {seeds}"
        return (
            f"{what}{_why_exact(evidence)}{among and f' ({among.strip()})'}: {decision}{_outlook(decision, evidence)}."
        )
    low, high = (
        format_bound(bound, evidence.half_width) for bound in (size - evidence.half_width, size + evidence.half_width)
    )
    what = f"{metric} is {word} by {format_estimate(size, evidence.half_width)}"
    interval = f"{level * 100:g} % interval {low} to {high}{among}"
    return f"{what} ({interval}, {seeds}): {decision}{_outlook(decision, evidence)}."


def _why_exact(evidence: Evidence) -> str:
    return ", and the seeds do not change the result" if evidence.agreement == "results" else ""


def _outlook(decision: Decision, evidence: Evidence) -> str:
    if decision != Decision.UNDECIDED:
        return ""
    if evidence.seeds_needed is None:
        return "; an effect of this size would take more than 1000 seeds"
    further = _seeds(evidence.seeds_needed, "further")
    if evidence.agreement:
        return f", as so few may agree by chance; {further} would decide, if the difference stays the same"
    return f"; about {further} would decide an effect of this size"


def _seeds(count: int, kind: str) -> str:
    return f"{count} {kind} seed{'' if count == 1 else 's'}"
