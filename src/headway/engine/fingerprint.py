"""Crash fingerprints: equal crashes share one, whatever their line numbers, addresses and numbers in messages."""

import re
import traceback
from collections.abc import Sequence

from headway.core import digest

__all__ = ["of_exception", "of_text"]

_VARYING = re.compile(r"0x[0-9a-fA-F]+|[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|'[^']*'|\"[^\"]*\"")
_BACKSLASH = "\\"
_FRAME = re.compile(r'^\s*File "([^"]+)", line \d+, in (\S+)')


def of_exception(error: BaseException, text: str) -> str:
    """Digest the exception's type, its frames by file name and function, and its `text` without numbers and names."""
    frames = [(frame.filename, frame.name) for frame in traceback.extract_tb(error.__traceback__)]
    return _of(type(error).__name__, frames, text)


def of_text(lines: Sequence[str]) -> str:
    """Digest the last traceback in a command's output, or its last line where there is none."""
    start = max((i for i, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")), default=-1)
    frames = [(match[1], match[2]) for line in lines[start + 1 :] if (match := _FRAME.match(line))]
    last = lines[-1] if lines else ""
    kind, _, message = last.partition(":")
    return _of(kind, frames if start >= 0 else [], message)


def _of(kind: str, frames: Sequence[tuple[str, str]], message: str) -> str:
    places = [f"{file.replace(_BACKSLASH, '/').rsplit('/', 1)[-1]}:{name}" for file, name in frames]
    return digest([kind, places, _VARYING.sub("#", message)])[:12]
