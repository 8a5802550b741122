"""Crash fingerprints: equal crashes share one, whatever their line numbers, addresses and numbers in messages.

A fingerprint is stored when a trial ends and compared as it is: those of exceptions that nothing was raised from, and
that did not recurse without end, are what they were in the first records.
"""

import re
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from headway.core import digest

__all__ = ["of_exception", "of_text"]

_VARYING = re.compile(r"0x[0-9a-fA-F]+|[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|'[^']*'|\"[^\"]*\"")
_BACKSLASH = "\\"
_FRAME = re.compile(r'^\s*File "([^"]+)", line \d+, in (\S+)')
_BEGIN = "Traceback (most recent call last)"
_JOINTS = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_ENDLESS = "RecursionError"
_OFTEN = 3  # frames of one function, from which on it belongs to an endless recursion
_LONGEST_CHAIN = 32

Places = Sequence[tuple[str, str]]  # files and functions


def of_exception(error: BaseException, text: str) -> str:
    """Digest the exception's type, its frames by file name and function, and its `text` without numbers and names.

    What it was raised from, or while handling what, counts by type and frames: one line may wrap many causes.
    """
    frames = [(frame.filename, frame.name) for frame in traceback.extract_tb(error.__traceback__)]
    before = [
        (type(item).__name__, [(frame.filename, frame.name) for frame in traceback.extract_tb(item.__traceback__)])
        for item in _before(error)
    ]
    return _of(type(error).__name__, frames, text, before)


def of_text(lines: Sequence[str]) -> str:
    """Digest the last traceback in a command's output with its chain, or its last line where there is none."""
    starts = [index for index, line in enumerate(lines) if line.startswith(_BEGIN)]
    last = lines[-1] if lines else ""
    kind, _, message = last.partition(":")
    if not starts:
        return _of(kind, [], message, [])
    first = len(starts) - 1
    while first > 0 and any(line.strip() in _JOINTS for line in lines[starts[first - 1] : starts[first]]):
        first -= 1
    before = [
        (_type_in(part), _frames(part))
        for begin, end in zip(starts[first:], starts[first + 1 :], strict=False)
        for part in [lines[begin + 1 : end]]
    ]
    return _of(kind, _frames(lines[starts[-1] + 1 :]), message, before)


def _before(error: BaseException) -> Iterator[BaseException]:
    """Go through what an exception was raised from, the nearest first, as Python's own traceback shows it."""
    seen = {id(error)}
    for _ in range(_LONGEST_CHAIN):
        earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if earlier is None or id(earlier) in seen:
            return
        seen.add(id(earlier))
        yield earlier
        error = earlier


def _frames(lines: Sequence[str]) -> list[tuple[str, str]]:
    return [(match[1], match[2]) for line in lines if (match := _FRAME.match(line))]


def _type_in(lines: Sequence[str]) -> str:
    """Return the type of the exception that ends a traceback: its first line behind the frames."""
    last = max((index for index, line in enumerate(lines) if _FRAME.match(line)), default=-1)
    return next((line.partition(":")[0] for line in lines[last + 1 :] if line and not line[0].isspace()), "")


def _of(kind: str, frames: Places, message: str, before: Sequence[tuple[str, Places]]) -> str:
    said = "" if kind.rpartition(".")[2] == _ENDLESS else _VARYING.sub("#", message)  # "... while calling this or that"
    parts: list[Any] = [kind, _places(kind, frames), said]
    if before:
        parts.append(sorted([name.rpartition(".")[2], *_places(name, places)] for name, places in before))
    return digest(parts)[:12]


def _places(kind: str, frames: Places) -> list[str]:
    places = [f"{file.replace(_BACKSLASH, '/').rsplit('/', 1)[-1]}:{name}" for file, name in frames]
    if kind.rpartition(".")[2] != _ENDLESS:
        return places
    often = sorted(place for place, count in Counter(places).items() if count >= _OFTEN)
    return often or places  # how deep it went, and where in its circle it ended, is chance
