"""The head of the report: the answer, what it changes, and the figures that a team can watch."""

from collections.abc import Callable

from headway.core import TrialState
from headway.studies.report.markup import EMPTY, Html, join, tag
from headway.studies.report.states import mark
from headway.studies.report.view import View
from headway.studies.report.words import share, span

__all__ = ["figures_section", "title_section"]

_NONE = "–"


def title_section(view: View) -> Html:
    """Answer the study's question in one line, and say which change the answer is about."""
    summary = view.summary
    verdict = next((item for item in summary.verdicts if item.sentence == summary.sentence), None)
    study = summary.study
    arrow = "↓ lower is better" if view.direction == "minimize" else "↑ higher is better"
    facts = tag(
        "p",
        tag("b", study.name),
        mark(study.state),
        tag("span", f"{view.metric} {arrow}"),
        *_recipe(view),
        class_="facts",
    )
    about = EMPTY
    row = None if verdict is None else view.row(verdict.candidate)
    if verdict is not None and row is not None:
        change = view.change_of(row) or "the same configuration as the baseline"
        about = tag(
            "p", mark(verdict.decision), tag("b", view.name(row.candidate)), tag("span", change), class_="facts about"
        )
    return tag("header", facts, tag("h1", summary.sentence), about)


def _recipe(view: View) -> list[Html]:
    definition = view.summary.study.definition
    words = [str(definition[name]) for name in ("sampler", "scheduler") if definition.get(name)]
    return [tag("span", " + ".join(words), class_="soft")] if words else []


def figures_section(view: View) -> Html:
    """Show the key figures, and the budget with what was spent of it."""
    figures, summary = view.summary.figures, view.summary
    counts = ", ".join(f"{summary.count(state)} {state}" for state in TrialState if summary.count(state))
    tiles = [
        _spent("Trials run", str(summary.spent.trials), summary.spent.trials, summary.budget.trials, counts),
        _spent("Time spent", span(summary.spent.seconds), summary.spent.seconds, summary.budget.seconds, ""),
        _tile("Trials per hour", _rate(figures.trials_per_hour), ""),
        _tile("Idea to verdict", _or_none(figures.idea_to_verdict_seconds, span), "median"),
        _tile("Idle", _or_none(figures.idle_share, share), "of the slot time"),
        _tile("Wasted", _or_none(figures.wasted_share, share), "of the slot time, on failed trials"),
        _tile("Saved", span(figures.saved_seconds) if figures.saved_seconds else "0 s", "by reuse and early stops"),
    ]
    return tag("section", tag("h2", "Key figures", class_="hidden"), tag("dl", *tiles, class_="tiles"), id="figures")


def _tile(name: str, value: str, note: str, extra: Html = EMPTY) -> Html:
    return tag(
        "div", tag("dt", name), tag("dd", value, class_="big"), extra, tag("dd", note, class_="soft") if note else EMPTY
    )


def _spent(name: str, shown: str, spent: float, limit: float | None, note: str) -> Html:
    if limit is None:
        return _tile(name, shown, join([note or "no limit set"]))
    whole = f"{limit:g}" if name == "Trials run" else span(limit)
    part = min(1.0, spent / limit)
    track = tag("rect", width=100, height=4, class_="track")
    fill = tag("rect", width=100 * part, height=4, class_="fill")
    drawn = tag("svg", track, fill, viewBox="0 0 100 4", preserveAspectRatio="none", aria_hidden="true")
    bar = tag("dd", drawn, class_="bar")
    words = f"of {whole}" + (f": {note}" if note else "")
    return _tile(name, shown, words, bar)


def _rate(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"{value:,.0f}".replace(",", " ") if value >= 10 else f"{value:.2g}"


def _or_none(value: float | None, write: Callable[[float], str]) -> str:
    return _NONE if value is None else write(value)
