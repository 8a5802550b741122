"""Run each attempt in a fresh interpreter, with nothing that only Linux has: where there is no `fork`."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable

from headway.engine import lease
from headway.engine.backends.base import Backend, BackendSetup, Process
from headway.engine.outcome import Exit
from headway.engine.spec import AttemptSpec
from headway.engine.worker import set_thread_variables
from headway.sandbox import processes

__all__ = ["SpawnBackend"]

_POLL_SECONDS = 0.02


class SpawnBackend(Backend):
    """Start `python -m headway.engine.worker` for every attempt."""

    name = "spawn"

    def __init__(self, setup: BackendSetup) -> None:
        self._setup = setup
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    async def open(self, note: Callable[[str], None]) -> None:
        """Say what this costs."""
        note("Each trial gets a fresh interpreter: this system has no fork. Imports and setup() are paid every time.")

    async def start(self, spec: AttemptSpec) -> Process:
        """Start an interpreter."""
        environment = dict(os.environ) | dict([lease.own_mark().split("=", 1)])
        set_thread_variables(environment, spec.threads)
        environment["HEADWAY_TRACE_IGNORE"] = os.pathsep.join(spec.ignore)
        if spec.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, spec.gpus))
        order = json.dumps({"origin": self._setup.origin.to_json(), "spec": spec.to_json()})
        read, write = os.pipe()
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "headway.engine.worker", order],
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                env=environment,
                cwd=self._setup.origin.folder,
                start_new_session=True,
            )
        finally:
            os.close(write)
        self._processes[spec.attempt] = process
        started = processes.start_time(process.pid) or 0.0
        return Process(attempt=spec.attempt, pid=process.pid, started=started, output=read)

    async def wait(self, process: Process) -> Exit:
        """Poll until the interpreter has ended."""
        child = self._processes[process.attempt]
        while child.poll() is None:
            await asyncio.sleep(_POLL_SECONDS)
        self._processes.pop(process.attempt, None)
        processes.end_group(child.pid)  # what it left behind in its group
        code = child.returncode
        return Exit(code=code if code >= 0 else None, signal=-code if code < 0 else None)

    def end(self, process: Process) -> None:
        """Kill the interpreter and its group."""
        child = self._processes.get(process.attempt)
        if child is not None and child.poll() is None:
            processes.end_tree(child.pid)
            with contextlib.suppress(OSError):
                child.kill()

    async def close(self) -> None:
        """Kill what still runs."""
        for child in self._processes.values():
            processes.end_tree(child.pid)
            child.kill()
            child.wait()
        self._processes.clear()
