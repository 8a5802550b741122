"""Reading a unified diff: files and hunks, each with the lines that it takes away and those that it puts in."""

import re
from dataclasses import dataclass, field

from headway.core import UsageError

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_NOTHING = "/dev/null"


@dataclass(slots=True)
class Hunk:
    """Hold one hunk: from line `start`, `old` lines become `new` ones. `open_end`: the last has no newline."""

    start: int
    old: list[str] = field(default_factory=list[str])
    new: list[str] = field(default_factory=list[str])
    open_end: bool = False


@dataclass(slots=True)
class FileDiff:
    """Hold the hunks of one file."""

    path: str
    hunks: list[Hunk] = field(default_factory=list[Hunk])
    creates: bool = False
    removes: bool = False


def cut(text: str) -> list[str]:
    """Return the lines of a text without their ends. Only newlines end a line: str.splitlines cuts at form feeds."""
    lines = text.removesuffix("\n").split("\n") if text else []
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def cut_keeping(text: str) -> list[str]:
    """Return the lines of a text with their ends."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def parse_unified(text: str) -> list[FileDiff]:
    """Return the files of a diff. Raises `UsageError` that names the line that does not hold together."""
    lines = cut(text)
    diffs: list[FileDiff] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith(("rename ", "copy ", "GIT binary", "Binary files", "old mode", "deleted file")):
            raise UsageError(f"Line {at + 1} of the diff is {line!r}. Only changes of a file's text can be applied.")
        if line.startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ "):
            diffs.append(_file(line, lines[at + 1], at + 1))
            at += 2
        elif (found := _HUNK.match(line)) is not None:
            if not diffs:
                raise UsageError(f"Line {at + 1} of the diff is a hunk of no file. Put --- and +++ lines before it.")
            at = _read_hunk(lines, at, found, diffs[-1])
        else:
            at += 1
    if not diffs or not all(diff.hunks or diff.removes for diff in diffs):
        raise UsageError("The diff holds no hunk. Expected ---, +++ and @@ lines, as `git diff` prints them.")
    return diffs


def _file(old: str, new: str, line: int) -> FileDiff:
    before, after = _path(old[4:]), _path(new[4:])
    name = before if after == _NOTHING else after
    if name == _NOTHING:
        raise UsageError(f"Line {line} of the diff names no file.")
    return FileDiff(name, creates=before == _NOTHING, removes=after == _NOTHING)


def _path(words: str) -> str:
    name = words.split("\t")[0].strip().strip('"')
    return name[2:] if name[:2] in ("a/", "b/") else name


def _read_hunk(lines: list[str], at: int, head: re.Match[str], diff: FileDiff) -> int:
    """Read the hunk that begins at line `at` and return the line after it."""
    hunk = Hunk(int(head[1]))
    left, right = int(head[2] or 1), int(head[4] or 1)
    first, at = at, at + 1
    while left > 0 or right > 0:
        # An empty line of context often loses its blank on the way.
        line = lines[at] if at < len(lines) else None
        sign = None if line is None else line[:1] or " "
        if line is None or sign is None or sign not in " +-\\":
            raise UsageError(
                f"The hunk at line {first + 1} of the diff is cut off: {left} old and {right} new lines are missing."
            )
        if sign != "\\":
            left -= sign in " -"
            right -= sign in " +"
            _take(hunk, sign, line[1:])
        at += 1
    if at < len(lines) and lines[at].startswith("\\"):
        hunk.open_end = not lines[at - 1].startswith("-")
        at += 1
    diff.hunks.append(hunk)
    return at


def _take(hunk: Hunk, sign: str, text: str) -> None:
    if sign in " -":
        hunk.old.append(text)
    if sign in " +":
        hunk.new.append(text)
