"""Where the files of a repository come from: a commit, or a copy where there is no git. Each trial gets its own tree.

A study keeps to one base, whatever is edited meanwhile; its `mark` says what stands in it, so that equal bases are one.
"""

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.core import UsageError, digest, digest_bytes
from headway.experiments.layouts import EditableFiles
from headway.experiments.repositories.git import GitRepository

__all__ = ["Base", "CommitBase", "CopyBase", "base_from_json", "base_of"]

_SKIPPED = {".git", ".headway", ".venv", "venv", "__pycache__", "node_modules", ".pytest_cache", ".ruff_cache", ".tox"}
_LARGEST_COPY = 1024**3


class Base(ABC):
    """Hold the files that a study's candidates change."""

    @property
    @abstractmethod
    def mark(self) -> str:
        """Return what stands for the content of all files."""

    @abstractmethod
    def lay_out(self, place: Path) -> Path:
        """Put the files into the folder `place`, which is not there yet; return the folder of the experiment in it."""

    @abstractmethod
    def remove(self, place: Path) -> None:
        """Remove what `lay_out` made, whatever a candidate did to it."""

    def sources(self, files: EditableFiles) -> dict[str, str]:
        """Return the text of the editable files, by path."""
        with tempfile.TemporaryDirectory(prefix="headway-") as folder:
            place = Path(folder, "tree")
            try:
                return files.read(self.lay_out(place))
            finally:
                self.remove(place)

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the base as JSON."""


@dataclass(frozen=True, slots=True)
class CommitBase(Base):
    """Take the files from a commit, each tree a git worktree."""

    git: GitRepository
    commit: str

    @property
    def mark(self) -> str:
        """Return the id of the folder's tree: equal in all commits that do not change it."""
        return self.git.tree(self.commit)

    def lay_out(self, place: Path) -> Path:
        """Add a worktree."""
        return self.git.add_worktree(place, self.commit)

    def remove(self, place: Path) -> None:
        """Remove the worktree."""
        self.git.remove_worktree(place)

    def to_json(self) -> dict[str, Any]:
        """Return the commit."""
        return {"commit": self.commit}


@dataclass(frozen=True, slots=True)
class CopyBase(Base):
    """Take the files from a copy in the store, which is named by its content."""

    copy: Path

    @property
    def mark(self) -> str:
        """Return the digest of the files."""
        return self.copy.name

    def lay_out(self, place: Path) -> Path:
        """Copy the files."""
        shutil.copytree(self.copy, place, symlinks=True)
        return place

    def remove(self, place: Path) -> None:
        """Remove the copy."""
        shutil.rmtree(place, ignore_errors=True)

    def to_json(self) -> dict[str, Any]:
        """Return where the copy lies."""
        return {"copy": str(self.copy)}


def base_of(root: Path, store: Path) -> Base:
    """Return the base that a new study of the repository at `root` begins with: its last commit, or a copy as it is.

    Raises `UsageError` where files that git tracks differ from the last commit: which of the two is meant is not known.
    """
    git = GitRepository.at(root)
    if git is None:
        return _copied(root, store / "bases")
    commit = git.head()
    changed = git.changed()
    if changed:
        shown = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
        raise UsageError(
            f"{root} differs from its last commit in {shown}, and the baseline is what is committed. "
            "Commit the changes (git commit -a), or put them aside (git stash)."
        )
    return CommitBase(git, commit)


def base_from_json(data: Mapping[str, Any], root: Path) -> Base:
    """Return the base that `to_json` wrote; raise `UsageError` where it is gone."""
    if "copy" in data:
        copy = Path(data["copy"])
        if not copy.is_dir():
            raise UsageError(f"The copy {copy} of the repository is gone. Begin a new study: headway run {root}")
        return CopyBase(copy)
    git = GitRepository.at(root)
    if git is None:
        raise UsageError(f"{root} is no git repository any more, and the study's baseline is a commit of it.")
    return CommitBase(git, str(data["commit"]))


def _copied(root: Path, into: Path) -> Base:
    files = _files(root)
    mark = digest({name: digest_bytes(path.read_bytes()) for name, path in files.items() if not path.is_symlink()})
    target = into / mark
    if not target.is_dir():
        fresh = into / f"new-{os.getpid()}"
        shutil.rmtree(fresh, ignore_errors=True)
        for name, path in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, fresh / name, follow_symlinks=False)
        os.replace(fresh, target)
    return CopyBase(target)


def _files(root: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    size = 0
    for at, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(names):
            path = Path(at, name)
            size += path.lstat().st_size
            found[path.relative_to(root).as_posix()] = path
    if size > _LARGEST_COPY:
        raise UsageError(
            f"{root} is no git repository and holds {size / 2**30:.1f} GiB, too much to copy for each study. "
            "Put its code under git, and leave data out of it (.gitignore)."
        )
    return found
