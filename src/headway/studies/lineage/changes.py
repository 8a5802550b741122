"""What a candidate has otherwise than its parent: in the words of its proposer, by its knobs, or by its lines of code.

What proposers write is made plain on its way out.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from headway.core import HeadwayError
from headway.store import Store, StudyRecord
from headway.studies.lineage.tree import Lineage, Node
from headway.studies.lineage.words import plain

__all__ = ["Changes", "difference_lines"]

_ABSENT = object()
_CONTEXT = 3  # lines around a change


class Changes:
    """Say what candidates change. Files are read for those alone that need it, and each once."""

    def __init__(self, store: Store, study: StudyRecord, lineage: Lineage) -> None:
        self._store = store
        self._study = study
        self._lineage = lineage
        self._files: dict[int, Mapping[str, str]] = {}

    def idea(self, node: Node) -> str:
        """Return in one line what a node tries: the proposer's words, else what differs from its parent."""
        if node.parent is None:
            return plain(node.note) or "the baseline"
        knobs = self.knobs(node)
        if not node.changes_code:
            words = plain(node.note)
            return " ".join(part for part in (knobs, f"({words})" if knobs and words else words) if part) or "no change"
        return "  ".join(part for part in (plain(node.note) or self.code(node), knobs) if part)

    def knobs(self, node: Node) -> str:
        """Return the values of a configuration that differ from the parent's."""
        if node.changes_code and node.config == self._lineage.nodes[0].config:
            return ""  # its code holds the values of all constants
        before: Mapping[str, Any] = {} if node.parent is None else self._lineage.nodes[node.parent].config
        names = [
            name for name in {**before, **node.config} if before.get(name, _ABSENT) != node.config.get(name, _ABSENT)
        ]
        return "  ".join(f"{name} {_turned(before.get(name, '–'), node.config.get(name, '–'))}" for name in names)

    def code(self, node: Node) -> str:
        """Return how many lines a node changes in its parent's code, and the first new one."""
        try:
            lines = self.difference(node)
        except HeadwayError:  # the repository, or its base, is gone: the record still tells that there was a change
            return "a change of code"
        new = [line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++ ")]
        old = [line for line in lines if line.startswith("-") and not line.startswith("--- ")]
        told = next((line for line in new if line and not line.startswith("#")), "")
        return f"+{len(new)} −{len(old)}  {plain(told)}".rstrip()

    def difference(self, node: Node) -> list[str]:
        """Return a unified diff of a node's files against those of its parent; of the first node, none."""
        if node.parent is None or "repository" not in self._study.definition:
            return []
        before, after = self.files(node.parent), self.files(node.number)
        lines: list[str] = []
        for path in sorted({*before, *after}):
            lines += _diff(path, before.get(path), after.get(path))
        return lines

    def files(self, number: int) -> Mapping[str, str]:
        """Return the editable files as a node has them. Raises `HeadwayError` where the repository is gone."""
        from headway.studies.repositories import files_of  # half a second that a tree of configurations need not pay

        if number not in self._files:
            self._files[number] = files_of(self._store, self._study, self._lineage.node(number).candidate)
        return self._files[number]


def difference_lines(store: Store, study: StudyRecord, lineage: Lineage, number: int) -> list[str]:
    """Return what a node has otherwise than its parent, line by line: a unified diff, or its knobs.

    Raises `HeadwayError` where the files cannot be read any more.
    """
    node, changes = lineage.node(number), Changes(store, study, lineage)
    code = changes.difference(node)
    knobs = "" if node.parent is None or code else changes.knobs(node)
    return [*(plain(line, keep_indent=True) for line in code), *(part for part in knobs.split("  ") if part)]


def _diff(path: str, before: str | None, after: str | None) -> Sequence[str]:
    if before == after:
        return ()
    old, new = ((text or "").splitlines() for text in (before, after))
    names = ("/dev/null" if before is None else f"a/{path}", "/dev/null" if after is None else f"b/{path}")
    return list(difflib.unified_diff(old, new, *names, n=_CONTEXT, lineterm=""))


def _turned(before: Any, after: Any) -> str:
    """Write two values as short as they can be told apart."""
    for digits in (4, 8, 17):
        told = [f"{value:.{digits}g}" if isinstance(value, float) else str(value) for value in (before, after)]
        if told[0] != told[1]:
            break
    return plain(" → ".join(told))
