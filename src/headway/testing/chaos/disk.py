"""A small disk for a store, which can be filled and can fail: an ext4 file system in a file, mounted for one case.

It wants a mount namespace of its own (root ignores file modes, so that nothing less shows what a read-only store
does). `python -m headway.testing.chaos` enters one by `unshare` where the schedule needs a disk.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["NAMESPACE", "Disk", "enter_namespace", "entered_namespace", "no_disk_here"]

NAMESPACE = "HEADWAY_CHAOS_NAMESPACE"  # set in the processes that may mount what they like

_TOOLS = ("mkfs.ext4", "e2fsck", "mount", "umount", "unshare")
_SIZE_BYTES = 48 * 1024 * 1024


def no_disk_here() -> str | None:
    """Say why no disk can be made on this machine, or return None."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if sys.platform != "linux" or missing:
        return f"a disk of its own needs Linux and {', '.join(missing or _TOOLS)}"
    if os.geteuid() != 0:
        return "only root may mount a disk of its own"
    tried = subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        return f"unshare -m is refused: {tried.stderr.decode(errors='replace').strip()}"
    return None if Path("/dev/loop-control").exists() else "there are no loop devices"


def entered_namespace() -> bool:
    """Tell whether this process may mount what it likes."""
    return NAMESPACE in os.environ


def enter_namespace() -> None:
    """Begin this program anew in a mount namespace of its own, which goes with it. Does not return."""
    words = ["unshare", "-m", "--propagation", "private", *sys.orig_argv]
    os.execvpe(words[0], words, {**os.environ, NAMESPACE: "1"})


class Disk:
    """Hold a mounted file system of 48 MiB at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._image = folder.with_name(f"{folder.name}.img")
        self._ballast = folder / ".ballast"
        folder.mkdir()
        with self._image.open("wb") as file:
            file.truncate(_SIZE_BYTES)
        # Blocks of 4 KiB, as on larger disks: with mkfs's 1 KiB here, SQLite does not reserve the index of its log.
        _run("mkfs.ext4", "-q", "-m", "0", "-b", "4096", str(self._image))
        self._mount()

    def fill(self, free_bytes: int) -> None:
        """Take all space but `free_bytes`."""
        _run(
            "sync", "-f", str(self.folder)
        )  # what is promised to files that wait to be written counts as free until then
        status = os.statvfs(self.folder)
        descriptor = os.open(self._ballast, os.O_WRONLY | os.O_CREAT)
        try:
            wanted = status.f_bavail * status.f_frsize - free_bytes
            while wanted > 0:  # the file system keeps some blocks for its own tables
                try:
                    os.posix_fallocate(descriptor, 0, wanted)
                    break
                except OSError:
                    wanted -= status.f_frsize
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """Give the space back."""
        self._ballast.unlink(missing_ok=True)

    def fail(self) -> None:
        """Write out what waits, and let the file system meet an error: the kernel then refuses every further write."""
        _run("sync", "-f", str(self.folder))
        device = Path(_run("findmnt", "-no", "SOURCE", str(self.folder)).strip()).name
        Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1")

    def mend(self) -> None:
        """Mount the file system anew, after a check, as an administrator does. Nobody may use it."""
        _run("umount", str(self.folder))
        subprocess.run(["e2fsck", "-fp", str(self._image)], capture_output=True, check=False)  # 1: it mended something
        self._mount()

    def close(self) -> None:
        """Unmount it."""
        _run("umount", "-l", str(self.folder))
        self._image.unlink(missing_ok=True)

    def _mount(self) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.folder))


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
