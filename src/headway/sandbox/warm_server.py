"""Evaluate one candidate after the other in a sandbox entered once: CHANNEL ORDER DRIVER FOLDER WORD...

This file runs by itself, in any Python, inside the sandbox, as its first process: nobody in there can end or stop it.
`DRIVER` is a Python file of ours whose `prepare(WORD...)` loads the evaluator and returns what evaluates: a function of
one request that yields values for JSON, which are sent as they come. `ORDER` is JSON: the limits of a candidate, and
`modules` to load for it.

Each request is answered by a fork of this process, the only candidate alive. The fork reads it from the channel, while
this process sleeps: every page that both of them write to while both live is copied, at 2.6 us a page. When it has
ended, all that it started is ended too, and what it left in folders is gone (`warm_state.py`), before the process of
the next one is made. What this file imports is kept small for the same reason: a fork and its end cost by what is
loaded.
"""

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import math
import os
import random
import resource
import select
import signal
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
_MASK_BYTES = 128  # of sigset_t in glibc, more than in musl
_READY = b'{"ready": true}'
_BEGUN = b"\n"  # what a fork says first: it has a request
_read_json = json.JSONDecoder().raw_decode  # touches fewer pages than `json.loads`
_SHARED = ("/tmp", "/dev/shm")
_SEED = "HEADWAY_SEED"

Evaluate = Callable[[dict[str, Any]], Iterable[object]]


def main(channel: str, told: str, driver: str, folder: str, *words: str) -> None:
    """Load the evaluator, tell that it is ready, and serve until the channel closes."""
    link, order = int(channel), json.loads(told)
    control = _begun(link)
    os.chdir(folder)
    sys.path[0] = os.path.dirname(driver)  # as where the driver is run by itself
    # Nobody of this user may look into a process that cannot be dumped: not through /proc, not by ptrace.
    _LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    for name in order["modules"]:
        with contextlib.suppress(Exception):  # it may be one of another Python's: who imports it gets the error
            importlib.import_module(name)
    try:
        evaluate, asked = _load(driver, words)
    except BaseException as error:
        _tell(link, {"broken": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()})
        return
    os.chdir(folder)  # the evaluator may have gone elsewhere
    folders = Folders((folder, *_SHARED))
    unfit = asked or shared_with_forks((link, control)) or folders.unfit
    if evaluate is None or unfit:
        _tell(link, {"unfit": unfit})
        return
    _serve_all(_Server(link, control, evaluate, folder, order), folders)


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


class _Server:
    """Hold what each fork is made of and for."""

    def __init__(self, link: int, control: int, evaluate: Evaluate, folder: str, limits: dict[str, Any]) -> None:
        self.link, self.evaluate, self.folder, self.limits = link, evaluate, folder, limits
        # A candidate can send signals, for which the evaluator may have left handlers.
        # Not by `signal`, which makes names of 62 numbers each time: that takes a fork 0.1 ms.
        every, self.mask = ctypes.create_string_buffer(_MASK_BYTES), ctypes.create_string_buffer(_MASK_BYTES)
        _LIBC.sigfillset(every)
        _LIBC.pthread_sigmask(signal.SIG_SETMASK, every, self.mask)
        self.conditions = Conditions()
        self.private = (control, *self.conditions.descriptors)


def _serve_all(server: _Server, folders: Folders) -> None:
    """Answer requests. What cannot be put back into its first state ends this process, and by that the sandbox."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # else each fork would print it again
    gc.collect()
    gc.freeze()
    first = server.conditions.now()
    while True:
        # Forked while nobody asks, as that takes as long as a small candidate, and when the one before is long gone.
        answer = _Spare(server).to_its_end()
        if answer is None:
            os._exit(0)
        _tell(server.link, answer)
        folders.restore()
        if server.conditions.now() != first:
            raise Spoiled("its first process")


def _perform(server: _Server, results: int, output: int) -> None:
    """Wait for a candidate and evaluate it, in the process that is its own."""
    code = 1
    try:
        _LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
        _LIBC.pthread_sigmask(signal.SIG_SETMASK, server.mask, None)
        os.setsid()
        for stream in (1, 2):
            os.dup2(output, stream)
        os.close(output)
        request = _asked(server.link)
        os.write(results, _BEGUN)
        _write(server.folder, request.pop("files"))
        _limit(server.limits)
        _seed(request)
        for found in server.evaluate(request):
            _write_all(results, json.dumps(found).encode() + b"\n")
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


def _asked(link: int) -> dict[str, Any]:
    """Say that this fork is ready, and return what it is asked. It ends where nobody will ask any more."""
    _send(link, _READY)
    data = _receive(link)
    os.close(link)
    if data is None:
        os._exit(0)
    request: dict[str, Any] = _read_json(data.decode())[0]
    return request


def _write(folder: str, files: dict[str, str]) -> None:
    for path, text in files.items():
        place = f"{folder}/{path}"
        if "/" in path:
            os.makedirs(os.path.dirname(place), exist_ok=True)
        file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        _write_all(file, text.encode())
        os.close(file)


def _print(text: str) -> None:
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace"))


def _limit(limits: dict[str, Any]) -> None:
    if (seconds := limits["cpu_seconds"]) is not None:
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


class _Spare:
    """Hold a fork of this process, which waits for a candidate, and read what it says until it has ended."""

    def __init__(self, server: _Server) -> None:
        self._limits = server.limits
        self._deadline = math.inf  # until it has a candidate
        self._found, self._tail = bytearray(), bytearray()
        self._printed = 0
        (self._results, results), (self._output, output) = os.pipe(), os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            for descriptor in (*server.private, self._results, self._output):
                os.close(descriptor)
            _perform(server, results, output)
        for descriptor in (results, output):
            os.close(descriptor)

    def to_its_end(self) -> dict[str, Any] | None:
        """Follow it; end it where it must be, and all that it started; return how it went. None: it was not asked."""
        passed = self._ended()
        if passed:
            os.kill(self._pid, signal.SIGKILL)
        _, status, used = os.wait4(self._pid, 0)
        others = end_all()
        self._drain()
        if not self._found:
            return None
        if passed != "wall":
            passed = self._passed(late=False)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "passed": passed,
            "results": "" if passed == "output" else self._found[len(_BEGUN) :].decode(errors="replace"),
            "output": self._tail.decode(errors="replace"),
            "cpu_seconds": sum(item.ru_utime + item.ru_stime for item in (used, *others)),
            "memory_bytes": max(item.ru_maxrss for item in (used, *others)) * 1024,
        }

    def _ended(self) -> str:
        """Wait until it has ended, or passed a limit; return which."""
        handle = os.pidfd_open(self._pid)
        poll = select.poll()
        try:
            for descriptor in (handle, self._results, self._output):
                poll.register(descriptor, select.POLLIN)
            passed = ""
            while not passed and not self._hear(poll, handle):
                passed = self._passed()
            return passed
        finally:
            os.close(handle)

    def _hear(self, poll: select.poll, handle: int) -> bool:
        """Take in what there is, or wait for something; return whether the process has ended."""
        left = min(1000 * (self._deadline - time.monotonic()) + 1, _LONGEST_POLL_MILLISECONDS)
        ready = {number for number, _ in poll.poll(max(0, int(left)))}
        for descriptor in (self._results, self._output):
            if descriptor in ready and not self._take(descriptor):
                poll.unregister(descriptor)
        return handle in ready

    def _take(self, descriptor: int) -> bool:
        """Read a piece; return whether there was one."""
        piece = os.read(descriptor, _PIECE)
        if descriptor == self._results:
            if not self._found and piece:
                self._deadline = time.monotonic() + self._limits["wall_seconds"]
            self._found += piece
        else:
            self._printed += len(piece)
            self._tail += piece
            del self._tail[:-_TAIL]
        return bool(piece)

    def _drain(self) -> None:
        """Read what is left in the pipes, once nobody else has them, a megabyte each at most, and close them."""
        for descriptor in (self._results, self._output):
            while self._take(descriptor):
                pass
            os.close(descriptor)

    def _passed(self, *, late: bool = True) -> str:
        if len(self._found) > _LARGEST_RESULT or self._printed > self._limits["output_bytes"]:
            return "output"
        return "wall" if late and time.monotonic() >= self._deadline else ""


def _tell(link: int, message: dict[str, Any]) -> None:
    _send(link, json.dumps(message).encode())


def _send(link: int, data: bytes) -> None:
    _write_all(link, len(data).to_bytes(4, "little") + data)


def _receive(link: int) -> bytes | None:
    header = _exactly(link, 4)
    return None if header is None else _exactly(link, int.from_bytes(header, "little"))


def _exactly(link: int, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        piece = os.read(link, min(_PIECE, size - len(data)))
        if not piece:
            return None
        data += piece
    return data


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


if __name__ == "__main__":
    main(*sys.argv[1:])
