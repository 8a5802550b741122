"""The page around the parts: style, script, a policy that forbids any other, and how to go on from here."""

import base64
import hashlib
import shlex
from pathlib import Path

from headway.store import Store
from headway.studies.report.curves import curves_section
from headway.studies.report.failures import failures_section
from headway.studies.report.figures import figures_section, title_section
from headway.studies.report.forest import verdicts_section
from headway.studies.report.lineage import lineage_section
from headway.studies.report.markup import Html, join, tag
from headway.studies.report.strips import strips_section
from headway.studies.report.table import table_section
from headway.studies.report.view import View, search_trial
from headway.studies.report.words import moment
from headway.studies.summary import StudySummary

__all__ = ["page"]

_HERE = Path(__file__).parent


def page(store: Store, summary: StudySummary, now: float) -> str:
    """Write the whole page."""
    view = View(summary, store.folder)
    main = tag(
        "main",
        title_section(view),
        figures_section(view),
        verdicts_section(view),
        lineage_section(store, view),
        curves_section(store, view),
        table_section(view),
        strips_section(view),
        failures_section(store, view),
        _footer(view, now),
    )
    style, script = (Html((_HERE / name).read_text(encoding="utf-8")) for name in ("report.css", "report.js"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        # Nothing is fetched, and no script runs but ours, even if something slipped through the escaping.
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{summary.study.name}: {summary.sentence}"),
        tag("style", style),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', main, tag('script', script)), lang='en')}\n"


def _policy(style: str, script: str) -> str:
    return f"default-src 'none'; img-src data:; style-src {_source(style)}; script-src {_source(script)}"


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _footer(view: View, now: float) -> Html:
    summary = view.summary
    name = shlex.quote(summary.study.name)
    row = summary.best or view.baseline
    place = None if row is None else search_trial(row)
    lines = [("All trials as a table", f"headway export {name}"), ("All curves", f"headway export {name} --curves")]
    if place is not None and row is not None:
        lines.insert(0, (f"Run {view.name(row.candidate)} again", f"headway reproduce {place.trial.id}"))
    commands = [join([tag("dt", what), tag("dd", tag("code", command))]) for what, command in lines]
    source = f", declared in {summary.study.source}" if summary.study.source else ""
    origin = f"Written {moment(now)} from the store {view.store_name}{source}. Begun {moment(summary.study.created)}."
    return tag("footer", tag("dl", *commands), tag("p", origin, class_="soft"))
