"""What a disk refuses as it is full, over a quota, read-only or broken: told from other errors, in words to act upon.

Trials write checkpoints, artifacts and run logs within `own_writes`; the database and sessions explain themselves here.
"""

import errno
import os
import shlex
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from headway.core import DiskError, StoreError

__all__ = ["disk_error", "explained", "own_writes", "refusal", "refused", "resumable"]

_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_PROBE_BYTES = 64 * 1024  # more than SQLite's smallest step, the 32 KiB by which the index of its log grows
_MAKE_ROOM = "Free some space ('headway gc' then shows what more can go)"


def refused(error: OSError) -> bool:
    """Tell whether it is the disk that refused."""
    return error.errno in _REFUSALS


@contextmanager
def own_writes(path: Path) -> Generator[None]:
    """Raise `DiskError` where the disk refuses a write of Headway's own at `path`; every other error passes."""
    try:
        yield
    except OSError as error:
        if not refused(error):
            raise
        raise DiskError(f"{path} cannot be written ({error.strerror}).", error.errno or errno.EIO) from error


def refusal(folder: Path) -> int | None:
    """Try a disk: return the `errno` of what it refuses now, None where it takes what is written.

    The free space alone does not tell: of quotas, of files that it has no more entries for, of errors that it met.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno if refused(error) else None
    return None


@contextmanager
def resumable(folder: Path, study: str) -> Generator[None]:
    """Raise all that the disk of the store in `folder` refuses within as an error that says how to go on."""
    try:
        yield
    except DiskError as error:
        raise disk_error(folder, error.number, study) from error
    except OSError as error:
        if not refused(error):
            raise
        raise disk_error(folder, error.errno or errno.EIO, study) from error


def explained(folder: Path, error: OSError) -> StoreError:
    """Say why the store in `folder` cannot be written, and what to do about it."""
    if refused(error):
        return disk_error(folder, error.errno or errno.EIO)
    return StoreError(
        f"The store {folder} cannot be written ({error.strerror}). Make the folder writable, or give another one with "
        "--store."
    )


def disk_error(folder: Path, number: int, study: str = "") -> DiskError:
    """Say what the disk of the store in `folder` refused, by its `errno`, and what to do about it."""
    if number == errno.EIO:  # SQLite says so of a full disk as well
        number = refusal(folder) or number
    disk = f"The disk of the store {folder}"
    resume = "type: headway resume" + (f" {shlex.quote(study)}" if study else "")
    match number:
        case errno.ENOSPC:
            what = f"{disk} is full ({_free(folder):,} bytes are free). {_MAKE_ROOM}, then {resume}"
        case errno.EDQUOT:
            what = f"The quota on the disk of the store {folder} is used up. {_MAKE_ROOM}, then {resume}"
        case errno.EROFS:
            what = (
                f"{disk} is read-only now: it was mounted so, or has met an error ('dmesg' tells). "
                f"Mend it, mount it for writing, then {resume}"
            )
        case _:
            what = (
                f"{disk} failed ({os.strerror(number)}; 'dmesg' may tell more). Mend it, or copy the store to another "
                f"one and name it with --store, then {resume}"
            )
    return DiskError(what, number)


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
