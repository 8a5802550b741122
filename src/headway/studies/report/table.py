"""All candidates in a table, the losing ones too: what each changed, what came of it, what it cost."""

import shlex
from collections.abc import Sequence

from headway.core import TrialState
from headway.studies.report.markup import EMPTY, Html, join, tag
from headway.studies.report.states import mark
from headway.studies.report.view import ABSENT, View, search_trial
from headway.studies.report.words import fixed, plural, short, signed, span, whole
from headway.studies.summary import CandidateRow

__all__ = ["table_section"]

_LONGEST_REASON = 160


def table_section(view: View) -> Html:
    """List the candidates, the best value first."""
    rows = _best_first(view)
    head = tag("h2", "Candidates")
    if not rows:
        text = ("None yet. To begin, type ", tag("code", f"headway run {view.summary.study.source or 'study.py'}"), ".")
        return tag("section", head, tag("p", *text, class_="empty"), id="candidates")
    table = tag("table", _header(view), tag("tbody", *(_row(view, row) for row in rows)), class_="candidates")
    note = tag(
        "p",
        _shown(view),
        "One run a candidate, noise included: a value here is no verdict. A header sorts; ",
        tag("kbd", "j"), " and ", tag("kbd", "k"), " move, ", tag("kbd", "Enter"), " opens the whole configuration.",
        class_="soft",
    )  # fmt: skip
    return tag("section", head, tag("div", table, class_="scroll"), note, id="candidates")


def _shown(view: View) -> Html:
    """Say so, where only the candidates of interest are listed."""
    shown, all_ = len(view.summary.candidates), view.summary.proposed
    if shown == all_:
        return EMPTY
    command = tag("code", f"headway export {shlex.quote(view.summary.study.name)}")
    return join(
        [f"{shown:,} of {all_:,} candidates: the best, the newest and what was decided; all of them: ", command, ". "]
    )


def _best_first(view: View) -> list[CandidateRow]:
    def rank(row: CandidateRow) -> tuple[bool, bool, float, int]:
        value = 0.0 if row.value is None else -view.improvement(row.value)
        return row.state != TrialState.COMPLETE, row.value is None, value, row.number

    return sorted(view.summary.candidates, key=rank)


def _header(view: View) -> Html:
    seed = view.summary.study.definition.get("seed", 0)
    columns = (
        ("#", "n", "Number of the candidate"),
        ("state", "", "Decision, or else the state of its search trial"),
        (view.metric, "n", f"Value of the run with seed {seed}"),
        ("difference", "n", "To the baseline's run with the same seed"),
        ("changes", "", "What differs from the baseline"),
        ("proposer", "", "Who proposed it"),
        ("seeds", "n", "Seeds that ran to the end"),
        ("time", "n", "Wall time of all its runs"),
        ("reason", "", "Why it did not run to the end"),
    )
    cells = [
        tag(
            "th",
            tag("button", name, type="button", title=title),
            scope="col",
            class_="number" if kind else None,
            aria_sort=("ascending" if view.direction == "minimize" else "descending")
            if name == view.metric
            else "none",
        )
        for name, kind, title in columns
    ]
    return tag("thead", tag("tr", *cells))


def _row(view: View, row: CandidateRow) -> Html:
    gap = view.difference(row)
    ended = sum(place.trial.state == TrialState.COMPLETE for place in row.trials)
    cost = sum(place.trial.wall_seconds for place in row.trials if not place.reused)
    reused = sum(place.reused for place in row.trials)
    return tag(
        "tr",
        _cell(str(row.number), row.number, "number"),
        _cell(_standing(row), row.decision or ("baseline" if row.number == 0 else row.state)),
        _cell(_value(view, row), row.value, "number value"),
        _cell(_difference(view, gap), gap, "number"),
        tag("td", _changes(view, row), class_="changes", data_v=view.change_of(row)),
        _cell(row.proposer, row.proposer),
        _cell(_seeds(ended, len(row.trials)), ended, "number"),
        _cell(_cost(cost, reused), cost or None, "number"),
        _reason(view, row),
        id=f"c{row.number}",
        tabindex="-1",
        data_c=str(row.number),
        data_name="baseline" if row.number == 0 else f"candidate {row.number}",
        data_changes=view.change_of(row),
        class_=view.series(row.number),
    )


def _cell(shown: str, value: float | str | None, kind: str | None = None) -> Html:
    key = "" if value is None else value if isinstance(value, str) else repr(value)
    return tag("td", shown, class_=kind, data_v=key)


def _standing(row: CandidateRow) -> Html:
    if row.decision is not None:
        return mark(row.decision)
    if row.number == 0 and row.state == TrialState.COMPLETE:
        return mark("baseline")
    return mark(row.state)


def _value(view: View, row: CandidateRow) -> Html:
    if row.value is None or row.state == TrialState.FAILED:
        return EMPTY
    shown = fixed(row.value, view.decimals)
    place = search_trial(row)
    if row.state == TrialState.COMPLETE or place is None or place.trial.step is None:
        return join([shown])
    return join([shown, tag("span", f"at step {place.trial.step}", class_="soft note")])


def _difference(view: View, gap: float | None) -> Html:
    if gap is None:
        return EMPTY
    gain = view.improvement(gap)
    side = "better" if gain > 0 else "worse" if gain < 0 else "equal"
    return tag("span", signed(gap, view.decimals), " ", tag("span", side, class_="soft"))


def _seeds(ended: int, all_: int) -> str:
    return f"{ended} of {all_}" if ended < all_ else str(all_ or "")


def _cost(seconds: float, reused: int) -> Html:
    shown = span(seconds) if seconds else ""
    note = tag("span", f"{reused} reused", class_="soft note") if reused else EMPTY
    return join([shown, note])


def _changes(view: View, row: CandidateRow) -> Html:
    changes = view.changes(row.config)
    told = [
        tag("span", f"{name} ", tag("b", short(value), title=whole(value)), class_="change")
        for name, value in changes.items()
    ]
    if row.changes_code:
        told.insert(0, tag("span", row.note or "a change of code", class_="change"))
    same = "the baseline itself" if row.number == 0 else "nothing in the configuration"
    shown = join(told, " ") if told else tag("span", same, class_="soft")
    names = [*row.config, *(name for name in changes if name not in row.config)]
    if not names:
        return shown
    return tag(
        "details", tag("summary", shown), tag("dl", *(_entry(view, row, name, name in changes) for name in names))
    )


def _entry(view: View, row: CandidateRow, name: str, changed: bool) -> Html:
    text = whole(row.config.get(name, ABSENT))
    if not changed:
        return join([tag("dt", name), tag("dd", text)])
    before = whole(view.summary.baseline.get(name, ABSENT))
    return join([tag("dt", name), tag("dd", tag("b", text), tag("span", f" (baseline {before})", class_="soft"))])


def _reason(view: View, row: CandidateRow) -> Html:
    text = view.without_paths(row.reason)
    first = text.strip().splitlines()[0] if text.strip() else ""
    cut = first if len(first) <= _LONGEST_REASON else first[: _LONGEST_REASON - 1] + "…"
    again = _confirmations_lost(row)
    return tag("td", cut, "; " if cut and again else "", again, class_="reason", data_v=first)


def _confirmations_lost(row: CandidateRow) -> str:
    first = search_trial(row)
    lost: Sequence[str] = sorted(
        {
            str(place.trial.reason)
            for place in row.trials
            if place is not first and place.trial.state == TrialState.FAILED
        }
    )
    count = sum(place is not first and place.trial.state == TrialState.FAILED for place in row.trials)
    return f"{plural(count, 'further seed')} failed ({', '.join(lost)})" if count else ""
