"""Control groups (version 1) for the memory and the number of processes of a whole sandbox, where they can be made.

Root can; others have the limits of each process and the watch of `running.py`.
"""

import contextlib
import itertools
import os
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from headway.sandbox import processes
from headway.sandbox.limits import SandboxLimits

__all__ = ["ControlGroup"]

_ROOT = Path("/sys/fs/cgroup")
_CONTROLLERS = ("memory", "pids", "cpuacct")
_PREFIX = "headway-sandbox-"
_NUMBERS = itertools.count()


class ControlGroup:
    """Hold one sandbox's groups. Where a controller is not to be had, its questions are answered by None."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders: Mapping[str, Path] = folders

    @classmethod
    def make(cls, limits: SandboxLimits) -> "ControlGroup":
        """Make groups below this process's own, so that its limits hold too."""
        name = f"{_PREFIX}{os.getpid()}-{processes.start_time(os.getpid()) or 0:.0f}-{next(_NUMBERS)}"
        folders: dict[str, Path] = {}
        for controller, parent in _own_groups().items():
            _sweep(parent)
            with contextlib.suppress(OSError):
                (parent / name).mkdir()
                folders[controller] = parent / name
        group = cls(folders)
        group._limit(limits)
        return group

    def _limit(self, limits: SandboxLimits) -> None:
        wanted = (
            ("memory", "memory.limit_in_bytes", limits.memory_bytes),
            ("memory", "memory.memsw.limit_in_bytes", limits.memory_bytes),  # else swap goes on top
            ("pids", "pids.max", limits.processes),
        )
        for controller, file, value in wanted:
            if controller in self._folders:
                try:
                    (self._folders[controller] / file).write_text(str(value))
                except FileNotFoundError:  # a kernel that does not count swap
                    continue

    def holds(self, controller: str) -> bool:
        """Tell whether a controller (memory, pids, cpuacct) holds the sandbox."""
        return controller in self._folders

    def take(self, pid: int) -> None:
        """Put a process in; what it starts from now on is in too."""
        for folder in self._folders.values():
            (folder / "cgroup.procs").write_text(str(pid))

    def cpu_seconds(self) -> float | None:
        """Return what all processes have used, the ended ones too."""
        text = self._read("cpuacct", "cpuacct.usage")
        return None if text is None else int(text) / 1e9

    def peak_memory_bytes(self) -> int | None:
        """Return the most that they held at one time."""
        text = self._read("memory", "memory.max_usage_in_bytes")
        return None if text is None else int(text)

    def killed_for_memory(self) -> bool:
        """Tell whether the kernel ended one of them for want of memory."""
        text = self._read("memory", "memory.oom_control") or ""
        return any(line.split()[0] == "oom_kill" and int(line.split()[1]) > 0 for line in text.splitlines())

    def _read(self, controller: str, file: str) -> str | None:
        if controller in self._folders:
            with contextlib.suppress(OSError):
                return (self._folders[controller] / file).read_text()
        return None

    def remove(self) -> None:
        """Remove the groups, once their processes are gone: the kernel lets go of them a moment later."""
        for folder in self._folders.values():
            for _ in range(200):
                try:
                    folder.rmdir()
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.005)
        self._folders = {}


@cache
def _own_groups() -> Mapping[str, Path]:
    """Return the folders of this process's own groups, by controller, as far as groups can be made in them."""
    found: dict[str, Path] = {}
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            folder = _ROOT / controller / path.lstrip("/")
            if controller in _CONTROLLERS and _can_make(folder):
                found[controller] = folder
    return found


def _can_make(folder: Path) -> bool:
    probe = folder / f"{_PREFIX}{os.getpid()}-{processes.start_time(os.getpid()) or 0:.0f}-probe"
    try:
        probe.mkdir(exist_ok=True)
        probe.rmdir()
    except OSError:
        return False
    return True


def _sweep(parent: Path) -> None:
    """Remove what engines left that were killed. A group with processes in it stays by itself."""
    with contextlib.suppress(OSError):
        for folder in parent.glob(_PREFIX + "*"):
            pid, started, _ = folder.name.removeprefix(_PREFIX).split("-")
            if not processes.alive(int(pid), float(started)):
                with contextlib.suppress(OSError):
                    folder.rmdir()
