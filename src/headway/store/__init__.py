"""The record: everything that Headway remembers, in one folder. SQLite, run logs, and files by content."""

from headway.store.artifacts import Artifacts, digest_file
from headway.store.curves import Curve, live_points
from headway.store.facade import FOLDER, Store, find_root
from headway.store.records import (
    ArtifactRecord,
    AttemptRecord,
    CandidateRecord,
    EventRecord,
    ProposalRecord,
    QueueRecord,
    StudyRecord,
    StudyTrial,
    TrialRecord,
    VerdictRecord,
)
from headway.store.runlog import UNLIMITED, Mark, Point, RunLog, RunLogReader, Signal

__all__ = [
    "FOLDER",
    "UNLIMITED",
    "ArtifactRecord",
    "Artifacts",
    "AttemptRecord",
    "CandidateRecord",
    "Curve",
    "EventRecord",
    "Mark",
    "Point",
    "ProposalRecord",
    "QueueRecord",
    "RunLog",
    "RunLogReader",
    "Signal",
    "Store",
    "StudyRecord",
    "StudyTrial",
    "TrialRecord",
    "VerdictRecord",
    "digest_file",
    "find_root",
    "live_points",
]
