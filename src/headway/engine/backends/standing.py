"""Run attempts in standing workers, one a slot: for experiments that keep their trials apart themselves.

The workers fork nothing and import nothing for a trial. Who is to end one ends its worker; the next attempt gets a new
one.
"""

import asyncio
import contextlib
import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Callable

from headway.engine import lease
from headway.engine.backends.base import Backend, BackendSetup, Host, Process
from headway.engine.outcome import Exit
from headway.engine.spec import AttemptSpec
from headway.engine.worker import set_thread_variables
from headway.sandbox import processes

__all__ = ["StandingBackend"]

_QUIT_SECONDS = 5.0
_END_SECONDS = 1.0
_SEND_SECONDS = 10.0  # a new worker imports for some tenths first
_QUICK_SECONDS = 0.25
_EARLY = 16  # attempts: what is handed over ahead of time was chosen knowing one result less, which counts at first


class StandingBackend(Backend):
    """Keep a worker for each slot, and give it attempts one after the other.

    Where trials are quick, one attempt more is handed over than there are workers: its worker begins it as soon as the
    one before has ended, and does not wait for the engine.
    """

    name = "standing"
    stops_early = False

    def __init__(self, setup: BackendSetup) -> None:
        self._setup = setup
        self._workers: list[_Worker] = []
        self._seconds = math.inf  # of the attempt that ended last
        self._ended = 0

    @property
    def ahead(self) -> int:
        """Return one where trials are so quick that the engine would be waited for."""
        return int(self._ended >= _EARLY and self._seconds < _QUICK_SECONDS)

    def waiting(self, process: Process) -> bool:
        """Tell whether another attempt is before this one."""
        return any(process.attempt in worker.queued for worker in self._workers)

    async def open(self, note: Callable[[str], None]) -> None:
        """Make the folder for what workers print beside their attempts; workers start with their first attempts."""
        self._setup.folder.mkdir(parents=True, exist_ok=True)

    @property
    def host(self) -> Host:
        """Return the worker that the next attempt is handed to, unless it gets a new one."""
        worker = self._chosen()
        return None if worker is None else (worker.pid, worker.started)

    async def start(self, spec: AttemptSpec) -> Process:
        """Hand the attempt to a worker that has none, to a new one, or to the one that has the fewest."""
        for worker in [item for item in self._workers if item.gone and not item.attempts]:
            self._workers.remove(worker)
            await worker.close()
        chosen = self._chosen()
        if chosen is None:
            chosen = _Worker(self._setup)
            self._workers.append(chosen)
        read, write = os.pipe()
        chosen.begin(spec, write)
        return Process(attempt=spec.attempt, pid=chosen.pid, started=chosen.started, output=read)

    async def wait(self, process: Process) -> Exit:
        """Return how the attempt ended. Where its worker ended with it, all that this had started is gone too."""
        worker = self._of(process.attempt)
        assert worker is not None
        ended = await worker.attempts[process.attempt]
        del worker.attempts[process.attempt]
        self._ended += 1
        if ended.wall_seconds is not None:
            self._seconds = ended.wall_seconds
        return ended

    def end(self, process: Process) -> None:
        """End the worker, and by that the attempt. One that waits behind it is tried again."""
        if (worker := self._of(process.attempt)) is not None:
            processes.end_tree(worker.pid)

    async def close(self) -> None:
        """End all workers."""
        for worker in self._workers:
            if worker.attempts:
                processes.end_tree(worker.pid)
        for worker in self._workers:
            await worker.close()
        self._workers.clear()

    def _chosen(self) -> "_Worker | None":
        """Return who is free, or has the fewest attempts where there are as many workers as may be."""
        living = [item for item in self._workers if not item.gone]
        chosen = min(living, key=lambda item: len(item.attempts), default=None)
        return None if chosen is None or (chosen.attempts and len(living) < self._setup.workers) else chosen

    def _of(self, attempt: int) -> "_Worker | None":
        return next((worker for worker in self._workers if attempt in worker.attempts), None)


class _Worker:
    """Hold the engine's end of one standing worker."""

    def __init__(self, setup: BackendSetup) -> None:
        environment = dict(os.environ) | dict([lease.own_mark().split("=", 1)])
        set_thread_variables(environment, setup.threads)
        self._link, theirs = socket.socketpair()
        with theirs, (setup.folder / "standing.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "headway.engine.standing", str(os.getpid())],
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                env=environment,
                cwd=setup.origin.folder,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.started = processes.start_time(self.pid) or 0.0
        self.gone = False
        self.attempts: dict[int, asyncio.Future[Exit]] = {}  # in the order in which they came
        self._received = b""
        self._send({"origin": setup.origin.to_json(), "folder": str(setup.folder)}, ())
        self._link.setblocking(False)
        asyncio.get_running_loop().add_reader(self._link, self._hear)

    @property
    def queued(self) -> list[int]:
        """Return the attempts behind the one that it performs."""
        return [attempt for attempt, ended in self.attempts.items() if not ended.done()][1:]

    def begin(self, spec: AttemptSpec, output: int) -> None:
        """Send an attempt, and close our copy of the pipe that it prints into."""
        self.attempts[spec.attempt] = asyncio.get_running_loop().create_future()
        self._link.settimeout(_SEND_SECONDS)  # one that does not read is as good as gone
        try:
            self._send(spec.to_json(), (output,))
        except OSError:
            self._over()
        finally:
            os.close(output)
            self._link.setblocking(False)

    async def close(self) -> None:
        """Let the worker end itself and its sandbox; end it where it does not."""
        if not self.gone:
            asyncio.get_running_loop().remove_reader(self._link)
        self.gone = True
        self._link.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.get_running_loop().run_in_executor(None, self._process.wait, _QUIT_SECONDS)
        if self._process.poll() is None:
            processes.end_tree(self.pid)
            self._process.wait()
        for attempt in list(self.attempts):  # those that were ended with the session
            self._told(attempt, Exit(lost=True))

    def _send(self, message: object, descriptors: tuple[int, ...]) -> None:
        data = json.dumps(message).encode() + b"\n"
        sent = socket.send_fds(self._link, [data], descriptors) if descriptors else 0
        self._link.sendall(data[sent:])

    def _hear(self) -> None:
        try:
            data = self._link.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._over()
            return
        self._received += data
        while b"\n" in self._received:
            line, self._received = self._received.split(b"\n", 1)
            message = json.loads(line)
            self._told(message.pop("attempt"), Exit(**message))

    def _over(self) -> None:
        """Take in that the worker has gone, by a signal or an error of its own."""
        if self.gone:
            return
        self.gone = True
        with contextlib.suppress(ValueError):
            asyncio.get_running_loop().remove_reader(self._link)
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:  # it closed its socket, and lives
            processes.end_tree(self.pid)
            code = self._process.wait()
        behind = self.queued
        for attempt in list(self.attempts):
            if attempt in behind:  # it had not begun
                self._told(attempt, Exit(lost=True))
            else:
                self._told(attempt, Exit(code=code if code >= 0 else None, signal=-code if code < 0 else None))

    def _told(self, attempt: int, ended: Exit) -> None:
        if not self.attempts[attempt].done():
            self.attempts[attempt].set_result(ended)
