"""Evaluate one candidate after the other in a sandbox that is entered once: CHANNEL DRIVER FOLDER WORD...

This file runs by itself, in any Python, inside the sandbox. `DRIVER` is a Python file of ours whose `prepare(WORD...)`
loads the evaluator and returns what evaluates: a function of one request that returns JSON. Each request is answered
by a fork of this process, the only candidate alive. When it has ended, all that it started is ended too, and the files
that it made in `FOLDER`, /tmp and /dev/shm are gone before the process of the next one is made.
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
import shutil
import signal
import socket
import stat
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

_LARGEST_RESULT = 1024**2
_TAIL = 64 * 1024
_PIECE = 64 * 1024
_PR_SET_DUMPABLE, _PR_SET_SUBREAPER = 4, 36
_SHARED = ("/tmp", "/dev/shm")

Evaluate = Callable[[dict[str, Any]], object]


def main(channel: str, driver: str, folder: str, *words: str) -> None:
    """Load the evaluator, tell that it is ready, and serve until the channel closes."""
    with socket.socket(fileno=int(channel)) as link:
        os.set_inheritable(link.fileno(), False)
        # Nobody of this user may look into a process that cannot be dumped: not through /proc, not by ptrace.
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        libc.prctl(_PR_SET_SUBREAPER, 1, 0, 0, 0)
        random.seed(0)
        try:
            evaluate = _load(driver).prepare(*words)
        except BaseException as error:
            _send(link, {"broken": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()})
            return
        gc.collect()
        gc.freeze()
        folders = {path: frozenset(os.listdir(path)) for path in (folder, *_SHARED)}
        _send(link, {"ready": True, "threads": len(os.listdir("/proc/self/task"))})
        while True:
            spare = _Spare(link, evaluate, folder)  # forked while nobody asks: that takes as long as a small candidate
            request = _receive(link)
            if request is None:
                return
            _send(link, _serve(spare, request, folder))
            _end_all()
            for path, first in folders.items():
                _wipe(path, first)


class _Spare:
    """Hold a fork of this process that waits for a candidate, and the ends of its pipes."""

    def __init__(self, link: socket.socket, evaluate: Evaluate, folder: str) -> None:
        order, results, output = os.pipe(), os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            link.close()
            for descriptor in (order[1], results[0], output[0]):
                os.close(descriptor)
            _perform(evaluate, order[0], folder, results[1], output[1])
        for descriptor in (order[0], results[1], output[1]):
            os.close(descriptor)
        self.order, self.results, self.output = order[1], results[0], output[0]

    def close(self) -> None:
        """Close this process's ends."""
        for descriptor in (self.results, self.output):
            os.close(descriptor)


def _load(driver: str) -> Any:
    spec = importlib.util.spec_from_file_location("headway_driver", driver)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _serve(spare: _Spare, request: dict[str, Any], folder: str) -> dict[str, Any]:
    """Write a candidate's files, have the spare evaluate it, and return what came of it."""
    for path, text in request.pop("files").items():
        place = os.path.join(folder, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(text.encode())
    try:
        with contextlib.suppress(BrokenPipeError), open(spare.order, "wb") as file:
            file.write(json.dumps(request).encode())
        return _follow(spare.pid, spare.results, spare.output, request)
    finally:
        spare.close()


def _perform(evaluate: Evaluate, order: int, folder: str, results: int, output: int) -> None:
    """Wait for a candidate and evaluate it, in the process that is its own."""
    code = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        for descriptor in (nothing, output):
            os.close(descriptor)
        os.chdir(folder)
        with open(order, "rb") as file:
            told = file.read()
        if not told:
            os._exit(0)
        request = json.loads(told)
        _limit(request)
        _seed(request)
        found = json.dumps(evaluate(request)).encode()
        while found:
            found = found[os.write(results, found) :]
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


def _print(text: str) -> None:
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(2, text.encode(errors="replace"))


def _limit(request: dict[str, Any]) -> None:
    if (seconds := request.get("cpu_seconds")) is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _seed(request: dict[str, Any]) -> None:
    """Seed what draws random numbers and is loaded already, and say the seed to whoever asks."""
    seed = int(request["seed"])
    os.environ["HEADWAY_SEED"] = str(seed)
    random.seed(seed)
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)


def _follow(pid: int, results: int, output: int, request: dict[str, Any]) -> dict[str, Any]:
    """Read what a candidate's process says until it has ended, or passed a limit."""
    handle = os.pidfd_open(pid)
    found, tail, printed, passed = bytearray(), bytearray(), 0, ""
    deadline = time.monotonic() + request["wall_seconds"]
    poll = select.poll()
    for descriptor in (handle, results, output):
        poll.register(descriptor, select.POLLIN)
    try:
        ended = False
        while True:
            # Once it has ended, what is in the pipes is all that counts, whoever else holds them.
            ready = {number for number, _ in poll.poll(0 if ended else max(0, _milliseconds(deadline)))}
            if results in ready and not _take(poll, results, found):
                ready.discard(results)
            if output in ready:
                before = len(tail)
                ready = ready if _take(poll, output, tail) else ready - {output}
                printed += len(tail) - before
                del tail[:-_TAIL]
            if ended and not ready - {handle}:
                break
            ended = ended or handle in ready
            if len(found) > _LARGEST_RESULT or printed > request["output_bytes"]:
                passed = "output"
            elif not ended and time.monotonic() >= deadline:
                passed = "wall"
            if passed:
                os.kill(pid, signal.SIGKILL)
                break
    finally:
        os.close(handle)
    _, status, used = os.wait4(pid, 0)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "passed": passed,
        "result": bytes(found).decode(errors="replace") if not passed else "",
        "output": bytes(tail).decode(errors="replace"),
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "memory_bytes": used.ru_maxrss * 1024,
    }


def _milliseconds(deadline: float) -> int:
    return int(1000 * (deadline - time.monotonic())) + 1


def _take(poll: select.poll, descriptor: int, into: bytearray) -> bool:
    """Read a piece; return whether there was one. A pipe that has ended is asked no more."""
    piece = os.read(descriptor, _PIECE)
    if not piece:
        poll.unregister(descriptor)
    into += piece
    return bool(piece)


def _end_all() -> None:
    """End every other process in the sandbox but its first, and wait until all are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _wipe(folder: str, first: frozenset[str]) -> None:
    """Remove what was made in a folder; raise `OSError` where something stays."""
    with os.scandir(folder) as entries:
        new = [entry for entry in entries if entry.name not in first]
    for entry in new:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, onerror=_again)
        else:
            os.unlink(entry.path)


def _again(remove: Callable[..., Any], path: str, _: object) -> None:
    """Remove what a candidate has locked: the folder above it, or the folder itself, lacked the permission."""
    for place in (os.path.dirname(path), path):
        if not os.path.islink(place):
            os.chmod(place, stat.S_IRWXU)
    if remove in (os.open, os.scandir, os.lstat):
        shutil.rmtree(path)
    else:
        remove(path)


def _send(link: socket.socket, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode()
    link.sendall(struct.pack("<I", len(data)) + data)


def _receive(link: socket.socket) -> dict[str, Any] | None:
    header = _exactly(link, 4)
    if header is None:
        return None
    data = _exactly(link, struct.unpack("<I", header)[0])
    return None if data is None else json.loads(data)


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
