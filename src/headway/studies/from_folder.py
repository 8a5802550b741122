"""Make a study of a repository: found by its layout, begun from its last commit, open for proposals."""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headway.core import Budget, Limits, Needs, UsageError
from headway.engine import available_gpus
from headway.experiments.layouts import find_layout
from headway.experiments.repositories import SPARE_SECONDS, RepositoryExperiment, base_of
from headway.store import StudyRecord
from headway.studies.proposing import Ceiling
from headway.studies.repositories import experiment_of
from headway.studies.study import Study

__all__ = ["repository_study", "study_again", "study_name"]

_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_SEEDS = 6  # pairs for a verdict: with four, the first test of a project accepts only what is very clear


def repository_study(
    root: Path,
    store: Path,
    *,
    tag: str | None = None,
    name: str | None = None,
    budget: str | Budget = "",
    sampler: str | None = None,
    seeds: int = _SEEDS,
    cores: int = 1,
    gpus: int | None = None,
    unsafe: bool = False,
    time_limit: float | None = None,
    close_after: float | None = None,
    proposers: Sequence[str] = (),
    ceiling: Ceiling | None = None,
    workers: int | None = None,
) -> Study:
    """Return a study of the repository at `root` that judges changes of its code as they come.

    With `proposers` it evolves: they propose changes, up to the `ceiling` of their cost, and the best is judged at the
    end. `workers` is how many trials run at once, unless the session says it.

    Its baseline is the last commit; where there is no git, a copy of the files is kept in the store. `tag` names the
    branch of what is accepted, by default the day. `sampler` tunes the knobs meanwhile. Raises `UsageError` for a
    folder without a known layout, and for uncommitted changes. `time_limit` (seconds) ends a step before the layout's
    own limit does.
    """
    layout = find_layout(root)
    chosen = _tag(tag)
    base = base_of(layout.root, store.absolute())
    sources = base.sources(layout.files)
    if not sources:
        raise UsageError(f"{root} has none of the files that may be edited: {', '.join(layout.files.editable)}.")
    experiment = RepositoryExperiment.of(
        layout,
        base,
        sources,
        unsafe=unsafe,
        needs=Needs(cores=cores, gpus=min(1, available_gpus()) if gpus is None else gpus),
        limits=None if time_limit is None else Limits(wall_seconds=time_limit + SPARE_SECONDS),
        named={"tag": chosen, "branch": f"{layout.branch_prefix}{chosen}"},
    )
    return _study(
        experiment,
        name=study_name(layout.root, tag, name),
        budget=budget,
        sampler=sampler,
        seeds=seeds,
        close_after=close_after,
        proposers=proposers,
        ceiling=ceiling,
        workers=workers,
    )


def study_name(root: Path, tag: str | None, name: str | None) -> str:
    """Return what the study of a repository is called: its folder and tag, where nobody names it."""
    return name or f"{_plain(root.name)}-{_tag(tag)}"


def study_again(record: StudyRecord, *, budget: str | Budget | None = None, close_after: float | None = None) -> Study:
    """Return the study of a repository as the record has it, to go on with."""
    definition: Mapping[str, Any] = record.definition
    sampler = definition["sampler"]
    return _study(
        experiment_of(record),
        name=record.name,
        budget=Budget(**record.settings["budget"]) if budget is None else budget,
        sampler=None if sampler == "queue" else sampler,
        seeds=definition["seeds"],
        close_after=close_after,
        proposers=definition.get("proposers", ()),
        ceiling=Ceiling.from_json(record.settings.get("ceiling", {})),
    )


def _study(
    experiment: RepositoryExperiment,
    *,
    name: str,
    budget: str | Budget,
    sampler: str | None,
    seeds: int,
    close_after: float | None,
    proposers: Sequence[str],
    ceiling: Ceiling | None,
    workers: int | None = None,
) -> Study:
    study = Study(
        experiment,
        name=name,
        baseline=experiment.knobs,
        rule="evolve" if proposers else "stream",
        proposers=proposers,
        ceiling=ceiling,
        workers=workers,
        budget=budget or Budget(),
        seed=experiment.written_seed or 0,
        seeds=seeds,
        close_after=close_after,
        sampler=sampler or "queue",
    )
    study.source = experiment.folder
    return study


def _tag(tag: str | None) -> str:
    chosen = time.strftime("%b%d").lower() if tag is None else tag
    if not _TAG.fullmatch(chosen):
        raise UsageError(
            f"The tag {chosen!r} cannot be part of a branch's name. Use letters, digits, '.', '_' and '-'."
        )
    return chosen


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "repository"
