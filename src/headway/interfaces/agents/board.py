"""The shared board: what a study asks and has found (`brief`), and where it stands now (`status`)."""

from collections.abc import Mapping, Sequence
from typing import Any

from headway.core import Role, Space, TrialState
from headway.interfaces.agents.answers import number, quoted
from headway.interfaces.agents.candidates import SHORT, verdict_json
from headway.interfaces.agents.configurations import changes, space_text
from headway.interfaces.agents.whereabouts import engine_alive, start_command, study_state, the_study
from headway.store import Store, StudyRecord
from headway.studies.summary import CandidateRow, StudySummary, best_so_far, summarize

__all__ = ["brief", "engine_json", "status"]

_BEST, _NEWEST, _CAUSES, _RUNNING = 5, 5, 5, 8
_ROWS = 24
_HOW = (
    "Call propose with config holding only what differs from the baseline, and a note that says why. It returns at "
    "once. Then wait with the candidate it returns, and read result. A value of one run is noise until the verdict: "
    "the study runs its best candidates again on fresh seeds and judges those."
)


def brief(store: Store, *, study: str | None = None) -> dict[str, Any]:
    """Return what a study asks, what may be tried, what was tried, and how to propose."""
    record = the_study(store, study)
    summary = summarize(store, record, rows=_ROWS)
    space, baseline = Space.from_json(record.definition["space"]), summary.baseline
    rows = [row for row in summary.candidates if row.number > 0]
    best = _best(store, record, rows)
    shown = {row.number for row in best}
    newest = [row for row in sorted(rows, key=lambda row: -row.number) if row.number not in shown]
    return {
        "study": record.name,
        "question": f"Which configuration {'lowers' if summary.direction == 'minimize' else 'raises'} {summary.metric}"
        " against the baseline?",
        "metric": summary.metric,
        "direction": summary.direction,
        "state": study_state(record),
        "engine": engine_json(store, record),
        "baseline": dict(baseline),
        "baseline_values": _by_seed(summary.candidates[0]) if summary.candidates else {},
        "space": space_text(space),
        "budget": _budget(summary),
        "answer_so_far": summary.sentence,
        "verdicts": [verdict_json(item, numbers=False) for item in summary.verdicts],
        "best": [_row(row, baseline) for row in best],
        "newest": [_row(row, baseline) for row in newest[:_NEWEST]],
        "failures": _failures(store, record),
        "counts": {**_counts(summary), "proposed": max(0, summary.proposed - 1)},
        "queue": store.claims.waiting(record.id),
        "promoted": _promoted(store, record),
        "how": _HOW,
    }


def status(store: Store, *, study: str | None = None) -> dict[str, Any]:
    """Return where a study stands now; without a name, and where there are several, a line for each."""
    studies = store.studies.all()
    if study is None and len(studies) != 1:
        return {"studies": [_line(store, item) for item in studies]}
    record = the_study(store, study)
    summary = summarize(store, record, rows=_ROWS)
    running = store.places.of_study(record.id, state=TrialState.RUNNING, limit=_RUNNING)
    return {
        **_line(store, record, summary),
        "engine": engine_json(store, record),
        "running": [
            {
                "candidate": place.trial.candidate[:SHORT],
                "number": place.number,
                "for": str(place.role),
                "seed": place.trial.seed,
                "trial": place.trial.id,
            }
            for place in running
        ],
        "queue": store.claims.waiting(record.id),
        "budget": _budget(summary),
        "verdicts": {item.candidate[:SHORT]: item.decision for item in summary.verdicts},
    }


def engine_json(store: Store, study: StudyRecord) -> dict[str, Any]:
    """Say whether an engine runs the study; where none does, how a person starts one."""
    if engine_alive(study):
        return {"running": True}
    return {
        "running": False,
        "start": start_command(store, study),
        "note": "Proposals are kept in the queue until an engine runs. Ask a person to type the command, or type it.",
    }


def _line(store: Store, study: StudyRecord, summary: StudySummary | None = None) -> dict[str, Any]:
    summary = summary or summarize(store, study, rows=1)
    best = best_so_far(summary)
    return {
        "study": study.name,
        "state": study_state(study),
        "trials": _counts(summary),
        "waiting": store.studies.waiting(study.id),
        "best_single_run": None if best is None else {"number": best.number, "value": number(best.value)},
        "answer_so_far": summary.sentence,
    }


def _counts(summary: StudySummary) -> dict[str, int]:
    counts = {str(state): summary.count(state) for state in TrialState if summary.count(state)}
    if not engine_alive(summary.study) and "running" in counts:
        counts["interrupted"] = counts.pop("running")
    return counts


def _budget(summary: StudySummary) -> dict[str, Any]:
    left = summary.budget.left(summary.spent)
    return {
        name: {"left": number(remaining), "of": whole}
        for name, remaining, whole in (
            ("trials", left.trials, summary.budget.trials),
            ("seconds", left.seconds, summary.budget.seconds),
        )
        if whole is not None
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


def _failures(store: Store, study: StudyRecord) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for failure in store.places.failures(study.id)[:_CAUSES]:
        trial = store.trials.get(failure.trial, record=False)
        numbers = store.places.numbers_of_failure(study.id, failure.trial, 3)
        found.append(
            {
                "reason": trial.reason,
                "count": failure.count,
                "candidates": [f"#{item}" for item in numbers],
                "message": quoted(trial.message, f"trial {trial.id}", 160),
            }
        )
    return found


def _promoted(store: Store, study: StudyRecord) -> dict[str, str]:
    return {item.candidate[:SHORT]: item.state for item in store.promotions.of_study(study.id)}
