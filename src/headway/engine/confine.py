"""What a worker's process does to itself before it runs anything: a group of its own, limits, a tie to its parent."""

import contextlib
import ctypes
import os
import signal
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from headway.engine.spec import AttemptSpec

# Imported here and not where it is used, which is in each forked worker anew.
resource: ModuleType | None
try:
    import resource
except ImportError:
    resource = None

__all__ = [
    "become_reaper",
    "data_bytes",
    "die_first_without_memory",
    "die_with_parent",
    "limit",
    "outlive_parent",
    "own_group",
]

_OOM_SCORE = 500  # half of all memory is added to what the kernel counts for the process
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def own_group() -> None:
    """Lead a session and process group of one's own, so that it can be ended as one."""
    with contextlib.suppress(OSError):
        os.setsid()


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when its parent dies (Linux), and leave at once where it has died already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def outlive_parent() -> None:
    """Take `die_with_parent` back."""
    _prctl(_PR_SET_PDEATHSIG, 0)


def become_reaper() -> None:
    """Inherit orphaned descendants, so that even one that left its session is found and ended (Linux)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_first_without_memory() -> None:
    """Have the kernel, when memory runs out, end this process rather than its template or the engine (Linux)."""
    with contextlib.suppress(OSError, ValueError):
        file = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
        try:
            if int(os.read(file, 16)) < _OOM_SCORE:
                os.pwrite(file, str(_OOM_SCORE).encode(), 0)
        finally:
            os.close(file)


def limit(spec: AttemptSpec, data_bytes: int) -> None:
    """Set the limits that the kernel enforces: the data segment of each process, its CPU time, no core dumps.

    `data_bytes` is what the process holds already: a fork begins with its template's memory.
    """
    if resource is None:  # Windows: the engine watches what it can
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if spec.memory_bytes:
        _lower(resource.RLIMIT_DATA, data_bytes + spec.memory_bytes)
    if spec.cpu_seconds:
        _lower(resource.RLIMIT_CPU, int(spec.cpu_seconds) + 1)


def _lower(kind: int, value: int) -> None:
    assert resource is not None
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or value < hard:
        resource.setrlimit(kind, (value, value + 5 if kind == resource.RLIMIT_CPU else value))


def data_bytes() -> int:
    """Return the size of this process's data segment."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            _libc().prctl(option, value, 0, 0, 0)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
