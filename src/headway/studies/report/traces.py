"""Curves made small enough to draw: which metrics, how many points, and how far the axis has to reach."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from headway.core import Direction, TrialState
from headway.store import Curve, Store, StudyTrial, TrialRecord, live_points
from headway.studies.report.scale import quantile

__all__ = ["Reach", "Trace", "common_metrics", "curves_of", "last_finite", "reach", "read_traces", "thin"]

_POINTS_A_CURVE = 200
_FEWEST_POINTS = 40
_POINTS_A_PAGE = 200_000  # about 2 MB of HTML
_METRICS = 8
_EARLY_SHARE = 0.1  # of the steps: a loss that starts at 10 and ends at 3 spends these on its way down
_CLIPPED_SHARE = 0.05
_WORTH_CLIPPING = 1.6  # of the length that is left


@dataclass(frozen=True, slots=True)
class Trace:
    """Hold one trial's curve of one metric, thinned."""

    place: StudyTrial
    steps: Sequence[int]
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Reach:
    """Say how far an axis goes, and which points beyond it are cut off."""

    low: float
    high: float
    points: int
    above: int
    below: int
    highest: float
    lowest: float


def read_traces(store: Store, places: Sequence[StudyTrial]) -> dict[str, list[Trace]]:
    """Read the curves of a study's trials by metric, thinned; running trials with what they logged so far."""
    found: dict[str, list[Trace]] = {}
    limit = min(_POINTS_A_CURVE, max(_FEWEST_POINTS, _POINTS_A_PAGE // (_METRICS * max(len(places), 1))))
    for place in places:
        for metric, curve in curves_of(store, place.trial).items():
            found.setdefault(metric, []).append(Trace(place, *thin(curve, limit)))
    return found


def curves_of(store: Store, trial: TrialRecord) -> dict[str, Curve]:
    """Return a trial's curves by metric; a running trial's with what it logged so far."""
    attempts = store.trials.attempts(trial.id) if trial.state == TrialState.RUNNING else []
    live = live_points(store.folder, attempts[-1]) if attempts else []
    return store.curves.read(trial.id, live=live)


def common_metrics(traces: dict[str, list[Trace]], first: str) -> list[str]:
    """Return the study's own metric, then losses, then those that most trials logged: eight at most."""
    counts = Counter({name: len(items) for name, items in traces.items() if name != first})
    others = sorted(counts, key=lambda name: ("loss" not in name, -counts[name], name))
    return ([first] if first in traces else []) + others[: _METRICS - 1]


def thin(curve: Curve, limit: int) -> tuple[list[int], list[float]]:
    """Keep at most about `limit` points of a curve: ends, and the least and greatest value of equal stretches.

    A stretch that holds NaN or infinity keeps one of them, so that a break stays a break.
    """
    steps, values = curve.steps, curve.values
    count = len(values)
    if count <= limit:
        return list(steps), list(values)
    stretches = max(1, (limit - 2) // 2)
    kept = {0, count - 1}
    for index in range(stretches):
        start, end = index * count // stretches, (index + 1) * count // stretches
        kept.update(_extremes(values, start, end))
    chosen = sorted(kept)
    return [steps[index] for index in chosen], [values[index] for index in chosen]


def reach(traces: Sequence[Trace], direction: Direction | None, kept: Sequence[Trace]) -> Reach | None:
    """Choose a y range that early spikes do not rule; None where no point is finite.

    What is cut off, if that is worth it: the first tenth of the steps where it leaves the range of the rest, and the
    worse 5 % of the rest (half of it on either side where no side is worse). The last values of `kept` never are.
    """
    ordered = sorted(value for trace in traces for value in trace.values if math.isfinite(value))
    if not ordered:
        return None
    settled = _settled(traces) or ordered
    bottom = {"maximize": _CLIPPED_SHARE, "minimize": 0.0, None: _CLIPPED_SHARE / 2}[direction]
    top = {"maximize": 0.0, "minimize": _CLIPPED_SHARE, None: _CLIPPED_SHARE / 2}[direction]
    ends = [end for trace in kept if (end := last_finite(trace)) is not None]
    low = min([quantile(settled, bottom), *ends])
    high = max([quantile(settled, 1 - top), *ends])
    if low == high or ordered[-1] / 2 - ordered[0] / 2 <= _WORTH_CLIPPING * (high / 2 - low / 2):
        low, high = ordered[0], ordered[-1]
    return Reach(
        low=low,
        high=high,
        points=len(ordered),
        above=sum(value > high for value in ordered),
        below=sum(value < low for value in ordered),
        highest=ordered[-1],
        lowest=ordered[0],
    )


def last_finite(trace: Trace) -> float | None:
    """Return the last finite value of a curve."""
    return next((value for value in reversed(trace.values) if math.isfinite(value)), None)


def _settled(traces: Sequence[Trace]) -> list[float]:
    steps = [step for trace in traces for step in trace.steps]
    start = min(steps) + _EARLY_SHARE * (max(steps) - min(steps))
    pairs = (pair for trace in traces for pair in zip(trace.steps, trace.values, strict=True))
    return sorted(value for step, value in pairs if step >= start and math.isfinite(value))


def _extremes(values: Sequence[float], start: int, end: int) -> list[int]:
    finite = [index for index in range(start, end) if math.isfinite(values[index])]
    found = [min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)] if finite else []
    if len(finite) < end - start:
        found.append(next(index for index in range(start, end) if not math.isfinite(values[index])))
    return found
