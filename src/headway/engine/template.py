"""The template: a warm process that has imported the experiment and run its `setup()`, and forks for each trial.

`python -m headway.engine.template` with a socket as its standard input. Messages are lines of JSON; a message that
starts a trial comes with the file descriptor for the trial's output.

    engine -> template   {"fork": spec}   {"end": attempt}   {"quit": true}
    template -> engine   {"ready": ...}   {"broken": ...}    {"begun": attempt, "pid": .., "started": ..}
                         {"gone": attempt, "code": .., "signal": .., "cpu": .., "peak": ..}    {"stale": attempt}

The template stays single-threaded (a parent that once ran a multi-threaded operation makes children hang) and never
touches a GPU. A probe child shows that forking is safe; where it is not, trials get a fresh interpreter each, under the
same supervision. When the engine goes, its socket closes, and the template ends every trial and itself.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from headway.core import DiskError, Redactor
from headway.engine import confine, crash, warming
from headway.engine.spec import AttemptSpec, Origin
from headway.engine.worker import find_experiment, perform, set_thread_variables
from headway.experiments import EXIT_NO_DISK, Experiment, trace
from headway.sandbox import processes
from headway.store import own_writes

__all__ = ["main"]

_PROBE_SECONDS = 20.0
_SWEEPS = 200  # of orphans, should a trial fork faster than it can be ended


class _Template:
    def __init__(self, channel: socket.socket, order: Mapping[str, Any]) -> None:
        self._channel = channel
        self._origin = Origin(**order["origin"])
        self._trace = Path(order["trace"])
        self._ignore = tuple(order["ignore"])
        self._mode: str = order["mode"]
        self._experiment: Experiment | None = None
        self._setup: Any = None
        self._files: dict[str, str | None] = {}
        self._helpers: frozenset[int] = frozenset()  # what setup() started for all trials, such as a resource tracker
        self._running: dict[int, int] = {}  # pid -> attempt
        self._began: dict[int, float] = {}
        self._collapsed = False
        self._data_bytes = 0
        self._received = b""
        self._outputs: list[int] = []

    def prepare(self) -> None:
        """Import, set up, probe; tell the engine how trials will be started."""
        if not self._origin.imports:
            self._experiment = find_experiment(self._origin)
            self._say(ready="fork", note="", seconds=0.0)
            return
        began = time.monotonic()
        if self._mode == "spawn":
            self._say(ready="spawn", note="", seconds=0.0)
            return
        trace.start(str(self._trace), self._ignore)
        self._experiment = find_experiment(self._origin)
        self._setup = self._experiment.prepare()
        warming.warm_torch()
        self._files = _stamps(trace.read(str(self._trace)))
        self._helpers = frozenset(processes.children(os.getpid()))
        warming.settle()
        problem = _unsafe() or self._probe()
        if problem is not None:
            self._mode = "spawn"
        note = "" if problem is None else f"Forking is not safe here ({problem}): each trial gets a fresh interpreter."
        self._say(ready=self._mode, note=note, seconds=time.monotonic() - began)

    def serve(self) -> None:
        """Fork, watch and end trials until the engine goes."""
        self._data_bytes = confine.data_bytes()
        wake, wake_write = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        while True:
            ready, _, _ = select.select([self._channel, wake], [], [])
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
                self._reap()
            if self._channel in ready and not self._receive():
                break
        self._end_all()

    def _receive(self) -> bool:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._channel, 1 << 20, 16)
        except ConnectionError:
            return False
        self._outputs += descriptors
        self._received += data
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "fork" in message:
                self._start(AttemptSpec.from_json(message["fork"]), self._outputs.pop(0))
            elif "end" in message:
                for pid in [pid for pid, attempt in self._running.items() if attempt == message["end"]]:
                    processes.end_tree(pid)
            else:
                return False
        return bool(data)

    def _start(self, spec: AttemptSpec, output: int) -> None:
        if self._files and _changed(self._files):
            os.close(output)
            self._say(stale=spec.attempt)
            return
        template = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._child(spec, output, template)
        os.close(output)
        self._running[pid] = spec.attempt
        self._began[pid] = time.monotonic()
        self._say(begun=spec.attempt, pid=pid, started=processes.start_time(pid))
        if not self._collapsed and self._mode == "fork":  # while the first trial runs, so that nobody waits for it
            self._collapsed = True
            warming.collapse_memory()

    def _child(self, spec: AttemptSpec, output: int, template: int) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._channel.close()
            confine.own_group()
            confine.die_with_parent(template)
            confine.become_reaper()
            confine.die_first_without_memory()
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            set_thread_variables(os.environ, spec.threads)  # for commands, fresh interpreters and late imports
            os.environ["HEADWAY_TRACE_IGNORE"] = os.pathsep.join(spec.ignore)
            if spec.gpus:
                os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, spec.gpus))
            if self._mode == "spawn":
                order = json.dumps({"origin": self._origin.to_json(), "spec": spec.to_json()})
                os.execv(sys.executable, [sys.executable, "-m", "headway.engine.worker", order])
            confine.limit(spec, self._data_bytes)
            assert self._experiment is not None
            if self._origin.imports:
                with own_writes(Path(spec.trace)):
                    trace.start(spec.trace, spec.ignore, keep=True, attempt=spec.attempt)
            code = perform(self._experiment, spec, self._setup)
            sys.stdout.flush()
            sys.stderr.flush()
        except DiskError:
            code = EXIT_NO_DISK
        except BaseException:
            with contextlib.suppress(Exception):
                traceback.print_exc()
                sys.stderr.flush()
        finally:
            os._exit(code)

    def _reap(self) -> None:
        """Take what has ended, then end what it left; only then tell the engine that it is gone."""
        gone: list[dict[str, Any]] = []
        with contextlib.suppress(ChildProcessError):
            while (ended := os.wait4(-1, os.WNOHANG))[0]:
                pid, status, used = ended
                attempt = self._running.pop(pid, None)
                if attempt is not None:
                    gone.append({
                        "gone": attempt,
                        "seconds": time.monotonic() - self._began.pop(pid),
                        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
                        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
                        "cpu": used.ru_utime + used.ru_stime,
                        "peak": used.ru_maxrss * 1024,
                    })  # fmt: skip
        self._sweep()
        for message in gone:
            self._say(**message)

    def _sweep(self) -> None:
        """End what a dead trial left: living trials keep their own orphans, so a child unknown here is a dead one's."""
        for _ in range(_SWEEPS):
            orphans = set(processes.children(os.getpid())) - self._running.keys() - self._helpers
            if not orphans:
                return
            for pid in orphans:
                processes.end_tree(pid)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _end_all(self) -> None:
        for pid in list(self._running):
            processes.end_tree(pid)
        self._running.clear()
        self._helpers = frozenset()
        self._sweep()

    def _probe(self) -> str | None:
        """Fork a child that computes with what is loaded; say what went wrong, if anything did."""
        pid = os.fork()
        if pid == 0:
            try:
                _compute()
                os._exit(0)
            except BaseException:
                os._exit(1)
        deadline = time.monotonic() + _PROBE_SECONDS
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return None if status == 0 else "a forked probe could not compute"
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return f"a forked probe hung for {_PROBE_SECONDS:.0f} s"

    def _say(self, **message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._channel.sendall(json.dumps(message).encode() + b"\n")


def _ignore(number: int, frame: FrameType | None) -> None:
    """Take the signal: what matters is that the wake-up descriptor hears it."""


def _compute() -> None:
    if (numpy := sys.modules.get("numpy")) is not None:
        matrix = numpy.ones((256, 256))
        assert (matrix @ matrix)[0, 0] == 256
    if (torch := sys.modules.get("torch")) is not None:
        weight = torch.ones(256, 256, requires_grad=True)
        (weight @ weight).sum().backward()
        torch.optim.SGD([weight], lr=0.1).step()


def _unsafe() -> str | None:
    tasks = Path("/proc/self/task")
    threads = len(list(tasks.iterdir())) if tasks.exists() else 1
    if threads > 1:
        return f"the experiment's imports or its setup() started {threads - 1} threads"
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return "setup() initialised CUDA"
    return None


def _stamps(entries: list[trace.Entry]) -> dict[str, str | None]:
    """Return what the files looked like when they were loaded; None for one that changed in between."""
    stamps: dict[str, str | None] = {}
    for kind, rest in entries:
        if kind == "t":
            stamp, _, path = rest.partition(" ")
            stamps[path] = stamp if stamps.get(path, stamp) == stamp else None
    return {path: stamp for path, stamp in stamps.items() if stamp != ""}


def _changed(files: Mapping[str, str | None]) -> bool:
    return any(trace.stamp(path) != stamp for path, stamp in files.items())


def main() -> None:
    """Serve one engine over the socket that is standard input."""
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    confine.own_group()
    confine.become_reaper()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first = b""
    while not first.endswith(b"\n"):
        piece = channel.recv(1 << 20)
        if not piece:
            return
        first += piece
    order = json.loads(first)
    template = _Template(channel, order)
    try:
        confine.die_with_parent(order["engine"])  # nobody listens to the channel while the experiment is imported
        template.prepare()
        confine.outlive_parent()  # from here on the channel tells, and the trials are ended in order
    except BaseException as error:
        redactor = Redactor.of_environment(os.environ)
        broken = {
            "broken": crash.message_of(error, redactor),
            "traceback": crash.traceback_of(error, redactor),
        }
        channel.sendall(json.dumps(broken).encode() + b"\n")
        return
    template.serve()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # tearing down an interpreter that holds torch takes .9 s, in which the engine would wait
