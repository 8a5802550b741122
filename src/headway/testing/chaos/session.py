"""One engine's life as it can be seen and touched from outside: its processes, and the signs it gives.

The harness talks to Headway as a person does, through the command line; nothing here knows the inside of an engine.
"""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from headway.engine import processes
from headway.testing.chaos.faults import Whom
from headway.testing.chaos.plan import Moment, Sign

__all__ = ["MARK", "Finished", "Member", "Project", "Session"]

MARK = "HEADWAY_CHAOS"  # the variable that every process of a case inherits

_LOOK_SECONDS = 0.001
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
        return {**os.environ, "PYTHONPATH": path, MARK: self.mark, f"{MARK}_CLOCK": str(self._clock)}

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
        wanted = f"{MARK}={self.mark}".encode()
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (path / "environ").read_bytes().split(b"\0"):
                    member = Member.of(int(path.name))
                    if member is not None and member.alive:
                        found[member.pid] = _command(member.pid)
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
        return set(self.store.glob("checkpoints/*/*.ckpt"))

    @property
    def _clock(self) -> Path:
        return self.scratch / "clock"


class Session:
    """Be one engine's life: it begins with the object, gives signs, and is over when `finish` returns."""

    def __init__(self, project: Project, number: int, *words: str) -> None:
        self.project = project
        self.words = words
        self._log = project.scratch / f"session-{number}.log"
        with self._log.open("wb") as file:
            self._process = subprocess.Popen(
                project.words(*words, *project.options), cwd=project.file.parent, env=project.environment,
                stdin=subprocess.DEVNULL, stdout=file, stderr=file,
            )  # fmt: skip

    @property
    def alive(self) -> bool:
        """Tell whether the engine still runs."""
        return self._process.poll() is None

    def finish(self, seconds: float) -> Finished | None:
        """Wait until the session is over; None where it is not after so many seconds."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        return Finished(code=code, output="", errors=self._log.read_text(errors="replace"))

    def kill(self) -> None:
        """Kill the engine and wait for it."""
        self._process.kill()
        self._process.wait()

    def members(self, whom: Whom) -> list[Member]:
        """Return the living processes of that kind."""
        match whom:
            case "engine":
                pids = [self._process.pid]
            case "template":
                pids = self._templates()
            case "worker":
                pids = self._workers()
            case "engine+template":
                pids = [self._process.pid, *self._templates()]
        return [member for member in map(Member.of, pids) if member is not None and member.alive]

    def wait_for(self, moment: Moment, patience_seconds: float) -> bool:
        """Wait for a moment; false where the session ended before.

        After the patience it counts as come: what gives a sign may change, and a fault at another moment is one, too.
        """
        look = self._sign(moment.sign)
        deadline = time.monotonic() + patience_seconds
        count = 0
        while self.alive and time.monotonic() < deadline:
            count += look()
            if count >= moment.count:
                break
            time.sleep(_LOOK_SECONDS)
        until = time.monotonic() + moment.seconds
        while self.alive and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.02))
        return self.alive

    def _sign(self, sign: Sign) -> Callable[[], int]:
        """Return a function that tells how many signs came since it was last called."""
        match sign:
            case "start":
                return lambda: 1
            case "import":
                return lambda: bool(self._templates())
            case "trial":
                return _new(lambda: set(self._workers()))
            case "checkpoint":
                return _new(self.project.checkpoints)
            case "commit":
                return self._commits()
            case "closing":
                return self._closing()

    def _commits(self) -> Callable[[], int]:
        last = self._stamp()

        def look() -> int:
            nonlocal last
            before, last = last, self._stamp()
            return before != last

        return look

    def _closing(self) -> Callable[[], int]:
        seen = False

        def look() -> int:
            nonlocal seen
            there = bool(self._templates())
            seen = seen or there
            return seen and not there

        return look

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.project.store / "store.sqlite-wal")
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    def _templates(self) -> list[int]:
        return [pid for pid in processes.children(self._process.pid) if "headway.engine.template" in _command(pid)]

    def _workers(self) -> list[int]:
        """Return the trials' processes: those children of a template that lead a session of their own."""
        found: list[int] = []
        for pid in (pid for template in self._templates() for pid in processes.children(template)):
            with contextlib.suppress(OSError):
                if os.getsid(pid) == pid:
                    found.append(pid)
        return found


def _new(find: Callable[[], Set[object]]) -> Callable[[], int]:
    known: set[object] = set(find())

    def look() -> int:
        fresh = find() - known
        known.update(fresh)
        return len(fresh)

    return look


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
