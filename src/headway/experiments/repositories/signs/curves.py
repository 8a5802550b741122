"""What training curves say: which one was trained on, where it ended, whether two are of one training."""

import math
import re
import statistics
from collections.abc import Mapping, Sequence

__all__ = ["Curve", "Curves", "end_of", "last_step", "loss_among", "same_training"]

Curve = Sequence[tuple[int, float]]
"""Values by step."""
Curves = Mapping[str, Curve]
"""Curves by the name of what they show."""

_SAME_TRAINING, _WINDOW = 0.03, 5
_LOSSES = re.compile(r"(^|_|/)(loss|nll|ce|mse|mae|ppl|perplexity|bpb|bpc|bits|error|err|cost)(_|/|$)|loss$", re.I)
_HELD_OUT = re.compile(r"(^|_|/)(val|valid|validation|test|eval)(_|/|$)", re.I)


def loss_among(runs: Sequence[Curves]) -> str | None:
    """Return the name of the loss that was trained on, where all runs tell it."""
    shared = [name for name in runs[0] if all(run.get(name) for run in runs) and _LOSSES.search(name)]
    return min(shared, key=lambda name: (_HELD_OUT.search(name) is not None, name != "loss", name), default=None)


def end_of(curve: Curve) -> float:
    """Return where a curve ends: the middle of its last twentieth, of five points at least."""
    values = [value for _, value in curve if math.isfinite(value)]
    return statistics.median(values[-max(5, len(values) // 20) :]) if values else 0.0


def last_step(curve: Curve) -> int:
    """Return the last step that a curve has, 0 where it has none."""
    return max((step for step, _ in curve), default=0)


def same_training(curve: Curve, other: Curve) -> bool:
    """Tell whether two curves may be of one training: one that is printed in other units, or smoothed, is the same.

    Compares the middles of windows over the steps that both have, without the first, in which smoothing begins.
    """
    known = dict(other)
    pairs = [(value, known[step]) for step, value in curve if step in known]
    size = max(_WINDOW, len(pairs) // 10)
    windows = [pairs[start : start + size] for start in range(size, len(pairs) - size + 1, size)]
    middles = [(statistics.median(a for a, _ in window), statistics.median(b for _, b in window)) for window in windows]
    if not middles or any(b == 0 for _, b in middles):
        return True
    ratios, distances = [a / b for a, b in middles], [(a - b) / middles[-1][1] for a, b in middles]
    return any(max(some) - min(some) <= _SAME_TRAINING for some in (ratios, distances))
