"""Read tracebacks: their frames, their chain of exceptions, and which of them is the user's own code.

The text is what the record holds of a failed trial: Python's own traceback, or the last lines that a command printed,
with a traceback somewhere in them. Its beginning may be cut off.
"""

import re
import sysconfig
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Crash", "Frame", "Link", "read_crash"]

_HEAD = re.compile(r"Traceback \(most recent call last\):?")
_FILE = re.compile(r'^\s*File "([^"\n]+)", line (\d+)(?:, in (.+))?$')
_REPEATED = re.compile(r"^\s*\[Previous line repeated (\d+) more times?\]$")
_GROUP = re.compile(r"^[ ]*(?:[|+] ?)+(?:-+ ?\S* ?-*)?")  # what an exception group puts before its lines
_ENDING = re.compile(r"^((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?::[ ]?(.*))?$")
_CAUSED = "The above exception was the direct cause of the following exception:"
_DURING = "During handling of the above exception, another exception occurred:"
_LIBRARY = ("site-packages", "dist-packages", "/.venv/", "/lib/python3", "lib64/python3", "<frozen ")
_STANDARD = sysconfig.get_paths()["stdlib"]
_OURS = Path(__file__).parents[2].as_posix()  # frames of Headway itself lie above those of the experiment
# A repository's trial has a tree of its own, in its attempt's folder, or in that of its worker.
_TREE = re.compile(r"^/.*/(?:work|templates/\d+/\d+)/tree/")
_SYNTAX = "<syntax>"
_MESSAGE_LINES = 4  # of a message: behind a command's traceback stands what else it printed
_CIRCLE = 3  # calls of one function in a traceback, from which on it calls itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Hold one line of a traceback. `file` is relative to the project's root where it lies there."""

    file: str
    line: int
    function: str
    source: str
    users: bool
    times: int = 1

    @property
    def place(self) -> str:
        """Return file and function: what stays where lines move."""
        return f"{self.file}:{self.function}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Hold one exception of a chain: its type without modules, its message, and its frames from the outermost."""

    exception: str
    message: str
    frames: tuple[Frame, ...]

    @property
    def circle(self) -> tuple[Frame, ...]:
        """Return the user's functions that call each other without end, by name; none but in a recursion error."""
        if self.exception != "RecursionError":
            return ()
        counts: Counter[str] = Counter()
        for frame in self.frames:
            counts[frame.place] += frame.times
        often = {frame.place: frame for frame in self.frames if frame.users and counts[frame.place] >= _CIRCLE}
        return tuple(often[place] for place in sorted(often))

    @property
    def users(self) -> tuple[Frame, ...]:
        """Return the user's frames, equal functions that follow each other once, the outermost first."""
        found: list[Frame] = []
        for frame in self.frames:
            if frame.users and not (found and found[-1].place == frame.place):
                found.append(frame)
            elif frame.users:
                found[-1] = frame
        return tuple(found)

    @property
    def frame(self) -> Frame | None:
        """Return the first bad frame: the innermost of the user's, or the first of a circle."""
        return (self.circle or self.users[-1:] or (None,))[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """Hold a chain of exceptions, in the order in which they were raised; `main` is the one to look at.

    That is the first of those that were raised *from* each other. What was raised while another was handled says more
    than what was handled.
    """

    links: tuple[Link, ...]
    main: Link


def read_crash(text: str, root: Path) -> Crash | None:
    """Return the last chain of exceptions in a text, or None where it holds no traceback. Linear in its length.

    `root` is the project's folder. A syntax error has no traceback when Python cannot begin: it is found all the same.
    """
    lines = text.splitlines()
    if any(_HEAD.search(line) and _GROUP.match(line) for line in lines):
        lines = [_GROUP.sub("", line, count=1) for line in lines]
    chains: list[list[Link]] = [[]]
    mains: list[int] = [0]
    joined, part = True, list[str]()
    for line in (*lines, "Traceback (most recent call last):"):
        how = line.strip()
        if how not in (_CAUSED, _DURING) and not _HEAD.search(line):
            part.append(line)
            continue
        found, part = _links(part, root), []
        if found and not joined:  # another traceback, which nothing ties to the one above
            chains.append([])
            mains.append(0)
        chains[-1] += found
        joined = how in (_CAUSED, _DURING) or (joined and not found)
        if how == _DURING:
            mains[-1] = len(chains[-1])
    links, main = chains[-1], mains[-1]
    return Crash(links=tuple(links), main=links[min(main, len(links) - 1)]) if links else None


def _links(lines: Sequence[str], root: Path) -> list[Link]:
    """Read one traceback: its frames, and behind them the exception. Without frames there is none."""
    frames: list[Frame] = []
    for index, line in enumerate(lines):
        match = _FILE.match(line)
        if match is not None:
            source = lines[index + 1].strip() if index + 1 < len(lines) else ""
            frames.append(_frame(match[1], int(match[2]), match[3] or _SYNTAX, source, root))
        elif frames and (repeated := _REPEATED.match(line)) is not None:
            last = frames.pop()
            frames.append(Frame(file=last.file, line=last.line, function=last.function, source=last.source,
                                users=last.users, times=last.times + int(repeated[1])))  # fmt: skip
        elif frames and line and not line[0].isspace() and (ending := _ENDING.match(line)) is not None:
            message = "\n".join([ending[2] or "", *lines[index + 1 : index + _MESSAGE_LINES]]).strip()
            return [Link(exception=ending[1].rpartition(".")[2], message=message, frames=tuple(frames))]
    return []


def _frame(file: str, line: int, function: str, source: str, root: Path) -> Frame:
    path = file.replace("\\", "/")
    shown = _TREE.sub("", path)
    inside = shown != path or not path.startswith("/")
    if not inside and path.startswith(f"{root.as_posix()}/"):
        shown, inside = path[len(root.as_posix()) + 1 :], True
    library = any(sign in f"/{shown}" for sign in _LIBRARY) or (
        not inside and path.startswith((f"{_STANDARD}/", f"{_OURS}/"))
    )
    named = not path.startswith("<")
    return Frame(file=shown, line=line, function=function, source=source, users=named and not library)
