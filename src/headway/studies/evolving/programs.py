"""A program on its way into an evolution: what it is before its first trial, and what keeps it from having one."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headway.core import UsageError
from headway.experiments.repositories import RepositoryExperiment
from headway.store import TrialRecord
from headway.studies.repositories import Change

__all__ = ["NewProgram", "files_of_change", "files_of_patch", "refuse_broken", "why_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProgram:
    """Hold a program that has a number and is not in the record yet: it will be with its first trial."""

    candidate: str
    config: Mapping[str, Any]
    patch: str | None
    proposer: str
    parents: tuple[str, ...]
    note: str
    tokens: int
    dollars: float | None
    seed: int


def files_of_patch(patch: str | None) -> dict[str, str]:
    """Return the files that a patch changes, by path, with their new text."""
    return {} if patch is None else json.loads(patch)


def files_of_change(experiment: RepositoryExperiment, change: Change) -> dict[str, str]:
    """Return the editable files as a change has them, by path."""
    changed = experiment.files(change.config, {}) if change.patch is None else files_of_patch(change.patch)
    return {**experiment.sources, **changed}


def refuse_broken(files: Mapping[str, str], paths: Sequence[str]) -> None:
    """Raise `UsageError` for Python that does not compile: it needs no trial to fail."""
    for path in paths:
        if path.endswith(".py"):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of the proposed code: a trial's output has them
                    compile(files[path], path, "exec", dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                line = getattr(error, "lineno", None)
                where = f", line {line}" if line else ""
                raise UsageError(f"{path}{where} does not compile: {type(error).__name__}: {error}") from error


def why_of(trial: TrialRecord) -> str:
    """Return why a trial came to no score, in words."""
    return f"{trial.reason}: {trial.message}" if trial.reason else str(trial.state)
