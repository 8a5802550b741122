"""Files that a trial missed and that lie in the user's folder: git ignores them, so no trial's tree has them."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["absent_files"]

_NAMED = re.compile(r"(?:No such file or directory|not found|cannot open|does not exist)[^'\"\n]*['\"]([^'\"\n]+)['\"]")
_NAMED_FIRST = re.compile(r"(?:^|[\s:'\"])([\w./-]+)['\"]?: No such file or directory", re.MULTILINE)
_MODULE = re.compile(r"No module named ['\"]([\w.]+)['\"]")


def absent_files(said: Iterable[str], tree: Path, root: Path) -> Sequence[str]:
    """Return the files that a trial's last lines miss, where the repository's folder has them and its tree does not.

    They are paths in `root`. One is in the tree where a link of that name is.
    """
    text = "\n".join(said)
    named = [*_NAMED.findall(text), *_NAMED_FIRST.findall(text)]
    paths = [path for name in named if (path := _inside(name, tree)) is not None]
    for module in _MODULE.findall(text):
        place = module.replace(".", "/")
        paths += [f"{place}.py", place]
    missed = (path for path in dict.fromkeys(paths) if (root / path).exists() and not (tree / path).exists())
    return tuple(missed)


def _inside(name: str, tree: Path) -> str | None:
    """Return a path in the tree as one relative to it; None for a path elsewhere."""
    path = Path(name)
    if path.is_absolute():
        if tree not in path.parents:
            return None
        path = path.relative_to(tree)
    return None if ".." in path.parts or path == Path() else path.as_posix()
