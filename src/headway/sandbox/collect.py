"""Take what a sandboxed command left: plain files and folders only, over no link, up to a limit."""

import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

__all__ = ["Kept", "collect", "tidy"]

_PIECE = 1024**2
_DEEPEST = 32
_MOST_ENTRIES = 10_000  # of all folders: each costs the host a tenth of a millisecond or more
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@dataclass(frozen=True, slots=True)
class Kept:
    """Hold which files were taken, by their path in the destination, and why others were not."""

    files: tuple[str, ...]
    refused: tuple[str, ...]


def collect(root: str, names: Sequence[str], to: Path, limit_bytes: int, *, most_entries: int = _MOST_ENTRIES) -> Kept:
    """Copy `names` (files or folders, relative to `root`) into the folder `to`, of folders `most_entries` in all.

    A link, device, pipe or socket is refused by name, and never opened: a link in what a candidate left would make the
    evaluator read what the candidate must not know, and a pipe would make it wait for ever.
    """
    return _Collection(limit_bytes, most_entries).take(root, names, to)


class _Collection:
    def __init__(self, limit_bytes: int, most_entries: int) -> None:
        self._left = limit_bytes
        self._entries_left = most_entries
        self._files: list[str] = []
        self._refused: list[str] = []

    def take(self, root: str, names: Sequence[str], to: Path) -> Kept:
        base = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names:
                parts = PurePosixPath(name).parts
                if name.startswith("/") or ".." in parts or not parts:
                    self._refused.append(f"{name}: not a path inside the folder")
                else:
                    self._walk(base, parts, name, to)
        finally:
            os.close(base)
        return Kept(tuple(self._files), tuple(self._refused))

    def _walk(self, base: int, parts: Sequence[str], name: str, to: Path) -> None:
        """Open one part after the other, none of them a link."""
        at = os.dup(base)
        try:
            for part in parts:
                below = self._open(part, at, name)
                if below is None:
                    return
                os.close(at)
                at = below
            self._copy(at, name, to, 0)
        finally:
            os.close(at)

    def _open(self, part: str, folder: int, name: str) -> int | None:
        try:
            kind = os.lstat(part, dir_fd=folder).st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                self._refused.append(f"{name}: {_word(kind)}, and only files and folders are taken")
                return None
            return os.open(part, _FLAGS, dir_fd=folder)
        except OSError as error:
            self._refused.append(f"{name}: {error.strerror}")
            return None

    def _copy(self, descriptor: int, name: str, to: Path, depth: int) -> None:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(kind):
            if depth >= _DEEPEST:
                self._refused.append(f"{name}: folders nested deeper than {_DEEPEST}")
                return
            (to / name).mkdir(parents=True, exist_ok=True)
            for part in self._parts(descriptor, name):
                below = self._open(part, descriptor, f"{name}/{part}")
                if below is not None:
                    try:
                        self._copy(below, f"{name}/{part}", to, depth + 1)
                    finally:
                        os.close(below)
        elif stat.S_ISREG(kind):
            self._copy_file(descriptor, name, to / name)
        else:  # it was put there between the two looks
            self._refused.append(f"{name}: {_word(kind)}, and only files and folders are taken")

    def _parts(self, folder: int, name: str) -> Iterator[str]:
        """Yield the names in a folder, in their order, while there are not too many in all."""
        with os.scandir(folder) as entries:
            parts = sorted(entry.name for entry in itertools.islice(entries, self._entries_left + 1))
        for part in parts:
            if self._entries_left <= 0:
                self._refused.append(f"{name}: more files than may be taken")
                return
            self._entries_left -= 1
            yield part

    def _copy_file(self, descriptor: int, name: str, to: Path) -> None:
        if os.fstat(descriptor).st_size > self._left:
            self._refused.append(f"{name}: more than may be taken")
            return
        to.parent.mkdir(parents=True, exist_ok=True)
        with to.open("xb") as file:
            while piece := os.read(descriptor, min(_PIECE, self._left + 1)):
                self._left -= len(piece)
                if self._left < 0:
                    break
                file.write(piece)
        if self._left < 0:  # it grew
            to.unlink()
            self._left = 0
            self._refused.append(f"{name}: more than may be taken")
        else:
            self._files.append(name)


def tidy(folder: Path) -> tuple[str, ...]:
    """Make a folder that a candidate could write to safe to work on, and say what was found.

    Devices, pipes and sockets go: opening one may hang. Files lose the bits by which they would run as their owner.
    A folder `.git` is told: Git runs programs that are named in one.
    """
    found: list[str] = []
    for at, folders, files in os.walk(folder):
        if ".git" in folders:
            found.append(f"{os.path.relpath(os.path.join(at, '.git'), folder)}: a folder that Git would obey")
        for name in (*folders, *files):
            path = os.path.join(at, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                continue
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                os.unlink(path)
                found.append(f"{os.path.relpath(path, folder)}: {_word(mode)}, removed")
            elif mode & (stat.S_ISUID | stat.S_ISGID) and stat.S_ISREG(mode):
                os.chmod(path, stat.S_IMODE(mode) & 0o777)
                found.append(f"{os.path.relpath(path, folder)}: ran as its owner, no longer")
    return tuple(found)


def _word(mode: int) -> str:
    words = ((stat.S_ISLNK, "a link"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((word for test, word in words if test(mode)), "a device")
