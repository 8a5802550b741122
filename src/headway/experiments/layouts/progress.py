"""Reading what a repository printed: learning curves, summaries, `METRIC` lines, and one number with its problems."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headway.core import Reason
from headway.experiments.metrics import LineSplitter, OutputParser

__all__ = ["CurvePoint", "curve_of", "lines_of", "metric_lines", "number", "progress_point", "summary", "verdict_on"]

_SUMMARY = re.compile(r"([A-Za-z_][\w./%-]*):\s*(\S.*?)\s*")
_METRIC = re.compile(r"\s*METRIC\s+([^\W\d][\w.%/-]*)\s*=\s*(\S+)\s*")
_LONGEST_TEXT = 80


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Hold what a progress line told: values by metric, at a step."""

    step: int
    values: Mapping[str, float]


def lines_of(output: str) -> list[str]:
    """Return the lines of an output, cut at newlines and at the carriage returns of progress lines."""
    splitter = LineSplitter()
    return [*splitter.feed(output.encode(errors="replace")), *splitter.finish()]


def progress_point(line: str) -> CurvePoint | None:
    """Return the point that a line tells, or None where it names no step or no value.

    >>> progress_point("step 00950 (99.7%) | loss: 2.912 | dt: 300ms | tok/sec: 1,234 ").values["loss"]
    2.912
    """
    found = OutputParser().line(line)
    if found is None or found.step is None:
        return None
    return CurvePoint(found.step, dict(found.values))


def curve_of(lines: Iterable[str]) -> tuple[CurvePoint, ...]:
    """Return the points of all lines; of a step that is told twice, the later one, and no step backwards."""
    points: dict[int, CurvePoint] = {}
    for line in lines:
        point = progress_point(line)
        if point is not None:
            points[point.step] = point
    return tuple(points[step] for step in sorted(points))


def summary(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Return the `key: value` pairs after the first line that is `---`, as text and in their order."""
    pairs: list[tuple[str, str]] = []
    begun = False
    for line in lines:
        found = _SUMMARY.fullmatch(line) if begun else None
        begun = begun or line.rstrip() == "---"
        if found is not None:
            pairs.append((found[1], found[2]))
    return pairs


def metric_lines(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Return the names and values of `METRIC name=value` lines, as text and in their order."""
    return [(found[1], found[2]) for line in lines if (found := _METRIC.fullmatch(line)) is not None]


def number(text: str) -> float | None:
    """Return the number that a text is, NaN and infinities included, or None."""
    try:
        return float(text)
    except ValueError:
        return None


def verdict_on(
    metric: str, found: object, *, low: float = -math.inf, where: str = "printed"
) -> tuple[float | None, Reason | None, str]:
    """Return a metric's value, or the reason why it has none and that in words. `low` itself is impossible too."""
    if found is None:
        return None, Reason.NO_METRIC, f"{metric} was not {where}."
    value = number(found) if isinstance(found, str) else found
    if isinstance(value, bool) or not isinstance(value, int | float):
        shown = str(found)[:_LONGEST_TEXT]
        return None, Reason.BAD_METRIC, f"{metric} is {shown!r}. Expected a number."
    if not _finite(value):
        return None, Reason.NOT_FINITE, f"{metric} is {str(value)[:_LONGEST_TEXT]}. Expected a finite number."
    if value <= low:
        return None, Reason.BAD_METRIC, f"{metric} is {value:g}, which is impossible: it lies above {low:g}."
    return float(value), None, ""


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False
