"""Processes as the kernel shows them: start times, descendants, memory, and ending a whole tree.

Linux reads /proc. Elsewhere `ps` answers what it can; the rest is left to the limits that the system enforces.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

__all__ = [
    "Usage",
    "alive",
    "carrying",
    "children",
    "descendants",
    "end_carrying",
    "end_group",
    "end_tree",
    "start_time",
    "usage",
]

_LINUX = sys.platform == "linux"
_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(frozen=True, slots=True)
class Usage:
    """Hold what a process tree uses now: resident memory in bytes, CPU time in seconds since each began."""

    memory_bytes: int
    cpu_seconds: float


def start_time(pid: int) -> float | None:
    """Return when a process began, in a unit that is stable for it; None where there is no such process.

    Together with the pid it names a process for ever: pids are used again.
    """
    if _LINUX:
        fields = _stat(pid)
        return None if fields is None else float(fields[19])
    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    text = answer.stdout.strip()
    return time.mktime(time.strptime(text, "%a %b %d %H:%M:%S %Y")) if text else None


def alive(pid: int, started: float) -> bool:
    """Tell whether the process that began at `started` still runs under that pid. A zombie does not run."""
    if _LINUX:
        fields = _stat(pid)
        return fields is not None and float(fields[19]) == started and fields[0] != "Z"
    return start_time(pid) == started


def children(pid: int) -> list[int]:
    """Return the direct children of a process."""
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in _read(f"/proc/{pid}/task/{task}/children").split()]
    return found


def descendants(pid: int) -> list[int]:
    """Return all that came from a process, without itself."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        new = children(waiting.pop())
        found += new
        waiting += new
    return found


def usage(pid: int) -> Usage:
    """Return what a process and all its descendants use."""
    memory, ticks = 0, 0
    for member in (pid, *descendants(pid)):
        fields = _stat(member)
        if fields is not None:
            memory += int(fields[21]) * _PAGE
            ticks += int(fields[11]) + int(fields[12])
            if member == pid:
                ticks += int(fields[13]) + int(fields[14])  # children that it has waited for
    return Usage(memory, ticks / _TICK)


def carrying(mark: str) -> list[int]:
    """Return the processes that were started with an environment in which `mark` (NAME=value) stands (Linux).

    Whatever they started carries it too, also where it left its session or its parents have died.
    """
    found: list[int] = []
    if not _LINUX:
        return found
    wanted = b"\0" + os.fsencode(mark) + b"\0"
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                if wanted in b"\0" + file.read():
                    found.append(int(name))
    return found


def end_carrying(mark: str, seconds: float = 10.0) -> None:
    """End all processes that carry a mark, and wait until they are gone."""
    deadline = time.monotonic() + seconds
    while (found := carrying(mark)) and time.monotonic() < deadline:
        for pid in found:
            end_tree(pid)
        time.sleep(0.005)


def end_group(pid: int) -> None:
    """End what is left of the process group that a process led, whether or not it still lives."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def end_tree(pid: int) -> None:
    """End a process, its group and all its descendants, at once."""
    members = [pid, *descendants(pid)]
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
    for member in members:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)


def _read(path: str) -> bytes:
    """Read a file of /proc with three system calls: `open` makes eight."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = b""
        while piece := os.read(file, 65536):
            data += piece
            if len(piece) < 4096:  # the kernel gives these files in pages at least
                break
        return data
    finally:
        os.close(file)


def _stat(pid: int) -> list[str] | None:
    try:
        text = _read(f"/proc/{pid}/stat").decode(errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()
