"""The board of a study that stays open: what is official, how to change it, what was tried, what came of it.

Nothing here reads all verdicts: there may be thousands, and twenty agents who ask.
"""

import statistics
from collections.abc import Mapping
from typing import Any

from headway.core import Space, Spent
from headway.interfaces.agents.answers import number
from headway.interfaces.agents.bookkeeping import budget_json, counts_json
from headway.interfaces.agents.candidates import SHORT, official_of, sentence_json
from headway.interfaces.agents.configurations import changes, space_text
from headway.interfaces.agents.files import files_of, sizes_json
from headway.interfaces.agents.ideas import best_numbers, ideas_json
from headway.interfaces.agents.imported import ledger_json
from headway.interfaces.agents.repository import knobs_json, repository_json, trust_json
from headway.interfaces.agents.waiting import cursor_now
from headway.interfaces.agents.whereabouts import changes_code, study_state
from headway.store import Store, StudyRecord, Tally

__all__ = ["open_brief", "open_line", "open_status"]

_BEST, _NEWEST, _NEWEST_VERDICTS = 5, 6, 8
_LOOKED_AT = 16  # of the newest: some are the best too, others go on under another number
_LOOP = (
    "propose returns at once: go on with your next idea. wait(since=cursor) tells the verdicts that came; result says "
    "why. The value of one run is noise; the verdict is not. What is accepted becomes official, and later ideas are "
    "judged against it."
)
_SEND_CODE = (
    "propose(patch=..., parent=ID, note=HYPOTHESIS). patch is a unified diff; or, with file=PATH, SEARCH/REPLACE "
    "blocks or the file's whole new text. parent is the candidate whose text you changed: result(candidate='official', "
    "file=PATH) gives a file and that id. If another idea is accepted meanwhile, yours is moved onto it."
)
_SEND_VALUES = "propose(config={NAME: VALUE}, note=HYPOTHESIS). What config leaves out is the baseline's."


def open_brief(store: Store, record: StudyRecord) -> dict[str, Any]:
    """Return what a study that stays open asks, what may be changed, what is official, and what was tried."""
    best = best_numbers(store, record, _BEST)
    newest = [item for item in store.studies.newest_numbers(record.id, _LOOKED_AT) if item and item not in best]
    code = changes_code(record)
    goal = "lowers" if record.direction == "minimize" else "raises"
    tally = store.places.tally(record.id)
    return {
        "question": f"What {goal} {record.metric}?",
        "cursor": cursor_now(store, record),
        "how_to_send": _SEND_CODE if code else _SEND_VALUES,
        "how": _LOOP,
        **(_code_json(store, record) if code else _values_json(record)),
        "official": _official_json(store, record),
        "budget": _budget(store, record, tally),
        "counts": {
            "proposed": max(0, store.studies.count_proposals(record.id) - 1),
            "trials": counts_json(record, tally),
            "verdicts": store.verdicts.tally(record.id),
        },
        "best": ideas_json(store, record, best),
        "newest": [item for item in ideas_json(store, record, newest) if item.get("verdict") != "rebased"][:_NEWEST],
        **ledger_json(store, record),
    }


def open_status(store: Store, record: StudyRecord) -> dict[str, Any]:
    """Return where a study that stays open stands now."""
    newest = store.verdicts.newest(record.id, _NEWEST_VERDICTS)
    tally = store.places.tally(record.id)
    return {
        **open_line(store, record, tally),
        "cursor": cursor_now(store, record),
        "budget": _budget(store, record, tally),
        "newest_verdicts": {item.verdict.candidate[:SHORT]: item.verdict.decision for item in newest},
    }


def open_line(store: Store, record: StudyRecord, tally: Tally | None = None) -> dict[str, Any]:
    """Return a study that stays open in a few words."""
    return {
        "study": record.name,
        "state": study_state(record),
        "trials": counts_json(record, tally or store.places.tally(record.id)),
        "waiting": store.studies.waiting(record.id),
        "verdicts": store.verdicts.tally(record.id),
        "official": _official_json(store, record),
    }


def _code_json(store: Store, record: StudyRecord) -> dict[str, Any]:
    official = official_of(store, record)
    return {
        "repository": repository_json(store, record),
        "trust": trust_json(record),
        "official_files": {} if official is None else sizes_json(files_of(store, record, official)),
        "knobs": knobs_json(record),
    }


def _values_json(record: StudyRecord) -> dict[str, Any]:
    return {
        "baseline": dict(record.definition["baseline"]),
        "space": space_text(Space.from_json(record.definition["space"])),
    }


def _official_json(store: Store, record: StudyRecord) -> dict[str, Any]:
    """Return what is official now: the candidate, and the verdict that made it so."""
    accepted = store.verdicts.accepted(record.id, 1)
    if not accepted:
        start = official_of(store, record)
        told = {"candidate": start and start[:SHORT], "number": 0, "said": "The baseline: nothing was accepted yet."}
        return told if start is None else {**told, **_runs_json(store, record, start)}
    verdict = accepted[0].verdict
    baseline: Mapping[str, Any] = record.definition["baseline"]
    turned = changes(store.studies.candidate(verdict.candidate).config, baseline)
    return {
        "candidate": verdict.candidate[:SHORT],
        "number": accepted[0].number,
        "verdict": verdict.decision,
        "sentence": sentence_json(verdict),
        "effect": number(verdict.data.get("effect")),
        **_runs_json(store, record, verdict.candidate),
        **({"changes": turned} if turned else {}),
    }


def _runs_json(store: Store, record: StudyRecord, candidate: str) -> dict[str, Any]:
    """Return the mean of a candidate's runs, and how far one run lies from it: the noise."""
    places = store.places.of_candidate(record.id, candidate)
    values = [place.trial.value for place in places if place.trial.value is not None]
    if not values:
        return {}
    noise = {"sd_of_one_run": number(statistics.stdev(values))} if len(values) > 1 else {}
    return {"mean": number(statistics.fmean(values)), "runs": len(values), **noise}


def _budget(store: Store, record: StudyRecord, tally: Tally) -> dict[str, Any]:
    seconds = store.studies.spending(record.id).get("seconds", 0.0)
    return budget_json(record, Spent(trials=tally.executed, seconds=seconds))
