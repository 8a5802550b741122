"""How a proposal's change is applied: whole files, a unified diff, SEARCH/REPLACE blocks, or what stands between
EVOLVE-BLOCK markers.

All are pure: texts in, texts out. A change that does not fit says which block did not, and what stands there instead.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from headway.core import UsageError
from headway.experiments.layouts._unified import FileDiff, Hunk, cut, cut_keeping, parse_unified
from headway.experiments.layouts.files import EditableFiles

__all__ = [
    "EvolveBlocks",
    "Patch",
    "SearchReplace",
    "UnifiedDiff",
    "WholeFiles",
    "apply_patch",
    "evolve_blocks",
    "parse_patch",
]

_BLOCK = re.compile(r"<{5,9} ?SEARCH[^\n]*\n(.*?)^={5,9}[^\S\n]*\n(.*?)^>{5,9} ?REPLACE", re.DOTALL | re.MULTILINE)
_OPENED = re.compile(r"<{5,9} ?SEARCH")
_DIFF_SIGN = re.compile(r"^(?:diff --git |--- \S|@@ -)", re.MULTILINE)
_START, _END = "EVOLVE-BLOCK-START", "EVOLVE-BLOCK-END"
_NEAR = 0.6


@dataclass(frozen=True, slots=True)
class WholeFiles:
    """Give files their new text, by path. A path that is not there yet is a new file."""

    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class UnifiedDiff:
    """Change files by a diff as `git diff` or `diff -u` prints it; hunks may have moved, but must match exactly."""

    text: str


@dataclass(frozen=True, slots=True)
class SearchReplace:
    """Change one file by blocks: <<<<<<< SEARCH, lines that stand there, =======, new lines, >>>>>>> REPLACE."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class EvolveBlocks:
    """Give what stands between a file's EVOLVE-BLOCK markers a new text, one for each pair, in their order."""

    path: str
    blocks: tuple[str, ...]


Patch = WholeFiles | UnifiedDiff | SearchReplace | EvolveBlocks


@dataclass(frozen=True, slots=True)
class _Block:
    """Hold a pair of markers: the lines between them, from `begin` to before `end`, counted from 0."""

    begin: int
    end: int


def parse_patch(text: str, path: str | None = None) -> Patch:
    """Return the patch that a text is: blocks, a diff, or, where `path` is given, the whole file.

    `path` names the file that SEARCH/REPLACE blocks are for. Raises `UsageError` for a text that is none of these.
    """
    if _OPENED.search(text):
        if path is None:
            raise UsageError("SEARCH/REPLACE blocks do not say which file they change. Name the file.")
        return SearchReplace(path, text)
    if _DIFF_SIGN.search(text) and re.search(r"^@@ -\d", text, re.MULTILINE):
        return UnifiedDiff(text)
    if path is None:
        raise UsageError(
            "The patch is neither a unified diff (---, +++, @@ lines) nor SEARCH/REPLACE blocks. Give one of these, or "
            "whole files by name."
        )
    return WholeFiles({path: text})


def apply_patch(patch: Patch, sources: Mapping[str, str], files: EditableFiles) -> dict[str, str]:
    """Return the files that change, by path, with their new text.

    Raises `UsageError` that names the file that may not be changed, the block that did not match, or that nothing
    would change. A file that is no longer wanted is a change that we refuse: a proposal empties it.
    """
    match patch:
        case WholeFiles(given):
            wanted = {files.require(path): text for path, text in given.items()}
        case UnifiedDiff(text):
            wanted = _apply_diff(parse_unified(text), sources, files)
        case SearchReplace(path, text):
            wanted = {(name := files.require(path)): _apply_blocks(name, _source(name, sources), text)}
        case EvolveBlocks(path, blocks):
            wanted = {(name := files.require(path)): _between_markers(name, _source(name, sources), blocks)}
    if files.blocks_only:
        for path, text in wanted.items():
            _require_blocks_only(path, sources.get(path, ""), text)
    changed = {path: text for path, text in wanted.items() if sources.get(path) != text}
    if not changed:
        raise UsageError("The patch changes nothing: all files that it names have that text already.")
    return changed


def evolve_blocks(source: str, path: str = "the file") -> tuple[str, ...]:
    """Return what stands between the EVOLVE-BLOCK markers of a source, whatever its comments look like.

    Raises `UsageError` for markers that do not come in pairs.
    """
    lines = cut_keeping(source)
    return tuple("".join(lines[block.begin : block.end]) for block in _blocks(source, path))


def _source(path: str, sources: Mapping[str, str]) -> str:
    if path not in sources:
        raise UsageError(f"There is no file {path!r} to change. Give a new file as a whole.")
    return sources[path]


def _apply_blocks(path: str, source: str, text: str) -> str:
    blocks = _BLOCK.findall(text)
    opened = len(_OPENED.findall(text))
    if len(blocks) != opened:
        raise UsageError(
            f"{opened} SEARCH blocks begin and {len(blocks)} are whole. Each needs <<<<<<< SEARCH, =======, and "
            ">>>>>>> REPLACE, each at the beginning of its own line."
        )
    for number, (search, new) in enumerate(blocks, 1):
        source = _replaced(path, source, search, new, f"Block {number} of {len(blocks)}")
    return source


def _replaced(path: str, source: str, search: str, new: str, which: str) -> str:
    """Return the source with the lines `search`, which stand there once, replaced; ends of lines do not count."""
    lines, wanted = cut_keeping(source), cut(search)
    if not any(line.strip() for line in wanted):
        raise UsageError(f"{which} searches for nothing. Give the lines of {path} that it replaces.")
    places = _places(lines, wanted)
    if not places:
        raise UsageError(f"{which} does not match {path}. {_nearest(lines, wanted)}")
    if len(places) > 1:
        found = ", ".join(str(place + 1) for place in places[:5])
        raise UsageError(f"{which} matches {path} {len(places)} times, at lines {found}. Give more lines around it.")
    mark = _line_end(source)
    inserted = [line + mark for line in cut(new)]
    after = places[0] + len(wanted)
    if inserted and after == len(lines) and not lines[-1].endswith(("\n", "\r")):
        inserted[-1] = inserted[-1].removesuffix(mark)
    return "".join([*lines[: places[0]], *inserted, *lines[after:]])


def _places(lines: list[str], wanted: list[str]) -> list[int]:
    plain, sought = [line.rstrip() for line in lines], [line.rstrip() for line in wanted]
    size = len(sought)
    return [start for start in range(len(plain) - size + 1) if plain[start : start + size] == sought]


def _nearest(lines: list[str], wanted: list[str]) -> str:
    """Return a sentence that shows where the file looks most like what was searched."""
    first = next(line for line in wanted if line.strip())
    plain = [line.rstrip() for line in lines]
    near = difflib.get_close_matches(first.rstrip(), plain, n=1, cutoff=_NEAR)
    if not near:
        return f"No line of it is like {first.strip()!r}."
    place = plain.index(near[0]) + 1
    if near[0] != first.rstrip() and near[0].strip() == first.strip():
        return f"Line {place} has the same words with another indentation."
    if near[0] == first.rstrip():
        return f"Line {place} is its first line, but the lines after it differ."
    return f"The nearest line is {place}: {near[0].strip()!r}, not {first.strip()!r}."


def _apply_diff(diffs: list[FileDiff], sources: Mapping[str, str], files: EditableFiles) -> dict[str, str]:
    changed: dict[str, str] = {}
    for diff in diffs:
        path = files.require(diff.path)
        if diff.removes:
            raise UsageError(f"The diff removes {path}. Change it instead: a trial needs all of its files.")
        old = changed.get(path, "" if diff.creates and path not in sources else _source(path, sources))
        changed[path] = _apply_hunks(path, old, diff.hunks)
    return changed


def _apply_hunks(path: str, source: str, hunks: list[Hunk]) -> str:
    lines = cut_keeping(source)
    shift = 0
    for number, hunk in enumerate(hunks, 1):
        place = _place_of(lines, hunk, shift)
        if place is None:
            detail = _nearest(lines, hunk.old) if any(line.strip() for line in hunk.old) else "The file has other text."
            raise UsageError(
                f"Hunk {number} of {len(hunks)}, at line {hunk.start}, does not match {path}. {detail} Make the diff "
                "against the file as it is now."
            )
        mark = _line_end(source)
        new = [line + mark for line in hunk.new]
        if new and hunk.open_end and place + len(hunk.old) == len(lines):
            new[-1] = new[-1].removesuffix(mark)
        lines[place : place + len(hunk.old)] = new
        shift += len(new) - len(hunk.old)
    return "".join(lines)


def _place_of(lines: list[str], hunk: Hunk, shift: int) -> int | None:
    """Return where a hunk fits: at its line, or at the nearest place where all of its lines stand."""
    expected = max(hunk.start - 1, 0) + shift if hunk.old else hunk.start + shift
    if not hunk.old:
        return min(expected, len(lines))
    return min(_places(lines, hunk.old), key=lambda place: abs(place - expected), default=None)


def _line_end(source: str) -> str:
    return "\r\n" if "\r\n" in source else "\n"


def _blocks(source: str, path: str) -> list[_Block]:
    blocks: list[_Block] = []
    opened: int | None = None
    if _START not in source and _END not in source:
        return blocks
    for index, line in enumerate(cut(source)):
        if _START in line:
            if opened is not None:
                raise UsageError(f"Line {index + 1} of {path} opens an EVOLVE-BLOCK inside of another. Close that.")
            opened = index + 1
        elif _END in line:
            if opened is None:
                raise UsageError(f"Line {index + 1} of {path} closes an EVOLVE-BLOCK that nothing opened.")
            blocks.append(_Block(opened, index))
            opened = None
    if opened is not None:
        raise UsageError(f"The EVOLVE-BLOCK of {path} that line {opened} opens is never closed ({_END}).")
    return blocks


def _between_markers(path: str, source: str, texts: tuple[str, ...]) -> str:
    blocks = _blocks(source, path)
    if not blocks:
        raise UsageError(f"{path} has no EVOLVE-BLOCK markers. Change it by a diff or as a whole.")
    if len(texts) != len(blocks):
        raise UsageError(
            f"{path} has {len(blocks)} EVOLVE-BLOCKs, and the patch gives {len(texts)}. Give one for each."
        )
    lines, mark = cut_keeping(source), _line_end(source)
    for block, text in reversed([*zip(blocks, texts, strict=True)]):
        lines[block.begin : block.end] = [line + mark for line in cut(text)]
    return "".join(lines)


def _require_blocks_only(path: str, old: str, new: str) -> None:
    """Raise `UsageError` where a file with markers changed outside of them."""
    blocks = _blocks(old, path)
    if not blocks:
        return
    kept, got = _outside(old, path), _outside(new, path)
    if kept != got:
        place = next((i for i, (a, b) in enumerate(zip(kept, got, strict=False)) if a != b), min(len(kept), len(got)))
        line = got[place] if place < len(got) else kept[place]
        raise UsageError(
            f"The patch changes {path} outside of its EVOLVE-BLOCKs, at {line.strip()!r}. Change only these."
        )


def _outside(source: str, path: str) -> list[str]:
    lines = cut(source)
    for block in reversed(_blocks(source, path)):
        del lines[block.begin : block.end]
    return lines
