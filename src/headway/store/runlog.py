"""The run log: one append-only, memory-mapped file an attempt, written by the trial and followed by the engine.

A point is packed into the map and the length bumped; there is no system call, so `kill -9` of the worker, the engine
or both loses nothing that `RunLog.point` has returned for. The header also carries what the engine says to the worker
(how many steps are granted, stop, pause), so that asking for it costs a memory read.

Layout, all little-endian: a header of eight unsigned 64-bit words (magic, length of the records in bytes, steps
granted, signal, steps at which the worker waits, start in nanoseconds since 1970, attempt, a spare one), then records.
A record begins with kind (1 byte), a pad byte, key (2 bytes) and milliseconds since the start (4 bytes). A point goes
on with its step (8 bytes, signed) and value (8 bytes, double): 24 bytes. A text record goes on with its size in bytes
(8 bytes) and the text, padded to a multiple of eight.
"""

import enum
import json
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.core import DiskError, StoreError, UsageError
from headway.store.disk import own_writes, refused

__all__ = ["RUN_LOG", "UNLIMITED", "Mark", "Point", "RunLog", "RunLogReader", "Signal"]

RUN_LOG = "worker.runlog"  # the file's name
UNLIMITED = 2**64 - 1  # steps granted where nothing truncates the run

_MAGIC = int.from_bytes(b"HWLOG\x00\x00\x01", "little")
_HEADER = 64
_LENGTH, _GRANT, _SIGNAL, _WAITING, _START, _ATTEMPT = 1, 2, 3, 4, 5, 6  # header words
_POINT = struct.Struct("<BxHIqd")
_TEXT = struct.Struct("<BxHIq")
_IS_POINT, _IS_NAME, _IS_MARK = 1, 2, 3
_FIRST_SIZE, _GROWTH = 16 * 1024, 4  # bytes, and the factor by which a full file grows
_LARGEST_GROWTH = 4 * 1024 * 1024
_LARGEST_KEPT = 1024 * 1024  # bytes of a file that goes from one attempt to the next
_LAST_WORDS = 256  # bytes kept for them, as a full disk gives no more

_forks = 0  # how many forks lie between this process and the one that imported this module


def _count_fork() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_count_fork)


class Signal(enum.IntEnum):
    """Say what the engine wants of a running trial."""

    NONE = 0
    STOP = 1
    PAUSE = 2


@dataclass(frozen=True, slots=True)
class Point:
    """Hold one logged value: `step` as the trial gave it, `seconds` since the attempt began."""

    metric: str
    step: int
    value: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Mark:
    """Hold one thing that a trial said beside its curves: a report, a horizon, a checkpoint, an exception."""

    kind: str
    data: dict[str, Any]
    seconds: float


class RunLog:
    """Write a run log. One writer a file; threads of that writer may share it, its forked children may not.

    With an `attempt`, a file that another attempt has left is begun anew: making and removing a file for each trial
    costs more than all that a short trial logs.
    """

    def __init__(self, path: Path, granted: int = UNLIMITED, attempt: int = 0) -> None:
        with own_writes(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._lock = threading.Lock()
        self._owner = _forks
        self._keys: dict[str, int] = {}
        self._told_refusal = False
        self._path = path
        self._size = os.fstat(self._file).st_size
        fresh = self._size == 0
        if fresh:
            _allocate(self._file, 0, _FIRST_SIZE, path)
            self._size = _FIRST_SIZE
        elif attempt and self._size > _LARGEST_KEPT:
            os.pwrite(self._file, bytes(8), _ATTEMPT * 8)  # it is the old attempt's no more: see `RunLogReader.read`
            os.ftruncate(self._file, _FIRST_SIZE)
            self._size = _FIRST_SIZE
        self._room = self._size - _LAST_WORDS
        self._map = mmap.mmap(self._file, self._size)
        self._words = memoryview(self._map)[:_HEADER].cast("Q")
        # In a file that attempts share, one that was killed before it had laid out the header harms none after it.
        if not fresh and self._words[0] != _MAGIC and not attempt:
            raise StoreError(f"{path} is no run log of this Headway. Remove it, or run the trial again.")
        if fresh or self._words[_ATTEMPT] != attempt or self._words[0] != _MAGIC:
            self._begin(granted, attempt)
        else:
            self._keys = {name: key for key, name in RunLogReader(path).names().items()}
        self._end = _HEADER + self._words[_LENGTH]
        self._zero = time.monotonic_ns() - (time.time_ns() - self._words[_START])

    def _begin(self, granted: int, attempt: int) -> None:
        """Lay out the header: the attempt's number comes last, as from then on the log is known as its own.

        It is nobody's before: a reader of the old attempt then knows that what it has read may be torn.
        """
        self._words[_ATTEMPT] = 0
        self._words[_LENGTH] = 0
        self._words[_SIGNAL] = self._words[_WAITING] = 0
        self._words[_GRANT] = granted
        self._words[_START] = time.time_ns()
        self._words[0] = _MAGIC
        self._words[_ATTEMPT] = attempt

    def point(self, metric: str, step: int, value: float) -> None:
        """Append one value of a curve."""
        with self._lock:
            if self._owner != _forks:
                self._refuse_fork()
            key = self._keys.get(metric)
            if key is None:
                key = self._name(metric)
            end = self._end + 24
            if end > self._room:
                self._grow(end)
            milliseconds = (time.monotonic_ns() - self._zero) // 1_000_000 & 0xFFFFFFFF
            try:
                _POINT.pack_into(self._map, self._end, _IS_POINT, key, milliseconds, step, value)
            except struct.error:
                raise UsageError(
                    f"The step {step!r} of {metric!r} is no whole number below 2**63. Log a smaller one."
                ) from None
            self._end = end
            self._words[_LENGTH] = end - _HEADER

    def mark(self, kind: str, **data: Any) -> None:
        """Append something that is no point of a curve; `data` must have a JSON form."""
        with self._lock:
            if self._owner != _forks:
                self._refuse_fork()
            self._text(_IS_MARK, 0, json.dumps([kind, data]))

    def last_mark(self, kind: str, **data: Any) -> None:
        """Append how the attempt ends, in the room that is kept for it: a full disk does not take the end away."""
        with self._lock:
            if self._owner != _forks:
                self._refuse_fork()
            self._text(_IS_MARK, 0, json.dumps([kind, data]), last=True)

    def disk_refused(self, number: int) -> None:
        """Tell the engine that the disk refused a write, by its `errno`: unless it ends well, the attempt is no result.

        It stands in the log and not in an exit code alone, as a command may end its processes as it likes.
        """
        with self._lock:
            if self._owner != _forks:
                self._refuse_fork()
            self._tell_refusal(number)

    @property
    def granted(self) -> int:
        """Return how many steps the engine grants in all."""
        return self._words[_GRANT]

    @property
    def signal(self) -> int:
        """Return what the engine wants: a `Signal`."""
        return self._words[_SIGNAL]

    def wait_at(self, step: int) -> None:
        """Tell the engine that the trial has done `step` steps and waits for more; 0 ends the waiting."""
        self._words[_WAITING] = step

    def close(self) -> None:
        """Unmap the file. All that was written stays."""
        with self._lock:
            self._words.release()
            self._map.close()
            os.close(self._file)

    def _refuse_fork(self) -> None:
        raise StoreError(
            f"A forked child (process {os.getpid()}) wrote to the run log of its parent, which would break it. "
            "Hand the values to the process in which the trial began, and log them there."
        )

    def _name(self, metric: str) -> int:
        if len(self._keys) >= 0xFFFF:
            raise StoreError(f"The trial logs more than 65,535 different metrics; {metric!r} has no room. Log fewer.")
        key = len(self._keys)
        self._text(_IS_NAME, key, metric)
        self._keys[metric] = key  # only now: on a full disk the name is not in the file, and no point may refer to it
        return key

    def _text(self, kind: int, key: int, text: str, *, last: bool = False) -> None:
        data = text.encode()
        end = self._end + 16 + len(data) + -len(data) % 8
        if end > (self._size if last else self._room):
            self._grow(end)
        milliseconds = (time.monotonic_ns() - self._zero) // 1_000_000 & 0xFFFFFFFF
        _TEXT.pack_into(self._map, self._end, kind, key, milliseconds, len(data))
        self._map[self._end + 16 : self._end + 16 + len(data)] = data
        self._end = end
        self._words[_LENGTH] = end - _HEADER

    def _grow(self, needed: int) -> None:
        size = self._size
        while size - _LAST_WORDS < needed:
            size += min(size * (_GROWTH - 1), _LARGEST_GROWTH)
        # Space is taken before it is mapped: a sparse map on a full disk would end the trial with SIGBUS.
        try:
            _allocate(self._file, self._size, size - self._size, self._path)
        except DiskError as error:
            self._tell_refusal(error.number)
            raise
        self._words.release()
        self._map.close()
        self._map = mmap.mmap(self._file, size)
        self._words = memoryview(self._map)[:_HEADER].cast("Q")
        self._size, self._room = size, size - _LAST_WORDS

    def _tell_refusal(self, number: int) -> None:
        if not self._told_refusal:
            self._told_refusal = True  # before it is written: where even the kept room is used up, it ends here
            self._text(_IS_MARK, 0, json.dumps(["interrupted", {"errno": number}]), last=True)


class RunLogReader:
    """Follow a run log while another process writes it. Reads only what is new."""

    def __init__(self, path: Path, attempt: int | None = None) -> None:
        self._path = path
        self._attempt = attempt  # whose log it has to be; None takes anybody's
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._read = 0
        self.behind = False  # whether the last read left something for the next
        self._names: dict[int, str] = {}

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> "RunLogReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def begun(self) -> bool:
        """Tell whether the writer has laid out the header: until then it would write over a grant."""
        own = self._attempt is None or self._word(_ATTEMPT) == self._attempt
        return own and self._word(0) == _MAGIC

    @property
    def waiting(self) -> int:
        """Return at how many steps the trial waits for more; 0 when it does not wait."""
        return self._word(_WAITING)

    @property
    def length(self) -> int:
        """Return how many bytes of records there are: a cheap sign of life."""
        return self._word(_LENGTH)

    def grant(self, steps: int) -> None:
        """Let the trial go on up to `steps` steps in all."""
        os.pwrite(self._file, steps.to_bytes(8, "little"), _GRANT * 8)

    def signal(self, signal: Signal) -> None:
        """Tell the trial to stop or to pause."""
        os.pwrite(self._file, int(signal).to_bytes(8, "little"), _SIGNAL * 8)

    def read(self, at_most_bytes: int | None = None) -> list[Point | Mark]:
        """Return the points and marks that came since the last call, in their order; of a flood, a part at a time.

        At least one record comes, however long it is. Raise `StoreError` where the file holds something else: its
        memory lies within the trial's reach.
        """
        length = min(self._word(_LENGTH), os.fstat(self._file).st_size - _HEADER)
        if not self.begun or length <= self._read:
            return []
        self.behind = at_most_bytes is not None and length - self._read > at_most_bytes
        if self.behind and (items := self._read_up_to(self._read + (at_most_bytes or 0), whole=False)):
            return items
        self.behind = False
        return self._read_up_to(length, whole=True)

    def _read_up_to(self, end: int, *, whole: bool) -> list[Point | Mark]:
        data = os.pread(self._file, end - self._read, _HEADER + self._read)
        if not self.begun:  # another attempt has begun the file anew meanwhile
            return []
        try:
            items, parsed = self._parse(data, whole=whole)
        except (KeyError, ValueError, TypeError, struct.error) as error:
            raise StoreError(
                f"The run log {self._path} is damaged after {self._read} bytes ({error!r}): something in the trial's "
                "process wrote over it. Run the trial again."
            ) from error
        self._read += parsed
        return items

    def names(self) -> dict[int, str]:
        """Return the metrics by key, of the whole file."""
        self.read()
        self.close()
        return self._names

    def _word(self, index: int) -> int:
        return int.from_bytes(os.pread(self._file, 8, index * 8), "little")

    def _parse(self, data: bytes, *, whole: bool) -> tuple[list[Point | Mark], int]:
        """Return what is in the data and how many bytes it takes; unless they are the `whole`, the last may be cut."""
        items: list[Point | Mark] = []
        offset, unpack = 0, _POINT.unpack_from
        names = self._names
        last = len(data) if whole else len(data) - _POINT.size  # where the last record may begin that is read here
        while offset < len(data) and offset <= last:
            if data[offset] == _IS_POINT:
                _, key, milliseconds, step, value = unpack(data, offset)
                items.append(Point(names[key], step, value, milliseconds / 1000))
                offset += 24
                continue
            kind, key, milliseconds, size = _TEXT.unpack_from(data, offset)
            if not whole and size > len(data) - offset - 16 - -size % 8:
                break
            if kind not in (_IS_NAME, _IS_MARK) or not 0 <= size <= len(data) - offset - 16:
                raise ValueError(f"kind {kind}, size {size}")
            text = data[offset + 16 : offset + 16 + size].decode()
            offset += 16 + size + -size % 8
            if kind == _IS_NAME:
                names[key] = text
            else:
                name, fields = json.loads(text)
                items.append(Mark(name, fields, milliseconds / 1000))
        return items, offset


def _allocate(file: int, offset: int, size: int, path: Path) -> None:
    reserve: Callable[[int, int, int], None] | None = getattr(os, "posix_fallocate", None)
    try:
        if reserve is not None:
            reserve(file, offset, size)
        else:  # macOS and Windows: writing zeros takes the space as well
            os.lseek(file, offset, os.SEEK_SET)
            os.write(file, bytes(size))
    except OSError as error:
        text = f"The run log {path} cannot grow by {size} bytes ({error.strerror}); all logged so far is kept."
        raise (DiskError(text, error.errno or 0) if refused(error) else StoreError(text)) from error
