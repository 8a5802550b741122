"""What this process has cost so far, with all of its children: CPU seconds of every thread and descendant."""

import os
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cost", "cost_so_far"]

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Hold CPU and wall seconds."""

    cpu_seconds: float
    wall_seconds: float

    def __sub__(self, earlier: "Cost") -> "Cost":
        return Cost(self.cpu_seconds - earlier.cpu_seconds, self.wall_seconds - earlier.wall_seconds)


def cost_so_far() -> Cost:
    """Return the cost up to now: own threads, children that have ended, those that still run (in ticks of 10 ms)."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = sum(_family_seconds())
    return Cost(time.process_time() + ended.ru_utime + ended.ru_stime + living, time.perf_counter())


def _family_seconds() -> Iterator[float]:
    processes = dict(_processes())
    family = {os.getpid()}
    while new := {pid for pid, (parent, _) in processes.items() if parent in family} - family:
        family |= new
    return (seconds for pid, (_, seconds) in processes.items() if pid in family and pid != os.getpid())


def _processes() -> Iterator[tuple[int, tuple[int, float]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                yield int(entry.name), (int(fields[1]), sum(map(int, fields[11:15])) / _TICKS)
