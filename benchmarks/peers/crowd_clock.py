"""Time every call of this process to the store, and leave the times in a file when the process ends."""

import atexit
import json
import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from headway.store.database import Database

__all__ = ["watch_calls"]

T = TypeVar("T")


class _Clock:
    """Measure a stretch of this thread's life: how long it took, and for how long it stood still for the store.

    Not counted as standing still are its own CPU and the time in which it could have run and had no core.
    """

    def __init__(self) -> None:
        self._file = os.open(f"/proc/self/task/{os.getpid()}/schedstat", os.O_RDONLY)
        self.calls: list[tuple[str, float, float]] = []

    def now(self) -> tuple[int, int]:
        """Return the time and what of it this thread was not blocked, in nanoseconds."""
        delayed = int(os.pread(self._file, 100, 0).split()[1])
        return time.perf_counter_ns(), time.thread_time_ns() + delayed

    def note(self, what: str, began: tuple[int, int]) -> None:
        """Keep the stretch since `began`, in seconds."""
        wall, ready = (late - early for late, early in zip(self.now(), began, strict=True))
        self.calls.append((what, round(wall / 1e9, 6), round(max(0, wall - ready) / 1e9, 6)))


def watch_calls(file: Path) -> None:
    """Time calls from here on. Call it once, in the thread that uses the store."""
    clock = _Clock()
    opening, reading, writing = Database.__init__, Database.rows, Database.write
    depth = 0

    def opened(database: Database, path: Path) -> None:
        began = clock.now()
        opening(database, path)
        clock.note("open", began)

    def rows(database: Database, sql: str, values: Sequence[Any] = ()) -> Any:
        began = clock.now()
        found = reading(database, sql, values)
        clock.note("read" if depth == 0 else "within", began)
        return found

    @contextmanager
    def write(database: Database) -> Generator[Database]:
        nonlocal depth
        began, depth = clock.now(), depth + 1
        try:
            with writing(database):
                if depth == 1:
                    clock.note("begin", began)
                    began = clock.now()
                yield database
                if depth == 1:
                    clock.note("hold", began)
                    began = clock.now()
        finally:
            depth -= 1
        if depth == 0:
            clock.note("commit", began)

    _put(Database, "__init__", opened)
    _put(Database, "rows", rows)
    _put(Database, "write", write)
    atexit.register(lambda: file.write_text(json.dumps(clock.calls)))


def _put(owner: type, name: str, function: Callable[..., Any]) -> None:
    setattr(owner, name, function)
