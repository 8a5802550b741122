"""The record: everything that Headway remembers, in one folder. SQLite, run logs, and files by content."""

from headway.store.artifacts import Artifacts, digest_file
from headway.store.claims import Claim
from headway.store.curves import Curve, live_items, live_points
from headway.store.disk import explained, own_writes, refusal, refused, resumable
from headway.store.ends import End, EndsMark
from headway.store.facade import FOLDER, Store, find_root
from headway.store.promotions import PromotionRecord
from headway.store.records import (
    ArtifactRecord,
    AttemptRecord,
    CandidateRecord,
    EventRecord,
    EvidenceRecord,
    Failure,
    ProposalRecord,
    QueueRecord,
    RankedTrial,
    Standing,
    StudyRecord,
    StudyTrial,
    Tally,
    TrialRecord,
    VerdictRecord,
    is_accepted,
)
from headway.store.runlog import RUN_LOG, UNLIMITED, Mark, Point, RunLog, RunLogReader, Signal
from headway.store.studies import candidate_id
from headway.store.verdicts import Decided

__all__ = [
    "FOLDER",
    "RUN_LOG",
    "UNLIMITED",
    "ArtifactRecord",
    "Artifacts",
    "AttemptRecord",
    "CandidateRecord",
    "Claim",
    "Curve",
    "Decided",
    "End",
    "EndsMark",
    "EventRecord",
    "EvidenceRecord",
    "Failure",
    "Mark",
    "Point",
    "PromotionRecord",
    "ProposalRecord",
    "QueueRecord",
    "RankedTrial",
    "RunLog",
    "RunLogReader",
    "Signal",
    "Standing",
    "Store",
    "StudyRecord",
    "StudyTrial",
    "Tally",
    "TrialRecord",
    "VerdictRecord",
    "candidate_id",
    "digest_file",
    "explained",
    "find_root",
    "is_accepted",
    "live_items",
    "live_points",
    "own_writes",
    "refusal",
    "refused",
    "resumable",
]
