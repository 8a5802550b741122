"""Removing what an earlier run left, so that no result is ever read twice."""

import shutil
from collections.abc import Iterable
from pathlib import Path


def clear(tree: Path, leftovers: Iterable[str], results: Path) -> None:
    """Remove `leftovers` from `tree` and empty the folder `results`. A link is removed, and what it leads to stays."""
    for name in leftovers:
        _remove(tree / name)
    _remove(results)
    results.mkdir(parents=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
