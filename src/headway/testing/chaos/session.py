"""One engine's life as it can be seen and touched from outside: its processes, and the signs it gives."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Set

from headway.sandbox import processes
from headway.testing.chaos.faults import Whom
from headway.testing.chaos.plan import Moment, Sign
from headway.testing.chaos.project import Finished, Member, Project, command_line

__all__ = ["Session"]

_LOOK_SECONDS = 0.001


class Session:
    """Be one engine's life: it begins with the object, gives signs, and is over when `finish` returns."""

    def __init__(self, project: Project, number: int, *words: str) -> None:
        self._project = project
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
                return _new(self._project.checkpoints)
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
            status = os.stat(self._project.store / "store.sqlite-wal")
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    def _templates(self) -> list[int]:
        return [pid for pid in processes.children(self._process.pid) if "headway.engine.template" in command_line(pid)]

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
