"""Run attempts in standing workers, one a slot: for experiments that keep their trials apart themselves.

The workers fork nothing and import nothing for a trial. Who is to end one ends its worker; the next attempt gets a new
one.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable

from headway.engine import lease
from headway.engine.backends.base import Backend, BackendSetup, Process
from headway.engine.outcome import Exit
from headway.engine.spec import AttemptSpec
from headway.engine.worker import set_thread_variables
from headway.sandbox import processes

__all__ = ["StandingBackend"]

_QUIT_SECONDS = 5.0
_END_SECONDS = 1.0


class StandingBackend(Backend):
    """Keep workers, and give each one attempt at a time."""

    name = "standing"
    stops_early = False

    def __init__(self, setup: BackendSetup) -> None:
        self._setup = setup
        self._idle: list[_Worker] = []
        self._busy: dict[int, _Worker] = {}

    async def open(self, note: Callable[[str], None]) -> None:
        """Make the folder for what workers print beside their attempts; workers start with their first attempts."""
        self._setup.folder.mkdir(parents=True, exist_ok=True)

    async def start(self, spec: AttemptSpec) -> Process:
        """Hand the attempt to a worker that has none, or to a new one."""
        while self._idle:
            worker = self._idle.pop()
            if not worker.gone:
                break
            await worker.close()
        else:
            worker = _Worker(self._setup)
        read, write = os.pipe()
        self._busy[spec.attempt] = worker
        worker.begin(spec, write)
        return Process(attempt=spec.attempt, pid=worker.pid, started=worker.started, output=read)

    async def wait(self, process: Process) -> Exit:
        """Return how the attempt ended. Where its worker ended with it, all that this had started is gone too."""
        worker = self._busy[process.attempt]
        assert worker.exit is not None
        ended = await worker.exit
        del self._busy[process.attempt]
        if worker.gone:
            await worker.close()
        else:
            self._idle.append(worker)
        return ended

    def end(self, process: Process) -> None:
        """End the worker, and by that the attempt."""
        if (worker := self._busy.get(process.attempt)) is not None:
            processes.end_tree(worker.pid)

    async def close(self) -> None:
        """End all workers."""
        for worker in self._busy.values():
            processes.end_tree(worker.pid)
        for worker in (*self._idle, *self._busy.values()):
            await worker.close()
        self._idle.clear()


class _Worker:
    """Hold the engine's end of one standing worker."""

    def __init__(self, setup: BackendSetup) -> None:
        environment = dict(os.environ) | dict([lease.own_mark().split("=", 1)])
        set_thread_variables(environment, setup.threads)
        self._link, theirs = socket.socketpair()
        with theirs, (setup.folder / "standing.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "headway.engine.standing"],
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
        self.exit: asyncio.Future[Exit] | None = None
        self._received = b""
        self._send({"origin": setup.origin.to_json(), "folder": str(setup.folder)}, ())
        self._link.setblocking(False)
        asyncio.get_running_loop().add_reader(self._link, self._hear)

    def begin(self, spec: AttemptSpec, output: int) -> None:
        """Send an attempt, and close our copy of the pipe that it prints into."""
        self.exit = asyncio.get_running_loop().create_future()
        self._link.setblocking(True)
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
        self._told(Exit(lost=True))  # an attempt that was ended with the session

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
            del message["attempt"]
            self._told(Exit(**message))

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
        self._told(Exit(code=code if code >= 0 else None, signal=-code if code < 0 else None))

    def _told(self, ended: Exit) -> None:
        if self.exit is not None and not self.exit.done():
            self.exit.set_result(ended)
