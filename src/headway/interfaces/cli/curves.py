"""Curves in a terminal: a line of eight heights, and a small plot in braille dots."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

__all__ = ["plot_lines", "sparkline"]

_BARS = "▁▂▃▄▅▆▇█"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille cell, by row and column


def sparkline(values: Sequence[float], size: int = 20) -> str:
    """Return a curve as one line of at most `size` bars, means of equal stretches; '!' where nothing is finite.

    >>> sparkline([1, 2, 3, 4, 5, 6, 7, 8])
    '▁▂▃▄▅▆▇█'
    >>> sparkline([3.0, float("nan"), 3.0])
    '▄!▄'
    """
    means = [_mean(part) for part in _stretches(values, size)]
    finite = [mean for mean in means if mean is not None]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    return "".join("!" if mean is None else _bar(mean, low, high) for mean in means)


def plot_lines(steps: Sequence[int], values: Sequence[float], *, columns: int = 56, rows: int = 8) -> list[str]:
    """Plot a curve over its steps, with its range at the left and below. Empty with fewer than two finite points."""
    points = [(step, value) for step, value in zip(steps, values, strict=True) if math.isfinite(value)]
    if len(points) < 2:
        return []
    left, right = min(step for step, _ in points), max(step for step, _ in points)
    low, high = min(value for _, value in points), max(value for _, value in points)
    cells = [[0] * columns for _ in range(rows)]
    dots = [
        (_scaled(step, left, right, 2 * columns - 1), 4 * rows - 1 - _scaled(value, low, high, 4 * rows - 1))
        for step, value in points
    ]
    for x, y in _joined(dots):
        cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    top, bottom = f"{high:.5g}", f"{low:.5g}"
    margin = max(len(top), len(bottom))
    labels = [top, *[""] * (rows - 2), bottom]
    lines = [
        f"{label:>{margin}} │" + "".join(chr(0x2800 + cell) for cell in row).rstrip("\u2800")
        for label, row in zip(labels, cells, strict=True)
    ]
    first, last = str(left), str(right)
    axis = " " * margin + " └" + "─" * columns
    return [*lines, axis, " " * (margin + 2) + first + last.rjust(columns - len(first))]


def _joined(dots: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the dots and straight lines between neighbours."""
    for (x, y), (next_x, next_y) in pairwise(dots):
        length = max(abs(next_x - x), abs(next_y - y), 1)
        for index in range(length + 1):
            yield round(x + (next_x - x) * index / length), round(y + (next_y - y) * index / length)


def _stretches(values: Sequence[float], size: int) -> list[Sequence[float]]:
    count = min(size, len(values))
    edges = [index * len(values) // count for index in range(count + 1)] if count else []
    return [values[start:end] for start, end in pairwise(edges)]


def _mean(values: Sequence[float]) -> float | None:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else None


def _bar(value: float, low: float, high: float) -> str:
    return _BARS[_scaled(value, low, high, len(_BARS) - 1)]


def _scaled(value: float, low: float, high: float, top: int) -> int:
    if high <= low:
        return top // 2
    share = (value / 2 - low / 2) / (high / 2 - low / 2)  # halves: the range of two doubles may overflow
    return min(top, max(0, round(share * top)))
