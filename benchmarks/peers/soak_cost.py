"""What a running study holds and has cost so far: its engine, which is this process, its template, all its workers."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Held", "held"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Hold resident memory in bytes, and CPU seconds since the start. A trial in the engine's process counts there."""

    engine_bytes: int
    template_bytes: int
    cpu_seconds: float


def held(worker_cpu: float, other_child: int | None = None) -> Held:
    """Look at this process and its template. `worker_cpu` is what workers of other processes have cost, in seconds."""
    children = map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    templates = [pid for pid in children if pid != other_child]
    return Held(
        engine_bytes=_resident_bytes(os.getpid()),
        template_bytes=sum(map(_resident_bytes, templates)),
        cpu_seconds=time.process_time() + worker_cpu + sum(map(_cpu_of, templates)),
    )


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE


def _cpu_of(pid: int) -> float:
    """Return the CPU seconds of another process, to the nanosecond (clock_getcpuclockid(3): the clock's id)."""
    return time.clock_gettime(~pid << 3 | 2)
