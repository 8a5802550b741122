"""The words of Headway as values: spaces, trials, budgets, digests, errors. Imports nothing of ours and does no I/O."""

from headway.core.budget import Budget, Spent
from headway.core.clock import Clock, SystemClock
from headway.core.digest import canonical_json, digest, digest_bytes
from headway.core.errors import (
    DefinitionChanged,
    DiskError,
    ExperimentError,
    HeadwayError,
    MissingExtra,
    NewerSchema,
    NotFound,
    NothingToDo,
    SpaceError,
    StoreError,
    StudyBusy,
    UsageError,
)
from headway.core.manifest import FileUse, Manifest
from headway.core.names import call_checked, hint, nearest, suggestion
from headway.core.redact import Redactor
from headway.core.space import Choice, Config, Float, Int, Parameter, Scalar, Space, exists
from headway.core.trial import Direction, Limits, Needs, Reason, Role, TrialState, better

__all__ = [
    "Budget",
    "Choice",
    "Clock",
    "Config",
    "DefinitionChanged",
    "Direction",
    "DiskError",
    "ExperimentError",
    "FileUse",
    "Float",
    "HeadwayError",
    "Int",
    "Limits",
    "Manifest",
    "MissingExtra",
    "Needs",
    "NewerSchema",
    "NotFound",
    "NothingToDo",
    "Parameter",
    "Reason",
    "Redactor",
    "Role",
    "Scalar",
    "Space",
    "SpaceError",
    "Spent",
    "StoreError",
    "StudyBusy",
    "SystemClock",
    "TrialState",
    "UsageError",
    "better",
    "call_checked",
    "canonical_json",
    "digest",
    "digest_bytes",
    "exists",
    "hint",
    "nearest",
    "suggestion",
]
