"""One candidate of a study as agents see it: which is meant, where it stands, what it gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headway.core import NotFound, Role, TrialState, UsageError
from headway.interfaces.agents.answers import number, quoted
from headway.interfaces.agents.whereabouts import engine_alive, stays_open
from headway.store import Claim, Store, StudyRecord, StudyTrial, VerdictRecord

__all__ = [
    "SHORT",
    "Meant",
    "baseline_of",
    "judged",
    "meant",
    "note_json",
    "of_claim",
    "official_of",
    "parent_of",
    "sentence_json",
    "standing",
    "successor",
    "verdict_json",
]

SHORT = 12  # characters of a candidate's id that are shown, and enough to name it
_FEWEST = 6
_NUMBERS = (
    "effect", "low", "high", "level", "pairs", "candidate_mean", "baseline_mean", "p_value", "seeds_needed", "runs",
    "chance_better",
)  # fmt: skip
_LONGEST_NUMBER = 5
_LONGEST_SENTENCE = 400
_REBASED, _MOST_REBASED = "rebased", 1000
_TOLD_BY_CODE = ("failed", "flagged")  # the sentences of these verdicts repeat what a candidate's code says


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """Hold a candidate of a study: its claim, its configuration and its trials, the first run first."""

    claim: Claim
    config: Mapping[str, Any]
    trials: Sequence[StudyTrial]

    @property
    def short(self) -> str:
        """Return the id that agents are given."""
        return self.claim.candidate[:SHORT]

    @property
    def first(self) -> StudyTrial | None:
        """Return the run that the search is read from."""
        return next((place for place in self.trials if place.role != Role.CONFIRM), None)

    @property
    def state(self) -> str:
        """Return where the first run stands; `queued` before there is one."""
        return "queued" if self.first is None else str(self.first.trial.state)

    @property
    def ended(self) -> bool:
        """Tell whether the first run has ended."""
        return self.first is not None and self.first.trial.state.ended


def meant(store: Store, study: StudyRecord, text: str) -> Meant:
    """Return the candidate that `#12`, `12`, `baseline`, `official` or the beginning of an id names.

    Raises `NotFound` where the study has none such, and `UsageError` for what is no name of a candidate.
    """
    record = store.studies.candidate(_identity(store, study, text))
    claim = store.claims.find(study, record.id)
    if claim is None:
        raise NotFound(f"The candidate {record.id[:SHORT]} was never proposed to the study {study.name!r}.")
    return of_claim(store, study, claim, record.config)


def baseline_of(store: Store, study: StudyRecord) -> str | None:
    """Return the candidate that is the baseline; None before the study has begun."""
    start = store.studies.proposals(study.id, [0])
    return start[0].candidate if start else None


def official_of(store: Store, study: StudyRecord) -> str | None:
    """Return the candidate that others build on: the last one accepted, else the baseline; None before there is one."""
    accepted = store.verdicts.accepted(study.id, 1)
    return accepted[0].verdict.candidate if accepted else baseline_of(store, study)


def parent_of(store: Store, study: StudyRecord, item: Meant) -> str | None:
    """Return what a candidate was made from; None for the baseline."""
    if item.claim.number is None:
        return next(iter(store.claims.parents_of(study.id, item.claim.candidate)), None)
    (proposal,) = store.studies.proposals(study.id, [item.claim.number])
    return next(iter(proposal.parents), None)


def _identity(store: Store, study: StudyRecord, text: str) -> str:
    if text == "official":
        return _official(store, study)
    digits = "0" if text == "baseline" else text.removeprefix("#")
    if digits.isdecimal() and (text.startswith("#") or len(digits) <= _LONGEST_NUMBER):
        found = store.studies.proposals(study.id, [int(digits)])
        if found:
            return found[0].candidate
        last = store.studies.count_proposals(study.id) - 1
        raise NotFound(f"The study {study.name!r} has no candidate #{digits}. {_last_text(last)}")
    if len(text) < _FEWEST or not all(letter in "0123456789abcdef" for letter in text):
        raise UsageError(
            f"{text[:80]!r} is no candidate. Give its number such as '#12', its id of {SHORT} characters, 'baseline' "
            "or 'official'."
        )
    return text


def _official(store: Store, study: StudyRecord) -> str:
    if not stays_open(study):
        raise UsageError(
            f"The study {study.name!r} judges at its end, so nothing is official while it runs. Give 'baseline', or a "
            "number such as '#12'."
        )
    found = official_of(store, study)
    if found is None:
        raise NotFound(f"The study {study.name!r} has not begun, so nothing is official yet. See status.")
    return found


def of_claim(store: Store, study: StudyRecord, claim: Claim, config: Mapping[str, Any]) -> Meant:
    """Return the candidate that a claim is on."""
    places = sorted(
        store.places.of_candidate(study.id, claim.candidate),
        key=lambda place: (place.role == Role.CONFIRM, place.trial.id),
    )
    return Meant(claim=claim, config=config, trials=places)


def standing(store: Store, study: StudyRecord, item: Meant) -> dict[str, Any]:
    """Return where a candidate stands: its state, its value, and how many are taken from the queue before it."""
    first = item.first
    data: dict[str, Any] = {"candidate": item.short}
    if item.claim.number is not None:
        data["number"] = item.claim.number
    data |= {"proposer": item.claim.proposer, "state": item.state}
    if item.claim.queued is not None and item.claim.number is None:
        data["ahead_in_queue"] = store.claims.ahead(study.id, item.claim.queued)
    if first is not None:
        trial = first.trial
        data["trial"] = trial.id
        if trial.state == TrialState.RUNNING:
            data["step"], data["of_steps"] = trial.step, trial.horizon
        elif trial.state == TrialState.FAILED:
            data["reason"] = trial.reason
        else:
            data["value"] = number(trial.value)
    verdict = store.studies.verdict(study.id, item.claim.candidate)
    if verdict is not None:
        data["verdict"] = verdict.decision
    return data


def judged(store: Store, study: StudyRecord, item: Meant) -> bool:
    """Tell whether all has come that a proposer waits for: in a study that stays open the verdict, else the first run.

    What an open study had not judged when it ended is judged when it goes on.
    """
    if not stays_open(study):
        return item.ended
    verdict = store.studies.verdict(study.id, item.claim.candidate)
    if verdict is None or verdict.decision == _REBASED:
        return False
    return not (verdict.data.get("open") and engine_alive(study))


def successor(store: Store, study: StudyRecord, item: Meant) -> Meant:
    """Return what a candidate goes on as: itself, or its change made anew on what was accepted meanwhile."""
    for _ in range(_MOST_REBASED):
        verdict = store.studies.verdict(study.id, item.claim.candidate)
        if verdict is None or verdict.decision != _REBASED:
            break
        item = meant(store, study, str(verdict.data["as"]))
    return item


def sentence_json(verdict: VerdictRecord) -> str:
    """Return a verdict's sentence; as a quotation where it repeats what the candidate's code said."""
    if verdict.decision in _TOLD_BY_CODE:
        source = f"the verdict on {verdict.candidate[:SHORT]}"
        return quoted(verdict.sentence, source, _LONGEST_SENTENCE, keep="beginning")
    return verdict.sentence


def verdict_json(verdict: VerdictRecord, *, numbers: bool = True) -> dict[str, Any]:
    """Return a verdict: the decision, its sentence, and the numbers that it rests on."""
    data = {"candidate": verdict.candidate[:SHORT], "decision": verdict.decision, "sentence": sentence_json(verdict)}
    if "as" in verdict.data:
        data |= {"as": verdict.data["as"][:SHORT]}
    if not numbers:
        return data
    shown = {key: verdict.data[key] for key in _NUMBERS if isinstance(verdict.data.get(key), int | float)}
    trust = {"trust": verdict.data["trust"]} if "trust" in verdict.data else {}
    return {**data, **{key: number(value) for key, value in shown.items()}, **trust}


def note_json(note: str, proposer: str) -> str | None:
    """Return what a proposer wrote beside a candidate, as a quotation; None where that is nothing."""
    return quoted(note, f"the proposer {proposer}", 400) if note else None


def _last_text(last: int) -> str:
    return f"Its last one is #{last}." if last > 0 else "It has none but the baseline yet."
