"""One study in detail, for `headway status NAME` and `headway show NAME`."""

import shlex
from typing import TYPE_CHECKING, Any

from headway.core import TrialState
from headway.interfaces.cli.curves import sparkline
from headway.interfaces.cli.places import engine_alive, store_flag, study_state
from headway.interfaces.cli.reading import place_json, progress_of
from headway.interfaces.cli.words import (
    Column,
    change_text,
    config_text,
    fact_lines,
    number_label,
    number_text,
    seconds_text,
    share_text,
    state_text,
    styled,
    table_lines,
    wrapped,
)
from headway.store import is_accepted
from headway.validate.numbers import format_odds

if TYPE_CHECKING:
    from headway.store import Store
    from headway.studies import CandidateRow, KeyFigures, StudySummary

__all__ = ["figures_text", "study_json", "study_lines"]

_SHOWN = 10


def study_json(store: "Store", summary: "StudySummary") -> dict[str, Any]:
    """Return a study as JSON: its summary, its candidates with their trials, what waits in the queue."""
    alive = engine_alive(summary.study)
    return {
        **summary.to_json(),
        "state": study_state(summary.study),
        "engine_pid": summary.study.lease_pid if alive else None,
        "source": summary.study.source,
        "queued": store.studies.waiting(summary.study.id),
        "candidates_in_all": summary.proposed,
        "candidates": [
            {
                "number": row.number,
                "candidate": row.candidate,
                "config": dict(row.config),
                "proposer": row.proposer,
                "state": row.state,
                "value": row.value,
                "decision": row.decision,
                "trials": [place_json(place) for place in row.trials],
            }
            for row in summary.candidates
        ],
    }


def study_lines(store: "Store", summary: "StudySummary") -> list[str]:
    """Return a study as lines: its answer first."""
    study = summary.study
    title = f"{styled(study.name, bold=True)}  {state_text(study_state(study))}"
    if study_state(study) == "interrupted":
        title += "  its engine ended without a word"
    lines = [title, styled(wrapped(summary.sentence), bold=True), "", *fact_lines(_facts(store, summary))]
    if engine_alive(study):
        lines += _running_lines(store, summary)
    if len(summary.candidates) > 1:
        lines += ["", *_candidate_lines(summary)]
    return [*lines, "", *fact_lines([("next", _advice(store, summary))])]


def _facts(store: "Store", summary: "StudySummary") -> list[tuple[str, str]]:
    waiting = store.studies.waiting(summary.study.id)
    alive = engine_alive(summary.study)
    counts = [
        f"{summary.count(state)} {state if alive or state != TrialState.RUNNING else 'interrupted'}"
        for state in TrialState
        if summary.count(state)
    ]
    left = summary.budget.left(summary.spent)
    limits = [] if left.trials is None else [f"{left.trials} of {summary.budget.trials} trials"]
    if left.seconds is not None:
        limits.append(f"{seconds_text(left.seconds)} of {seconds_text(summary.budget.seconds)}")
    return [
        ("metric", f"{summary.metric} ({summary.direction})"),
        ("baseline", config_text(summary.baseline)),
        ("trials", ", ".join(counts) or "none yet"),
        ("budget left", " or ".join(limits)),
        ("queued", f"{waiting} candidate{'s' if waiting > 1 else ''}" if waiting else ""),
        ("figures", figures_text(summary.figures) if summary.tally.trials else ""),
        ("evidence", _evidence_text(summary)),
        ("report", summary.report or ""),
    ]


def _evidence_text(summary: "StudySummary") -> str:
    """Say what the sentence rests on: the evidence, what the project asked of it, what its holdout said."""
    told = next((item for item in summary.verdicts if item.sentence == summary.sentence), None)
    evidence = None if told is None else told.data.get("evidence")
    if told is None or evidence is None:
        return ""
    needed = f"{format_odds(evidence['log_e_needed'])} needed as test {evidence['test']} of this project"
    text = f"{format_odds(evidence['log_e'])}; {needed}"
    holdout = told.data.get("holdout")
    if holdout is None:
        return text
    answer = "agrees" if holdout["agrees"] else "disagrees"
    return f"{text}\nholdout {holdout['name']} {answer}; {holdout['spent']} of its {holdout['budget']} are spent"


def _running_lines(store: "Store", summary: "StudySummary") -> list[str]:
    rows: list[list[str]] = []
    for place in summary.trials:
        if place.trial.state == TrialState.RUNNING:
            progress = progress_of(store, place.trial)
            name = summary.metric if summary.metric in progress.curves else next(iter(progress.curves), "")
            values = progress.curves[name].values if name else ()
            role = str(place.role) + (f" #{place.number}" if place.number else "")
            last = f"{name} {number_text(values[-1])}" if values else ""
            rows.append(
                [f"▶ trial {place.trial.id}", role, str(place.trial.seed), sparkline(values), last, progress.text]
            )
    columns = [
        Column("running"),
        Column("for"),
        Column("seed", right=True),
        Column("curve"),
        Column(""),
        Column("step"),
    ]
    return ["", *table_lines(columns, rows, indent=2)] if rows else []


def _candidate_lines(summary: "StudySummary") -> list[str]:
    start, *others = summary.candidates
    sign = 1.0 if summary.direction == "minimize" else -1.0
    ranked = sorted(
        others,
        key=lambda row: (
            not is_accepted(row.decision or ""),
            row.state != TrialState.COMPLETE,
            row.value is None,
            sign * (row.value or 0.0),
            row.number,
        ),
    )
    columns = [
        Column("candidate"),
        Column("state"),
        Column(summary.metric, right=True),
        Column("runs", right=True),
        Column("configuration", elastic=True),
    ]
    rows = [_candidate_row(row, summary) for row in (start, *ranked[:_SHOWN])]
    more = summary.proposed - 1 - len(ranked[:_SHOWN])
    lines = table_lines(columns, rows, indent=2)
    return [*lines, styled(f"  and {more} more: headway trials", fg="bright_black")] if more > 0 else lines


def _candidate_row(row: "CandidateRow", summary: "StudySummary") -> list[str]:
    state = row.decision or row.state
    if state == "running" and not engine_alive(summary.study):
        state = "interrupted"
    return [
        number_label(row.number, row.proposer, summary.study.definition.get("sampler")) if row.number else "baseline",
        state_text(state),
        number_text(None if row.state == TrialState.FAILED else row.value),
        str(len(row.trials)),
        row.reason
        or change_text(row.config, summary.baseline if row.number else None, code=row.changes_code, note=row.note),
    ]


def _advice(store: "Store", summary: "StudySummary") -> str:
    name, flag = shlex.quote(summary.study.name), store_flag(store.folder)
    match study_state(summary.study):
        case "running":
            return f"headway status {name} --watch{flag}\nheadway stop {name}{flag}"
        case "finished":
            return f"headway trials {name} --sort value{flag}\nheadway export {name} --to {name}.csv{flag}"
        case _:
            return f"headway resume {name}{flag}"


def figures_text(figures: "KeyFigures") -> str:
    """Return the key figures in one line."""
    parts: list[str] = []
    if figures.trials_per_hour is not None:
        parts.append(f"{figures.trials_per_hour:.0f} trials/h")
    if figures.idea_to_verdict_seconds is not None:
        parts.append(f"idea to verdict {seconds_text(figures.idea_to_verdict_seconds)} (median)")
    if figures.idle_share is not None:
        parts.append(f"idle {share_text(figures.idle_share)}")
    if figures.wasted_share is not None:
        parts.append(f"wasted {share_text(figures.wasted_share)}")
    parts.append(f"saved {seconds_text(figures.saved_seconds)}")
    return " · ".join(parts)
