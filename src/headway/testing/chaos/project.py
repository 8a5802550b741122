"""The study under test as a person meets it: a file, a store, commands, and the processes that live because of them.

The harness talks to Headway through the command line; nothing here knows the inside of an engine.
"""

import contextlib
import glob
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headway.sandbox import processes

__all__ = ["Finished", "Member", "Project", "command_line"]

_MARK = "HEADWAY_CHAOS"  # the variable that every process of a case inherits

_ALONE_SECONDS = 15.0
_CLOCK_FOLDER = Path(__file__).parent / "clock"


@dataclass(frozen=True, slots=True)
class Member:
    """Name a process for ever: pids are used again."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "Member | None":
        """Return the process of that pid, or None where there is none."""
        started = processes.start_time(pid)
        return None if started is None else cls(pid, started)

    @property
    def alive(self) -> bool:
        """Tell whether it still runs."""
        return processes.alive(self.pid, self.started)

    def send(self, number: int) -> None:
        """Send it a signal, unless it is gone."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Hold how a command ended: its exit code (negative: a signal) and what it wrote."""

    code: int
    output: str
    errors: str

    @property
    def last_words(self) -> str:
        """Return the end of what it wrote to standard error."""
        return self.errors.strip()[-1500:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Hold a study file, the store that it runs in, and the mark that all processes of the case carry."""

    file: Path
    store: Path
    scratch: Path
    mark: str
    options: Sequence[str] = ()

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the variables that the case's processes run with."""
        path = os.pathsep.join(filter(None, (str(_CLOCK_FOLDER), os.environ.get("PYTHONPATH"))))
        return {**os.environ, "PYTHONPATH": path, _MARK: self.mark, f"{_MARK}_CLOCK": str(self._clock)}

    def words(self, *words: str) -> list[str]:
        """Return a command line of Headway on this store."""
        return [sys.executable, "-m", "headway", *words, "--store", str(self.store)]

    def type(self, *words: str, seconds: float = 120.0) -> Finished:
        """Run a command to its end."""
        done = subprocess.run(
            self.words(*words), cwd=self.file.parent, env=self.environment, capture_output=True, text=True,
            timeout=seconds, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Finished(code=done.returncode, output=done.stdout, errors=done.stderr)

    def set_clock(self, seconds: float) -> None:
        """Let the case's processes see a clock that is off by so many seconds, from now on."""
        self._clock.touch()
        with self._clock.open("r+b") as file:  # in place: the processes have mapped it
            file.write(struct.pack("<d", seconds))

    def survivors(self) -> dict[int, str]:
        """Return the living processes that carry the case's mark: pid and command line."""
        found: dict[int, str] = {}
        wanted = f"{_MARK}={self.mark}".encode()
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    member = Member.of(int(path.name))
                    if member is not None and member.alive:
                        found[member.pid] = command_line(member.pid)
        return found

    def wait_until_alone(self) -> dict[int, str]:
        """Wait until no process of the case lives; return those that stay all the same."""
        deadline = time.monotonic() + _ALONE_SECONDS
        while (found := self.survivors()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def end_survivors(self) -> None:
        """Kill every process that carries the case's mark."""
        while found := self.survivors():
            for pid in found:
                if (member := Member.of(pid)) is not None:
                    member.send(signal.SIGKILL)
            time.sleep(0.01)

    def checkpoints(self) -> set[Path]:
        """Return the checkpoints that lie in the store."""
        # Path.glob raises where a folder goes away while it looks.
        return {Path(name) for name in glob.glob(str(self.store / "checkpoints" / "*" / "*.ckpt"))}

    @property
    def _clock(self) -> Path:
        return self.scratch / "clock"


def command_line(pid: int) -> str:
    """Return the words of a process, empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
