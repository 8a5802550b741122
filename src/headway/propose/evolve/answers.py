"""From what a model writes to what it changes: blocks, diffs or whole files, and the idea in a line.

Models wrap changes in prose and fences, name files before, in or after them, or not at all. Nothing is run or applied
here; what does not fit the parent is refused by who applies it, in words that the model can use.
"""

import re
from collections.abc import Sequence

from headway.core import UsageError
from headway.propose.evolve.context import Proposed

__all__ = ["parse_answer"]

_LONGEST_NOTE = 200
_BLOCK = re.compile(r"<{5,9} ?SEARCH[^\n]*\n.*?^={5,9}[^\S\n]*\n.*?^>{5,9} ?REPLACE[^\n]*$", re.DOTALL | re.MULTILINE)
_FENCED = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1[^\S\n]*$", re.DOTALL | re.MULTILINE)
_DIFF = re.compile(r"^--- \S.*\n\+\+\+ \S.*\n@@ -\d", re.MULTILINE)
_IDEA = re.compile(r"^\W*idea\W*:?\s*(.+)$", re.IGNORECASE | re.MULTILINE)


def parse_answer(text: str, paths: Sequence[str]) -> Proposed:
    """Return the change that an answer holds. `paths` are the files that may be changed.

    Raises `UsageError` where there is none, or where it does not say which of several files it is for.
    """
    note = _note(text)
    if _BLOCK.search(text):
        return Proposed(note=note, patches=_blocks(text, paths))
    for fence in _FENCED.finditer(text):
        if _DIFF.search(fence[3]):
            return Proposed(note=note, patches=[(fence[3], None)])
    if (diff := _DIFF.search(text)) is not None:
        return Proposed(note=note, patches=[(text[diff.start() :], None)])
    files = {path: body for path, body in _whole(text, paths) if body.strip()}
    if not files:
        raise UsageError(
            "The answer holds no change: no SEARCH/REPLACE block, no diff, and no whole file between ``` fences."
        )
    return Proposed(note=note, files=files)


def _blocks(text: str, paths: Sequence[str]) -> list[tuple[str, str | None]]:
    """Return the blocks of each file, joined; a block without a file of its own belongs to the one before it."""
    found: dict[str, list[str]] = {}
    path, at = (paths[0] if len(paths) == 1 else None), 0
    for block in _BLOCK.finditer(text):
        path = _named(text[at : block.start()], paths) or path
        if path is None:
            raise UsageError(f"A SEARCH/REPLACE block does not say its file. Name one before it: {', '.join(paths)}.")
        found.setdefault(path, []).append(block[0])
        at = block.end()
    return [("\n".join(blocks) + "\n", path) for path, blocks in found.items()]


def _whole(text: str, paths: Sequence[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    for fence in _FENCED.finditer(text):
        first, _, rest = fence[3].partition("\n")
        inside = _named(first, paths) if first.lstrip().startswith(("#", "//", "--")) else None
        path = _named(text[at : fence.start()], paths) or inside
        at = fence.end()
        if path is None and len(paths) == 1:
            path = paths[0]
        if path is not None:
            found.append((path, rest if inside is not None and inside == path else fence[3]))
    return found if len({path for path, _ in found}) == len(found) or len(paths) > 1 else found[-1:]


def _named(text: str, paths: Sequence[str]) -> str | None:
    """Return the path that the last lines of a text name, the nearest one."""
    for line in reversed(text.strip().splitlines()[-3:]):
        named = [path for path in paths if re.search(rf"(?<![\w./-]){re.escape(path)}(?![\w/-])", line)]
        if named:
            return max(named, key=len)
    return None


def _note(text: str) -> str:
    """Return the idea: the line that says so, else the first line of prose."""
    found = _IDEA.search(text)
    lines = (line.strip() for line in _FENCED.sub("", _BLOCK.sub("", text)).splitlines())
    plain = found[1] if found else next((line for line in lines if line and line[0].isalnum()), "")
    said = " ".join("".join(letter if letter.isprintable() else " " for letter in plain).split())
    return said if len(said) <= _LONGEST_NOTE else said[: _LONGEST_NOTE - 1] + "…"
