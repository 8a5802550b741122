"""Group failures by cause: by what was raised and where, and not by line numbers, addresses, depths and names.

Two failures have one cause where these agree: the kind of end; the chain of exceptions; in each of them the user's two
innermost functions (of an endless recursion, the functions of its circle), and the text of the innermost line; the
message of the one to look at, without what varies. In files that candidates change, the names that a message quotes
count, and the line does not. Two functions, as a helper that raises for others shares only
itself, and as one fault is met on several ways. Each failure is looked at once.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headway.core import Reason, canonical_json, digest
from headway.studies.triage.cases import Case
from headway.studies.triage.frames import Crash, Frame, Link, read_crash
from headway.studies.triage.templates import Templates, template_of

__all__ = ["Cause", "group_by_cause"]

_DEPTH = re.compile(r"^(maximum recursion depth exceeded).*", re.DOTALL)
_INNERMOST = 2
_LIMITS = (Reason.MEMORY, Reason.WALL_TIME, Reason.CPU_TIME, Reason.NO_PROGRESS, Reason.OUTPUT, Reason.LOST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Hold one cause and the trials that failed by it, in the order in which they came.

    `id` stays the same when the store grows. `crash` is that of the first trial, None where nothing was raised. `error`
    is the exception, or the record's sentence; `frame` the first bad frame in the user's code.
    """

    id: str
    reason: str
    error: str
    crash: Crash | None
    frame: Frame | None
    cases: tuple[Case, ...]


def group_by_cause(failed: Sequence[Case], root: Path) -> list[Cause]:
    """Group failed trials; `root` is the project's folder. Groups come in the order of their first trial."""
    templates = Templates()
    found: dict[str, list[Case]] = {}
    crashes: dict[str, Crash | None] = {}
    read: dict[str, Crash | None] = {}  # equal texts are common: they are read once
    for case in failed:
        if case.text not in read:
            read[case.text] = read_crash(case.text, root) if case.text else None
        crash = read[case.text]
        identity = digest(list(_signature(case, crash, templates)))[:6]
        found.setdefault(identity, []).append(case)
        crashes.setdefault(identity, crash)
    return [_cause(identity, cases, crashes[identity]) for identity, cases in found.items()]


def _cause(identity: str, cases: Sequence[Case], crash: Crash | None) -> Cause:
    first = cases[0].trial
    return Cause(
        id=identity,
        reason=str(first.reason or "failed"),
        error=first.message if crash is None else _named(crash),
        crash=crash,
        frame=None if crash is None else _frame(crash),
        cases=tuple(cases),
    )


def _named(crash: Crash) -> str:
    """Return the exception to look at as the last line of a traceback has it, and what became of it."""
    main, last = crash.main, crash.links[-1]
    text = f"{main.exception}: {main.message}" if main.message else main.exception
    return text if last is main else f"{text} (raised on as {last.exception})"


def _frame(crash: Crash) -> Frame | None:
    return crash.main.frame or next((link.frame for link in crash.links if link.frame is not None), None)


def _signature(case: Case, crash: Crash | None, templates: Templates) -> tuple[str, ...]:
    reason = str(case.trial.reason)
    if crash is None:
        return reason, *_wordless(case, templates)
    files = case.files
    places = [part for link in crash.links for part in (link.exception, *_where(link, files))]
    if crash.main.frame is not None and crash.main.frame.file in files:
        return reason, *places, template_of(_message(crash.main), names=True)
    template = template_of(_message(crash.main), _raising(crash.main))
    if crash.main.exception == "SystemExit":
        template = crash.main.message  # its number is a code, and no measure
    return reason, *places, templates.form("\n".join((reason, *places)), template)


def _where(link: Link, files: Sequence[str]) -> tuple[str, ...]:
    """Return where a link was raised. In a file that the candidate changes, no line is that of another candidate."""
    if link.circle:
        return tuple(frame.place for frame in link.circle)
    users = link.users[-_INNERMOST:] or link.frames[-1:]
    if not users:
        return ()
    return *(frame.place for frame in users), "" if users[-1].file in files else users[-1].source


def _message(link: Link) -> str:
    return _DEPTH.sub(r"\1", link.message) if link.exception == "RecursionError" else link.message


def _raising(link: Link) -> str:
    """Return the line that raised, where that is the user's and not a library's."""
    innermost = link.frames[-1]
    return innermost.source if innermost.users else ""


def _wordless(case: Case, templates: Templates) -> tuple[str, ...]:
    """Return what tells failures apart that raised nothing: whose trial, how far it came, and the record's sentence.

    A limit is met for one reason before the first step (data, compilation), for another in the loop, and for a third
    behind it (evaluation, saving).
    """
    whose = canonical_json(case.study.definition.get("experiment", case.study.experiment))
    match case.trial.reason:
        case Reason.NOT_FINITE:
            return (whose,)
        case Reason.EXITED | Reason.SIGNAL:
            return whose, _stage(case), case.trial.message
        case Reason.MEMORY if case.text:
            return whose, templates.form(whose, template_of(case.trial.message))
        case reason if reason in _LIMITS:
            return whose, _stage(case)
        case _:
            return whose, templates.form(f"{case.trial.reason} {whose}", template_of(case.trial.message))


def _stage(case: Case) -> str:
    done, horizon = case.trial.step, case.trial.horizon
    if not done:
        return "before the first step"
    return "behind the last step" if horizon is not None and done >= horizon else "in the loop"
