"""What comparisons over items (questions, documents) share: which items count, and the sentence about them."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from headway.core import Direction, UsageError
from headway.validate.comparison import Decision
from headway.validate.numbers import format_bound, format_estimate

__all__ = ["better_sign", "check_level", "clusters_of", "decide", "gain_words", "shared_items"]

_Item = TypeVar("_Item", bound=Hashable)


def check_level(level: float, comparisons: int = 1) -> None:
    """Refuse what is no level, and comparisons of nothing."""
    if not 0 < level < 1:
        raise UsageError(f"The level {level} is no probability. Give one between 0 and 1, such as 0.95.")
    if comparisons < 1:
        raise UsageError(f"comparisons={comparisons} compares nothing. Give how many are judged together, at least 1.")


def better_sign(direction: Direction) -> float:
    """Return what a difference is multiplied by, so that a positive one is better."""
    return 1.0 if direction == "maximize" else -1.0


def shared_items(
    candidate: Mapping[_Item, float], baseline: Mapping[_Item, float], metric: str, what: str = "items"
) -> list[_Item]:
    """Return the items that both sides have, in the candidate's order; refuse fewer than two, and values not finite."""
    items = [item for item in candidate if item in baseline]
    if len(items) < 2:
        raise UsageError(
            f"A comparison on {metric} needs at least 2 {what} that both sides have, and has {len(items)} (candidate "
            f"{len(candidate)}, baseline {len(baseline)}). Score both on the same {what}, under the same names."
        )
    for side, values in (("candidate", candidate), ("baseline", baseline)):
        for item in items:
            if not math.isfinite(values[item]):
                raise UsageError(
                    f"{metric} of the {side} on {item!r} is {values[item]}, which cannot be compared. Leave the item "
                    "out on both sides, or give it the value that a failure has."
                )
    return items


def clusters_of(items: Sequence[_Item], clusters: Mapping[_Item, Hashable] | None) -> list[Hashable]:
    """Return each item's cluster; without `clusters`, each item is one of its own."""
    if clusters is None:
        return list(range(len(items)))
    missing = [item for item in items if item not in clusters]
    if missing:
        raise UsageError(
            f"{len(missing)} of {len(items)} items have no cluster, {missing[0]!r} among them. Name the cluster (the "
            "document, the repository) of every item; one that stands alone is a cluster of its own."
        )
    return [clusters[item] for item in items]


def decide(effect: float, *, decided: bool) -> Decision:
    """Return what follows from an effect that is positive where better."""
    if not decided:
        return Decision.UNDECIDED
    return Decision.ACCEPTED if effect > 0 else Decision.REJECTED


def gain_words(
    metric: str, direction: Direction, effect: float, half_width: float, level: float, remarks: Sequence[str] = ()
) -> str:
    """Say by how much a metric is higher or lower, with the interval and remarks in brackets."""
    word = "lower" if (effect >= 0) == (direction == "minimize") else "higher"
    size = abs(effect)
    among = ", ".join(remarks)
    if half_width == 0:
        return f"{metric} is {word} by exactly {size:.6g}" + (f" ({among})" if among else "")
    low, high = (format_bound(bound, half_width) for bound in (size - half_width, size + half_width))
    interval = f"{level * 100:g} % interval {low} to {high}"
    return f"{metric} is {word} by {format_estimate(size, half_width)} ({', '.join([interval, *remarks])})"
