"""One candidate of a study as agents see it: which is meant, where it stands, what it gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headway.core import NotFound, Role, TrialState, UsageError
from headway.interfaces.agents.answers import number, quoted
from headway.store import Claim, Store, StudyRecord, StudyTrial, VerdictRecord

__all__ = ["SHORT", "Meant", "meant", "note_json", "of_claim", "standing", "verdict_json", "verdict_of"]

SHORT = 12  # characters of a candidate's id that are shown, and enough to name it
_FEWEST = 6
_NUMBERS = ("effect", "low", "high", "level", "pairs", "candidate_mean", "baseline_mean", "p_value", "seeds_needed")
_LONGEST_NUMBER = 5


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
    """Return the candidate that `#12`, `12`, `baseline` or the beginning of an id names, or raise `NotFound`."""
    digits = text.removeprefix("#")
    if text == "baseline":
        digits = "0"
    if digits.isdecimal() and (text.startswith("#") or len(digits) <= _LONGEST_NUMBER):
        found = store.studies.proposals(study.id, [int(digits)])
        if not found:
            last = store.studies.count_proposals(study.id) - 1
            raise NotFound(f"The study {study.name!r} has no candidate #{digits}. {_last_text(last)}")
        identity = found[0].candidate
    else:
        if len(text) < _FEWEST or not all(letter in "0123456789abcdef" for letter in text):
            raise UsageError(
                f"{text[:80]!r} is no candidate. Give its number such as '#12', its id of {SHORT} characters, or "
                "'baseline'."
            )
        identity = store.studies.candidate(text).id
    record = store.studies.candidate(identity)
    claim = store.claims.find(study, record.id)
    if claim is None:
        raise NotFound(f"The candidate {record.id[:SHORT]} was never proposed to the study {study.name!r}.")
    return of_claim(store, study, claim, record.config)


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
    verdict = verdict_of(store, study, item.claim.candidate)
    if verdict is not None:
        data["verdict"] = verdict.decision
    return data


def verdict_of(store: Store, study: StudyRecord, candidate: str) -> VerdictRecord | None:
    """Return the study's verdict on a candidate, if there is one."""
    return next((item for item in store.studies.verdicts(study.id) if item.candidate == candidate), None)


def verdict_json(verdict: VerdictRecord, *, numbers: bool = True) -> dict[str, Any]:
    """Return a verdict: the decision, its sentence, and the numbers that it rests on."""
    data = {"candidate": verdict.candidate[:SHORT], "decision": verdict.decision, "sentence": verdict.sentence}
    shown = {key: verdict.data[key] for key in _NUMBERS if isinstance(verdict.data.get(key), int | float)}
    return {**data, **{key: number(value) for key, value in shown.items()}} if numbers else data


def note_json(note: str, proposer: str) -> str | None:
    """Return what a proposer wrote beside a candidate, as a quotation; None where that is nothing."""
    return quoted(note, f"the proposer {proposer}", 400) if note else None


def _last_text(last: int) -> str:
    return f"Its last one is #{last}." if last > 0 else "It has none but the baseline yet."
