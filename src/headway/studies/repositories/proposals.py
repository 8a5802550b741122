"""From what somebody sends to a candidate: a patch on what the study has, or knobs, and always as the same bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from headway.core import Scalar, Space, SpaceError, UsageError, canonical_json
from headway.experiments.layouts import Layout, Patch, WholeFiles, apply_patch, parse_patch
from headway.experiments.layouts.files import refuse_links
from headway.experiments.repositories import RepositoryExperiment
from headway.store import CandidateRecord, Store, StudyRecord
from headway.studies.repositories.recorded import experiment_of

__all__ = ["Change", "change_of", "changed_from", "files_of", "official_of"]


_LARGEST = 500_000  # characters of a changed file: its syntax tree takes some hundred times as much memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Hold a candidate of a repository: a configuration of its knobs, and the files that it changes beside them.

    `patch` is canonical JSON of the new text by path, so that equal changes are one candidate, whoever wrote them in
    whatever form. What only turns knobs of the search space is a configuration without a patch (`kind`).
    """

    config: Mapping[str, Any]
    patch: str | None
    kind: Literal["knobs", "code", "none"]
    parent: str
    paths: tuple[str, ...]


def official_of(store: Store, record: StudyRecord) -> str:
    """Return the candidate that others build on: the last one accepted, else the baseline."""
    accepted = store.verdicts.accepted(record.id, 1)
    return accepted[0].verdict.candidate if accepted else store.studies.proposals(record.id, [0])[0].candidate


def change_of(
    store: Store,
    record: StudyRecord,
    *,
    patch: str | None = None,
    file: str | None = None,
    files: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
    parent: str | None = None,
) -> Change:
    """Return the candidate that a proposal is.

    `patch` is a unified diff, SEARCH/REPLACE blocks for `file`, or the whole text of `file`; `files` are whole texts by
    path. They change `parent`, by default what the study accepted last. `config` turns knobs beside it. Raises
    `UsageError` that names the block that did not match, the file that may not be changed, or that nothing changes.
    """
    above = store.studies.candidate(parent or _parent(store, record))
    baseline: dict[str, Any] = dict(record.definition["baseline"])
    return changed_from(
        experiment_of(record), baseline, above, patches=_patches(patch, file, files), config=dict(config or {})
    )


def changed_from(
    experiment: RepositoryExperiment,
    baseline: Mapping[str, Any],
    above: CandidateRecord,
    *,
    patches: Sequence[Patch],
    config: Mapping[str, Any],
    files: Mapping[str, str] | None = None,
) -> Change:
    """Return the candidate that patches, and knobs to turn, make of another one. Raises as `change_of` does.

    `files` are the other one's, where the caller has them.
    """
    before = dict(files) if files else {**experiment.sources, **experiment.files(above.config, above.files)}
    after = dict(before)
    for item in patches:
        after |= _applied(experiment.layout, item, after)
    _refuse_unfit(experiment, after)
    space = experiment.space
    given = dict(config)
    if given:  # written, as a knob that is turned back to the baseline's value is a change of what was accepted
        space.check({**baseline, **given})
        after |= experiment.layout.knobs(after).write(after, given)
    changed = {path: text for path, text in after.items() if experiment.sources.get(path) != text}
    if changed == {path: text for path, text in before.items() if experiment.sources.get(path) != text}:
        raise UsageError("The proposal changes nothing in what it is made from. Send a patch, edited files, or a knob.")
    turned = _turned(experiment, changed)
    if turned is not None and _in_space(space, {**baseline, **turned}):
        whole = space.check({**baseline, **turned}) if space.parameters else {}
        if turned or not changed:  # comments alone are a change of code that does nothing
            kind: Literal["knobs", "none"] = "none" if whole == baseline else "knobs"
            return Change(config=whole, patch=None, kind=kind, parent=above.id, paths=tuple(sorted(changed)))
    return Change(
        config=dict(baseline), patch=canonical_json(changed), kind="code", parent=above.id, paths=tuple(sorted(changed))
    )


def _turned(experiment: RepositoryExperiment, changed: Mapping[str, str]) -> dict[str, Scalar] | None:
    """Return the knobs that changed files turn; none of them, or None, where they do anything else."""
    knobs = experiment.layout.knobs(experiment.sources)
    return knobs.turned(experiment.sources, changed) if knobs.differ(experiment.sources, changed) else {}


def _refuse_unfit(experiment: RepositoryExperiment, after: Mapping[str, str]) -> None:
    """Raise `UsageError` for files that cannot be, or that cost too much to look through: before anything is parsed."""
    changed = {path: text for path, text in after.items() if experiment.sources.get(path) != text}
    experiment.require_fit(changed)
    for path, text in changed.items():
        if len(text) > _LARGEST:
            raise UsageError(
                f"The changed {path} would have {len(text):,} characters, and {_LARGEST:,} at most are read: data "
                "belongs into files of its own."
            )


def files_of(store: Store, record: StudyRecord, candidate: str) -> dict[str, str]:
    """Return the text of all editable files as a candidate has them, by path."""
    experiment = experiment_of(record)
    found = store.studies.candidate(candidate)
    return {**experiment.sources, **experiment.files(found.config, found.files)}


def _applied(layout: Layout, patch: Patch, sources: Mapping[str, str]) -> dict[str, str]:
    changed = apply_patch(patch, sources, layout.files)
    refuse_links(layout.root, changed)
    return changed


def _patches(patch: str | None, file: str | None, files: Mapping[str, str] | None) -> list[Patch]:
    found: list[Patch] = []
    if files:
        found.append(WholeFiles(dict(files)))
    if patch is not None:
        found.append(parse_patch(patch, file))
    elif file is not None:
        raise UsageError(f"The proposal names the file {file!r} and no patch. Send its new text, or blocks, as patch.")
    return found


def _in_space(space: Space, config: Mapping[str, Any]) -> bool:
    try:
        space.check(config)
    except SpaceError:
        return False
    return True


def _parent(store: Store, record: StudyRecord) -> str:
    if not store.studies.count_proposals(record.id):  # the engine has not begun yet
        return store.studies.add_candidate(record.experiment, record.definition["baseline"])
    return official_of(store, record)
