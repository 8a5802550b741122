"""Evaluate one candidate after the other in a sandbox that is entered once: CHANNEL DRIVER FOLDER WORD...

This file runs by itself, in any Python, inside the sandbox, as its first process: nobody in there can end or stop it.
`DRIVER` is a Python file of ours whose `prepare(WORD...)` loads the evaluator and returns what evaluates: a function of
one request that yields values for JSON, which are sent as they come. Each request is answered by a fork of this
process, the only candidate alive. When it has ended, all that it started is ended too, and what it left in folders is
gone (`warm_state.py`), before the process of the next one is made.
"""

import contextlib
import ctypes
import gc
import importlib.util
import json
import os
import random
import resource
import select
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from warm_state import Conditions, Folders, Spoiled, end_all, shared_with_forks

_LARGEST_RESULT = 1024**2
_TAIL = 64 * 1024
_PIECE = 64 * 1024
_LONGEST_POLL_MILLISECONDS = 3_600_000
_PR_SET_DUMPABLE = 4
_LIBC = ctypes.CDLL(None)
_SHARED = ("/tmp", "/dev/shm")
_SEED = "HEADWAY_SEED"

Evaluate = Callable[[dict[str, Any]], Iterable[object]]


def main(channel: str, driver: str, folder: str, *words: str) -> None:
    """Load the evaluator, tell that it is ready, and serve until the channel closes."""
    control = _begun(int(channel))
    with socket.socket(fileno=int(channel)) as link:
        os.chdir(folder)
        sys.path[0] = os.path.dirname(driver)  # as where the driver is run by itself
        # Nobody of this user may look into a process that cannot be dumped: not through /proc, not by ptrace.
        _LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        try:
            evaluate, asked = _load(driver, words)
        except BaseException as error:
            _send(link, {"broken": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()})
            return
        folders = Folders((folder, *_SHARED))
        unfit = asked or shared_with_forks((link.fileno(), control)) or folders.unfit
        if evaluate is None or unfit:
            _send(link, {"unfit": unfit})
            return
        _serve_all(link, control, evaluate, folder, folders)


def _begun(channel: int) -> int:
    """Wait until the limits lie on this process; return where the word came from: the host watches its other end."""
    control = os.dup(0)
    os.set_inheritable(channel, False)
    with open(control, "rb", buffering=0, closefd=False) as file:
        if file.readline() != b"begin\n":
            os._exit(125)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in (0, 1, 2, channel, control):
            with contextlib.suppress(OSError):
                os.close(int(name))
    return control


def _load(driver: str, words: tuple[str, ...]) -> tuple[Evaluate | None, str]:
    """Load the evaluator; return it, and what it has that depends on a seed: that is given to candidates only."""
    asked: list[str] = []
    variables: Any = type(os.environ)
    looked, seeded = variables.__getitem__, random.seed

    def look(self: Any, key: str) -> str:
        if key == _SEED:
            asked.append(f"its imports ask for {_SEED}")
        return looked(self, key)

    def seed(*arguments: Any, **named: Any) -> None:
        if random.getstate() != first and not drawn:
            asked.append("its imports draw random numbers")
        drawn.append(True)  # what it draws from now on is the same for each seed
        seeded(*arguments, **named)

    drawn: list[bool] = []
    random.seed(0)
    first = random.getstate()
    variables.__getitem__, random.seed = look, seed
    try:
        spec = importlib.util.spec_from_file_location("headway_driver", driver)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        evaluate = module.prepare(*words)
    except BaseException:
        if not asked:
            raise
        return None, asked[0]  # it wanted the seed, and is nothing without
    finally:
        variables.__getitem__, random.seed = looked, seeded
    if not drawn and random.getstate() != first:
        asked.append("its imports draw random numbers")
    return evaluate, next(iter(asked), "")


def _serve_all(link: socket.socket, control: int, evaluate: Evaluate, folder: str, folders: Folders) -> None:
    """Answer requests. What cannot be put back into its first state ends this process, and by that the sandbox."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # else each fork would print it again
    gc.collect()
    gc.freeze()
    # A candidate can send signals, for which the evaluator may have left handlers.
    mask = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    conditions = Conditions()
    first, private = conditions.now(), (link.fileno(), control, *conditions.descriptors)
    while True:
        # Forked while nobody asks, as that takes as long as a small candidate, and when the one before is long gone.
        spare = _Spare(private, evaluate, folder, mask)
        _send(link, {"ready": True})
        request = _receive(link)
        if request is None:
            os._exit(0)
        _send(link, _serve(spare, request))
        folders.restore()
        if conditions.now() != first:
            raise Spoiled("its first process")


class _Spare:
    """Hold a fork of this process that waits for a candidate, and the ends of its pipes."""

    def __init__(self, private: tuple[int, ...], evaluate: Evaluate, folder: str, mask: Any) -> None:
        order, results, output = os.pipe(), os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for descriptor in (*private, order[1], results[0], output[0]):
                os.close(descriptor)
            _perform(evaluate, order[0], folder, results[1], output[1], mask)
        for descriptor in (order[0], results[1], output[1]):
            os.close(descriptor)
        self.order, self.results, self.output = order[1], results[0], output[0]

    def close(self) -> None:
        """Close this process's ends."""
        for descriptor in (self.results, self.output):
            os.close(descriptor)


def _serve(spare: _Spare, request: bytes) -> dict[str, Any]:
    """Have the spare evaluate a candidate, and return what came of it when all that it started has ended."""
    limits, _, rest = request.partition(b"\n")
    try:
        with contextlib.suppress(BrokenPipeError), open(spare.order, "wb") as file:
            file.write(rest)
        return _Following(spare, json.loads(limits)).to_its_end()
    finally:
        spare.close()


def _perform(evaluate: Evaluate, order: int, folder: str, results: int, output: int, mask: Any) -> None:
    """Wait for a candidate and evaluate it, in the process that is its own."""
    code = 1
    try:
        _LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.setsid()
        for stream in (1, 2):
            os.dup2(output, stream)
        os.close(output)
        os.chdir(folder)
        with open(order, "rb") as file:
            told = file.read()
        if not told:
            os._exit(0)
        request = json.loads(told)
        _write(folder, request.pop("files"))
        _limit(request)
        _seed(request)
        for found in evaluate(request):
            _tell(results, found)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if not isinstance(error.code, int | None):
            _print(f"{error.code}\n")
    except BaseException:
        _print(traceback.format_exc())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code & 0xFF)


def _tell(results: int, found: object) -> None:
    data = json.dumps(found).encode() + b"\n"
    while data:
        data = data[os.write(results, data) :]


def _write(folder: str, files: dict[str, str]) -> None:
    for path, text in files.items():
        place = os.path.join(folder, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(text.encode())


def _print(text: str) -> None:
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace"))


def _limit(request: dict[str, Any]) -> None:
    if (seconds := request.get("cpu_seconds")) is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def _seed(request: dict[str, Any]) -> None:
    """Seed what draws random numbers and is loaded already, and say the seed to whoever asks."""
    seed = int(request["seed"])
    os.environ[_SEED] = str(seed)
    random.seed(seed)
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


class _Following:
    """Read what a candidate's process says until it has ended, or passed a limit."""

    def __init__(self, spare: _Spare, limits: dict[str, Any]) -> None:
        self._pid, self._results, self._output = spare.pid, spare.results, spare.output
        self._limits = limits
        self._deadline = time.monotonic() + limits["wall_seconds"]
        self._found, self._tail = bytearray(), bytearray()
        self._printed = 0
        self._poll = select.poll()

    def to_its_end(self) -> dict[str, Any]:
        """Follow it; end it where it must be, and all that it started; return how it went."""
        handle = os.pidfd_open(self._pid)
        passed = ""
        try:
            for descriptor in (handle, self._results, self._output):
                self._poll.register(descriptor, select.POLLIN)
            while not passed and not self._hear(handle):
                passed = self._passed()
        finally:
            os.close(handle)
        if passed:
            os.kill(self._pid, signal.SIGKILL)
        _, status, used = os.wait4(self._pid, 0)
        others = end_all()
        self._drain()
        if passed != "wall":
            passed = self._passed(late=False)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "passed": passed,
            "results": "" if passed == "output" else bytes(self._found).decode(errors="replace"),
            "output": bytes(self._tail).decode(errors="replace"),
            "cpu_seconds": sum(item.ru_utime + item.ru_stime for item in (used, *others)),
            "memory_bytes": max(item.ru_maxrss for item in (used, *others)) * 1024,
        }

    def _hear(self, handle: int) -> bool:
        """Take in what there is, or wait for something; return whether the process has ended."""
        left = int(1000 * (self._deadline - time.monotonic())) + 1
        ready = {number for number, _ in self._poll.poll(max(0, min(left, _LONGEST_POLL_MILLISECONDS)))}
        for descriptor in (self._results, self._output):
            if descriptor in ready and not self._take(descriptor):
                self._poll.unregister(descriptor)
        return handle in ready

    def _take(self, descriptor: int) -> bool:
        """Read a piece; return whether there was one."""
        piece = os.read(descriptor, _PIECE)
        if descriptor == self._results:
            self._found += piece
        else:
            self._printed += len(piece)
            self._tail += piece
            del self._tail[:-_TAIL]
        return bool(piece)

    def _drain(self) -> None:
        """Read what is left in the pipes, once nobody else has them: a megabyte each at most."""
        for descriptor in (self._results, self._output):
            while self._take(descriptor):
                pass

    def _passed(self, *, late: bool = True) -> str:
        if len(self._found) > _LARGEST_RESULT or self._printed > self._limits["output_bytes"]:
            return "output"
        return "wall" if late and time.monotonic() >= self._deadline else ""


def _send(link: socket.socket, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode()
    link.sendall(struct.pack("<I", len(data)) + data)


def _receive(link: socket.socket) -> bytes | None:
    header = _exactly(link, 4)
    return None if header is None else _exactly(link, struct.unpack("<I", header)[0])


def _exactly(link: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        piece = link.recv(min(_PIECE, size - len(data)))
        if not piece:
            return None
        data += piece
    return bytes(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
