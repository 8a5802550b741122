"""What triage says in sentences: what failed, when it does, and what it used of its limits."""

from collections.abc import Callable

from headway.core import Reason
from headway.studies.triage.causes import Cause
from headway.studies.triage.figures import Figures, Span
from headway.studies.triage.rules import Rule, Search

__all__ = ["amount", "figures_sentence", "rule_sentence", "share_sentence", "size", "support", "title"]

_FEW = 3
_LONGEST_TITLE = 300
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def title(cause: Cause) -> str:
    """Return what failed in one line."""
    flat = " ".join("".join(letter if letter.isprintable() else " " for letter in cause.error).split())
    return flat if len(flat) <= _LONGEST_TITLE else f"{flat[: _LONGEST_TITLE - 1]}…"


def support(rule: Rule) -> str:
    """Return how well a rule parts the failed from the passed: `41 of 43 failed; 2 of 912 others`."""
    return f"{rule.hits:,} of {rule.inside:,} failed; {rule.missed:,} of {rule.outside:,} others"


def rule_sentence(search: Search, also_passed: int, *, code: bool = False) -> str:
    """Say when it fails and how sure that is, or that no rule was found and why. `code`: candidates change code."""
    rule = search.rule
    flaky = ""
    if also_passed:
        flaky = f" {_many(also_passed, 'configuration')} of them passed with another seed: not they alone decide."
    if rule is not None:
        others = "".join(f"; as good: {item.text} ({support(item)})" for item in rule.alternatives)
        p = "p < 1e-12" if rule.p < 1e-12 else f"p = {rule.p:.1g}"
        return f"{rule.text} ({support(rule)}; {p} after {search.tests:,} rules{others}){'.' + flaky if flaky else ''}"
    if code and search.failed < _FEW:
        return f"With a change of code: too few candidates to say what else it takes.{flaky}"
    if search.failed < 2 and search.passed:
        return f"No rule: {_many(search.failed, 'configuration')} cannot tell a parameter from chance.{flaky}"
    if not search.passed:
        return f"No rule: nothing passed that it could be compared with.{flaky}"
    if not search.tests:
        return f"No rule: the configurations that failed and those that passed do not differ.{flaky}"
    if search.failed < _FEW:
        return f"No rule: {_many(search.failed, 'configuration')} cannot tell a parameter from chance.{flaky}"
    return (
        f"No rule: what the {search.failed:,} failed configurations share is not surer than chance beside the "
        f"{search.passed:,} that passed (best of {search.tests:,} rules: p = {search.p:.1g}).{flaky}"
    )


def figures_sentence(cause: Cause, figures: Figures) -> str:
    """Say what the trials used of the limit that they met; empty where the cause is none of limits."""
    memory = _of_limit(figures.peak_memory_bytes, figures.memory_limit_bytes, size)
    steps = _steps(figures)
    match cause.reason:
        case Reason.MEMORY if cause.crash is not None:
            return f"an allocation was refused; the peak before it was {memory}{steps}"
        case Reason.MEMORY:
            return f"ended at the memory limit: the peak was {memory}{steps}"
        case Reason.WALL_TIME:
            return f"ran {_of_limit(figures.seconds, figures.wall_limit_seconds, amount)}{steps}"
        case Reason.CPU_TIME:
            return f"used more than {_plain(figures.cpu_limit_seconds, amount)} of CPU{steps}"
        case Reason.NO_PROGRESS:
            return f"silent for the limit of {_plain(figures.idle_limit_seconds, amount)}{steps}"
        case Reason.OUTPUT:
            return f"printed more than {_plain(figures.output_limit_bytes, size)}{steps}"
        case Reason.SIGNAL:
            return f"up to {_many(figures.attempts, 'attempt')} each; the peak of memory was {memory}{steps}"
        case Reason.NOT_FINITE | Reason.NO_METRIC:
            return steps.removeprefix("; ")
        case _:
            return ""


def share_sentence(part: float, whole: float) -> str:
    """Return a share of time in percent."""
    return f"{100 * part / whole:.0f} %" if whole > 0 else "0 %"


def amount(seconds: float) -> str:
    """Return a duration.

    >>> amount(0.034), amount(12.34), amount(754), amount(7500)
    ('0.034 s', '12.3 s', '12.6 min', '2.1 h')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Return a number of bytes.

    >>> size(512), size(167772160), size(5.5 * 1024**3)
    ('512 B', '160 MiB', '5.5 GiB')
    """
    power = 0
    while count >= 1024 and power < len(_UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.0f} {_UNITS[power]}" if count >= 100 or power == 0 else f"{count:.3g} {_UNITS[power]}"


def _of_limit(used: Span | None, limit: Span | None, unit: Callable[[float], str]) -> str:
    return f"{_plain(used, unit)} of a limit of {_plain(limit, unit)}"


def _plain(span: Span | None, unit: Callable[[float], str]) -> str:
    if span is None:
        return "an unknown amount"
    least, most = unit(span.least), unit(span.most)
    return least if least == most else f"{least} to {most}"


def _steps(figures: Figures) -> str:
    if figures.steps is None:
        return "; no step was logged"
    least, most = int(figures.steps.least), int(figures.steps.most)
    of = "" if figures.horizon is None else f" of {figures.horizon:,}"
    some = f"; {figures.stepless:,} logged none" if figures.stepless else ""
    return f"; after {least:,}{'' if least == most else f' to {most:,}'}{of} steps{some}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
