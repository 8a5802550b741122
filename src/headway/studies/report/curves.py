"""The curves of all trials, a chart a metric: the baseline in ink, decided candidates in colour, all others grey."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from headway.core import Role
from headway.store import Store
from headway.studies.report.markup import EMPTY, Html, join, tag
from headway.studies.report.scale import Scale, spread
from headway.studies.report.traces import Reach, Trace, common_metrics, last_finite, reach, read_traces
from headway.studies.report.view import View
from headway.studies.report.words import plural, share, typographic

__all__ = ["curves_section"]

_WIDTH, _HEIGHT = 1040, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 904, 16, 352
_LABEL_GAP = 16.0


def curves_section(store: Store, view: View) -> Html:
    """Draw the study's metric against steps, and the other logged metrics behind a selector."""
    places = view.summary.trials
    traces = read_traces(store, places)
    metrics = common_metrics(traces, view.metric)
    charts = [(metric, _chart(view, metric, traces[metric], f"plot{index}")) for index, metric in enumerate(metrics)]
    drawn = [(metric, chart) for metric, chart in charts if chart is not None]
    if not drawn:
        return _nothing(view, bool(places))
    return tag(
        "section",
        tag("h2", "Curves"),
        _selector([metric for metric, _ in drawn], len(traces)),
        *(
            tag("figure", chart, class_="curves", data_metric=metric, hidden=None if index == 0 else "")
            for index, (metric, chart) in enumerate(drawn)
        ),
        _legend(view),
        id="curves",
    )


def _nothing(view: View, any_trials: bool) -> Html:
    hint = "No trial has logged a value yet." if any_trials else "No trial has begun yet."
    code = f"run.log(step, {view.metric}=...)"
    text = tag("p", hint, " A training script logs values with ", tag("code", code), ".", class_="empty")
    return tag("section", tag("h2", "Curves"), text, id="curves")


def _selector(metrics: Sequence[str], logged: int) -> Html:
    if len(metrics) < 2:
        return EMPTY
    buttons = [
        tag("button", metric, type="button", data_show=metric, aria_pressed="true" if index == 0 else "false")
        for index, metric in enumerate(metrics)
    ]
    rest = logged - len(metrics)
    more = tag("span", f"{plural(rest, 'rarer metric')} not shown", class_="soft") if rest > 0 else EMPTY
    return tag("div", *buttons, more, class_="choices", role="group", aria_label="Metric to draw")


def _chart(view: View, metric: str, traces: Sequence[Trace], clip: str) -> Html | None:
    named = [trace for trace in traces if view.series(trace.place.number) != "rest"]
    reached = reach(traces, view.direction if metric == view.metric else None, named)
    if reached is None:
        return None
    steps = [step for trace in traces for step in trace.steps]
    across = Scale.over(min(steps), max(steps), _LEFT, _RIGHT)
    low, high = spread([reached.low, reached.high], 0.03)
    up = Scale.over(low, high, _BOTTOM, _TOP)
    svg = tag(
        "svg",
        tag("clipPath", tag("rect", x=_LEFT, y=_TOP - 4, width=_RIGHT - _LEFT + 4, height=_BOTTOM - _TOP + 8), id=clip),
        _axes(across, up, metric),
        tag("g", *_lines(view, traces, across, up), class_="lines", clip_path=f"url(#{clip})"),
        *_breaks(traces, across, up),
        *_end_labels(view, named, up),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=f"{metric} against step, {plural(len(traces), 'trial')}",
        data_x=_mapping(across),
        data_y=_mapping(up),
    )
    label = tag("div", class_="label", hidden="")
    return join([tag("div", svg, label, class_="scroll"), tag("figcaption", _caption(metric, reached))])


def _mapping(scale: Scale) -> str:
    return f"{scale.low!r} {scale.high!r} {scale.start:g} {scale.end:g}"


def _axes(across: Scale, up: Scale, metric: str) -> Html:
    parts: list[Html] = []
    for value, text in up.ticks(6):
        y = up.at(value)
        parts.append(tag("line", x1=_LEFT, x2=_RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(tag("text", text, x=_LEFT - 8, y=y + 4, text_anchor="end"))
    for value, text in across.ticks(8):
        parts.append(tag("text", text, x=across.at(value), y=_BOTTOM + 20, text_anchor="middle"))
    parts.append(tag("line", x1=_LEFT, x2=_RIGHT, y1=_BOTTOM, y2=_BOTTOM, class_="axis"))
    parts.append(tag("text", "step", x=_RIGHT, y=_BOTTOM + 40, text_anchor="end", class_="name"))
    parts.append(tag("text", metric, x=_LEFT, y=_BOTTOM + 40, class_="name"))
    return tag("g", *parts, class_="axes")


def _lines(view: View, traces: Sequence[Trace], across: Scale, up: Scale) -> list[Html]:
    """Draw the lines, the important ones last and so on top."""
    rank = {"rest": 0, "base": 2}
    ordered = sorted(
        traces,
        key=lambda trace: (
            rank.get(view.series(trace.place.number), 1),
            trace.place.role != Role.CONFIRM,
            -trace.place.number,
        ),
    )
    return [_line(view, trace, across, up) for trace in ordered]


def _line(view: View, trace: Trace, across: Scale, up: Scale) -> Html:
    place = trace.place
    first = place.role != Role.CONFIRM and place.trial.seed == _search_seed(view)
    lone = " dot" if len(trace.values) == 1 else ""
    return tag(
        "path",
        d=_path(trace, across, up),
        class_=f"line {view.series(place.number)}{'' if first else ' again-seed'}{lone}",
        data_c=str(place.number),
        data_seed=str(place.trial.seed),
    )


def _search_seed(view: View) -> object:
    return view.summary.study.definition.get("seed", 0)


def _path(trace: Trace, across: Scale, up: Scale) -> str:
    """Write a path that lifts the pen over NaN and infinity; a lone point becomes a dot of no length."""
    parts: list[str] = []
    run: list[str] = []
    for step, value in [*zip(trace.steps, trace.values, strict=True), (0, math.nan)]:
        if math.isfinite(value):
            run.append(f"{across.at(step):.1f} {up.at(value):.1f}")
        elif run:
            parts.append("M" + "L".join(run if len(run) > 1 else run * 2))
            run = []
    return "".join(parts)


def _breaks(traces: Sequence[Trace], across: Scale, up: Scale) -> list[Html]:
    """Mark where a curve stopped to be finite."""
    marks: list[Html] = []
    for trace in traces:
        broken = next((i for i, value in enumerate(trace.values) if not math.isfinite(value)), None)
        if broken is None:
            continue
        before = last_finite(Trace(trace.place, trace.steps[:broken], trace.values[:broken]))
        x = min(across.at(trace.steps[broken]), _RIGHT)
        y = _TOP + 8 if before is None else min(max(up.at(before), _TOP + 8), _BOTTOM)
        words = (
            f"candidate {trace.place.number}, seed {trace.place.trial.seed}: not finite at step {trace.steps[broken]}"
        )
        marks.append(tag("text", "!", tag("title", words), x=x, y=y + 4, text_anchor="middle", class_="broken"))
    return marks


@dataclass(slots=True)
class _EndLabel:
    y: float
    number: int
    at: float = 0.0


def _end_labels(view: View, named: Sequence[Trace], up: Scale) -> list[Html]:
    """Name the coloured lines at their ends, moved apart where they would cover each other."""
    ends: dict[int, list[float]] = {}
    for trace in named:
        end = last_finite(trace)
        if end is not None:
            ends.setdefault(trace.place.number, []).append(min(max(up.at(end), _TOP), _BOTTOM))
    labels = sorted((_EndLabel(sum(ys) / len(ys), number) for number, ys in ends.items()), key=lambda item: item.y)
    lowest = _TOP + 4.0
    for label in labels:
        label.at = lowest = max(label.y, lowest)
        lowest += _LABEL_GAP
    ceiling = _BOTTOM + 8.0
    for label in reversed(labels):
        label.at = min(label.at, ceiling)
        ceiling = label.at - _LABEL_GAP
    return [_end_label(view, label) for label in labels]


def _end_label(view: View, label: _EndLabel) -> Html:
    words = "baseline" if label.number == 0 else f"candidate {label.number}"
    lead = tag(
        "line", x1=_RIGHT + 6, y1=label.y, x2=_RIGHT + 20, y2=label.at, class_=f"lead {view.series(label.number)}"
    )
    return tag("g", lead, tag("text", words, x=_RIGHT + 26, y=label.at + 4), data_c=str(label.number), class_="end")


def _caption(metric: str, reached: Reach) -> str:
    sides = (
        (reached.above, "above", reached.high, reached.highest),
        (reached.below, "below", reached.low, reached.lowest),
    )
    cut = [
        f"{share(count / reached.points)} lie {side} {_digits(bound)}, as far as {_digits(far)}"
        for count, side, bound, far in sides
        if count
    ]
    if not cut:
        return f"All points of {metric} are within the axis."
    return f"The axis follows the bulk of the points after the start. Cut off: {'; '.join(cut)}."


def _digits(value: float) -> str:
    return typographic(f"{value:.4g}")


def _legend(view: View) -> Html:
    items = [_key("base", "baseline")]
    items += [
        _key(view.series(row.number), f"candidate {row.number}", row.decision or "")
        for row in view.summary.candidates
        if view.series(row.number) not in ("base", "rest")
    ]
    if any(view.series(row.number) == "rest" for row in view.summary.candidates):
        items.append(_key("rest", "all other candidates"))
    note = "Thick: the search seed. Thin: further seeds. Point at a line or a row to find one in the other."
    return tag("p", *items, tag("span", note, class_="soft"), class_="legend")


def _key(series: str, words: str, decision: str = "") -> Html:
    swatch = tag(
        "svg",
        tag("path", d="M1 8L23 8", class_=f"line {series}"),
        viewBox="0 0 24 16",
        class_="swatch",
        aria_hidden="true",
    )
    return tag("span", swatch, words, f": {decision}" if decision else "", class_="key")
