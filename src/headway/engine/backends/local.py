"""Run attempts as forks of a warm template process (or as fresh interpreters under its supervision)."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from headway.core import HeadwayError
from headway.engine import lease
from headway.engine.backends.base import Backend, BackendSetup, Process, WorkerLost, cannot_load, link_trace
from headway.engine.outcome import Exit, signal_name
from headway.engine.spec import AttemptSpec
from headway.engine.worker import set_thread_variables
from headway.sandbox import processes

__all__ = ["LocalBackend"]

_QUIT_SECONDS = 10.0
_MARK = "HEADWAY_TEMPLATE"


class LocalBackend(Backend):
    """Keep one template and fork a worker from it for each attempt; start it anew when the project's files changed."""

    def __init__(self, setup: BackendSetup, mode: str = "fork") -> None:
        self.name = mode if mode == "spawn" else "local"
        self._setup = setup
        self._mode = mode
        self._template: _TemplateLink | None = None
        self._generation = 0
        self._old: list[_TemplateLink] = []
        self._note: Callable[[str], None] = lambda _: None

    @property
    def shared(self) -> bool:
        """Tell whether attempts run under the template that the next one will be forked from."""
        return self._template is not None and not self._template.gone and bool(self._template.exits)

    async def open(self, note: Callable[[str], None]) -> None:
        """Start the template and wait until it has imported and set up."""
        self._note = note
        self._setup.folder.mkdir(parents=True, exist_ok=True)
        self._template = await self._new_template()

    async def start(self, spec: AttemptSpec) -> Process:
        """Fork a worker. A template whose files changed gives way to a new one first; its trials run on."""
        for _ in range(10):
            assert self._template is not None
            template = self._template
            process = await template.fork(spec)
            if process is not None:
                if template.trace.exists():
                    link_trace(template.trace, spec)
                return process
            if self._template is template:
                why = "The template is gone" if template.gone else "The project's files changed"
                self._note(f"{why}: importing anew for the next trials.")
                self._old.append(template)
                self._template = await self._new_template()
                await self._retire()
        raise HeadwayError("The project's files change faster than they can be imported. Run again when they rest.")

    async def wait(self, process: Process) -> Exit:
        """Wait for the template's word that the worker and its descendants are gone."""
        for template in (*self._old, self._template):
            if template is not None and process.attempt in template.exits:
                exit_ = await template.exits[process.attempt]
                del template.exits[process.attempt]
                if exit_.lost:  # its worker dies a moment after the template, and may log until then
                    await template.end_rest()
                    await _until_gone(process)
                await self._retire()
                return exit_
        return Exit(lost=True)

    def end(self, process: Process) -> None:
        """Have the template end the worker's whole tree."""
        for template in (*self._old, self._template):
            if template is not None and process.attempt in template.exits:
                template.say({"end": process.attempt})

    async def close(self) -> None:
        """End all templates; they end their trials."""
        for template in (*self._old, self._template):
            if template is not None:
                await template.close()
        self._old.clear()
        self._template = None

    async def _retire(self) -> None:
        """Close old templates whose trials have all ended: each may hold a data set in memory."""
        while (template := next((item for item in self._old if not item.exits), None)) is not None:
            self._old.remove(template)
            await template.close()

    async def _new_template(self) -> "_TemplateLink":
        link, ready = await self._import()
        if link.ended_by is not None:  # perhaps somebody else's doing
            self._note(f"{link.ended_by} ended the process that was importing: it is tried once more.")
            link, ready = await self._import()
        if "broken" in ready:
            broken = (
                ready["broken"]
                if link.ended_by is None
                else f"{link.ended_by} ended its process, twice, while it was importing"
            )
            error = cannot_load(broken, ready["traceback"], self._setup.experiment.root)
            error.add_note(ready["traceback"])  # shown below a traceback, and so where --debug asks for one
            raise error
        if ready["note"]:
            self._note(ready["note"])
        return link

    async def _import(self) -> "tuple[_TemplateLink, dict[str, Any]]":
        """Start a template and wait until it is ready, or broken and gone."""
        self._generation += 1
        link = _TemplateLink(self._setup, self._mode, self._generation)
        try:
            ready = await link.open()
        except BaseException:  # the session ends while it imports
            await link.close(wait_seconds=0)
            raise
        if "broken" in ready:
            await link.close()
        return link, ready


class _TemplateLink:
    def __init__(self, setup: BackendSetup, mode: str, generation: int) -> None:
        self.trace = setup.folder / f"template-{generation}.trace"
        self.trace.unlink(missing_ok=True)
        self.exits: dict[int, asyncio.Future[Exit]] = {}
        self.gone = False
        self.ended_by: str | None = None  # the signal of somebody else
        self._setup = setup
        self._mode = mode
        self._log = setup.folder / f"template-{generation}.log"
        self._begun: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._received = b""
        self._channel, self._theirs = socket.socketpair()
        self._process: subprocess.Popen[bytes] | None = None
        self._rest: asyncio.Future[None] | None = None
        # All that it starts carries this, and is found by it once the template can no longer end it.
        self._mark = f"{_MARK}={os.getpid()}:{time.time_ns()}"

    async def open(self) -> dict[str, Any]:
        environment = dict(os.environ) | dict(mark.split("=", 1) for mark in (lease.own_mark(), self._mark))
        # One thread while it is shared: a parent that once ran a multi-threaded operation makes its children hang.
        set_thread_variables(environment, 1 if self._mode == "fork" else self._setup.threads)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "headway.engine.template"],
                stdin=self._theirs.fileno(),
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self._setup.origin.folder,
                start_new_session=True,
            )
        self._theirs.close()
        self._channel.setblocking(False)
        asyncio.get_running_loop().add_reader(self._channel, self._hear)
        self.say(
            {
                "engine": os.getpid(),
                "origin": self._setup.origin.to_json(),
                "trace": str(self.trace),
                "ignore": list(self._setup.ignore),
                "mode": self._mode,
            }
        )
        return await self._ready

    async def fork(self, spec: AttemptSpec) -> Process | None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._begun[spec.attempt] = answer
        self.exits[spec.attempt] = loop.create_future()
        read, write = os.pipe()
        try:
            self._send(json.dumps({"fork": spec.to_json()}), [write])
        except OSError:
            answer.set_result({"unsent": True})
        finally:
            os.close(write)
        message = await answer
        if "pid" not in message:
            os.close(read)
            del self.exits[spec.attempt]
            if "dead" in message:  # it may have forked before it died
                await self.end_rest()
                raise WorkerLost(spec.attempt)
            return None
        return Process(attempt=spec.attempt, pid=message["pid"], started=message["started"] or 0.0, output=read)

    async def end_rest(self) -> None:
        """End what a dead template has left: its workers, and all that these started (Linux)."""
        if self._rest is None:  # one look at all processes for all of its attempts
            self._rest = asyncio.get_running_loop().run_in_executor(None, processes.end_carrying, self._mark)
        await asyncio.shield(self._rest)

    def say(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._send(json.dumps(message))

    def _send(self, line: str, descriptors: Sequence[int] = ()) -> None:
        self._channel.setblocking(True)
        try:
            socket.send_fds(self._channel, [line.encode() + b"\n"], descriptors)
        finally:
            self._channel.setblocking(False)

    async def close(self, wait_seconds: float = _QUIT_SECONDS) -> None:
        self.say({"quit": True})
        process = self._process
        assert process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.get_running_loop().run_in_executor(None, process.wait, wait_seconds)
        if process.poll() is None:
            processes.end_tree(process.pid)
            process.wait()
        elif process.returncode < 0:
            self.ended_by = signal_name(-process.returncode)
        self._over()

    def _hear(self) -> None:
        try:
            data = self._channel.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._over()
            return
        self._received += data
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            self._take(json.loads(line))

    def _take(self, message: dict[str, Any]) -> None:
        if "gone" in message:
            exit_ = Exit(
                wall_seconds=message["seconds"],
                code=message["code"],
                signal=message["signal"],
                cpu_seconds=message["cpu"],
                peak_memory_bytes=message["peak"],
            )
            _settle(self.exits.get(message["gone"]), exit_)
        elif "begun" in message or "stale" in message:
            attempt: int = message["begun"] if "begun" in message else message["stale"]
            _settle(self._begun.pop(attempt, None), message)
        else:
            _settle(self._ready, message)

    def _over(self) -> None:
        """Settle all that waits: the template is gone."""
        self.gone = True
        with contextlib.suppress(ValueError, OSError):
            asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        tail = self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""
        last = tail.strip().rpartition("\n")[2]
        broken = "its process ended while it was importing" + (f", and printed last: {last}" if last else "")
        _settle(self._ready, {"broken": broken, "traceback": tail})
        for waiting in self._begun.values():
            _settle(waiting, {"dead": True})
        lost = [exit_ for exit_ in self.exits.values() if not exit_.done()]
        for exit_ in lost:
            _settle(exit_, Exit(lost=True, beside=len(lost) > 1))


async def _until_gone(process: Process) -> None:
    deadline = time.monotonic() + _QUIT_SECONDS
    while processes.alive(process.pid, process.started) and time.monotonic() < deadline:
        processes.end_tree(process.pid)
        await asyncio.sleep(0.005)


def _settle(future: "asyncio.Future[Any] | None", result: Any) -> None:
    if future is not None and not future.done():
        future.set_result(result)
