"""The shared board: what a study asks and has found (`brief`), and where it stands now (`status`)."""

from collections.abc import Mapping, Sequence
from typing import Any

from headway.core import Role, Space
from headway.interfaces.agents.answers import number
from headway.interfaces.agents.bookkeeping import (
    budget_json,
    counts_json,
    failures_json,
    promoted_json,
    running_json,
)
from headway.interfaces.agents.candidates import SHORT, verdict_json
from headway.interfaces.agents.configurations import changes, space_text
from headway.interfaces.agents.open_board import open_brief, open_line, open_status
from headway.interfaces.agents.whereabouts import engine_json, stays_open, study_state, the_study
from headway.store import Store, StudyRecord
from headway.studies.summary import CandidateRow, StudySummary, best_so_far, summarize

__all__ = ["brief", "status"]

_BEST, _NEWEST = 5, 5
_ROWS = 24
_HOW = (
    "Call propose with config holding only what differs from the baseline, and a note that says why. It returns at "
    "once. Then wait with the candidate it returns, and read result. A value of one run is noise until the verdict: "
    "the study runs its best candidates again on fresh seeds and judges those."
)


def brief(store: Store, *, study: str | None = None) -> dict[str, Any]:
    """Return what a study asks, what may be tried, what was tried, and how to propose."""
    record = the_study(store, study)
    asked = {
        "study": record.name,
        "metric": record.metric,
        "direction": record.direction,
        "state": study_state(record),
        "engine": engine_json(store, record),
    }
    found = open_brief(store, record) if stays_open(record) else _brief(store, record)
    return {
        **asked,
        **found,
        "failures": failures_json(store, record),
        "queue": store.claims.waiting(record.id),
        "promoted": promoted_json(store, record),
    }


def status(store: Store, *, study: str | None = None) -> dict[str, Any]:
    """Return where a study stands now; without a name, and where there are several, a line for each."""
    studies = store.studies.all()
    if study is None and len(studies) != 1:
        return {"studies": [_line(store, item) for item in studies]}
    record = the_study(store, study)
    found = open_status(store, record) if stays_open(record) else _status(store, record)
    return {
        **found,
        "engine": engine_json(store, record),
        "running": running_json(store, record),
        "queue": store.claims.waiting(record.id),
    }


def _brief(store: Store, record: StudyRecord) -> dict[str, Any]:
    summary = summarize(store, record, rows=_ROWS)
    baseline = summary.baseline
    rows = [row for row in summary.candidates if row.number > 0]
    best = _best(store, record, rows)
    shown = {row.number for row in best}
    newest = [row for row in sorted(rows, key=lambda row: -row.number) if row.number not in shown]
    return {
        "question": f"Which configuration {'lowers' if summary.direction == 'minimize' else 'raises'} {summary.metric}"
        " against the baseline?",
        "baseline": dict(baseline),
        "baseline_values": _by_seed(summary.candidates[0]) if summary.candidates else {},
        "space": space_text(Space.from_json(record.definition["space"])),
        "budget": budget_json(record, summary.spent),
        "answer_so_far": summary.sentence,
        "verdicts": [verdict_json(item, numbers=False) for item in summary.verdicts],
        "best": [_row(row, baseline) for row in best],
        "newest": [_row(row, baseline) for row in newest[:_NEWEST]],
        "counts": {**counts_json(record, summary.tally), "proposed": max(0, summary.proposed - 1)},
        "how": _HOW,
    }


def _status(store: Store, record: StudyRecord) -> dict[str, Any]:
    summary = summarize(store, record, rows=_ROWS)
    return {
        **_line(store, record, summary),
        "budget": budget_json(record, summary.spent),
        "verdicts": {item.candidate[:SHORT]: item.decision for item in summary.verdicts},
    }


def _line(store: Store, study: StudyRecord, summary: StudySummary | None = None) -> dict[str, Any]:
    if stays_open(study):
        return open_line(store, study)
    summary = summary or summarize(store, study, rows=1)
    best = best_so_far(summary)
    return {
        "study": study.name,
        "state": study_state(study),
        "trials": counts_json(study, summary.tally),
        "waiting": store.studies.waiting(study.id),
        "best_single_run": None if best is None else {"number": best.number, "value": number(best.value)},
        "answer_so_far": summary.sentence,
    }


def _best(store: Store, study: StudyRecord, rows: Sequence[CandidateRow]) -> list[CandidateRow]:
    by_number = {row.number: row for row in rows}
    ranked = store.places.best(study.id, study.direction, _ROWS, Role.SEARCH)
    numbers = dict.fromkeys(item.number for item in ranked if item.number in by_number)
    return [by_number[item] for item in list(numbers)[:_BEST]]


def _row(row: CandidateRow, baseline: Mapping[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {
        "candidate": row.candidate[:SHORT],
        "number": row.number,
        "proposer": row.proposer,
        "state": row.state,
        "value": number(row.value),
        "changes": changes(row.config, baseline),
    }
    return {**data, "verdict": row.decision} if row.decision else data


def _by_seed(row: CandidateRow) -> dict[str, float | None]:
    return {str(place.trial.seed): number(place.trial.value) for place in row.trials if place.trial.state.ended}
