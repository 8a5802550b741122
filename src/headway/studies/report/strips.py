"""What varied against what came of it: a small scatter strip a parameter, on the parameter's own axis."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from headway.core import TrialState
from headway.studies.report.markup import Html, tag
from headway.studies.report.scale import Scale, quantile, spread
from headway.studies.report.view import View
from headway.studies.report.words import fixed, plural, real, short
from headway.studies.summary import CandidateRow

__all__ = ["strips_section"]

_FEWEST = 6
_WIDTH, _HEIGHT = 336, 176
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 320, 16, 136
_CLIPPED_SHARE = 0.1


def strips_section(view: View) -> Html:
    """Draw every parameter of the space against the value at the search seed."""
    space: Mapping[str, Any] = view.summary.study.definition.get("space") or {}
    parameters: Mapping[str, Mapping[str, Any]] = space.get("parameters") or {}
    rows = [row for row in view.summary.candidates if row.state == TrialState.COMPLETE and _finite(row.value)]
    searched = [row for row in rows if row.number != 0]
    head = tag("h2", "What varied")
    if not parameters or len(searched) < _FEWEST:
        why = (
            f"{plural(len(searched), 'search trial')} ran to the end; from {_FEWEST} on, a pattern is drawn here."
            if parameters
            else "The space has no parameter to vary."
        )
        return tag("section", head, tag("p", why, class_="empty"), id="varied")
    up = _up(view, [row.value for row in rows if row.value is not None])
    strips = [strip for name, parameter in parameters.items() if (strip := _strip(view, name, parameter, rows, up))]
    note = (
        f"{view.metric} of each complete search trial (one seed, noise included) against each parameter. "
        "Coloured: decided candidates. Diamond: the baseline. Triangle: beyond the axis."
    )
    return tag("section", head, tag("div", *strips, class_="strips"), tag("p", note, class_="soft"), id="varied")


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _up(view: View, values: Sequence[float]) -> Scale:
    """Choose the common y axis; the worst tenth may lie beyond it, if it would flatten the rest."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    if view.direction == "minimize":
        good = quantile(ordered, 1 - _CLIPPED_SHARE)
        high = good if high - low > 2 * (good - low) > 0 else high
    else:
        good = quantile(ordered, _CLIPPED_SHARE)
        low = good if high - low > 2 * (high - good) > 0 else low
    return Scale.over(*spread([low, high], 0.06), _BOTTOM, _TOP)


def _strip(view: View, name: str, parameter: Mapping[str, Any], rows: Sequence[CandidateRow], up: Scale) -> Html | None:
    having = [row for row in rows if name in row.config]
    if not having:
        return None
    if parameter.get("kind") == "choice":
        places, ticks = _choices(parameter.get("values") or [], having, name)
    else:
        places, ticks = _numbers(parameter, having, name)
    svg = tag(
        "svg",
        *_axes(up, ticks),
        *(_point(view, row, x, up) for row, x in sorted(places, key=lambda place: _rank(view, place[0]))),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"{view.metric} against {name}",
    )
    scale = "log" if parameter.get("log") else ""
    part = "" if len(having) == len(rows) else f"in {len(having)} of {len(rows)}"
    details = ", ".join(word for word in (scale, part) if word)
    title = tag("figcaption", tag("b", name), tag("span", f" {details}", class_="soft"))
    return tag("figure", title, svg)


_Places = list[tuple[CandidateRow, float]]
_Ticks = list[tuple[float, str]]


def _numbers(parameter: Mapping[str, Any], rows: Sequence[CandidateRow], name: str) -> tuple[_Places, _Ticks]:
    found = [(row, value) for row in rows if (value := real(row.config, name)) is not None]
    values = [value for _, value in found]
    low, high = real(parameter, "low"), real(parameter, "high")
    ends = [*values, *(end for end in (low, high) if end is not None)]
    scale = Scale.over(min(ends), max(ends), _LEFT + 12, _RIGHT - 12, log=bool(parameter.get("log")))
    return [(row, scale.at(value)) for row, value in found], [(scale.at(value), text) for value, text in scale.ticks(4)]


def _choices(values: Sequence[Any], rows: Sequence[CandidateRow], name: str) -> tuple[_Places, _Ticks]:
    names = [short(value) for value in values]
    names += sorted({short(row.config[name]) for row in rows} - set(names))
    width = (_RIGHT - _LEFT) / len(names)
    centres = {text: _LEFT + width * (index + 0.5) for index, text in enumerate(names)}
    # Points are moved aside by their number, in the golden ratio, so that equal values do not hide each other.
    places = [
        (row, centres[short(row.config[name])] + min(width / 3, 24) * (2 * (row.number * 0.618 % 1) - 1))
        for row in rows
    ]
    room = max(3, int(width / 7))
    return places, [(x, text if len(text) <= room else text[: room - 1] + "…") for text, x in centres.items()]


def _axes(up: Scale, ticks: _Ticks) -> list[Html]:
    parts: list[Html] = []
    for value, text in up.ticks(3):
        y = up.at(value)
        parts.append(tag("line", x1=_LEFT, x2=_RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(tag("text", text, x=_LEFT - 8, y=y + 4, text_anchor="end"))
    for x, text in ticks:
        parts.append(tag("line", x1=x, x2=x, y1=_BOTTOM, y2=_BOTTOM + 4, class_="axis"))
        parts.append(tag("text", text, x=x, y=_BOTTOM + 20, text_anchor="middle"))
    parts.append(tag("line", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM, y2=_BOTTOM, class_="axis"))
    return [tag("g", *parts, class_="axes")]


def _rank(view: View, row: CandidateRow) -> int:
    return {"rest": 0, "base": 2}.get(view.series(row.number), 1)  # what matters is drawn last, and so on top


def _point(view: View, row: CandidateRow, x: float, up: Scale) -> Html:
    value = row.value or 0.0
    y = min(max(up.at(value), _TOP - 4), _BOTTOM)
    series = view.series(row.number)
    if not up.holds(value):
        shape = f"M{x - 4:.1f} {y + 3:.1f}h8l-4 {-7 if value > up.high else 7}z"
    elif row.number == 0:
        shape = f"M{x:.1f} {y - 6:.1f}l6 6l-6 6l-6 -6z"
    else:
        radius = 3 if series == "rest" else 5
        shape = (
            f"M{x - radius:.1f} {y:.1f}a{radius} {radius} 0 1 0 {2 * radius} 0a{radius} {radius} 0 1 0 {-2 * radius} 0z"
        )
    who = "baseline" if row.number == 0 else f"candidate {row.number}"
    title = tag("title", f"{who}: {fixed(value, view.decimals)}")
    return tag("path", title, d=shape, class_=f"point {series}", data_c=str(row.number))
