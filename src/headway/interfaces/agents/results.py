"""`result` and `compare`: what candidates gave, as verdicts, values by seed and a few points of their curves."""

from collections.abc import Mapping
from typing import Any

from headway.core import Direction, UsageError, better
from headway.interfaces.agents.answers import number
from headway.interfaces.agents.candidates import (
    SHORT,
    Meant,
    baseline_of,
    judged,
    meant,
    note_json,
    official_of,
    parent_of,
    standing,
    successor,
    verdict_json,
)
from headway.interfaces.agents.changed import change_json
from headway.interfaces.agents.files import file_json
from headway.interfaces.agents.kinds import kind_json
from headway.interfaces.agents.whereabouts import changes_code, stays_open, the_study
from headway.store import Curve, Store, StudyRecord, VerdictRecord

__all__ = ["by_seed", "compare", "differences", "result"]

_POINTS = 8
_NOT_JUDGED = "No verdict: one run may be noise. The study judges its best candidates on fresh seeds."
_NOT_YET = "No verdict yet: one run may be noise. Go on with your next idea, or wait with this candidate."


def result(
    store: Store, *, candidate: str, study: str | None = None, file: str | None = None, offset: int = 0
) -> dict[str, Any]:
    """Return what one candidate gave: its verdict, its values by seed beside those it is held against, its change.

    With `file` return the text of that file instead, as the candidate has it, from the character `offset` on.
    """
    record = the_study(store, study)
    item = meant(store, record, candidate)
    if file is not None:
        return file_json(store, record, item, file, offset)
    if offset:
        raise UsageError(f"offset={offset} is where a file's text goes on. Give file=PATH too, or leave it out.")
    verdict = store.studies.verdict(record.id, item.claim.candidate)
    against = _against(store, record, item, verdict)
    note = _note(store, record, item)
    answer: dict[str, Any] = {
        "study": record.name,
        **standing(store, record, item),
        **kind_json(store, record, item.claim.candidate, parent_of(store, record, item)),
        "verdict": None if verdict is None else verdict_json(verdict),
        "metric": record.metric,
        "direction": record.direction,
        **({"against": against[:SHORT]} if stays_open(record) else {}),
        "values_by_seed": _values(store, record, item, against),
        "curve": _curve_of(store, record, item),
        "seconds": number(sum(place.trial.wall_seconds for place in item.trials if not place.reused)),
        **(change_json(store, record, item, verdict) if changes_code(record) else {}),
    }
    later = successor(store, record, item)
    if later.short != item.short:
        answer["goes_on_as"] = standing(store, record, later)
    elif item.ended and not judged(store, record, item):
        answer["said"] = _NOT_YET
    elif verdict is None and item.ended:
        answer["said"] = _NOT_JUDGED
    if item.state == "failed" or (verdict is not None and verdict.decision in ("failed", "flagged")):
        answer["next"] = "explain_failure"
    return answer if note is None else {**answer, "note": note}


def compare(store: Store, *, first: str, second: str, study: str | None = None) -> dict[str, Any]:
    """Return two candidates of a study side by side: what differs, values by seed, verdicts, curves in brief."""
    record = the_study(store, study)
    pair = meant(store, record, first), meant(store, record, second)
    values = by_seed(store, record, (pair[0].claim.candidate, pair[1].claim.candidate))
    shared = [(one, two) for one, two in values.values() if one is not None and two is not None]
    mean = sum(two - one for one, two in shared) / len(shared) if shared else None
    verdicts = [store.studies.verdict(record.id, item.claim.candidate) for item in pair]
    return {
        "study": record.name,
        "metric": record.metric,
        "direction": record.direction,
        "candidates": [standing(store, record, item) for item in pair],
        "config": {name: list(both) for name, both in differences(pair[0].config, pair[1].config).items()},
        "values_by_seed": {str(seed): [number(value) for value in both] for seed, both in values.items()},
        "shared_seeds": len(shared),
        "second_minus_first": number(mean),
        "reading": _reading(mean, len(shared), record.direction),
        "verdicts": [None if item is None else verdict_json(item) for item in verdicts],
        "curves": [_curve_of(store, record, item) for item in pair],
    }


def by_seed(store: Store, study: StudyRecord, pair: tuple[str, str]) -> dict[int, tuple[float | None, float | None]]:
    """Return the values of two candidates by seed, where at least one has one."""
    values: list[dict[int, float]] = [{}, {}]
    for side, candidate in zip(values, pair, strict=True):
        for place in store.places.of_candidate(study.id, candidate):
            if place.trial.value is not None:
                side[place.trial.seed] = place.trial.value
    return {seed: (values[0].get(seed), values[1].get(seed)) for seed in sorted({*values[0], *values[1]})}


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return what two configurations have otherwise, by name; a dash for what one of them leaves out."""
    names = sorted({*first, *second})
    pairs = {name: (first.get(name, "–"), second.get(name, "–")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _against(store: Store, study: StudyRecord, item: Meant, verdict: VerdictRecord | None) -> str:
    """Return what a candidate is held against: what it was judged against, else what it would be."""
    if verdict is not None:
        return verdict.baseline
    found = official_of(store, study) if stays_open(study) else baseline_of(store, study)
    return found or item.claim.candidate


def _values(store: Store, study: StudyRecord, item: Meant, against: str) -> dict[str, Any]:
    both = by_seed(store, study, (item.claim.candidate, against))
    return {
        str(seed): {"value": number(own), "baseline": number(base)}
        for seed, (own, base) in both.items()
        if own is not None
    }


def _curve_of(store: Store, study: StudyRecord, item: Meant) -> dict[str, Any] | None:
    """Return a few points of the first run's curve of the study's metric; of another metric where it logged that."""
    if item.first is None:
        return None
    curves = store.curves.read(item.first.trial.id)
    name = study.metric if study.metric in curves else next(iter(curves), None)
    if name is None or not curves[name].values:
        return None
    return _curve(name, curves[name], study.direction)


def _curve(name: str, curve: Curve, direction: Direction) -> dict[str, Any]:
    count = len(curve.values)
    picked = sorted({round(index * (count - 1) / max(1, _POINTS - 1)) for index in range(min(count, _POINTS))})
    best = curve.values[0]
    for value in curve.values:
        best = value if better(value, best, direction) else best
    return {
        "metric": name,
        "points": count,
        "best": number(best),
        "at": [[curve.steps[index], number(curve.values[index])] for index in picked],
    }


def _note(store: Store, study: StudyRecord, item: Meant) -> str | None:
    if item.claim.number is None:
        return note_json(store.claims.note_of(study.id, item.claim.candidate), item.claim.proposer)
    (proposal,) = store.studies.proposals(study.id, [item.claim.number])
    return note_json(proposal.note, proposal.proposer)


def _reading(mean: float | None, shared: int, direction: Direction) -> str:
    if mean is None:
        return "No seed was run with both, so nothing can be compared."
    if mean == 0:
        return f"Equal on the mean of {shared} shared seeds."
    which = "second" if better(mean, 0.0, direction) else "first"
    return f"The {which} is better on the mean of {shared} shared seeds. Only a verdict says whether that is real."
