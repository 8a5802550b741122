"""Read what failed and what passed from the store: the trials of some studies, each once, with who proposed them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headway.core import Reason, TrialState
from headway.store import ProposalRecord, Store, StudyRecord, StudyTrial, TrialRecord

__all__ = ["Case", "read_cases"]

# Where the engine ended the trial, or looked at its value, what it had raised or printed before is no cause.
_ENGINES = {
    Reason.WALL_TIME, Reason.NO_PROGRESS, Reason.OUTPUT, Reason.NOT_FINITE, Reason.NO_METRIC, Reason.LOST,
    Reason.CPU_TIME,
}  # fmt: skip


# Each trial of a repository has a tree of its own, or its worker has.
_TREE = re.compile(r"/[^\s\"':]*/(?:work|templates/\d+/\d+)/tree/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hold one trial as triage sees it. `text` is its traceback, or the last lines of its command; empty without.

    `files` are those that its candidate changes; `seconds` what it cost here: nothing where it was reused.
    """

    study: StudyRecord
    trial: TrialRecord
    number: int
    proposer: str
    note: str
    files: tuple[str, ...]
    text: str
    seconds: float

    @property
    def config(self) -> Mapping[str, Any]:
        """Return the trial's configuration."""
        return self.trial.config

    @property
    def failed(self) -> bool:
        """Tell whether the trial failed."""
        return self.trial.state == TrialState.FAILED

    @property
    def unit(self) -> tuple[str, str]:
        """Return what was tried, whatever the seed: trials of one candidate are no independent evidence."""
        return self.study.experiment, self.trial.candidate


def read_cases(store: Store, studies: Sequence[StudyRecord]) -> list[Case]:
    """Return the ended trials of some studies in the order in which they came, each once."""
    found: dict[int, Case] = {}
    for study in studies:
        for case in _of_study(store, study):
            earlier = found.get(case.trial.id)
            if earlier is None or (case.seconds and not earlier.seconds):
                found[case.trial.id] = case
    return [found[trial] for trial in sorted(found)]


def _of_study(store: Store, study: StudyRecord) -> list[Case]:
    places = [place for place in store.places.of_study(study.id) if place.trial.state.ended]
    proposals = {item.number: item for item in store.studies.proposals(study.id)}
    texts = {
        event.trial: str(event.data.get("traceback") or "")
        for event in store.events.of_study(study.id, kinds=("failed",))
    }
    code = "repository" in study.definition
    files = {item.candidate: _files(store, item) for item in proposals.values() if code}
    return [_case(store, study, place, proposals.get(place.number), texts, files) for place in places]


def _case(
    store: Store,
    study: StudyRecord,
    place: StudyTrial,
    proposal: ProposalRecord | None,
    texts: Mapping[int | None, str],
    files: Mapping[str, tuple[str, ...]],
) -> Case:
    trial = place.trial
    text = ""
    if trial.state == TrialState.FAILED and trial.reason not in _ENGINES:
        text = texts[trial.id] if trial.id in texts else _text_elsewhere(store, place)
    if "repository" in study.definition:
        text = _TREE.sub("", text)
    return Case(
        study=study,
        trial=trial,
        number=place.number,
        proposer="" if proposal is None else proposal.proposer,
        note="" if proposal is None else proposal.note,
        files=files.get(trial.candidate, ()),
        text=text,
        seconds=0.0 if place.reused else trial.wall_seconds,
    )


def _text_elsewhere(store: Store, place: StudyTrial) -> str:
    """Return the traceback of a trial that another study ran."""
    if not place.reused:
        return ""
    texts = [event.data.get("traceback") for event in store.events.of_trial(place.trial.id) if event.kind == "failed"]
    return str(texts[-1] or "") if texts else ""


def _files(store: Store, proposal: ProposalRecord) -> tuple[str, ...]:
    if not proposal.changes_code:
        return ()
    return tuple(sorted(store.studies.candidate(proposal.candidate).files))
