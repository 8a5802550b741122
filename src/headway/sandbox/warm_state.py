"""Whether a warm sandbox is as it was before its last candidate: its processes, its folders, and its first process.

Runs inside the sandbox beside `warm_server.py`, in any Python. What a candidate made is removed; where it changed
something that was there before, the sandbox is of no use any more, and ends.
"""

import contextlib
import os
import re
import resource
import signal
import stat
import time
from dataclasses import dataclass

__all__ = ["Conditions", "Folders", "Spoiled", "end_all", "shared_with_forks"]

_MOST_KEPT_BYTES = 16 * 1024**2
_MOST_KEPT = 1000  # each is looked at after each candidate, which takes some microseconds
_CLOCK_NANOSECONDS = 100_000_000  # ten times the coarsest tick by which a kernel stamps what changes
_HARMLESS = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")  # who reads them has no place in them
_RESOURCES = tuple(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_"))
_SOCKETS = ("/proc/net/sockstat", "/proc/net/sockstat6")
_COUNTED = re.compile(rb"(?:inuse|tw) \d+")  # the other numbers are those of the whole machine


class Spoiled(Exception):
    """Say that a candidate changed what was there before it."""


@dataclass(frozen=True)
class _Kept:
    """Hold what was there before the first candidate: `content` of a file, where a link leads, names in a folder."""

    status: os.stat_result
    mounted: bool
    content: bytes | str = b""
    names: frozenset[str] = frozenset()
    attributes: tuple[tuple[str, bytes], ...] = ()


class Folders:
    """Put scratch folders back into the state in which they were when this was made."""

    def __init__(self, roots: tuple[str, ...]) -> None:
        self._roots = roots
        self._kept: dict[str, _Kept] = {}
        self._settled: dict[str, tuple[int, int]] = {}  # folders that are as they were while they have these times
        self._held = 0
        self._strange = ""
        for root in roots:
            self._take_in(root, os.lstat(root).st_dev)

    @property
    def unfit(self) -> str:
        """Say why it could not be put back; empty where it can."""
        if self._strange:
            return f"its imports make {self._strange}, which is no plain file"
        many = self._held > _MOST_KEPT_BYTES or len(self._kept) > _MOST_KEPT
        return f"its imports write {self._held} bytes in {len(self._kept)} files" if many else ""

    def restore(self) -> None:
        """Remove what is new. Raises `Spoiled` where something has changed, `OSError` where something stays."""
        for path, kept in self._kept.items():  # parents first
            status = os.lstat(path)
            if (status.st_dev, status.st_ino) != (kept.status.st_dev, kept.status.st_ino):
                raise Spoiled(path)
            # A change time cannot be set. To look at it alone saves 5 % of a small candidate's CPU time.
            if not kept.mounted and self._settled.get(path) != (status.st_ctime_ns, status.st_atime_ns):
                self._put_back(path, status, kept)

    def _take_in(self, path: str, device: int) -> None:
        """Remember what lies at a path and below it. What is mounted lies on another device, read-only."""
        status = os.lstat(path)
        if status.st_dev != device:
            self._kept[path] = _Kept(status, mounted=True)
        elif stat.S_ISLNK(status.st_mode):
            self._kept[path] = _Kept(status, mounted=False, content=os.readlink(path))
        elif stat.S_ISDIR(status.st_mode):
            names = frozenset(os.listdir(path))
            self._kept[path] = _Kept(status, mounted=False, names=names, attributes=_attributes(path))
            for name in names:
                self._take_in(os.path.join(path, name), device)
        elif stat.S_ISREG(status.st_mode) and self._held + status.st_size <= _MOST_KEPT_BYTES:
            content = _bytes_of(path)
            self._held += len(content)
            self._kept[path] = _Kept(status, mounted=False, content=content, attributes=_attributes(path))
        elif stat.S_ISREG(status.st_mode):
            self._held += status.st_size
        else:
            self._strange = path

    def _put_back(self, path: str, status: os.stat_result, kept: _Kept) -> None:
        before = kept.status
        if stat.S_ISLNK(before.st_mode):
            if os.readlink(path) != kept.content or status.st_mtime_ns != before.st_mtime_ns:
                raise Spoiled(path)
            return
        if status.st_mode != before.st_mode:
            os.chmod(path, stat.S_IMODE(before.st_mode))
        if stat.S_ISDIR(before.st_mode):
            self._empty(path, kept.names)
        elif _bytes_of(path) != kept.content:  # its time does not tell: what is written through a mapping leaves it
            raise Spoiled(path)
        if _attributes(path) != kept.attributes:
            raise Spoiled(path)
        self._put_back_times(path, before)

    def _put_back_times(self, path: str, before: os.stat_result) -> None:
        """Set them where they differ; else note a folder's whose last change is so old that the next one will show."""
        status = os.lstat(path)  # anew: what was removed has changed them
        if (status.st_atime_ns, status.st_mtime_ns) != (before.st_atime_ns, before.st_mtime_ns):
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        # Not of a file: what is written to it through a mapping changes no time.
        elif stat.S_ISDIR(before.st_mode) and status.st_ctime_ns < time.time_ns() - _CLOCK_NANOSECONDS:
            self._settled[path] = (status.st_ctime_ns, status.st_atime_ns)

    def _empty(self, folder: str, names: frozenset[str]) -> None:
        here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOATIME)
        try:
            with os.scandir(here) as entries:
                new = [entry for entry in entries if entry.name not in names]
            for entry in new:
                if entry.is_dir(follow_symlinks=False):
                    _remove_folder(os.path.join(folder, entry.name))
                else:
                    os.unlink(entry.name, dir_fd=here)
        finally:
            os.close(here)


def _remove_folder(path: str) -> None:
    """Remove a folder, however deep and locked, when nobody else is there to put a link in its place.

    Folders in it are moved up beside it first: so no path becomes too long, and nothing calls itself.
    """
    above, waiting = os.path.dirname(path), [path]
    while waiting:
        folder = waiting.pop()
        os.chmod(folder, stat.S_IRWXU)
        with os.scandir(folder) as entries:
            found = list(entries)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, stat.S_IRWXU)  # a folder that moves has its `..` written
                waiting.append(os.path.join(above, f".removed-{os.urandom(8).hex()}"))
                os.rename(entry.path, waiting[-1])
            else:
                os.unlink(entry.path)
        os.rmdir(folder)


def end_all() -> list[resource.struct_rusage]:
    """End every other process in the sandbox, wait until all are gone, and return what each used.

    The first process inherits whoever has lost its parent, so that nobody is missed.
    """
    used: list[resource.struct_rusage] = []
    while True:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return used
        with contextlib.suppress(ChildProcessError):
            used.append(os.wait4(-1, 0)[2])


class Conditions:
    """Read what other processes of the same user can change of this one, which its forks inherit, and ports in use."""

    def __init__(self) -> None:
        # To open them takes six times as long as to read them.
        self.descriptors = tuple(os.open(path, os.O_RDONLY) for path in _SOCKETS if os.path.exists(path))

    def now(self) -> tuple[object, ...]:
        """Return all that is to stay the same. A TCP connection holds its port for a minute after its process."""
        return (
            *map(resource.getrlimit, _RESOURCES),
            os.sched_getaffinity(0),
            os.sched_getscheduler(0),
            os.sched_getparam(0).sched_priority,
            os.getpriority(os.PRIO_PROCESS, 0),
            *(_COUNTED.findall(os.pread(descriptor, 4096, 0)) for descriptor in self.descriptors),
        )


def shared_with_forks(own: tuple[int, ...]) -> str:
    """Say what this process has that its forks would share with each other, or lack; empty where there is nothing.

    `own` are descriptors that are closed in each fork.
    """
    threads = len(os.listdir("/proc/self/task"))
    if threads > 1:
        return f"its imports start threads ({threads} are running)"
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, 0)
        return "its imports start processes"
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            target = os.readlink(f"/proc/self/fd/{name}")
            if int(name) > 2 and int(name) not in own and target not in _HARMLESS:
                return f"its imports leave {target} open"
    mapped = _shared_mapping()
    return f"its imports share memory ({mapped})" if mapped else ""


def _shared_mapping() -> str:
    with open("/proc/self/maps", errors="replace") as file:
        for line in file:
            fields = line.rstrip("\n").split(maxsplit=5)
            name = fields[5] if len(fields) > 5 else ""
            plain = name.startswith("/") and not name.endswith(" (deleted)") and not os.access(name, os.W_OK)
            if "s" in fields[1] and ("w" in fields[1] or not plain):
                return name or "anonymous"
    return ""


def _bytes_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_MOST_KEPT_BYTES + 1)


def _attributes(path: str) -> tuple[tuple[str, bytes], ...]:
    """Return a path's extended attributes, which whoever owns it can set."""
    try:
        return tuple((name, os.getxattr(path, name)) for name in sorted(os.listxattr(path)))
    except OSError:  # a file system that has none
        return ()
