"""What a trial is made of: its states, why it ended, its role in a study, what it needs and what it may use."""

import enum
import math
from dataclasses import asdict, dataclass
from typing import Literal

from headway.core.errors import UsageError
from headway.core.names import fields_checked

__all__ = ["Direction", "Limits", "Needs", "Reason", "Role", "TrialState", "better"]

Direction = Literal["minimize", "maximize"]


def better(left: float, right: float, direction: Direction) -> bool:
    """Tell whether `left` is strictly better than `right`."""
    return left < right if direction == "minimize" else left > right


class TrialState(enum.StrEnum):
    """Say where a trial stands. `complete`, `stopped` and `failed` are ends; the rest go on."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    COMPLETE = "complete"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will happen to the trial by itself."""
        return self in (TrialState.STOPPED, TrialState.COMPLETE, TrialState.FAILED)


class Reason(enum.StrEnum):
    """Say why a trial did not complete."""

    EXCEPTION = "exception"  # Python raised, or the command returned a code that is not zero
    EXITED = "exited"  # the experiment left its process by itself
    SIGNAL = "signal"  # a signal ended it (segmentation fault, kill)
    LOST = "lost"  # its process went away with the engine, and too often
    NO_METRIC = "no metric"  # it ended well and never reported
    NOT_FINITE = "not finite"  # the objective is NaN or infinite
    BAD_METRIC = "bad metric"  # the objective is no number
    WALL_TIME = "wall time"
    CPU_TIME = "cpu time"
    MEMORY = "memory"
    OUTPUT = "output"
    NO_PROGRESS = "no progress"
    SCHEDULER = "scheduler"  # stopped early: others were better at the same step
    USER = "user"  # stopped by a person


class Role(enum.StrEnum):
    """Say what a trial is for in a study."""

    BASELINE = "baseline"
    SEARCH = "search"
    CONFIRM = "confirm"


@fields_checked("headway.Needs(cores=2, gpus=1)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """Declare what one trial occupies: CPU cores, GPUs, and bytes of memory (0: not planned)."""

    cores: int = 1
    gpus: int = 0
    memory_bytes: int = 0

    def __post_init__(self) -> None:
        for name, value in self.to_json().items():
            least = 1 if name == "cores" else 0
            if type(value) is not int or value < least:
                raise UsageError(f"Needs({name}={value!r}) cannot be met. Give a whole number from {least}.")

    def to_json(self) -> dict[str, int]:
        """Return the needs as JSON."""
        return asdict(self)


@fields_checked("headway.Limits(wall_seconds=600, memory_bytes=4 * 1024**3)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bound one attempt at a trial; the whole process tree ends when a bound is passed.

    `wall_seconds` and `cpu_seconds` (of the whole tree); `memory_bytes` (data segment of each process, and resident
    memory of the tree; 0 takes nine tenths of the machine's memory); `output_bytes` printed; `idle_seconds` without a
    logged point, a checkpoint or a printed byte.
    """

    wall_seconds: float = 24 * 3600.0
    cpu_seconds: float = 7 * 24 * 3600.0
    memory_bytes: int = 0
    output_bytes: int = 64 * 1024 * 1024
    idle_seconds: float = 30 * 60.0

    def __post_init__(self) -> None:
        for name, value in self.to_json().items():
            if type(value) not in (int, float) or not 0 <= value < math.inf:
                raise UsageError(f"Limits({name}={value!r}) is no limit. Give a finite number above 0.")
            if value == 0 and name != "memory_bytes":
                raise UsageError(f"Limits({name}={value}) would end every trial at once. Give a number above 0.")
            if name.endswith("_bytes"):  # people write 4e9
                object.__setattr__(self, name, int(value))

    def to_json(self) -> dict[str, float]:
        """Return the limits as JSON."""
        return asdict(self)
