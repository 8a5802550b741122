"""Run each attempt in the engine's own process, one after the other: for debuggers and `print`.

Limits cannot end it, its output goes straight to the terminal, and early stopping does not apply.
"""

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

from headway.core import Clock, Redactor, SystemClock
from headway.engine import crash
from headway.engine.backends.base import Backend, BackendSetup, Process, cannot_load, link_trace
from headway.engine.outcome import Exit
from headway.engine.spec import AttemptSpec
from headway.engine.worker import perform
from headway.experiments import trace
from headway.sandbox import processes

__all__ = ["InlineBackend"]


class InlineBackend(Backend):
    """Run attempts here and now."""

    name = "inline"
    stops_early = False
    in_process = True

    def __init__(self, setup: BackendSetup, clock: Clock | None = None) -> None:
        self._setup = setup
        self._clock = clock or SystemClock()
        self._trace = setup.folder / "inline.trace"
        self._shared: Any = None
        self._exits: dict[int, Exit] = {}
        self._began = processes.start_time(os.getpid()) or 0.0

    async def open(self, note: Callable[[str], None]) -> None:
        """Run `setup()`."""
        self._setup.folder.mkdir(parents=True, exist_ok=True)
        if self._setup.experiment.opaque:
            return
        trace.start(str(self._trace), self._setup.ignore)
        try:
            with contextlib.chdir(self._setup.origin.folder):
                self._shared = self._setup.experiment.prepare()
        except Exception as error:
            redactor = Redactor.of_environment(os.environ)
            text = crash.traceback_of(error, redactor)
            raise cannot_load(crash.message_of(error, redactor), text, self._setup.experiment.root) from error
        finally:
            trace.stop()  # what the engine itself does is none of the trials'

    async def start(self, spec: AttemptSpec) -> Process:
        """Run the attempt to its end."""
        os.environ["HEADWAY_TRACE_IGNORE"] = os.pathsep.join(spec.ignore)
        if not self._setup.experiment.opaque:
            link_trace(self._trace, spec)
            trace.start(spec.trace, spec.ignore, attempt=spec.attempt)
            trace.loaded()
        cpu, wall = time.process_time(), time.monotonic()
        try:
            with contextlib.chdir(self._setup.origin.folder):
                code = perform(self._setup.experiment, spec, self._shared)
        finally:
            trace.stop()
        self._exits[spec.attempt] = Exit(
            code=code, cpu_seconds=time.process_time() - cpu, wall_seconds=time.monotonic() - wall
        )
        return Process(attempt=spec.attempt, pid=os.getpid(), started=self._began, output=None)

    async def wait(self, process: Process) -> Exit:
        """Return how the attempt ended."""
        return self._exits.pop(process.attempt)

    def end(self, process: Process) -> None:
        """Do nothing: it has ended already."""

    async def close(self) -> None:
        """Hold nothing."""
