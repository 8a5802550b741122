"""The numbers of a group of failures: what they used, and the limits that they had."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from headway.core import Reason
from headway.store import Store
from headway.studies.triage.cases import Case

__all__ = ["Figures", "Span", "figures_of"]

_LIMITED = {
    Reason.MEMORY, Reason.WALL_TIME, Reason.CPU_TIME, Reason.OUTPUT, Reason.NO_PROGRESS, Reason.SIGNAL, Reason.LOST,
}  # fmt: skip
_MOST_RECORDS = 200  # trials of a group whose record is read: their limits are nearly always one
_MACHINES_SHARE = 0.9  # what a trial may use where no limit is given (headway.core.Limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Hold the least and the greatest of some numbers."""

    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Span | None":
        """Return the span of some numbers; None of none."""
        return cls(least=min(values), most=max(values)) if values else None

    def to_json(self) -> dict[str, float]:
        """Return it as JSON."""
        return {"least": self.least, "most": self.most}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Hold spans over a group's trials. Limits are those of the trials' records; None where none was read.

    `seconds` are of the last attempt at each trial; `steps` counts done steps, of `horizon`; `stepless` are the trials
    that had not done one; `attempts` is the most that a trial had.
    """

    seconds: Span | None
    peak_memory_bytes: Span | None
    wall_limit_seconds: Span | None
    cpu_limit_seconds: Span | None
    idle_limit_seconds: Span | None
    memory_limit_bytes: Span | None
    output_limit_bytes: Span | None
    steps: Span | None
    horizon: int | None
    stepless: int
    attempts: int

    def to_json(self) -> dict[str, Any]:
        """Return what is known as JSON."""
        spans = {name: span.to_json() for name in _SPANS if (span := getattr(self, name)) is not None}
        return {**spans, "horizon": self.horizon, "trials_without_a_step": self.stepless, "attempts": self.attempts}


_SPANS = (
    "seconds", "peak_memory_bytes", "wall_limit_seconds", "cpu_limit_seconds", "idle_limit_seconds",
    "memory_limit_bytes", "output_limit_bytes", "steps",
)  # fmt: skip


def figures_of(store: Store, cases: Sequence[Case]) -> Figures:
    """Read the numbers of a group."""
    trials = [case.trial for case in cases]
    limited = trials[0].reason in _LIMITED
    some = [store.trials.get(trial.id).record for trial in trials[:_MOST_RECORDS]] if limited else []
    ends = [store.trials.attempts(trial.id) for trial in trials[:_MOST_RECORDS]] if limited else []

    def limits(name: str) -> Span | None:
        return Span.of([float(record["limits"][name]) for record in some if "limits" in record])

    memory = [limit for record in some if (limit := _memory_limit(record))]
    steps = [float(trial.step) for trial in trials if trial.step is not None]
    return Figures(
        seconds=Span.of([item[-1].wall_seconds for item in ends if item] or [trial.wall_seconds for trial in trials]),
        peak_memory_bytes=Span.of([float(trial.peak_memory_bytes) for trial in trials if trial.peak_memory_bytes]),
        wall_limit_seconds=limits("wall_seconds"),
        cpu_limit_seconds=limits("cpu_seconds"),
        idle_limit_seconds=limits("idle_seconds"),
        memory_limit_bytes=Span.of(memory),
        output_limit_bytes=limits("output_bytes"),
        steps=Span.of(steps),
        horizon=max((trial.horizon for trial in trials if trial.horizon is not None), default=None),
        stepless=len(trials) - len(steps),
        attempts=max((len(item) for item in ends), default=1),
    )


def _memory_limit(record: Any) -> float:
    """Return a trial's limit in bytes: its own, or the machine's share that stands for none; 0 where it is unknown."""
    own = float(record.get("limits", {}).get("memory_bytes", 0))
    return own or _MACHINES_SHARE * float(record.get("hardware", {}).get("memory_bytes", 0))
