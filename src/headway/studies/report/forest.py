"""The verdicts as a forest plot: every effect with its interval and the paired differences behind it, around zero."""

import math
import shlex
import statistics
from collections.abc import Sequence

from headway.studies.report.markup import EMPTY, Html, tag
from headway.studies.report.scale import Scale, spread
from headway.studies.report.states import SHAPES, mark
from headway.studies.report.view import Finding, View
from headway.studies.report.words import p_value, plural, real, typographic
from headway.validate.numbers import format_estimate, format_odds

__all__ = ["verdicts_section"]

_WIDTH, _LEFT, _RIGHT = 1040, 216, 792
_TOP, _ROW, _FOOT = 40, 48, 56
_WIDEST = 5.0  # times the median reach: an interval from two pairs would flatten all others


def verdicts_section(view: View) -> Html:
    """Say what was decided, by how much and how surely."""
    body = [_forest(view), *_sentences(view)] if view.summary.verdicts else [_nothing(view)]
    return tag("section", tag("h2", "Verdicts"), *body, id="verdicts")


def _nothing(view: View) -> Html:
    name = view.summary.study.name
    if view.summary.study.state == "finished":
        text: Sequence[str] = (view.summary.sentence,)
    else:
        text = ("A verdict comes when finalists have run with fresh seeds. To go on, type ",
                tag("code", f"headway resume {shlex.quote(name)}"), ".")  # fmt: skip
    return tag("p", *text, class_="empty")


def _sentences(view: View) -> list[Html]:
    """List every verdict in words; candidates that change nothing are gathered in one line."""
    same = [item for item in view.summary.verdicts if item.decision == "identical" and real(item.data, "pairs") is None]
    told = [item for item in view.summary.verdicts if item not in same]
    lines = [_sentence(item.decision, view.name(item.candidate), item.sentence) for item in told]
    if same:
        lines.append(_sentence("identical", ", ".join(view.name(item.candidate) for item in same), same[0].sentence))
    return [tag("ul", *lines, class_="sentences")]


def _sentence(decision: str, names: str, words: str) -> Html:
    return tag("li", mark(decision), tag("span", tag("b", names), f": {words}"))


def _forest(view: View) -> Html:
    findings = sorted(view.findings, key=lambda item: -item.effect)
    if not findings:
        return EMPTY
    scale = Scale.over(*_range(findings), _LEFT, _RIGHT)
    bottom = _TOP + _ROW * len(findings)
    parts = [_frame(view, scale, bottom)]
    parts += [_row(view, item, scale, _TOP + _ROW * index + _ROW / 2) for index, item in enumerate(findings)]
    svg = tag(
        "svg",
        *parts,
        viewBox=f"0 0 {_WIDTH} {bottom + _FOOT}",
        role="img",
        aria_label=f"Effects on {view.metric} with their intervals",
    )
    return tag("figure", tag("div", svg, class_="scroll"), tag("figcaption", _caption(view, findings)), class_="forest")


def _range(findings: Sequence[Finding]) -> tuple[float, float]:
    reaches = [max(abs(item.low), abs(item.high)) for item in findings]
    limit = _WIDEST * statistics.median(reaches) or 1.0
    ends = [0.0]
    for item in findings:
        ends += [item.low, item.high, item.effect, *item.differences]
    return spread([min(max(end, -limit), limit) for end in ends], 0.06)


def _frame(view: View, scale: Scale, bottom: float) -> Html:
    zero = scale.at(0.0)
    better = "lower" if view.direction == "minimize" else "higher"
    parts = [tag("rect", x=zero, y=_TOP - 8, width=_RIGHT - zero, height=bottom - _TOP + 8, class_="better")]
    for value, text in scale.ticks(6):
        x = scale.at(value)
        parts.append(tag("line", x1=x, x2=x, y1=_TOP - 8, y2=bottom, class_="grid"))
        parts.append(tag("text", text, x=x, y=bottom + 20, text_anchor="middle"))
    parts.append(tag("line", x1=_LEFT, x2=_RIGHT, y1=bottom, y2=bottom, class_="axis"))
    parts.append(tag("line", x1=zero, x2=zero, y1=_TOP - 16, y2=bottom, class_="zero"))
    if _RIGHT - zero > 120:
        parts.append(tag("text", "better →", x=zero + 8, y=_TOP - 16, class_="name"))
    if zero - _LEFT > 80:
        parts.append(tag("text", "← worse", x=zero - 8, y=_TOP - 16, text_anchor="end", class_="name"))
    words = f"improvement of {view.metric} over the baseline, in its units ({better} is better)"
    parts.append(tag("text", words, x=(_LEFT + _RIGHT) / 2, y=bottom + 44, text_anchor="middle", class_="name"))
    return tag("g", *parts, class_="axes")


def _row(view: View, item: Finding, scale: Scale, y: float) -> Html:
    decision = item.verdict.decision
    row = view.row(item.verdict.candidate)
    dots = [tag("circle", cx=_inside(scale, gap), cy=y + 12, r=2.5, class_="pair") for gap in item.differences]
    first = decision.partition(" ")[0]  # "accepted (as printed)"
    kind = first if first in SHAPES else "undecided"
    return tag(
        "g",
        tag("text", view.name(item.verdict.candidate), x=0, y=y - 2, class_="strong"),
        tag("text", f"{SHAPES[kind]} {decision}", x=0, y=y + 16, class_=f"state {kind}"),
        *_interval(item, scale, y, kind),
        *dots,
        tag(
            "text",
            typographic(format_estimate(item.effect, item.half_width)),
            x=_WIDTH,
            y=y - 2,
            text_anchor="end",
            class_="strong",
        ),
        tag("text", _evidence(item), x=_WIDTH, y=y + 16, text_anchor="end"),
        class_="finding",
        data_c=None if row is None else str(row.number),
    )


def _interval(item: Finding, scale: Scale, y: float, kind: str) -> list[Html]:
    low, high = _inside(scale, item.low), _inside(scale, item.high)
    parts = [tag("line", x1=low, x2=high, y1=y, y2=y, class_=f"interval {kind}")]
    for x, value, arrow in ((low, item.low, "◂"), (high, item.high, "▸")):
        if scale.holds(value):
            parts.append(tag("line", x1=x, x2=x, y1=y - 5, y2=y + 5, class_=f"interval {kind}"))
        else:
            parts.append(tag("text", arrow, x=x, y=y + 4, text_anchor="middle", class_=f"state {kind}"))
    x = _inside(scale, item.effect)
    return [*parts, tag("rect", x=x - 5, y=y - 5, width=10, height=10, class_=f"effect {kind}")]


def _inside(scale: Scale, value: float) -> float:
    return min(max(scale.at(value), _LEFT), _RIGHT)


def _evidence(item: Finding) -> str:
    """Say how many pairs there are and what they prove: their odds, or else the p-value of the interval."""
    pairs, chance = real(item.verdict.data, "pairs"), real(item.verdict.data, "p_value")
    parts = [] if pairs is None else [plural(round(pairs), "pair")]
    if (evidence := item.verdict.data.get("evidence")) is not None:
        parts.append(f"{format_odds(evidence['log_e'])}, {math.exp(evidence['log_e_needed']):.0f} needed")
    elif chance is not None and item.verdict.decision != "identical":
        parts.insert(0, p_value(chance))
    return " · ".join(parts)


def _caption(view: View, findings: Sequence[Finding]) -> str:
    level = real(findings[0].verdict.data, "level")
    comparisons = real(findings[0].verdict.data, "comparisons") or 1
    what = "Square: mean paired difference. Bar: its interval" if level is None else (
        f"Square: mean paired difference. Bar: its {100 * level:g} % interval"
    )  # fmt: skip
    among = f", adjusted so that all {comparisons:g} hold together" if comparisons > 1 else ""
    dots = " Dots: the difference on each seed." if any(item.differences for item in findings) else ""
    return f"{what}{among}.{dots}"
