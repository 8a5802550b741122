"""The rows of the store as values. Readers get these and never a cursor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headway.core import Direction, Reason, Role, TrialState

__all__ = [
    "ArtifactRecord",
    "AttemptRecord",
    "CandidateRecord",
    "EventRecord",
    "ProposalRecord",
    "QueueRecord",
    "StudyRecord",
    "StudyTrial",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """Hold one attempt at a trial: its process, its folder and how it ended."""

    id: int
    trial: int
    study: int
    pid: int | None
    pid_started: float | None
    directory: str
    started: float
    ended: float | None
    outcome: str | None
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int


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
class QueueRecord:
    """Hold one candidate that somebody put into a study's queue."""

    id: int
    config: Mapping[str, Any]
    proposer: str
    parents: tuple[str, ...]
    note: str
    priority: int
