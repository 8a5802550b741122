"""The ideas on a study's board: what each changes and why, how it was read so far, what was decided."""

from collections.abc import Sequence
from typing import Any

from headway.core import Role
from headway.interfaces.agents.answers import number, quoted
from headway.interfaces.agents.candidates import SHORT
from headway.interfaces.agents.kinds import kind_json
from headway.store import ProposalRecord, Store, StudyRecord, StudyTrial, is_accepted

__all__ = ["best_numbers", "ideas_json"]

_NOTE = 160  # characters
_RANKED = 64


def best_numbers(store: Store, study: StudyRecord, most: int) -> list[int]:
    """Return the numbers of the best ideas: what was accepted, the newest first, then by the value of one run.

    Whose value is not believed is left out, and so is what failed: such values are no example.
    """
    found = [item.number for item in store.verdicts.accepted(study.id, most) if item.number]
    ranked = dict.fromkeys(
        (item.number, item.candidate)
        for item in store.places.best(study.id, study.direction, _RANKED, Role.SEARCH)
        if item.number and item.number not in found
    )
    for place, candidate in ranked:
        if len(found) >= most:
            break
        verdict = store.studies.verdict(study.id, candidate)
        if verdict is None or verdict.decision not in ("failed", "flagged", "rebased"):
            found.append(place)
    return found[:most]


def ideas_json(store: Store, study: StudyRecord, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """Return the ideas of these numbers, in their order."""
    proposals = {item.number: item for item in store.studies.proposals(study.id, numbers)}
    places: dict[int, list[StudyTrial]] = {}
    for place in store.places.of_numbers(study.id, numbers):
        places.setdefault(place.number, []).append(place)
    return [_idea(store, study, proposals[item], places.get(item, [])) for item in numbers if item in proposals]


def _idea(store: Store, study: StudyRecord, proposal: ProposalRecord, places: Sequence[StudyTrial]) -> dict[str, Any]:
    first = next((place.trial for place in places if place.role != Role.CONFIRM), None)
    verdict = store.studies.verdict(study.id, proposal.candidate)
    data: dict[str, Any] = {
        "candidate": proposal.candidate[:SHORT],
        "number": proposal.number,
        "proposer": proposal.proposer,
        **kind_json(store, study, proposal.candidate, next(iter(proposal.parents), None)),
        "state": "queued" if first is None else str(first.state),
        "value": None if first is None else number(first.value),
    }
    if verdict is not None:
        data["verdict"] = verdict.decision
        effect = verdict.data.get("effect")
        if is_accepted(verdict.decision) and isinstance(effect, int | float):
            data["effect"] = number(effect)
    if proposal.note:
        data["note"] = quoted(proposal.note, f"the proposer {proposal.proposer}", _NOTE, keep="beginning")
    return data
