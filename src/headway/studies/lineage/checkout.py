"""Any node of a lineage as something to work with: a branch in the user's repository, or a folder.

A branch is one commit on what the study began with. It is made beside the work tree: no file, index or HEAD of the
user's is touched.
"""

import json
import re
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headway.core import UsageError
from headway.experiments.repositories import CommitBase, RepositoryExperiment
from headway.store import Store, StudyRecord
from headway.studies.lineage.tree import Node
from headway.studies.lineage.words import plain
from headway.studies.repositories import experiment_of, is_repository

__all__ = ["TakenOut", "branch_name", "check_out", "write_out"]

_TRAILER = "Headway-Candidate:"
_LONGEST_SUBJECT = 200
_NOT_COPIED = shutil.ignore_patterns(".git")


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOut:
    """Tell where a node is now: at a `branch` and its `commit` on `base`, or in the folder `path`.

    `files` are those that differ from the base; `new` is false where it was there already.
    """

    number: int
    candidate: str
    files: tuple[str, ...]
    new: bool
    branch: str | None = None
    commit: str | None = None
    base: str | None = None
    path: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, without what does not apply."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def branch_name(study: str, number: int) -> str:
    """Return the name that a node's branch gets by default: one that git takes, whatever the study is called.

    >>> branch_name("night 3", 12)
    'headway/night-3-12'
    """
    told = re.sub(r"\.{2,}|@\{", "-", re.sub(r"[^\w.+@-]+", "-", study))
    return f"headway/{told.strip('-.') or 'study'}-{number}"


def check_out(store: Store, study: StudyRecord, node: Node, idea: str, branch: str | None = None) -> TakenOut:
    """Make a branch that holds a node's files, one commit on the commit that the study began with.

    Raises `UsageError` where there is no git to make it in, and where a branch of that name holds something else.
    """
    name = branch or branch_name(study.name, node.number)
    experiment = _repository(study, node)
    if not isinstance(experiment.base, CommitBase):
        raise UsageError(
            f"{experiment.folder} was no git repository when the study began: there is no commit to put a branch on. "
            f"Take the files: {_into(study, node)}"
        )
    git, base = experiment.base.git, experiment.base.commit
    files = _changed(store, experiment, node)
    commit = git.commit(base, files, _message(node, idea)) if files else base
    current = git.ref(f"refs/heads/{name}")
    if current is not None and git.tree(current) != git.tree(commit):
        raise UsageError(
            f"The branch {name!r} is there, at {current[:12]}, and holds something else than candidate #{node.number}. "
            f"Name another one (--branch NAME), or remove it: git branch -D {name}"
        )
    if current is None:
        problem = git.move_branch(name, commit, expected="")
        if problem is not None:
            raise UsageError(problem)
    return TakenOut(
        number=node.number,
        candidate=node.candidate,
        files=tuple(sorted(files)),
        new=current is None,
        branch=name,
        commit=current or commit,
        base=base,
    )


def write_out(store: Store, study: StudyRecord, node: Node, folder: Path) -> TakenOut:
    """Write a node into a folder that is new or empty: the repository with its files, or its configuration.

    Of a study of a function or a command it is `config.json`. Raises `UsageError` where the folder holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and not empty. Name a new folder: --into FOLDER")
    try:
        files = _laid_out(store, study, node, folder) if is_repository(study) else _configured(node, folder)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written ({error.strerror}). Name another folder: --into FOLDER"
        ) from error
    return TakenOut(number=node.number, candidate=node.candidate, files=files, new=True, path=str(folder))


def _repository(study: StudyRecord, node: Node) -> RepositoryExperiment:
    if not is_repository(study):
        raise UsageError(
            f"The study {study.name!r} tries configurations of code that lies in files of yours: there is nothing to "
            f"make a branch of. Take the configuration: {_into(study, node)}"
        )
    return experiment_of(study)


def _into(study: StudyRecord, node: Node) -> str:
    return f"headway lineage {study.name} --checkout {node.number} --into FOLDER"


def _changed(store: Store, experiment: RepositoryExperiment, node: Node) -> dict[str, str]:
    found = store.studies.candidate(node.candidate)
    return experiment.files(found.config, found.files)


def _laid_out(store: Store, study: StudyRecord, node: Node, folder: Path) -> tuple[str, ...]:
    experiment = experiment_of(study)
    files = _changed(store, experiment, node)
    with tempfile.TemporaryDirectory(prefix="headway-") as scratch:
        place = Path(scratch, "tree")
        try:
            inside = experiment.base.lay_out(place)
            shutil.copytree(inside, folder, symlinks=True, ignore=_NOT_COPIED, dirs_exist_ok=True)
        finally:
            experiment.base.remove(place)
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())
    return tuple(sorted(files))


def _configured(node: Node, folder: Path) -> tuple[str, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dict(node.config), indent=2, ensure_ascii=False, default=str)
    (folder / "config.json").write_text(f"{text}\n", encoding="utf-8")
    return ("config.json",)


def _message(node: Node, idea: str) -> str:
    """Return the commit's message: the idea, what was decided or measured, and which candidate it is."""
    told = node.sentence or f"No verdict yet; {node.runs} complete run{'' if node.runs == 1 else 's'}."
    # The trailer is ours alone: what a proposer wrote cannot look like one.
    subject, sentence = (plain(text).replace(_TRAILER, _TRAILER[:-1]) for text in (idea, told))
    return f"{subject[:_LONGEST_SUBJECT] or 'no description'}\n\n{sentence}\n\n{_TRAILER} {node.candidate}\n"
