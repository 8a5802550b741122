"""What a long study notes of itself as it goes: how much it holds, and what its trials cost early and late."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Length", "Life", "Window", "against_young"]

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
    """Hold the CPU of a trial in a stretch that ended with the `trials`-th, and of a young study's just then."""

    trials: int
    cpu_seconds: float
    beside_cpu_seconds: float


class Life:
    """Look at what a run noted of itself."""

    def __init__(self, length: Length, data: Mapping[str, Any]) -> None:
        self.length = length
        self.problems: list[str] = data["problems"]
        self.asked: list[dict[str, float]] = data["asked"]
        self._samples: list[dict[str, float]] = data["samples"]
        self._windows = [self._window(item) for item in self._samples if "beside_cpu_seconds" in item]

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
        return [item for item in self._windows if item.trials <= self.length.warm + self.length.window]

    @property
    def late(self) -> list[Window]:
        """Return the last windows."""
        return [item for item in self._windows if item.trials > self.length.trials - self.length.window]

    @property
    def late_to_early(self) -> float:
        """Return how many times an early trial's CPU a late one costs, both against those of a young study."""
        return against_young(self.late) / against_young(self.early)

    @property
    def late_to_early_as_measured(self) -> float:
        """Return the same of the CPU alone: it is that of different minutes."""
        late, early = (statistics.median(item.cpu_seconds for item in found) for found in (self.late, self.early))
        return late / early

    def _window(self, sample: Mapping[str, float]) -> Window:
        return Window(
            trials=int(sample["trials"]),
            cpu_seconds=sample["cpu_seconds"] / self.length.every,
            beside_cpu_seconds=sample["beside_cpu_seconds"] / self.length.every,
        )


def against_young(windows: Sequence[Window]) -> float:
    """Return how many times a young study's trial one costs: the median of the windows."""
    return statistics.median(item.cpu_seconds / item.beside_cpu_seconds for item in windows)
