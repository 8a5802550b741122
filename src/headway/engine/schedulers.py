"""Who may run on: full runs, or asynchronous successive halving.

A scheduler names rungs, fractions of a run at which a trial waits for its decision, and decides by what others reached
there. It knows numbers only; the engine keeps what was decided in the record and tells it again after a restart.
"""

import math
from abc import ABC, abstractmethod
from collections import defaultdict

from headway.core import Direction, UsageError, hint

__all__ = ["FullRuns", "Scheduler", "SuccessiveHalving", "make_scheduler"]


class Scheduler(ABC):
    """Decide at each rung whether a trial runs on."""

    rungs: tuple[float, ...] = ()

    @property
    @abstractmethod
    def described(self) -> str:
        """Return the scheduler and its settings in one canonical line."""

    @abstractmethod
    def decide(self, trial: int, rung: int, value: float | None) -> bool:
        """Tell whether the trial, with this value of the metric at its `rung`-th rung, runs on."""

    @abstractmethod
    def recall(self, trial: int, rung: int, value: float | None) -> None:
        """Take in a decision of an earlier session."""


class FullRuns(Scheduler):
    """Let every trial run to its end."""

    @property
    def described(self) -> str:
        """Return `full`."""
        return "full"

    def decide(self, trial: int, rung: int, value: float | None) -> bool:
        """Say yes."""
        return True

    def recall(self, trial: int, rung: int, value: float | None) -> None:
        """Keep nothing."""


class SuccessiveHalving(Scheduler):
    """Keep the best `1 / reduction` of those that reached each rung so far (ASHA, Li et al. 2020, the stopping kind).

    The first rung is at `first` of a full run, each next one `reduction` times further. Before `reduction` trials have
    reached a rung, only the ones that are worse than all others are stopped there; a trial without a value runs on, and
    one whose value is not finite does not.
    """

    def __init__(self, direction: Direction, *, reduction: int = 3, first: float = 1 / 9) -> None:
        if reduction < 2 or not 0 < first < 1:
            raise UsageError(
                f"Successive halving with reduction={reduction}, first={first:g} stops nothing. Use a "
                "reduction of 2 or more, and a first rung between 0 and 1."
            )
        self._direction = direction
        self._reduction = reduction
        self._first = first
        count = math.ceil(math.log(1 / first) / math.log(reduction) - 1e-9)
        self.rungs = tuple(first * reduction**index for index in range(count))
        self._reached: defaultdict[int, dict[int, float]] = defaultdict(dict)

    @property
    def described(self) -> str:
        """Return the name, the reduction and the first rung."""
        return f"asha(reduction={self._reduction}, first={self._first:.6g})"

    def decide(self, trial: int, rung: int, value: float | None) -> bool:
        """Tell whether the value is among the best of those that reached the rung."""
        if value is None:
            return True
        self.recall(trial, rung, value)
        if not math.isfinite(value):
            return False
        sign = 1.0 if self._direction == "minimize" else -1.0
        others = [sign * other for key, other in self._reached[rung].items() if key != trial and math.isfinite(other)]
        better = sum(other < sign * value for other in others)
        return better < math.ceil((len(others) + 1) / self._reduction)

    def recall(self, trial: int, rung: int, value: float | None) -> None:
        """Count a trial at a rung."""
        if value is not None:
            self._reached[rung][trial] = value


def make_scheduler(name: str, direction: Direction) -> Scheduler:
    """Return the scheduler of that name: `full` or `asha`, the latter also with settings: `asha(reduction=4)`."""
    import re

    match = re.fullmatch(r"(full|asha)(?:\(([^()]*)\))?", name.strip())
    if match is None:
        near = hint(name.partition("(")[0].strip(), ("full", "asha"))
        raise UsageError(
            f"The scheduler {name!r} is unknown. {near}Use 'full', 'asha' or 'asha(reduction=3, first=0.11)'."
        )
    if match[1] == "full":
        if (match[2] or "").strip():
            raise UsageError("The scheduler 'full' takes no settings. Use 'full' or 'asha(reduction=3)'.")
        return FullRuns()
    reduction, first = 3, 1 / 9
    for part in filter(None, (match[2] or "").replace(" ", "").split(",")):
        key, _, text = part.partition("=")
        if key not in ("reduction", "first"):
            near = hint(key, ("reduction", "first"))
            raise UsageError(
                f"The scheduler {name!r} has the unknown setting {key!r}. {near}It takes reduction and first."
            )
        try:
            if key == "reduction":
                reduction = int(text)
            else:
                first = float(text)
        except ValueError:
            expected = "a whole number" if key == "reduction" else "a number"
            raise UsageError(f"The scheduler {name!r} has {key}={text!r}. Expected {expected}.") from None
    return SuccessiveHalving(direction, reduction=reduction, first=first)
