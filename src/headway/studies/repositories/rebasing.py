"""Move a change onto what was accepted meanwhile: of many agents at work, all but one began from an older version.

Knobs that it turned are turned there too; changed files are merged, three ways, as git merges them.
"""

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.core import HeadwayError, canonical_json
from headway.experiments.repositories import RepositoryExperiment
from headway.store import Store, StudyRecord

__all__ = ["Rebased", "Rebaser"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased:
    """Hold a candidate that was moved: its configuration, and its patch as canonical JSON."""

    config: Mapping[str, Any]
    patch: str | None


class Rebaser:
    """Move candidates of one study."""

    def __init__(self, store: Store, record: StudyRecord, experiment: RepositoryExperiment) -> None:
        self._store = store
        self._record = record
        self._experiment = experiment

    def rebased(self, candidate: str, parent: str, onto: str) -> Rebased | None:
        """Return what `candidate` changes in `parent` as a change of `onto`; None where the two do not go together."""
        theirs, before, ours = (self._store.studies.candidate(name) for name in (candidate, parent, onto))
        turned = {name: value for name, value in theirs.config.items() if before.config.get(name) != value}
        config = {**ours.config, **turned}
        files: dict[str, str] | None = ours.files
        if theirs.patch != before.patch:
            files = self._merged(before.files, ours.files, theirs.files)
        if files is None:
            return None
        patch = canonical_json(files) if files else None
        try:
            self._experiment.space.check(config)
            self._experiment.files(config, files)  # the knobs must still be there
        except HeadwayError:
            return None
        same = (config, patch) in ((dict(ours.config), ours.patch), (dict(theirs.config), theirs.patch))
        return None if same else Rebased(config=config, patch=patch)

    def _merged(
        self, before: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str]
    ) -> dict[str, str] | None:
        found: dict[str, str] = {}
        for path in sorted({*before, *ours, *theirs}):
            start = self._experiment.sources.get(path, "")
            text = merged(ours.get(path, start), before.get(path, start), theirs.get(path, start))
            if text is None:
                return None
            if text != self._experiment.sources.get(path):
                found[path] = text
        return found


def merged(ours: str, before: str, theirs: str) -> str | None:
    """Return a text with both changes of `before`, or None where they meet (`git merge-file`)."""
    if ours in (before, theirs):
        return theirs
    if theirs == before:
        return ours
    with tempfile.TemporaryDirectory(prefix="headway-") as folder:
        names: list[str] = []
        for name, text in (("ours", ours), ("before", before), ("theirs", theirs)):
            path = Path(folder, name)
            path.write_bytes(text.encode())
            names.append(str(path))
        try:
            ended = subprocess.run(
                ["git", "merge-file", "-p", "-q", *names], cwd=folder, capture_output=True, check=False, timeout=60
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    return ended.stdout.decode() if ended.returncode == 0 else None
