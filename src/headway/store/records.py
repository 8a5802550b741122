"""The rows of the store as values. Readers get these and never a cursor."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from headway.core import Direction, Reason, Role, TrialState

__all__ = [
    "ArtifactRecord",
    "AttemptRecord",
    "CandidateRecord",
    "EventRecord",
    "EvidenceRecord",
    "Failure",
    "ProposalRecord",
    "QueueRecord",
    "RankedTrial",
    "Standing",
    "StudyRecord",
    "StudyTrial",
    "Tally",
    "TrialRecord",
    "VerdictRecord",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRecord:
    """Hold one study. Times are seconds since 1970. The lease names the engine that runs it, if one does."""

    id: int
    name: str
    definition: Mapping[str, Any]
    settings: Mapping[str, Any]
    source: str
    experiment: str
    metric: str
    direction: Direction
    state: str
    request: str | None
    lease_pid: int | None
    lease_started: float | None
    created: float
    updated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """Hold one candidate: a configuration, and a patch where it changes code."""

    id: str
    experiment: str
    config: Mapping[str, Any]
    patch: str | None

    @property
    def files(self) -> dict[str, str]:
        """Return the files that the patch changes, by path, with their new text; none without a patch."""
        return {} if self.patch is None else json.loads(self.patch)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRecord:
    """Hold one proposal to a study: who proposed which candidate, from which parents."""

    number: int
    candidate: str
    config: Mapping[str, Any]
    proposer: str
    parents: tuple[str, ...]
    note: str
    created: float
    changes_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """Hold one trial: a candidate run with one seed. `step` of `horizon` steps are done."""

    id: int
    candidate: str
    config: Mapping[str, Any]
    experiment: str
    seed: int
    state: TrialState
    reason: Reason | None
    message: str
    fingerprint: str | None
    value: float | None
    metrics: Mapping[str, float]
    step: int | None
    horizon: int | None
    manifest: str | None
    record: Mapping[str, Any]
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    created: float
    started: float | None
    ended: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTrial:
    """Hold a trial's place in a study: what it is for, which proposal it belongs to, whether it was reused."""

    trial: TrialRecord
    role: Role
    number: int
    reused: bool


class RankedTrial(NamedTuple):
    """Hold what a ranking shows of a trial: a tuple, as a list of ten thousand is built in a few milliseconds."""

    trial: int
    role: Role
    number: int
    candidate: str
    seed: int
    value: float
    seconds: float
    config: Mapping[str, Any]


class Standing(NamedTuple):
    """Hold a trial's place in a study without the trial: enough to know what is still to be run."""

    trial: int
    role: str
    number: int
    candidate: str
    seed: int
    state: str
    value: float | None
    reused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Hold one cause of failures: its first trial, how many failed by it, and what these cost."""

    trial: int
    count: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Count a study's trials. `executed` ones were not reused; `ended_seconds` is what those of them cost that ended.

    `wasted_seconds` went into trials that failed; `saved_seconds` is what reused trials had cost, and what trials that
    were stopped early would still have cost.
    """

    by_state: Mapping[TrialState, int]
    trials: int = 0
    executed: int = 0
    ended: int = 0
    executed_ended: int = 0
    ended_seconds: float = 0.0
    wasted_seconds: float = 0.0
    saved_seconds: float = 0.0

    @classmethod
    def of(cls, rows: Sequence[tuple[TrialState, bool, int, float, float]]) -> "Tally":
        """Add up rows of state, reused, count, seconds, saved seconds."""
        by_state = {state: sum(row[2] for row in rows if row[0] == state) for state in TrialState}
        own_ended = [row for row in rows if not row[1] and row[0].ended]
        return cls(
            by_state={state: count for state, count in by_state.items() if count},
            trials=sum(row[2] for row in rows),
            executed=sum(row[2] for row in rows if not row[1]),
            ended=sum(row[2] for row in rows if row[0].ended),
            executed_ended=sum(row[2] for row in own_ended),
            ended_seconds=sum(row[3] for row in own_ended),
            wasted_seconds=sum(row[3] for row in own_ended if row[0] == TrialState.FAILED),
            saved_seconds=sum(row[3] if row[1] else row[4] for row in rows),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """Hold one attempt at a trial: its process, its folder and how it ended.

    `live` is where its run log lies while it runs, in a file that attempts use one after the other.
    """

    id: int
    trial: int
    study: int
    directory: str
    live: str | None
    started: float
    pid: int | None = None
    pid_started: float | None = None
    ended: float | None = None
    outcome: str | None = None
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """Hold one thing that happened."""

    id: int
    study: int | None
    trial: int | None
    at: float
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRecord:
    """Hold one file that a trial left, by content."""

    name: str
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRecord:
    """Hold one verdict on a candidate against its baseline."""

    candidate: str
    baseline: str
    decision: str
    sentence: str
    data: Mapping[str, Any]
    created: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRecord:
    """Hold one test of the project: its place in the sequence, the evidence (log of an e-value), the level it met."""

    index: int
    study: int
    candidate: str
    log_e: float
    level: float
    accepted: bool
    created: float


def is_accepted(decision: str) -> bool:
    """Tell whether a verdict's decision is "accepted"; one on a repository names its trust behind that."""
    return decision.partition(" ")[0] == "accepted"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRecord:
    """Hold one candidate that somebody put into a study's queue."""

    id: int
    config: Mapping[str, Any]
    proposer: str
    parents: tuple[str, ...]
    note: str
    priority: int
    patch: str | None = None
