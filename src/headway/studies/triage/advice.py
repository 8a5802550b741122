"""The next step for a cause of failures: what to look at, what to change, and the command that tells."""

import shlex
from typing import Any

from headway.core import Reason
from headway.studies.triage.causes import Cause
from headway.studies.triage.figures import Figures
from headway.studies.triage.groups import Advice
from headway.studies.triage.rules import Rule
from headway.studies.triage.smallest import Smallest
from headway.studies.triage.words import amount, size

__all__ = ["advice_on", "command_text"]

_FROM_OUTSIDE = (
    "ConnectionError", "ConnectionResetError", "ConnectionRefusedError", "ConnectionAbortedError", "BrokenPipeError",
    "TimeoutError", "HTTPError", "URLError", "gaierror", "ReadTimeout", "ConnectTimeout", "RemoteDisconnected",
)  # fmt: skip
_REPORT = "run.report(NAME=VALUE), or print 'NAME: VALUE'"
_SAID_ALREADY = (Reason.MEMORY, Reason.WALL_TIME, Reason.CPU_TIME, Reason.NO_PROGRESS)
_ROOM = 1.25  # times what was seen: a limit that is just met is met again


def advice_on(cause: Cause, rule: Rule | None, smallest: Smallest, figures: Figures) -> list[Advice]:
    """Return what to do, the most useful first. Every sentence rests on what the record shows."""
    first = _on_reason(cause, rule, figures)
    look = Advice(text="See it in full", command=("show", str(smallest.case.trial.id)))
    return [first, *_probe(smallest), *_elsewhere(cause, rule), look]


def _probe(smallest: Smallest) -> list[Advice]:
    if not smallest.probe:
        return []
    values = [f"{name}={_value(value)}" for name, value in smallest.probe.items()]
    return [
        Advice(
            text="To see whether this alone does it, with all else as in the baseline",
            command=("propose", smallest.case.study.name, *values),
        )
    ]


def _elsewhere(cause: Cause, rule: Rule | None) -> list[Advice]:
    """Say how to go on without a fix: away from the region, where nearly all fail there."""
    if rule is None or not all(test.configures for test in rule.tests):
        return []
    if rule.hits < 0.9 * rule.inside or cause.reason in _SAID_ALREADY:
        return []
    return [Advice(text=f"Until it is mended, leave configurations with {rule.text} out of the space")]


def _on_reason(cause: Cause, rule: Rule | None, figures: Figures) -> Advice:
    space = rule is not None and all(test.configures for test in rule.tests)
    lower = f", or stay away from {rule.text}" if rule is not None and space else ""
    match cause.reason:
        case Reason.MEMORY:
            return Advice(text=_memory(cause, figures, lower))
        case Reason.WALL_TIME | Reason.CPU_TIME | Reason.NO_PROGRESS:
            return Advice(text=_time(cause, figures, lower))
        case Reason.NOT_FINITE:
            where = "" if rule is None else f" where {rule.text}"
            return Advice(text=f"The training diverges{where}: take smaller steps there, warm up, or clip the gradient")
        case Reason.NO_METRIC:
            return Advice(text=f"Some way through the code reports nothing. Report its metric on each: {_REPORT}")
        case Reason.BAD_METRIC:
            return Advice(text=f"Report a number{_at(cause)}")
        case Reason.EXITED:
            return Advice(text=f"The code ends its process by itself{_at(cause)}: raise an exception, which says why")
        case Reason.SIGNAL:
            return _signal(cause, figures)
        case Reason.OUTPUT:
            return Advice(text="Print less, or raise limits.output_bytes")
        case Reason.LOST:
            return Advice(text="Its process went away twice with nobody beside it: look for what ends processes here")
        case _:
            return _exception(cause)


def _exception(cause: Cause) -> Advice:
    name = "" if cause.crash is None else cause.crash.main.exception
    trial = str(cause.cases[0].trial.id)
    files = {file for case in cause.cases for file in case.files}
    if cause.crash is not None and (circle := cause.crash.main.circle):
        names = " and ".join(sorted({frame.function for frame in circle}))
        does = "calls itself" if len(circle) == 1 else "call each other"
        return Advice(text=f"{names} {does} without end: give {circle[0].file} a case that ends it")
    if name in _FROM_OUTSIDE:
        source = cause.cases[0].study.source
        return Advice(
            text="This comes from outside of the code. When it works again, run what failed again",
            command=("run", source, "--retry-failed") if source else (),
        )
    if name in ("ModuleNotFoundError", "ImportError"):
        return Advice(text=f"Install what it imports{_at(cause)}, or take the import out")
    if files and cause.frame is not None and cause.frame.file in files:
        return Advice(text=f"The change is broken{_at(cause)}: propose it again, mended")
    return Advice(
        text=f"Mend it{_at(cause)}; to watch it fail, from the files that it had", command=("reproduce", trial)
    )


def _memory(cause: Cause, figures: Figures, lower: str) -> str:
    limit = "" if figures.memory_limit_bytes is None else f" ({size(figures.memory_limit_bytes.most)} now)"
    if cause.crash is not None:
        return f"Ask for less at once{_at(cause)}, or raise limits.memory_bytes{limit}{lower}"
    peak = figures.peak_memory_bytes
    least = "" if peak is None else f" above {size(_ROOM * peak.most)}: it had {size(peak.most)} when it was ended"
    return f"Use less memory{lower}, or raise limits.memory_bytes{least}"


def _time(cause: Cause, figures: Figures, lower: str) -> str:
    if cause.reason == Reason.NO_PROGRESS:
        return f"Nothing was logged or printed: look for what it waits for{_where_it_stood(figures)}{lower}"
    name = "limits.wall_seconds" if cause.reason == Reason.WALL_TIME else "limits.cpu_seconds"
    done, seconds = figures.steps, figures.seconds
    if done is None or seconds is None or not figures.horizon or done.most >= figures.horizon:
        return f"It hangs, or is far too slow{_where_it_stood(figures)}: mend that{lower}, or raise {name}"
    needed = _ROOM * seconds.most * figures.horizon / max(1.0, done.least)
    return f"At this pace a full run takes up to {amount(needed)}: raise {name} or shorten the run{lower}"


def _where_it_stood(figures: Figures) -> str:
    if figures.steps is None:
        return " before its first step (data, compilation, a lock)"
    if figures.horizon and figures.steps.least >= figures.horizon:
        return " after its last step (evaluation, saving)"
    return f" after step {int(figures.steps.least):,}"


def _signal(cause: Cause, figures: Figures) -> Advice:
    trial = str(cause.cases[0].trial.id)
    if "SIGKILL" in cause.error:
        peak = "" if figures.peak_memory_bytes is None else f" (its peak was {size(figures.peak_memory_bytes.most)})"
        return Advice(
            text=f"Headway did not end it: look whether the kernel ran out of memory{peak}: dmesg | grep -i oom"
        )
    return Advice(
        text="A library broke its process; with PYTHONFAULTHANDLER=1 before this command Python prints where",
        command=("reproduce", trial),
    )


def _at(cause: Cause) -> str:
    frame = cause.frame
    return "" if frame is None else f" at {frame.file}:{frame.line} in {frame.function}"


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def command_text(advice: Advice, flag: str = "") -> str:
    """Return an advice's command as one types it; `flag` leads it to the store."""
    return f"headway {shlex.join(advice.command)}{flag}" if advice.command else ""
