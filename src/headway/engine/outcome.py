"""From what an attempt said and how its process ended to what the record says of the trial. Pure decisions."""

import math
import signal
from dataclasses import dataclass

from headway.core import Limits, Reason, TrialState, digest, hint
from headway.engine.progress import Progress

__all__ = ["Exit", "Outcome", "judge", "signal_name"]

_OUT_OF_MEMORY = (
    "MemoryError",
    "OutOfMemoryError",
    "can't allocate memory",
    "CUDA out of memory",
    "Cannot allocate memory",
)

_BY_CLOCK = (Reason.WALL_TIME, Reason.NO_PROGRESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """Say how a process ended: by a code, or by a signal, and what it cost (`wall_seconds` where somebody watched).

    `lost` where it went away before its trial ended, `beside` where others were lost with it; `interrupted` where that
    was because its engine did, or because the disk of the store took nothing more.
    """

    code: int | None = None
    signal: int | None = None
    wall_seconds: float | None = None
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    lost: bool = False
    beside: bool = False
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Say where a trial stands after an attempt."""

    state: TrialState
    reason: Reason | None = None
    message: str = ""
    fingerprint: str | None = None
    value: float | None = None


def judge(progress: Progress, ended: Exit, cause: Reason | None, metric: str, limits: Limits) -> Outcome:
    """Decide what an attempt came to. `cause` is why the engine ended it, None where it ended by itself."""
    value = progress.objective(metric)
    finite = value if value is not None and math.isfinite(value) else None
    if cause in (Reason.SCHEDULER, Reason.USER):
        return Outcome(state=TrialState.STOPPED, reason=cause, message=_stopped(progress), value=finite)
    if cause in _BY_CLOCK and progress.over:
        cause = None  # it had ended by itself, and the engine looked late: after a freeze, or a suspended machine
    if cause is not None:
        return _failed(cause, _limit_text(cause, limits), value=finite)
    if progress.paused or progress.cut_short or ended.lost:
        return Outcome(state=TrialState.PAUSED, value=finite)
    if progress.failure is not None:
        return _of_failure(progress.failure, finite)
    if ended.signal is not None and not progress.ended:
        return _of_signal(ended.signal, limits, finite)
    if not progress.ended and not (progress.left and value is not None):
        code = "" if ended.code is None else f" with code {ended.code}"
        return _failed(
            Reason.EXITED, f"The experiment left its process{code} before its function returned.", value=finite
        )
    return _of_value(progress, value, metric)


def signal_name(number: int) -> str:
    """Return what a signal is called, also one that has no name.

    >>> signal_name(9)
    'SIGKILL'
    """
    return signal.Signals(number).name if number in signal.Signals.__members__.values() else f"signal {number}"


def _of_value(progress: Progress, value: float | None, metric: str) -> Outcome:
    if value is None:
        seen = sorted({*progress.last, *progress.reported})
        there = f"it logged {', '.join(seen)}" if seen else "it logged nothing"
        return _failed(
            Reason.NO_METRIC,
            f"The trial ended without {metric!r}; {there}. {hint(metric, seen)}"
            f"Report it: run.report({metric}=...), or print '{metric}: VALUE'.",
        )
    if not math.isfinite(value):
        return _failed(Reason.NOT_FINITE, f"The objective {metric} is {value}: the training diverged.")
    return Outcome(state=TrialState.COMPLETE, value=value)


def _of_failure(failure: dict[str, str], value: float | None) -> Outcome:
    message = failure["message"]
    reason = Reason(failure["reason"])
    if any(sign in message or sign in failure["traceback"] for sign in _OUT_OF_MEMORY):
        reason = Reason.MEMORY
    return Outcome(
        state=TrialState.FAILED, reason=reason, message=message, fingerprint=failure["fingerprint"], value=value
    )


def _of_signal(number: int, limits: Limits, value: float | None) -> Outcome:
    name = signal_name(number)
    if name == "SIGXCPU":
        return _failed(Reason.CPU_TIME, _limit_text(Reason.CPU_TIME, limits), value=value)
    hint = {
        "SIGSEGV": "a library broke memory",
        "SIGKILL": "somebody ended it, or the machine ran out of memory",
        "SIGBUS": "a mapped file was cut, or the disk is full",
    }.get(name, "it did not handle it")
    return _failed(Reason.SIGNAL, f"The process was ended by {name}: {hint}.", value=value)


def _failed(reason: Reason, message: str, value: float | None = None) -> Outcome:
    return Outcome(
        state=TrialState.FAILED, reason=reason, message=message, fingerprint=digest([reason, message])[:12], value=value
    )


def _limit_text(reason: Reason, limits: Limits) -> str:
    texts = {
        Reason.WALL_TIME: f"It ran longer than {limits.wall_seconds:g} s (limits.wall_seconds).",
        Reason.CPU_TIME: f"It used more than {limits.cpu_seconds:g} s of CPU (limits.cpu_seconds).",
        Reason.MEMORY: f"It used more memory than {limits.memory_bytes / 2**20:,.0f} MiB (limits.memory_bytes).",
        Reason.OUTPUT: f"It printed more than {limits.output_bytes / 2**20:,.0f} MiB (limits.output_bytes).",
        Reason.NO_PROGRESS: f"For {limits.idle_seconds:g} s it logged and printed nothing (limits.idle_seconds).",
        Reason.NOT_FINITE: "The metric was NaN or infinite at a rung: the training diverged.",
    }
    return texts.get(reason, str(reason))


def _stopped(progress: Progress) -> str:
    return "" if progress.step is None else f"Stopped at step {progress.step} of {progress.horizon or '?'}."
