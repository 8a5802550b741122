"""Faults as values: what a study may meet, each a frozen dataclass that can be written as JSON and read back.

`plan` draws them from a seed, `injector` lets them happen, and a case that failed keeps them in its file.
"""

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from headway.core import UsageError

__all__ = [
    "ClockJump",
    "Corrupt",
    "Delay",
    "Fault",
    "FillDisk",
    "Freeze",
    "Kill",
    "Piece",
    "ReadOnly",
    "Whom",
    "fault_from_json",
    "fault_to_json",
]

Whom = Literal["engine", "template", "worker", "engine+template"]
Piece = Literal["run log", "checkpoint", "database"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Kill processes with signal 9. `engine+template` takes both at once, so that nobody is left to tidy up."""

    whom: Whom = "engine"

    def __str__(self) -> str:
        return f"kill -9 of {self.whom}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Stop processes (SIGSTOP) for some seconds. With `rival`, another engine tries to take the study meanwhile."""

    whom: Whom = "engine"
    seconds: float = 1.0
    rival: bool = False

    def __str__(self) -> str:
        return f"{self.whom} frozen for {self.seconds:g} s{' beside a rival' if self.rival else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """Slow processes down for some seconds: they stand still for `share` of every tenth of a second."""

    whom: Whom = "engine"
    seconds: float = 2.0
    share: float = 0.8

    def __str__(self) -> str:
        return f"{self.whom} slowed by {self.share:.0%} for {self.seconds:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class FillDisk:
    """Fill the store's disk but for `free_bytes`. There is room again after `seconds`, or when the session is over."""

    free_bytes: int = 0
    seconds: float = 5.0

    def __str__(self) -> str:
        return f"disk full but for {self.free_bytes:,} bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOnly:
    """Let the store's disk fail while it is written to, so that the system makes it read-only. It is mended later."""

    seconds: float = 5.0

    def __str__(self) -> str:
        return "disk read-only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupt:
    """Write `size_bytes` of zeros or ones into a file of the store, beginning at `share` of its length.

    The run log is that of a running trial. For the newest checkpoint and the database the engine is killed before.
    """

    piece: Piece = "run log"
    share: float = 0.5
    size_bytes: int = 64
    byte: int = 0xFF

    def __str__(self) -> str:
        return f"{self.size_bytes} bytes of the {self.piece} overwritten at {self.share:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockJump:
    """Set the clock that the study's processes see forwards by `seconds`, or backwards where they are negative."""

    seconds: float = 3600.0

    def __str__(self) -> str:
        return f"clock {'forwards' if self.seconds > 0 else 'backwards'} by {abs(self.seconds) / 3600:.1f} h"


Fault = Kill | Freeze | Delay | FillDisk | ReadOnly | Corrupt | ClockJump

_KINDS: Mapping[str, type[Fault]] = {
    "kill": Kill,
    "freeze": Freeze,
    "delay": Delay,
    "fill-disk": FillDisk,
    "read-only": ReadOnly,
    "corrupt": Corrupt,
    "clock-jump": ClockJump,
}
_CHOICES: Mapping[str, tuple[str, ...]] = {"whom": get_args(Whom), "piece": get_args(Piece)}


def fault_to_json(fault: Fault) -> dict[str, Any]:
    """Return a fault as JSON; `fault_from_json` reads it back."""
    kind = next(name for name, made in _KINDS.items() if made is type(fault))
    return {"fault": kind, **asdict(fault)}


def fault_from_json(data: Mapping[str, Any]) -> Fault:
    """Read a fault, or raise `UsageError` and name what is not known."""
    values = dict(data)
    kind = str(values.pop("fault", ""))
    if kind not in _KINDS:
        raise UsageError(f"There is no fault {kind!r}. {_near(kind, _KINDS)}")
    made = _KINDS[kind]
    names = [field.name for field in fields(made)]
    for name, value in values.items():
        if name not in names:
            raise UsageError(f"The fault {kind!r} has no {name!r}. {_near(name, names)}")
        if value not in _CHOICES.get(name, (value,)):
            raise UsageError(f"{name} cannot be {value!r}. {_near(str(value), _CHOICES[name])}")
    return made(**values)


def _near(name: str, known: Mapping[str, object] | tuple[str, ...] | list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
