"""A sandbox that is entered once and evaluates many candidates, each in a process of its own, one at a time.

Entering a sandbox and importing an evaluator takes a tenth of a second or more; a fork takes a millisecond. What a
candidate leaves, processes and files, is gone before the next one begins (`warm_server.py`). Where that cannot be made
sure of, or a candidate ended the server, the sandbox is thrown away and another one entered.
"""

import contextlib
import json
import math
import select
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

Passed = Literal["", "wall", "memory", "processes", "output", "signal"]

_SERVER = Path(__file__).with_name("warm_server.py")
_SHOWN = Path("/headway/warm_server.py")
_START_SECONDS = 120.0  # the evaluator's imports
_SPARE_SECONDS = 2.0  # after which a server that should have ended a candidate has been held up by it
_LARGEST_ANSWER = 8 * 1024**2
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """Hold what evaluating one candidate came to.

    `code` is its process's exit code (negative: the signal), `passed` the limit that it passed, or `signal` where it
    ended the whole sandbox. `result` is what the evaluator returned, None where it returned nothing; `output` the last
    64 KiB of what was printed.
    """

    code: int
    passed: Passed
    result: object
    output: str
    wall_seconds: float
    cpu_seconds: float
    memory_bytes: int


class WarmSandbox:
    """Evaluate candidates by a `driver` (a Python file with `prepare(*words)`) that stays loaded in a sandbox.

    `folder` is the folder, one of the sandbox's scratch folders, that candidates' files are written to and that they
    run in. The sandbox's limits hold for each candidate, but those of memory and processes for the server with it.
    Use it from one thread, which the sandbox does not outlive.
    """

    def __init__(self, sandbox: Sandbox, python: str, driver: Path, folder: Path, words: Sequence[str]) -> None:
        self._each = sandbox.limits
        # What is limited for each candidate is not limited for all of them.
        whole = replace(self._each, wall_seconds=math.inf, cpu_seconds=math.inf, output_bytes=2**62)
        self._sandbox = replace(sandbox, limits=whole)
        self._command = (python, str(_SHOWN), "{channel}", str(driver), str(folder), *words)
        self._running: Running | None = None
        self._link: socket.socket | None = None
        self.entered = 0
        self.threads = 1

    def call(self, files: Mapping[str, str], *, seed: int, argument: Mapping[str, Any]) -> Called:
        """Evaluate a candidate: its `files` by path below the folder, and what the driver is told beside them.

        Raises `ExperimentError` where the evaluator cannot be loaded.
        """
        self.enter()
        limits, began = self._each, time.monotonic()
        cpu = None if limits.cpu_seconds == math.inf else math.ceil(limits.cpu_seconds)
        request = {
            **argument,
            "files": dict(files),
            "seed": seed,
            "wall_seconds": limits.wall_seconds,
            "cpu_seconds": cpu,
            "output_bytes": limits.output_bytes,
        }
        answer = self._asked(request, limits.wall_seconds + _SPARE_SECONDS)
        seconds = time.monotonic() - began
        if answer is None:
            return self._lost(seconds)
        return Called(
            code=answer["code"],
            passed=answer["passed"],
            result=_read(answer["result"]),
            output=answer["output"],
            wall_seconds=seconds,
            cpu_seconds=answer["cpu_seconds"],
            memory_bytes=answer["memory_bytes"],
        )

    def enter(self) -> None:
        """Enter the sandbox and load the evaluator, where that is not done already."""
        if self._running is not None and self._running.step():
            return
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            words = [word.replace("{channel}", str(theirs.fileno())) for word in self._command]
            shown = [Mount(_SHOWN, "read", _SERVER)]
            self._running = self._sandbox.popen(words, merge=True, passed=(theirs.fileno(),), shown=shown)
        self._link = ours
        self.entered += 1
        ready = self._heard(_START_SECONDS)
        if ready is None or "broken" in ready:
            said = "" if ready is None else ready["traceback"]
            why = "it ended, or did not get ready in time" if ready is None else ready["broken"]
            self.close()
            raise ExperimentError(f"The evaluator cannot be loaded in the sandbox: {why.rstrip('.')}.\n{said}".rstrip())
        self.threads = int(ready["threads"])

    def close(self) -> None:
        """Leave the sandbox; the kernel ends all that is in it."""
        if self._link is not None:
            self._link.close()
            self._link = None
        if self._running is not None:
            self._running.close()
            self._running = None

    def __enter__(self) -> "WarmSandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
        assert self._link is not None
        data = json.dumps(request).encode()
        try:
            self._link.setblocking(True)
            self._link.sendall(struct.pack("<I", len(data)) + data)
        except OSError:
            return None
        return self._heard(seconds)

    def _heard(self, seconds: float) -> dict[str, Any] | None:
        """Return the next message; None where the sandbox ended, or said nothing that could be meant in time."""
        assert self._link is not None
        assert self._running is not None
        deadline, data, size = time.monotonic() + seconds, bytearray(), -1
        while size < 0 or len(data) < size:
            if not select.select([self._link], [], [], _LOOK_SECONDS)[0]:
                if not self._running.step() or time.monotonic() > deadline:
                    return None
                continue
            with contextlib.suppress(OSError):
                piece = self._link.recv(_LARGEST_ANSWER)
                data += piece
                if not piece:
                    return None
            if size < 0 and len(data) >= 4:
                size = struct.unpack("<I", data[:4])[0]
                del data[:4]
                if size > _LARGEST_ANSWER:
                    return None
        with contextlib.suppress(ValueError):
            return json.loads(data)
        return None

    def _lost(self, seconds: float) -> Called:
        """Tell why a sandbox gave no answer, and throw it away."""
        assert self._running is not None
        passed: Passed = "wall" if seconds >= self._each.wall_seconds else "signal"
        if passed == "signal":
            self._running.wait(1.0)
        ended = self._running.close()
        if ended.reason in ("memory", "processes"):
            passed = "memory" if ended.reason == "memory" else "processes"
        self.close()
        return Called(
            code=-9,
            passed=passed,
            result=None,
            output=ended.stdout[-65536:].decode(errors="replace"),
            wall_seconds=seconds,
            cpu_seconds=ended.cpu_seconds,
            memory_bytes=ended.peak_memory_bytes,
        )


def _read(text: str) -> object:
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
