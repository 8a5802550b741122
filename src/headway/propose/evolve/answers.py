"""From what a model writes to what it changes: blocks, diffs or whole files, and the idea in a line.

Models wrap changes in prose and fences, name files before, in or after them, or not at all. Nothing is run or applied
here; what does not fit the parent is refused by who applies it, in words that the model can use. An answer is read line
by line, so that a long one takes no longer than its length, whatever it repeats.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headway.core import UsageError
from headway.propose.evolve.context import Proposed

__all__ = ["parse_answer"]

_LONGEST_NOTE = 200
_LONGEST_LINE = 2000  # of which a line of prose is read
_SEARCH = re.compile(r"<{5,9} ?SEARCH\b")
_MIDDLE = re.compile(r"={5,9}\s*$")
_REPLACE = re.compile(r">{5,9} ?REPLACE\b")
_FENCE = re.compile(r"(`{3,})([^`]*)$")
_HUNK = re.compile(r"@@ -\d")
_IDEA = re.compile(r"[^\w]{0,8}idea\b[\s*_`:.-]{0,8}(.*)$", re.IGNORECASE)
_COMMENT = ("#", "//", "--", "/*", "<!--")
_OTHER_LANGUAGES = frozenset(
    {"bash", "console", "csv", "diff", "json", "output", "patch", "sh", "shell", "text", "txt"}
)
_FAR_SHORTER = 2  # so many times shorter than the longest piece of code, and it is an example, not the file


@dataclass(frozen=True, slots=True)
class _Fence:
    """Hold what stands between two fences: from line `begin` to before `end`, and what the first one says."""

    begin: int
    end: int
    language: str


def parse_answer(text: str, paths: Sequence[str]) -> Proposed:
    """Return the change that an answer holds. `paths` are the files that may be changed.

    Raises `UsageError` where there is none, where one is cut off, or where it does not say which of several files it is
    for.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    note = _note(lines)
    if any(map(_SEARCH.match, lines)):
        return Proposed(note=note, patches=_blocks(lines, paths))
    fences = list(_fences(lines))
    if (diff := _diff(lines, fences, paths)) is not None:
        return Proposed(note=note, patches=[(diff, None)])
    files = {path: body for path, body in _whole(lines, fences, paths).items() if body.strip()}
    if not files:
        raise UsageError(
            "The answer holds no change: no SEARCH/REPLACE block, no diff with ---, +++ and @@ lines, and no whole "
            f"file between ``` fences{' that says which file it is' if len(paths) > 1 else ''}."
        )
    return Proposed(note=note, files=files)


def _blocks(lines: Sequence[str], paths: Sequence[str]) -> list[tuple[str, str | None]]:
    """Return the blocks of each file, joined; a block without a file of its own belongs to the one before it."""
    found: dict[str, list[str]] = {}
    path, at = (paths[0] if len(paths) == 1 else None), 0
    while (begin := _next(_SEARCH, lines, at)) is not None:
        path = _named(lines[at:begin], paths) or path
        if path is None:
            raise UsageError(f"A SEARCH/REPLACE block does not say its file. Name one before it: {', '.join(paths)}.")
        middle = _next(_MIDDLE, lines, begin)
        end = None if middle is None else _next(_REPLACE, lines, middle)
        if end is None:
            raise UsageError(
                "A SEARCH/REPLACE block has no end: it needs <<<<<<< SEARCH, =======, and >>>>>>> REPLACE, each on a "
                "line of its own. Nothing of the answer was taken."
            )
        at = end + 1
        found.setdefault(path, []).append("\n".join(lines[begin:at]))
    return [("\n".join(blocks) + "\n", path) for path, blocks in found.items()]


def _next(sign: re.Pattern[str], lines: Sequence[str], at: int) -> int | None:
    return next((place for place in range(at, len(lines)) if sign.match(lines[place])), None)


def _fences(lines: Sequence[str]) -> Iterator[_Fence]:
    """Give what stands between fences. A fence with a language inside of another opens one more, as in Markdown texts;
    what is never closed is cut off, and no piece of code."""
    opened: list[tuple[int, str, str]] = []
    for place, line in enumerate(lines):
        found = _FENCE.match(line.strip()) if "```" in line else None
        if found is None:
            continue
        marks, language = found[1], found[2].strip()
        if not opened or language:
            opened.append((place, marks, language))
        elif len(marks) >= len(opened[-1][1]):
            begin, _, language = opened.pop()
            if not opened:
                yield _Fence(begin + 1, place, language)


def _diff(lines: Sequence[str], fences: Sequence[_Fence], paths: Sequence[str]) -> str | None:
    """Return the diff of an answer; a fenced one that names no file is for the only one."""
    places = [(fence.begin, fence.end) for fence in fences] or [(0, len(lines))]
    for begin, end in [*places, (0, len(lines))]:
        hunk = _next(_HUNK, lines[begin:end], 0)
        if hunk is None:
            continue
        part = [line for line in lines[begin:end] if not line.startswith("```")]
        if any(line.startswith("--- ") for line in lines[begin : begin + hunk]):
            return "\n".join(part) + "\n"
        if len(paths) == 1:
            return f"--- a/{paths[0]}\n+++ b/{paths[0]}\n" + "\n".join(lines[begin + hunk : end]) + "\n"
    return None


def _whole(lines: Sequence[str], fences: Sequence[_Fence], paths: Sequence[str]) -> dict[str, str]:
    """Return the text of files that stand between fences, by path."""
    named: dict[str, str] = {}
    plain: list[str] = []
    at = 0
    for fence in fences:
        first = lines[fence.begin] if fence.begin < fence.end else ""
        inside = _named([first], paths) if first.lstrip().startswith(_COMMENT) else None
        path = inside or _named([fence.language], paths) or _named(lines[at : fence.begin - 1], paths)
        at = fence.end + 1
        if not _may_be(path or "", fence.language):
            continue
        body = "\n".join(lines[fence.begin + (inside is not None) : fence.end]) + "\n"
        if path is not None:
            named[path] = body
        else:
            plain.append(body)
    if named or len(paths) != 1 or not plain:
        return named
    longest = max(map(len, plain))
    return {paths[0]: next(body for body in reversed(plain) if len(body) * _FAR_SHORTER >= longest)}


def _may_be(path: str, language: str) -> bool:
    """Tell whether a fence of this language can hold a file: commands and outputs stand between fences too."""
    word = language.split()[0].lower() if language else ""
    return word not in _OTHER_LANGUAGES or path.endswith(f".{word}")


def _named(lines: Sequence[str], paths: Sequence[str]) -> str | None:
    """Return the path that the last lines of a text name, the nearest one."""
    said = [line for line in lines[-6:] if line.strip()]
    for line in reversed(said[-3:]):
        named = [path for path in paths if re.search(rf"(?<![\w/-])(?<!\w\.)(?:\./)?{re.escape(path)}(?![\w/-])", line)]
        if named:
            return max(named, key=len)
    return None


def _note(lines: Sequence[str]) -> str:
    """Return the idea: the line that says so, else the first line of prose."""
    prose = list(_prose(lines))
    ideas = (found[1] for line in prose if (found := _IDEA.match(line)) is not None and found[1].strip())
    plain = next(ideas, None) or next((line for line in prose if line[0].isalnum()), "")
    said = " ".join("".join(letter if letter.isprintable() else " " for letter in plain).split())
    return said if len(said) <= _LONGEST_NOTE else said[: _LONGEST_NOTE - 1] + "…"


def _prose(lines: Sequence[str]) -> Iterator[str]:
    """Give the lines that stand in no fence and in no block, stripped and cut."""
    fenced = block = False
    for line in lines:
        short = line[:_LONGEST_LINE].strip()
        if _SEARCH.match(short):
            block = True
        if _FENCE.match(short) and not block:
            fenced = not fenced
        elif not fenced and not block and short:
            yield short
        if _REPLACE.match(short):
            block = False
