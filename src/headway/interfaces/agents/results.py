"""`result` and `compare`: what candidates gave, as verdicts, values by seed and a few points of their curves."""

from collections.abc import Mapping
from typing import Any

from headway.core import Direction, better
from headway.interfaces.agents.answers import number
from headway.interfaces.agents.candidates import Meant, meant, note_json, standing, verdict_json, verdict_of
from headway.interfaces.agents.configurations import changes
from headway.interfaces.agents.whereabouts import the_study
from headway.store import Curve, Store, StudyRecord

__all__ = ["by_seed", "compare", "differences", "result"]

_POINTS = 8


def result(store: Store, *, candidate: str, study: str | None = None) -> dict[str, Any]:
    """Return what one candidate gave: its verdict, its values by seed beside the baseline's, its curve in brief."""
    record = the_study(store, study)
    item = meant(store, record, candidate)
    baseline: Mapping[str, Any] = record.definition["baseline"]
    verdict = verdict_of(store, record, item.claim.candidate)
    note = _note(store, record, item)
    answer: dict[str, Any] = {
        "study": record.name,
        **standing(store, record, item),
        "changes": changes(item.config, baseline),
        "verdict": None if verdict is None else verdict_json(verdict),
        "metric": record.metric,
        "direction": record.direction,
        "values_by_seed": _values(store, record, item),
        "curve": _curve_of(store, record, item),
        "seconds": number(sum(place.trial.wall_seconds for place in item.trials if not place.reused)),
    }
    if verdict is None and item.ended:
        answer["said"] = "No verdict: one run may be noise. The study judges its best candidates on fresh seeds."
    if item.state == "failed":
        answer["next"] = "explain_failure"
    return answer if note is None else {**answer, "note": note}


def compare(store: Store, *, first: str, second: str, study: str | None = None) -> dict[str, Any]:
    """Return two candidates of a study side by side: what differs, values by seed, verdicts, curves in brief."""
    record = the_study(store, study)
    pair = meant(store, record, first), meant(store, record, second)
    values = by_seed(store, record, (pair[0].claim.candidate, pair[1].claim.candidate))
    shared = [(one, two) for one, two in values.values() if one is not None and two is not None]
    mean = sum(two - one for one, two in shared) / len(shared) if shared else None
    verdicts = [verdict_of(store, record, item.claim.candidate) for item in pair]
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


def _values(store: Store, study: StudyRecord, item: Meant) -> dict[str, Any]:
    start = store.studies.proposals(study.id, [0])
    baseline = start[0].candidate if start else item.claim.candidate
    both = by_seed(store, study, (item.claim.candidate, baseline))
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
