"""Which files a proposal may change: globs, and the refusal that names the file."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from headway.core import UsageError

__all__ = ["EditableFiles", "matches", "python_sources", "refuse_links"]

_NEVER = (".git/**", ".git", ".headway/**", "headway.toml")
_SKIPPED = {".git", ".headway", ".venv", "__pycache__", "node_modules", ".pytest_cache", ".ruff_cache"}
_LARGEST_BYTES = 4 * 1024 * 1024  # more is data, not source


@dataclass(frozen=True, slots=True, kw_only=True)
class EditableFiles:
    """Hold the globs of what may be changed and of what may not; the latter win.

    `*` stays within a folder, `**` crosses folders, a folder's name stands for all in it. Where `blocks_only` is set,
    a file with EVOLVE-BLOCK markers may be changed only between them.
    """

    editable: tuple[str, ...]
    read_only: tuple[str, ...] = ()
    blocks_only: bool = False

    def allows(self, path: str) -> bool:
        """Tell whether a proposal may change the file."""
        clean = _clean(path)
        return (
            clean is not None
            and any(matches(clean, glob) for glob in self.editable)
            and not any(matches(clean, glob) for glob in (*self.read_only, *_NEVER))
        )

    def require(self, path: str) -> str:
        """Return the path in its plain form, or raise `UsageError` that names the file and what may be changed."""
        clean = _clean(path)
        if clean is None:
            raise UsageError(f"The patch names {path!r}. Expected a path inside the repository, relative to its root.")
        if self.allows(clean):
            return clean
        kind = "is read-only" if any(matches(clean, glob) for glob in (*self.read_only, *_NEVER)) else "is not editable"
        raise UsageError(f"The patch changes {clean!r}, which {kind} here. Change only: {', '.join(self.editable)}.")

    def read(self, tree: Path) -> dict[str, str]:
        """Return the text of the editable files in `tree`, by path. Links, binary and very large files are left out."""
        found: dict[str, str] = {}
        for path in _walk(tree):
            name = path.relative_to(tree).as_posix()
            if self.allows(name) and path.stat().st_size <= _LARGEST_BYTES:
                try:
                    found[name] = path.read_bytes().decode()
                except UnicodeDecodeError:
                    continue
        return found


def matches(path: str, glob: str) -> bool:
    """Tell whether a path matches a glob.

    >>> [matches("src/a/b.py", glob) for glob in ("src", "src/*.py", "src/**/*.py", "**", "*.py")]
    [True, False, True, True, False]
    """
    return re.fullmatch(_expression(glob), path) is not None


def python_sources(sources: Mapping[str, str]) -> dict[str, str]:
    """Return the Python files among the sources."""
    return {path: text for path, text in sources.items() if path.endswith(".py")}


def refuse_links(tree: Path, paths: Iterable[str]) -> None:
    """Raise `UsageError` for a path that a link in `tree` leads elsewhere: writing there could leave the repository."""
    for path in paths:
        place = str(tree)
        for part in PurePosixPath(path).parts:
            place = os.path.join(place, part)
            if os.path.islink(place):
                raise UsageError(f"The patch changes {path!r}, which a link leads elsewhere. Name the file itself.")


def _walk(folder: Path) -> list[Path]:
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name in _SKIPPED:
            continue
        found += _walk(path) if path.is_dir() else [path] if path.is_file() else []
    return found


@lru_cache(maxsize=256)
def _clean(path: str) -> str | None:
    if not path or "\\" in path or "\0" in path:
        return None
    pure = PurePosixPath(path)
    return None if pure.is_absolute() or ".." in pure.parts or not pure.parts else pure.as_posix()


@lru_cache(maxsize=256)
def _expression(glob: str) -> str:
    plain = str(PurePosixPath(glob.removesuffix("/"))) if glob not in ("", "/") else "**"
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", plain)
    forms = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return "".join(forms.get(part, re.escape(part)) for part in parts) + r"(?:/.*)?"
