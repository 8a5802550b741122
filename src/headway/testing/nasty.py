"""Experiments that misbehave, one function each: what a backend has to end, and an engine to outlive.

Suites take this file's text into the projects that they lay out, so it stands alone.
"""

import ctypes
import itertools
import mmap
import os
import signal
import subprocess
import sys
import time

from headway.experiments import Run


def crash(run: Run) -> None:
    """Raise an exception."""
    run.log(0, loss=1.0)
    raise ValueError("as it should")


def base_exception(run: Run) -> None:
    """Raise what `except Exception` does not catch."""

    class Odd(BaseException):
        pass

    raise Odd("neither Exception nor exit")


def leave(run: Run) -> None:
    """Leave by `sys.exit`."""
    sys.exit(3)


def vanish(run: Run) -> None:
    """Leave without a word."""
    os._exit(5)


def segfault(run: Run) -> None:
    """Read where there is no memory."""
    ctypes.string_at(0)


def abort(run: Run) -> None:
    """End as a library does that met the impossible."""
    os.abort()


def hang(run: Run) -> None:
    """Wait for ever, beside a child that waits, too."""
    subprocess.Popen(["sleep", "600"])
    run.log(0, loss=1.0)
    time.sleep(600)


def chatter(run: Run) -> None:
    """Log for ever."""
    for step in itertools.count():
        run.log(step, loss=1.0)
        time.sleep(0.05)


def burn(run: Run) -> None:
    """Compute for ever."""
    run.log(0, loss=1.0)
    while True:
        pass


def stand_still(run: Run) -> None:
    """Stop the own process."""
    run.log(0, loss=1.0)
    os.kill(os.getpid(), signal.SIGSTOP)


def eat_memory(run: Run) -> None:
    """Take 2 GB that Python's allocator hands out."""
    held = [bytes(bytearray(10_000_000)) for _ in range(200)]
    run.log(0, bytes=sum(map(len, held)))


def eat_shared_memory(run: Run) -> None:
    """Take 1 GB that no limit of the kernel's counts, and hold it."""
    shared = mmap.mmap(-1, 1_000_000_000)
    for offset in range(0, len(shared), 10_000_000):
        shared.seek(offset)
        shared.write(b"x" * 10_000_000)
    time.sleep(600)


def breed(run: Run) -> None:
    """Take 900 MB in six children, each of which is modest."""
    code = "import time; held = bytearray(b'x') * 150_000_000; time.sleep(600)"
    for _ in range(6):
        subprocess.Popen([sys.executable, "-c", code])
    chatter(run)


def flood(run: Run) -> None:
    """Print 1 GB in lines."""
    for _ in range(1000):
        sys.stdout.write("x" * 999_999 + "\n")
    run.log(0, flooded=1.0)


def flood_without_lines(run: Run) -> None:
    """Print 1 GB in one line."""
    for _ in range(1000):
        sys.stdout.write("x" * 1_000_000)
    run.log(0, flooded=1.0)


def babble(run: Run) -> None:
    """Log some hundred thousand points as fast as it goes, and end well."""
    for step in range(300_000):
        run.log(step, loss=1.0)


def leave_children(run: Run) -> None:
    """End well, and leave children behind."""
    near, far, daemon = start_children()
    run.log(0, near=near, far=far, daemon=daemon)


def start_children() -> tuple[int, int, int]:
    """Start a child nearby, one in a session of its own, and one that forked away twice; return their pids."""
    near = subprocess.Popen(["sleep", "600"])
    far = subprocess.Popen(["sleep", "600"], start_new_session=True)
    return near.pid, far.pid, _daemon()


def _daemon() -> int:
    read, write = os.pipe()
    if os.fork() == 0:
        os.setsid()
        daemon = os.fork()
        if daemon == 0:
            time.sleep(600)
            os._exit(0)
        os.write(write, str(daemon).encode())
        os._exit(0)
    return int(os.read(read, 20))
