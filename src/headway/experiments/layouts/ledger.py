"""Writing `results.tsv`, the ledger of karpathy/autoresearch, so that its notebook goes on working.

One row a trial: commit, val_bpb, memory_gb, status, description, divided by tabs; `studies.results_tsv` reads it.
"""

import contextlib
import math
import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Literal

from headway.core import DiskError, UsageError

__all__ = ["append_row", "format_row", "header"]

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_MEBIBYTES_PER_GB = 1024  # as the original divides
_Status = Literal["keep", "discard", "crash"]


def header(metric: str = "val_bpb") -> str:
    """Return the first line, without its end.

    >>> header().split()
    ['commit', 'val_bpb', 'memory_gb', 'status', 'description']
    """
    return f"commit\t{metric}\tmemory_gb\tstatus\tdescription"


def format_row(*, commit: str, value: float | None, memory_mb: float | None, status: _Status, description: str) -> str:
    """Return a row, without its end. A crash has the metric 0.000000 and the memory 0.0, whatever is given.

    `commit` is cut to 7 characters; `memory_mb` is in MiB and written in GB with one decimal (0.0 where unknown). Tabs
    and line ends in the description become blanks, and double quotes single ones, since readers of tables let a quote
    swallow the rows after it. Raises `UsageError` for a commit, status or value that the ledger cannot hold.

    >>> format_row(commit="a1b2c3d4e5", value=0.9979, memory_mb=45060.2, status="keep", description="baseline")
    'a1b2c3d\\t0.997900\\t44.0\\tkeep\\tbaseline'
    """
    if not _COMMIT.fullmatch(commit):
        raise UsageError(f"{commit!r} is no commit. Give its hash: at least 7 characters of 0-9 and a-f.")
    if status not in ("keep", "discard", "crash"):
        raise UsageError(f"The status {status!r} is unknown. Expected keep, discard or crash.")
    if status == "crash":
        value, memory_mb = 0.0, 0.0
    if value is None or not math.isfinite(value):
        raise UsageError(f"A row with the status {status} has the value {value!r}. Give a finite number, or crash.")
    known = memory_mb is not None and math.isfinite(memory_mb)
    memory = memory_mb / _MEBIBYTES_PER_GB if known and memory_mb is not None else 0.0
    printable = "".join(letter if letter.isprintable() else " " for letter in description)
    words = " ".join(printable.replace('"', "'").split())
    return f"{commit[:7]}\t{value:.6f}\t{memory:.1f}\t{status}\t{words}"


def append_row(path: Path, row: str, *, metric: str = "val_bpb") -> None:
    """Append a row, and the header where the file is new. Either all of the row stands there afterwards or none of it.

    Writers take turns. A last line without an end, as a killed writer leaves one, is closed first. Raises `UsageError`
    for a file with other columns, and `DiskError` where the disk refuses; the file is then as it was.
    """
    if "\n" in row or "\r" in row or row.count("\t") != header(metric).count("\t"):
        raise UsageError(f"{row!r} is no row of {path.name}. Make it with format_row.")
    try:
        with _locked(path) as file:
            size = os.fstat(file).st_size
            text = _prefix(path, file, size, metric) + row + "\n"
            _write_all(file, text.encode(), size)
    except OSError as error:
        raise DiskError(
            f"{path} cannot be written: {error.strerror}. Make room, and record the trial again."
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Generator[int]:
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)  # closing lets it go
        yield file
    finally:
        os.close(file)


def _prefix(path: Path, file: int, size: int, metric: str) -> str:
    """Return what must come before the row: the header of a new file, or the end of a line that lacks one."""
    if size == 0:
        return header(metric) + "\n"
    first = os.pread(file, 4096, 0).decode("utf-8-sig", errors="replace").splitlines()[0].rstrip()
    if first != header(metric):
        raise UsageError(
            f"{path} begins with {first!r}. Expected {header(metric)!r}: name its metric, or move it away."
        )
    return "" if os.pread(file, 1, size - 1) == b"\n" else "\n"


def _write_all(file: int, data: bytes, size: int) -> None:
    """Append `data` in one write; what a full disk let through of it is taken back."""
    try:
        if os.write(file, data) != len(data):
            raise OSError(28, "the disk is full")
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise
