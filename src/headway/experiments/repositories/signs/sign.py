"""What the modules for each kind hand to `suspicion.py`, one fact of a source, and what they need to find more."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from headway.experiments.repositories.signs.names import Names
from headway.experiments.repositories.signs.texts import Texts

__all__ = ["ReadOnly", "Sign", "Source"]

_DEEPEST = 150  # three of 6,000 files of libraries are deeper, all tables that a program wrote; ast.unparse ends at 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Hold a fact: where it stands, why it is worth a look, and a `key` that names of locals and places do not change.

    With `once`, a source that has the fact may have it again: a second exit with an error is no new way to leave.
    """

    kind: str
    key: str
    line: int
    why: str
    once: bool = False


class ReadOnly:
    """Tell which qualified names belong to modules that no proposal may change."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = tuple(PurePosixPath(path).as_posix() for path in paths)
        self.modules = frozenset(name for path in self.paths for name in _modules(path))

    def holds(self, path: str | None) -> bool:
        """Tell whether a dotted name is such a module or lies in one."""
        if path is None:
            return False
        parts = path.split(".")
        return any(".".join(parts[:count]) in self.modules for count in range(1, len(parts) + 1))

    def short(self, path: str) -> str:
        """Return a name without the packages around its module: `src.prepare.evaluate` is `prepare.evaluate`."""
        parts = path.split(".")
        known = (count for count in range(1, len(parts) + 1) if ".".join(parts[:count]) in self.modules)
        return ".".join(parts[next(known, 1) - 1 :])


def _modules(path: str) -> Iterator[str]:
    """Yield every name under which a file can be imported: from its own folder, or from one above it."""
    if not path.endswith(".py"):
        return
    parts = [*PurePosixPath(path).with_suffix("").parts]
    if parts[-1] == "__init__":
        parts.pop()
    yield from (".".join(parts[start:]) for start in range(len(parts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Hold one Python file with what its names stand for.

    `imported` are the names that it takes from read-only modules, `own` the modules made of editable files. What is
    nested more deeply than people write code is not looked into: `deep` says so.
    """

    tree: ast.Module
    names: Names
    texts: Texts
    read_only: ReadOnly
    imported: frozenset[str] = field(default_factory=frozenset[str])
    own: frozenset[str] = field(default_factory=frozenset[str])
    deep: bool = False

    @classmethod
    def of(cls, text: str, read_only: ReadOnly, own: frozenset[str] = frozenset()) -> "Source | None":
        """Resolve the names of a text, or return None where it is no Python."""
        try:
            tree = ast.parse(text.removeprefix("\ufeff"))
        except (SyntaxError, ValueError):
            return None
        except (RecursionError, MemoryError):
            tree = None
        deep = tree is None or _is_deep(tree)
        tree = ast.Module(body=[], type_ignores=[]) if tree is None or deep else tree
        names = Names(tree)
        imported = {
            name
            for bindings in names.everywhere().values()
            for binding in bindings
            if binding.how == "import" and read_only.holds(binding.path)
            for name in (binding.name, binding.path.rsplit(".", 1)[-1])
        }
        return cls(
            tree=tree,
            names=names,
            texts=Texts(names),
            read_only=read_only,
            imported=frozenset(imported - read_only.modules),
            own=own,
            deep=deep,
        )


def _is_deep(tree: ast.AST) -> bool:
    level = [tree]
    for _ in range(_DEEPEST):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)
