"""Remove what a candidate left, whatever it is: over no link, however deep, and as far as the system allows."""

import contextlib
import os
import secrets
import stat
from pathlib import Path

__all__ = ["erase"]

_FOLDER_FLAGS = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)


def erase(place: Path) -> bool:
    """Remove what lies at a place, over no link, and tell whether it is gone.

    Folders are moved up before they are emptied: a tree of any depth needs neither long paths nor many descriptors.
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(os.lstat(place).st_mode):
            place.unlink()
            return True
        os.chmod(place, 0o700)
        base = os.open(place, _FOLDER_FLAGS)
        try:
            waiting = _empty(base, base)
            while waiting:
                waiting += _remove_folder(waiting.pop(), base)
        finally:
            os.close(base)
        os.rmdir(place)
    return not os.path.lexists(place)


def _remove_folder(name: str, base: int) -> list[str]:
    moved: list[str] = []
    with contextlib.suppress(OSError):
        folder = os.open(name, _FOLDER_FLAGS, dir_fd=base)
        try:
            moved = _empty(folder, base)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=base)
    return moved


def _empty(folder: int, base: int) -> list[str]:
    """Remove the files of a folder, move its folders into `base`, and return the names they have there."""
    moved: list[str] = []
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
                os.chmod(name, 0o700, dir_fd=folder)
                fresh = secrets.token_hex(8)
                os.rename(name, fresh, src_dir_fd=folder, dst_dir_fd=base)
                moved.append(fresh)
            else:
                os.unlink(name, dir_fd=folder)
    return moved
