"""What a long study notes of itself as it goes: how much it holds, and what its trials cost early and late."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Length", "Life", "Window"]

_MEGABYTE = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """Say how long a study is. Compared are the `window` trials after the first `warm` ones, and the last ones."""

    trials: int
    warm: int
    window: int
    every: int
    asked: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hold the CPU of a trial in a stretch of trials that ended with the `trials`-th, in seconds and in yards."""

    trials: int
    cpu: float
    yards: float


class Life:
    """Look at what a run noted of itself."""

    def __init__(self, length: Length, data: Mapping[str, Any]) -> None:
        self.length = length
        self.problems: list[str] = data["problems"]
        self.asked: list[dict[str, float]] = data["asked"]
        self._samples: list[dict[str, float]] = data["samples"]
        self._windows = self._measured(in_process=not self._samples[-1]["template_bytes"])

    def memory(self, whose: str) -> tuple[float, float]:
        """Return the megabytes of the engine or the template after the warm-up and at the end."""
        first = next(item for item in self._samples if item["trials"] >= self.length.warm)
        return first[f"{whose}_bytes"] / _MEGABYTE, self._samples[-1][f"{whose}_bytes"] / _MEGABYTE

    def growth(self, whose: str) -> float:
        """Return by how many megabytes it grew."""
        first, last = self.memory(whose)
        return last - first

    @property
    def early(self) -> list[Window]:
        """Return the windows after the warm-up."""
        return self._between(self.length.warm, self.length.warm + self.length.window)

    @property
    def late(self) -> list[Window]:
        """Return the last windows."""
        return self._between(self._windows[-1].trials - self.length.window, self._windows[-1].trials)

    @property
    def late_to_early(self) -> float:
        """Return the ratio of a late trial's CPU to an early one's, both in yards."""
        late, early = (statistics.median(item.yards for item in windows) for windows in (self.late, self.early))
        return late / early

    def _between(self, first: int, last: int) -> list[Window]:
        return [item for item in self._windows if first < item.trials <= last]

    def _measured(self, *, in_process: bool) -> list[Window]:
        parts = ["engine_cpu"] if in_process else ["engine_cpu", "template_cpu", "worker_cpu"]
        windows: list[Window] = []
        for before, after in zip(self._samples, self._samples[1:], strict=False):
            trials = after["trials"] - before["trials"]
            cpu = sum(after[part] - before[part] for part in parts)
            yard = after["yard_cpu"] - before["yard_cpu"]
            windows.append(Window(trials=int(after["trials"]), cpu=cpu / trials, yards=cpu / yard))
        return windows
