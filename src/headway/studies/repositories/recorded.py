"""The experiment of a study of a repository, as the record has it: whatever became of the folder since."""

from pathlib import Path

from headway.core import Limits, Needs, canonical_json
from headway.experiments.layouts import find_layout
from headway.experiments.repositories import RepositoryExperiment, base_from_json
from headway.store import StudyRecord

__all__ = ["experiment_of", "is_repository"]

_known: dict[str, RepositoryExperiment] = {}  # by what the record says of it


def is_repository(record: StudyRecord) -> bool:
    """Tell whether a study's experiment is a repository, so that its candidates may change code."""
    return "repository" in record.definition


def experiment_of(record: StudyRecord) -> RepositoryExperiment:
    """Return the experiment of a study; the files of its base are read once a process.

    Raises `UsageError` where the folder has no layout any more, or the base is gone.
    """
    definition, settings = record.definition, record.settings
    kept = definition["repository"]
    key = canonical_json([record.source, kept, definition["experiment"], settings["needs"], settings["limits"]])
    if key not in _known:
        layout = find_layout(Path(record.source))
        base = base_from_json(kept["base"], layout.root)
        _known[key] = RepositoryExperiment.of(
            layout,
            base,
            base.sources(layout.files),
            unsafe=definition["experiment"].get("unsafe", False),
            needs=Needs(**settings["needs"]),
            limits=Limits(**settings["limits"]),
            named={"tag": kept["tag"], "branch": kept["branch"]},
        )
    return _known[key]
