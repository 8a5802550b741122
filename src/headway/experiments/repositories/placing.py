"""Lay a candidate's files out in its tree, and take out what it may not see. No link leads anything out of it."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from headway.core import UsageError
from headway.experiments.layouts import Layout
from headway.experiments.layouts.files import refuse_links

__all__ = ["hide_private", "link_data", "refuse_links_above", "write_files"]


def refuse_links_above(tree: Path, names: Sequence[str]) -> None:
    """Raise `UsageError` for what would be removed or put behind a link: it leads to files of the user's."""
    for name in names:
        above = next((path for path in list((tree / name).parents)[: name.count("/")] if path.is_symlink()), None)
        if above is not None:
            raise UsageError(
                f"{name!r} lies behind the link {above.relative_to(tree).as_posix()!r}, out of the trial's own tree. "
                "Name a file that no link leads to."
            )


def write_files(tree: Path, files: Mapping[str, str]) -> None:
    """Write a candidate's files."""
    refuse_links(tree, files)
    for path, text in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())


def hide_private(layout: Layout, tree: Path) -> None:
    """Take what only the scorer may read out of a candidate's tree."""
    for path in layout.private:
        if layout.root in path.parents:
            place = tree / path.relative_to(layout.root)
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)


def link_data(layout: Layout, tree: Path) -> None:
    """Show the data of the repository that git does not know where the code looks for it."""
    for path in layout.data:
        if layout.root in path.parents and path.exists():
            target = tree / path.relative_to(layout.root)
            if not target.exists() and not target.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(path)
