"""A sandboxed command while it runs: its output, its limits, its end, and what it left.

The first process in the sandbox is a shell script of ours, the keeper. It waits for the word to begin, by which time
the limits lie on it and so on all that it starts; starts the command; ends everybody else when the command has ended;
and stays, so that the scratch folders stay, until their files have been taken. When it goes, the kernel ends whatever
is left.
"""

import contextlib
import json
import math
import os
import select
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from headway.core import HeadwayError
from headway.sandbox import processes
from headway.sandbox.collect import Kept, collect, tidy
from headway.sandbox.groups import ControlGroup
from headway.sandbox.limits import SandboxLimits
from headway.sandbox.view import bytes_below

__all__ = ["KEEPER", "Ended", "Reason", "Running"]

Reason = Literal["exit", "signal", "wall", "cpu", "memory", "processes", "disk", "output", "stopped"]

# A subshell with `exec` starts programs only, never a word of the shell. Signal -1 reaches all but the keeper.
KEEPER = """read -r word && [ "$word" = begin ] || exit 125
(exec "$@") </dev/null
code=$?
kill -9 -1 2>/dev/null
echo "ended $code" >&0
read -r word
"""

_PIECE = 256 * 1024
_WATCH_SECONDS = 0.05
_SIGNALS_FROM, _SIGNALS_TO = 128, 192  # how a shell tells of a signal
_START_SECONDS = 30.0  # bubblewrap takes milliseconds; a machine may be busy


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Hold how a sandboxed command ended: why, its exit code or signal, what it printed, and what it used.

    `reason` is `exit` or `signal` where it ended by itself, else the limit that it passed. `left` are the special
    files, and others of note, found in its writable folders.
    """

    reason: Reason
    code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    kept: Kept
    left: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Tell whether the command ended by itself, with exit code 0."""
        return self.reason == "exit" and self.code == 0


@dataclass(slots=True)
class _Stream:
    descriptor: int
    data: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class _Use:
    """Hold the most that was seen while it ran."""

    cpu_seconds: float = 0.0
    memory_bytes: int = 0


class Running:
    """Follow one sandboxed command. Made by `Sandbox.popen`; call `wait`, or `step` from a loop, then `close`.

    The kernel ends the sandbox when the thread that started it ends: start it in one that lives as long.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        limits: SandboxLimits,
        writable: Sequence[Path],
        status: tuple[int, int],
        passed: Sequence[int],
        inputs: Mapping[int, Callable[[bytes], None]] | None = None,
        on_output: Callable[[bytes], None] | None = None,
        merge: bool,
    ) -> None:
        self._limits = limits
        self._writable = tuple(writable)
        self._inputs = dict(inputs or {})
        self._on_output = on_output
        self._use = _Use()
        self._reason: Reason | None = None
        self._code: int | None = None
        self._result: Ended | None = None
        self._finished: float | None = None
        self._seen = 0
        self._pid = 0
        self._handle = -1
        self._group = ControlGroup.make(limits)
        self._held_before = bytes_below(self._writable)
        self._disk_at = 0.0
        self._disk_pause = _WATCH_SECONDS
        self._watched = 0.0
        self._word = b""
        self.started = time.monotonic()
        self._control, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if merge else subprocess.PIPE,
                pass_fds=(*passed, status[1]),
                env={"PATH": os.defpath},
                start_new_session=True,
            )
        except BaseException:
            self._group.remove()
            self._control.close()
            raise
        finally:
            theirs.close()
            os.close(status[1])
        assert self._process.stdout is not None
        self._out = _Stream(self._process.stdout.fileno())
        self._err = None if self._process.stderr is None else _Stream(self._process.stderr.fileno())
        self._selector = selectors.DefaultSelector()
        for descriptor in self._descriptors():
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)
        try:
            self._begin(status[0])
        except BaseException:
            self.close()
            raise
        finally:
            os.close(status[0])

    @property
    def pid(self) -> int:
        """Return the pid, as the host sees it, of the first process in the sandbox."""
        return self._pid

    @property
    def running(self) -> bool:
        """Tell whether the command has not ended yet."""
        return self._finished is None

    def step(self, seconds: float = 0.0) -> bool:
        """Do what there is to do, waiting at most so long for something; return whether the command still runs."""
        if not self.running:
            return False
        pause = max(0.0, min(seconds, self._deadline() - time.monotonic(), _WATCH_SECONDS))
        for key, _ in self._selector.select(pause):
            self._take(key.fd)
        self._hear()
        self._watch()
        return self.running

    def wait(self, seconds: float = math.inf) -> bool:
        """Follow the command until it has ended, or for so long; return whether it has ended."""
        until = time.monotonic() + seconds
        while self.running and time.monotonic() < until:
            self.step(min(_WATCH_SECONDS, max(0.0, until - time.monotonic())))
        return not self.running

    def stop(self) -> None:
        """End the command and all that it started."""
        self._end("stopped")

    def keep(self, root: Path, names: Sequence[str], to: Path, limit_bytes: int) -> Kept:
        """Copy files out of the sandbox after the command has ended, out of scratch folders too.

        Where a limit was passed, the scratch folders have gone with the sandbox, and nothing can be taken.
        """
        inside = f"/proc/{self._pid}/root{root}"
        with contextlib.suppress(OSError):
            if self._handle >= 0 and not select.select([self._handle], [], [], 0)[0]:
                return collect(inside, names, to, limit_bytes)
        return Kept((), tuple(f"{name}: the sandbox has gone" for name in names))

    def close(self, kept: Kept | None = None) -> Ended:
        """End what still runs, clear everything away, and return how it ended. Further calls return the same."""
        if self._result is None:
            if self.running:
                self.stop()
            self._kill()
            for stream in (self._out, self._err):
                if stream is not None:
                    self._take(stream.descriptor)
            held = self._group.peak_memory_bytes()
            memory = self._use.memory_bytes if held is None else held  # the watch counts shared pages twice
            cpu = max(self._use.cpu_seconds, self._group.cpu_seconds() or 0.0)
            self._clear_away()
            found = tuple(line for folder in self._writable if folder.is_dir() for line in tidy(folder))
            self._result = self._ended(cpu, memory, kept or Kept((), ()), found)
        return self._result

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, status: int) -> None:
        """Learn who the keeper is, lay the limits on it, and let it begin."""
        self._pid = self._learn_pid(status)
        try:
            self._handle = os.pidfd_open(self._pid)
            self._group.take(self._pid)
            self._limit()
            self._control.sendall(b"begin\n")
        except (ProcessLookupError, BrokenPipeError, PermissionError):
            raise HeadwayError(self._failure()) from None
        self.started = time.monotonic()
        self._control.setblocking(False)

    def _learn_pid(self, status: int) -> int:
        data, until = b"", time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if select.select([status], [], [], max(0.0, until - time.monotonic()))[0]:
                piece = os.read(status, 4096)
                if not piece:
                    break
                data += piece
                for line in data.splitlines():
                    with contextlib.suppress(ValueError):
                        pid = json.loads(line).get("child-pid")
                        if pid:
                            return int(pid)
        raise HeadwayError(self._failure())

    def _failure(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        stream = self._err or self._out
        with contextlib.suppress(BlockingIOError):
            stream.data += os.read(stream.descriptor, 4096)
        said = bytes(stream.data).decode(errors="replace").strip() or "nothing"
        return (
            f"bubblewrap could not make the sandbox. It said: {said}\n'headway doctor' tells what this machine allows."
        )

    def _limit(self) -> None:
        import resource  # Windows has none, and doctor looks there too

        limits = self._limits
        wanted = [
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, limits.file_bytes),
            (resource.RLIMIT_DATA, limits.memory_bytes),
            (resource.RLIMIT_NPROC, limits.processes),  # not for root: the control group and the watch are
        ]
        if limits.cpu_seconds < math.inf:
            wanted.append((resource.RLIMIT_CPU, math.ceil(limits.cpu_seconds) + 1))
        for kind, value in wanted:
            _, hard = resource.prlimit(self._pid, kind)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.prlimit(self._pid, kind, (value, value))

    def _descriptors(self) -> list[int]:
        streams = [self._out, *([] if self._err is None else [self._err])]
        return [*(stream.descriptor for stream in streams), self._control.fileno(), *self._inputs]

    def _take(self, descriptor: int) -> None:
        """Read what there is on one descriptor."""
        if descriptor == self._control.fileno():
            return
        try:
            data = os.read(descriptor, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            with contextlib.suppress(KeyError):
                self._selector.unregister(descriptor)
        elif descriptor in self._inputs:
            self._inputs[descriptor](data)
        else:
            self._printed(descriptor, data)

    def _printed(self, descriptor: int, data: bytes) -> None:
        room = self._limits.output_bytes - self._seen
        self._seen += len(data)
        stream = self._out if self._err is None or descriptor == self._out.descriptor else self._err
        if room > 0:
            stream.data += data[:room]
            if self._on_output is not None:
                self._on_output(data[:room])
        if self._seen > self._limits.output_bytes:
            self._end("output")

    def _hear(self) -> None:
        """Hear from the keeper that the command has ended, or that there is no keeper any more."""
        if not self.running:
            return
        try:
            data = self._control.recv(64)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._word += data
        if not data:  # whoever ended the keeper, the kernel has ended everybody else
            self._conclude("memory" if self._group.killed_for_memory() else "signal", -signal.SIGKILL)
        elif b"\n" in self._word:
            self._drain()
            if not self.running:
                return
            code = int(self._word.split()[1])
            killed = _SIGNALS_FROM < code < _SIGNALS_TO
            if code and self._group.killed_for_memory():
                self._conclude("memory", _SIGNALS_FROM - code if killed else code)
            elif killed:
                reason = "cpu" if code - _SIGNALS_FROM == signal.SIGXCPU else "signal"
                self._conclude(reason, _SIGNALS_FROM - code)
            else:
                self._conclude("exit", code)

    def _drain(self) -> None:
        """Take all that was printed and passed: everybody but the keeper has gone, so it ends."""
        self._look()
        for descriptor in [key.fd for key in list(self._selector.get_map().values())]:
            while self.running and select.select([descriptor], [], [], 0)[0] and descriptor in self._selector.get_map():
                if descriptor == self._control.fileno():
                    break
                self._take(descriptor)

    def _deadline(self) -> float:
        return self.started + self._limits.wall_seconds

    def _watch(self) -> None:
        """End the command where it passes a limit that the kernel does not keep."""
        now = time.monotonic()
        if self.running and now >= self._deadline():
            self._end("wall")
        if self.running and now >= self._watched + _WATCH_SECONDS:
            self._watched = now
            self._look()
            if self._use.cpu_seconds > self._limits.cpu_seconds:
                self._end("cpu")
            elif self._memory_passed():
                self._end("memory")
            elif not self._group.holds("pids") and len(processes.descendants(self._pid)) > self._limits.processes:
                self._end("processes")
            elif self._disk_passed(now):
                self._end("disk")

    def _memory_passed(self) -> bool:
        """Tell whether there was too little: the kernel ends the fattest process only, and others may wait for it."""
        if self._group.holds("memory"):
            return self._group.killed_for_memory()
        return self._use.memory_bytes > self._limits.memory_bytes

    def _look(self) -> None:
        seen = processes.usage(self._pid)
        cpu = self._group.cpu_seconds()
        self._use.cpu_seconds = max(self._use.cpu_seconds, seen.cpu_seconds if cpu is None else cpu)
        self._use.memory_bytes = max(self._use.memory_bytes, seen.memory_bytes)

    def _disk_passed(self, now: float) -> bool:
        """Look rarely where looking takes long: a tenth of the time at most."""
        if not self._writable or now < self._disk_at:
            return False
        grown = bytes_below(self._writable) - self._held_before
        self._disk_at = now + max(_WATCH_SECONDS, 10 * (time.monotonic() - now))
        return grown > self._limits.disk_bytes

    def _end(self, reason: Reason) -> None:
        if self.running:
            self._look()
            self._conclude(reason, -signal.SIGKILL)
            self._kill()

    def _conclude(self, reason: Reason, code: int) -> None:
        self._reason, self._code, self._finished = reason, code, time.monotonic()

    def _kill(self) -> None:
        """End the keeper, by which the kernel ends all in its namespace, and wait until that is done."""
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            select.select([self._handle], [], [], _START_SECONDS)
        else:
            self._process.kill()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _clear_away(self) -> None:
        self._selector.close()
        self._control.close()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        self._group.remove()

    def _ended(self, cpu: float, memory: int, kept: Kept, left: tuple[str, ...]) -> Ended:
        assert self._reason is not None
        assert self._code is not None
        assert self._finished is not None
        return Ended(
            reason=self._reason,
            code=self._code if self._code >= 0 else None,
            signal=-self._code if self._code < 0 else None,
            stdout=bytes(self._out.data),
            stderr=b"" if self._err is None else bytes(self._err.data),
            wall_seconds=self._finished - self.started,
            cpu_seconds=cpu,
            peak_memory_bytes=memory,
            kept=kept,
            left=left,
        )
