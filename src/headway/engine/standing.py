"""A standing worker: performs one attempt after the other, for experiments that keep the trials apart themselves.

None of a candidate's code runs in it: the experiment hands that to a sandbox, which it enters once and keeps. The
engine sends a spec a line, with the pipe that the attempt prints into, and hears how each ended. When the engine goes,
the kernel ends this process, also in the midst of an attempt, and with it its sandbox.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from headway.engine import confine
from headway.engine.spec import AttemptSpec, Origin
from headway.engine.worker import find_experiment, perform
from headway.experiments import Standing

__all__ = ["main"]

_PIECE = 1 << 20


def main() -> None:
    """Serve the engine whose socket is the standard input and whose pid the argument, until it closes."""
    confine.die_with_parent(int(sys.argv[1]))
    with socket.socket(fileno=os.dup(0)) as link:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        lines = _Lines(link)
        first = lines.next()
        if first is None:
            return
        experiment = find_experiment(Origin(**first["origin"]))
        with experiment.stand(Path(first["folder"], str(os.getpid()))) as standing:
            while (order := lines.next()) is not None:
                answer = _attempt(experiment, standing, AttemptSpec.from_json(order), lines.descriptor(), nothing)
                link.sendall(json.dumps(answer).encode() + b"\n")


def _attempt(experiment: Any, standing: Standing, spec: AttemptSpec, output: int, nothing: int) -> dict[str, Any]:
    cpu, wall, elsewhere = time.process_time(), time.monotonic(), standing.cpu_seconds
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    try:
        code = perform(experiment, spec, standing)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream in (1, 2):
            os.dup2(nothing, stream)
    return {
        "attempt": spec.attempt,
        "code": code,
        "wall_seconds": time.monotonic() - wall,
        "cpu_seconds": time.process_time() - cpu + standing.cpu_seconds - elsewhere,
        "peak_memory_bytes": standing.peak_memory_bytes,
    }


class _Lines:
    """Read lines of JSON from a socket, and the descriptors that came with them."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._data = b""
        self._descriptors: list[int] = []

    def descriptor(self) -> int:
        """Return the descriptor that came with the last line: each spec brings one, in their order."""
        return self._descriptors.pop(0)

    def next(self) -> dict[str, Any] | None:
        """Return the next line; None when the engine has gone."""
        while b"\n" not in self._data:
            data, descriptors, _, _ = socket.recv_fds(self._link, _PIECE, 4)
            if not data:
                return None
            self._data += data
            self._descriptors += descriptors
        line, self._data = self._data.split(b"\n", 1)
        message: dict[str, Any] = json.loads(line)
        return message


if __name__ == "__main__":
    main()
