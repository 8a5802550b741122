"""A sandbox that is entered once and evaluates many candidates, each in a process of its own, one at a time.

Entering a sandbox and importing an evaluator takes a tenth of a second or more; a fork takes a millisecond. What a
candidate leaves, processes and files, is gone before the next one begins (`warm_server.py`, `warm_state.py`). Where
that cannot be made sure of, the sandbox is thrown away and another one entered.

What stays is what a candidate can count and the next one see: numbers of processes, of inodes, of bytes sent over the
loopback device. Whoever proposes both can tell the second one more than that in its code.
"""

import contextlib
import json
import math
import signal
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from headway.core import ExperimentError
from headway.sandbox.bubblewrap import Sandbox
from headway.sandbox.running import Running
from headway.sandbox.view import Mount

__all__ = ["Called", "WarmSandbox"]

Passed = Literal["", "wall", "cpu", "memory", "processes", "output", "signal"]

_SERVER, _STATE = "warm_server.py", "warm_state.py"
_SHOWN = Path("/headway")
_READY = {"ready": True}
_START_SECONDS = 120.0  # the evaluator's imports
_SPARE_SECONDS = 2.0  # after which a server that should have ended a candidate has been held up by it
_CLEAN_SECONDS = 5.0  # to put back what the last candidate left: more than another sandbox takes
_NOTICE_SECONDS = 0.06  # until it is known that the kernel ended somebody for want of memory
_LARGEST_ANSWER = 8 * 1024**2
_TAIL_BYTES = 64 * 1024
_LOOK_SECONDS = 0.05
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """Hold what evaluating one candidate came to.

    `code` is its process's exit code (negative: the signal), `passed` the limit that it passed, or `signal` where the
    whole sandbox ended, which no candidate can bring about. `results` are what the evaluator yielded until then, none
    where that is no JSON or too much; `output` is the last 64 KiB of what was printed.
    """

    code: int
    passed: Passed
    results: tuple[object, ...]
    output: str
    wall_seconds: float
    cpu_seconds: float
    memory_bytes: int


class WarmSandbox:
    """Evaluate candidates by a `driver` that stays loaded in a sandbox: see `warm_server.py` for what it must define.

    `folder` is the folder, one of the sandbox's scratch folders, that candidates' files are written to and that they
    run in. The sandbox's limits hold for each candidate, but those of memory and processes for the server with it.
    `modules` of the standard library are loaded beside the evaluator, where that can be, for candidates that import
    them.
    Use it from one thread, which the sandbox does not outlive.

    `unfit` says, once it was entered, why the evaluator cannot stay loaded: forks of it would share something, or it
    depends on the seed when it loads. Such a sandbox answers no calls.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        python: str,
        driver: Path,
        folder: Path,
        words: Sequence[str],
        *,
        modules: Sequence[str] = (),
    ) -> None:
        self._each = sandbox.limits
        # What is limited for each candidate is not limited for all of them.
        self._sandbox = replace(sandbox, limits=replace(self._each, wall_seconds=math.inf, cpu_seconds=math.inf))
        told = json.dumps({**self._limits(), "modules": list(modules)})
        self._command = (python, str(_SHOWN / _SERVER), "{channel}", told, str(driver), str(folder), *words)
        self._running: Running | None = None
        self._link: socket.socket | None = None
        self._data = bytearray()  # heard, and not taken yet
        self._ready = False  # to take a request
        self._looked = 0.0  # when, at the sandbox
        self.entered = 0
        self.unfit = ""

    def call(self, files: Mapping[str, str], *, seed: int, argument: Mapping[str, Any]) -> Called:
        """Evaluate a candidate: its `files` by path below the folder, and what the driver is told beside them.

        Raises `ExperimentError` where the evaluator cannot be loaded, or is `unfit`.
        """
        self._hand_over(json.dumps({**argument, "files": dict(files), "seed": seed}).encode())
        began = time.monotonic()
        answer = self._heard(self._each.wall_seconds + _SPARE_SECONDS)
        seconds = time.monotonic() - began
        if answer is None:
            return self._lost(seconds)
        return Called(
            code=answer["code"],
            passed=answer["passed"] or self._passed_unseen(answer["code"]),
            results=_read(answer["results"]),
            output=answer["output"],
            wall_seconds=seconds,
            cpu_seconds=answer["cpu_seconds"],
            memory_bytes=answer["memory_bytes"],
        )

    def enter(self) -> None:
        """Enter the sandbox and load the evaluator, where that is not done already, and wait until it is ready."""
        if self.unfit or (self._living() and self._gets_ready()):
            return
        self.close()
        self._start()
        ready = self._heard(_START_SECONDS)
        self._ready = ready == _READY
        if self._ready:
            return
        ended = self._leave()
        if ready is not None and "unfit" in ready:
            self.unfit = str(ready["unfit"])
            return
        said = ended if ready is None else ready["traceback"]
        why = "it ended, or did not get ready in time" if ready is None else ready["broken"]
        raise ExperimentError(f"The evaluator cannot be loaded in the sandbox: {why.rstrip('.')}.\n{said}".rstrip())

    def close(self) -> None:
        """Leave the sandbox; the kernel ends all that is in it. The next call enters another one."""
        self._leave()

    def __enter__(self) -> "WarmSandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _limits(self) -> dict[str, float | None]:
        """Return what the server is to keep of the limits, or has a candidate's process keep."""
        each = self._each
        cpu = None if each.cpu_seconds == math.inf else math.ceil(each.cpu_seconds)
        return {"wall_seconds": each.wall_seconds, "output_bytes": each.output_bytes, "cpu_seconds": cpu}

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        shown = [Mount(_SHOWN / name, "read", Path(__file__).with_name(name)) for name in (_SERVER, _STATE)]
        try:
            with theirs:
                words = [word.replace("{channel}", str(theirs.fileno())) for word in self._command]
                self._running = self._sandbox.popen(
                    words, merge=True, passed=(theirs.fileno(),), shown=shown, lasting=True
                )
        except BaseException:
            ours.close()
            raise
        # By the kernel: a timeout of Python's asks it before each call whether it may be made.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(_LOOK_SECONDS))
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(_CLEAN_SECONDS))
        self._link = ours
        self._data.clear()
        self.entered += 1

    def _leave(self) -> str:
        """Close all; return the end of what was printed beside the candidates."""
        self._ready = False
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._running is None:
            return ""
        ended = self._running.close()
        self._running = None
        return ended.stdout[-_TAIL_BYTES:].decode(errors="replace")

    def _living(self) -> bool:
        """Look at the sandbox now and then; whether it has ended since is told by its end of the socket."""
        now = time.monotonic()
        if self._running is None or now < self._looked + _LOOK_SECONDS:
            return self._running is not None
        self._looked = now
        return self._running.step()

    def _gets_ready(self) -> bool:
        """Wait until what the last candidate left is cleared away."""
        self._ready = self._ready or self._heard(_CLEAN_SECONDS) == _READY
        return self._ready

    def _hand_over(self, request: bytes) -> None:
        """Send a request; to another sandbox where this one does not get ready, and so has not begun with it.

        It is sent before that is known: else each call would wait for the server twice.
        """
        if not (self._living() and self._sent(request) and self._gets_ready()):
            self.close()
            self.enter()
            if self.unfit:
                raise ExperimentError(f"The evaluator cannot stay loaded: {self.unfit}. Load it for each candidate.")
            self._sent(request)
        self._ready = False

    def _sent(self, request: bytes) -> bool:
        assert self._link is not None
        try:
            self._link.sendall(struct.pack("<I", len(request)) + request)
        except OSError:
            return False
        return True

    def _heard(self, seconds: float) -> dict[str, Any] | None:
        """Return the next message; None where the sandbox ended, or said nothing that could be meant in time."""
        assert self._link is not None
        assert self._running is not None
        deadline = time.monotonic() + seconds
        while (message := self._message()) is None:
            try:
                piece = self._link.recv(_PIECE)
            except BlockingIOError:  # after _LOOK_SECONDS
                if not self._running.step() or time.monotonic() > deadline:
                    return None
                continue
            except OSError:
                return None
            self._data += piece
            if not piece or len(self._data) > 2 * _LARGEST_ANSWER:
                return None
        with contextlib.suppress(ValueError):
            return json.loads(message)
        return None

    def _message(self) -> bytes | None:
        """Take the first whole message from what was heard, if there is one."""
        end = 4 + int.from_bytes(self._data[:4], "little")
        if len(self._data) < max(end, 4):
            return None
        message = bytes(self._data[4:end])
        del self._data[:end]
        return message

    def _passed_unseen(self, code: int) -> Passed:
        """Return the limit that the kernel kept, of which the server knows nothing but a signal."""
        assert self._running is not None
        if code == -signal.SIGXCPU:
            return "cpu"
        if code == -signal.SIGKILL:
            self._running.wait(_NOTICE_SECONDS)
        if self._running.step() or self._running.close().reason != "memory":
            return ""
        return "memory"

    def _lost(self, seconds: float) -> Called:
        """Tell why a sandbox gave no answer, and throw it away."""
        assert self._running is not None
        passed: Passed = "wall" if seconds >= self._each.wall_seconds else "signal"
        if passed == "signal":
            self._running.wait(1.0)
        ended = self._running.close()
        match ended.reason:
            case "memory" | "processes" | "output":
                passed = ended.reason
            case _:
                pass
        self._leave()
        return Called(
            code=-9,
            passed=passed,
            results=(),
            output=ended.stdout[-_TAIL_BYTES:].decode(errors="replace"),
            wall_seconds=seconds,
            cpu_seconds=ended.cpu_seconds,
            memory_bytes=ended.peak_memory_bytes,
        )


def _timeval(seconds: float) -> bytes:
    return struct.pack("@ll", int(seconds), int(1e6 * (seconds % 1)))


def _read(text: str) -> tuple[object, ...]:
    """Return the values of whole lines: the last one is torn where its process was ended."""
    try:
        return tuple(json.loads(line) for line in text.split("\n")[:-1])
    except (ValueError, RecursionError):
        return ()
