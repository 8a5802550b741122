"""Find metrics in what a command prints: JSON lines, `key: value` and `key=value`, progress lines ended by `\\r`."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from headway.core import UsageError

__all__ = ["LineSplitter", "MetricLine", "OutputParser"]

_WHOLE = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+(?:_\d+)*)"
_NUMBER = rf"[-+]?(?:{_WHOLE}(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_END = r"(?=$|[\s,;|)\]%}]|\.(?:\s|$))"
_UNIT = r"(?:[a-zA-Z]{1,4}(?=$|[\s,;|)\]]))"
_LONGEST_PAIRS = 4096  # characters of a line that is looked through for pairs: no progress bar is longer
_PAIR = re.compile(
    r"(?<![\w./-])(?![\w./-]*[./][\w-]*:\d+(?!\S*[.e]\d))"  # train.py:12 is a place in a file
    rf"([A-Za-z_][\w./@-]*)[\"']?\s*[:=]\s*(?:({_NUMBER})(?:{_END}|{_UNIT})|([-+]?(?:nan|NaN|inf|Infinity)){_END})"
)
_STEP = re.compile(
    rf"\b(global_?step|step|iter|iteration|epoch|batch)\b[\"']?\s*[:=#]?\s*({_WHOLE})(?!\d|\.\d|:\d|[eE])",
    re.IGNORECASE,
)
_STEP_NAMES = ("step", "global_step", "globalstep", "iter", "iteration", "epoch", "batch")
_LARGEST_STEP = 2**63 - 1
_MOST_METRICS = 200  # a log line that is no metric ("host: 10") must not fill the record
_LONGEST_LINE = 64 * 1024


@dataclass(frozen=True, slots=True)
class MetricLine:
    """Hold what one line said: a step, where it named one, and values by metric."""

    step: int | None
    values: Mapping[str, float]


class LineSplitter:
    """Cut a stream of bytes into lines at `\\n` and `\\r`; a line that never ends is cut after 64 KiB."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Take bytes and yield the lines that they complete."""
        *lines, self._rest = re.split(rb"\r\n|\n|\r", self._rest + data)
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            yield line.decode(errors="replace")

    def finish(self) -> Iterator[str]:
        """Yield the last line, where no line end closed it."""
        if self._rest:
            yield self._rest.decode(errors="replace")
        self._rest = b""


class OutputParser:
    """Read metrics from lines: by the patterns given, each with one group for the number, or by the usual forms."""

    def __init__(self, patterns: Mapping[str, str] | None = None) -> None:
        self._patterns = {name: _compiled(name, pattern) for name, pattern in (patterns or {}).items()}
        self._names: set[str] = set()

    def line(self, line: str) -> MetricLine | None:
        """Return what a line says, or None."""
        found = self._by_pattern(line) if self._patterns else _json_line(line) or _pairs(line)
        if found is None:
            return None
        values = {name: value for name, value in found.values.items() if self._admits(name)}
        return MetricLine(found.step, values) if values else None

    def text_of(self, metric: str, line: str) -> str | None:
        """Return what stands in the metric's place in a line, where that is no number."""
        if len(line) > _LONGEST_PAIRS:
            return None
        pattern = self._patterns.get(metric)
        if pattern is None and self._patterns:
            return None
        if pattern is None:
            pattern = _place_of(metric)
        match = pattern.search(line)
        text = None if match is None else match[1]
        return text if text and _float(text) is None else None

    def _admits(self, name: str) -> bool:
        if name not in self._names and len(self._names) < _MOST_METRICS:
            self._names.add(name)
        return name in self._names

    def _by_pattern(self, line: str) -> MetricLine | None:
        values: dict[str, float] = {}
        for name, pattern in self._patterns.items():
            if (match := pattern.search(line)) is not None and (value := _float(match[1] or "")) is not None:
                values[name] = value
        named = {name: values.pop(name) for name in _STEP_NAMES if name in values}
        step = _first_step(named) if named else _step(line)
        return MetricLine(step, values) if values else None


@cache
def _place_of(metric: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w./-]){re.escape(metric)}[\"']?\s*[:=]\s*([^\s,;|)\]}}]+)")


def _json_line(line: str) -> MetricLine | None:
    text = line.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return None
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    items = cast("dict[str, Any]", data)
    numbers = {name: value for name, item in items.items() if (value := _json_number(item)) is not None}
    return MetricLine(_first_step(numbers), {name: value for name, value in numbers.items() if name not in _STEP_NAMES})


def _json_number(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:  # a whole number beyond 1e308
        return math.inf if value > 0 else -math.inf


def _pairs(line: str) -> MetricLine | None:
    if len(line) > _LONGEST_PAIRS:
        return None
    found = {name: _float(number or word) for name, number, word in _PAIR.findall(line)}
    values = {name: value for name, value in found.items() if value is not None and name.lower() not in _STEP_NAMES}
    return MetricLine(_step(line), values) if values else None


def _step(line: str) -> int | None:
    return _first_step({name.lower(): _float(number) or 0.0 for name, number in _STEP.findall(line)})


def _first_step(numbers: Mapping[str, float]) -> int | None:
    """Return the finest count that was named: the step before the epoch."""
    found = (numbers[name] for name in _STEP_NAMES if name in numbers)
    return next((int(number) for number in found if abs(number) < _LARGEST_STEP), None)


def _float(text: str) -> float | None:
    try:
        return float(text.replace(",", "").replace("_", ""))
    except ValueError:
        return None


def _compiled(name: str, pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"The pattern {pattern!r} of the metric {name!r} is no regular expression: {error}."
        ) from error
    if compiled.groups < 1:
        raise UsageError(
            f"The pattern {pattern!r} of the metric {name!r} has no group. Put the number in brackets: "
            r"'loss = ([\d.]+)'."
        )
    return compiled
