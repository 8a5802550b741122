"""Repositories as experiments: a tree for each trial, a sandbox around it, doubts about what it printed."""

from headway.experiments.repositories.experiment import SPARE_SECONDS, WORK, RepositoryExperiment
from headway.experiments.repositories.trees import Base, CommitBase, CopyBase, base_from_json, base_of

__all__ = [
    "SPARE_SECONDS",
    "WORK",
    "Base",
    "CommitBase",
    "CopyBase",
    "RepositoryExperiment",
    "base_from_json",
    "base_of",
]
