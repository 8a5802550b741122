"""Run a subprocess and measure it: CPU seconds with those of its children, wall time, peak memory.

The process gets a session of its own, which is ended with it. Linux only, as the benchmarks are.
"""

import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["Ended", "ProcessFailed", "descendants", "run_process"]

_SHOWN_LINES = 2


class ProcessFailed(Exception):
    """Say why a measured process gave no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Hold what a process left. `cpu_seconds` counts its children as far as it waited for them."""

    code: int
    stdout: str
    stderr: str
    cpu_seconds: float
    wall_seconds: float
    peak_memory_bytes: int

    def checked(self) -> "Ended":
        """Return self, or raise `ProcessFailed` with the last lines that the process wrote."""
        if self.code == 0:
            return self
        lines = (self.stderr.strip() or self.stdout.strip() or "(it wrote nothing)").splitlines()
        raise ProcessFailed(
            f"ended with code {self.code}: " + " | ".join(line.strip() for line in lines[-_SHOWN_LINES:])
        )


def run_process(
    command: Sequence[str | Path],
    *,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    seconds: float = 600.0,
) -> Ended:
    """Run a command in `folder` to its end and measure it; after `seconds` it is killed, and `ProcessFailed` raised."""
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        in_time = _wait(process.pid, seconds)
        wall = time.perf_counter() - began
        _end_session(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if not in_time:
            raise ProcessFailed(f"did not end within {seconds:.0f} s and was killed: {command[0]} ...")
        return Ended(
            code=process.returncode,
            stdout=_text(stdout),
            stderr=_text(stderr),
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            wall_seconds=wall,
            peak_memory_bytes=usage.ru_maxrss * 1024,
        )


def descendants(pid: int) -> list[int]:
    """Return the living children of a process, theirs, and so on."""
    parents = dict(_parents())
    family = {pid}
    while new := {child for child, parent in parents.items() if parent in family} - family:
        family |= new
    return sorted(family - {pid})


def _parents() -> Iterable[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])


def _wait(pid: int, seconds: float) -> bool:
    """Wait for the end without reaping: the session's other processes still carry the leader's id."""
    handle = os.pidfd_open(pid)
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def _end_session(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()
