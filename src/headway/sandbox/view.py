"""What a sandbox shows of the file system, as arguments of bubblewrap: an allow list, parents before children."""

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headway.core import UsageError

__all__ = [
    "Mount",
    "bytes_below",
    "interpreter_paths",
    "linked_elsewhere",
    "ordered",
    "protecting",
    "spread",
    "straight",
    "system_mounts",
]

Kind = Literal["read", "write", "scratch", "hide", "link"]

_LINKED = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# The loader's cache, Debian's choices between libraries (BLAS), and the clock: nothing that names host or people.
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime", "timezone")


@dataclass(frozen=True, slots=True)
class Mount:
    """Show `source` (default: the same path) at `path`, or cover it: by an empty scratch folder, or by nothing."""

    path: Path
    kind: Kind
    source: Path | None = None

    def arguments(self, scratch_bytes: int) -> list[str]:
        """Return bubblewrap's arguments."""
        path, source = str(self.path), str(self.source or self.path)
        match self.kind:
            case "read":
                return ["--ro-bind", source, path]
            case "write":
                return ["--bind", source, path]
            case "link":  # as it stands: what it leads to is shown only where that is shown anyway
                return ["--symlink", os.readlink(source), path]
            case "scratch":
                return ["--perms", "1777", "--size", str(scratch_bytes), "--tmpfs", path]
            case "hide":
                if os.path.isdir(path):
                    return ["--size", "4096", "--tmpfs", path, "--remount-ro", path]
                return ["--ro-bind", "/dev/null", path]


def ordered(mounts: Iterable[Mount]) -> Sequence[Mount]:
    """Put parents before children. A path that is wanted in two ways is refused, unless they are the same."""
    by_path: dict[Path, Mount] = {}
    for mount in mounts:
        known = by_path.setdefault(mount.path, mount)
        if known != mount:
            raise UsageError(
                f"The sandbox is to show {mount.path} in two ways, {known.kind} and {mount.kind}. Name it once."
            )
    return sorted(by_path.values(), key=lambda mount: (len(mount.path.parts), str(mount.path)))


def protecting(covered: Path, writable: Iterable[Path]) -> list[Mount]:
    """Make the folders between a writable folder and what is covered in it mount points of their own.

    Linux refuses to rename a mount point, but not a folder that holds one: so a read-only file could be moved away with
    its folder, and another put in its place.
    """
    above = [folder for folder in writable if folder in covered.parents]
    between = {parent for folder in above for parent in covered.parents if folder in parent.parents}
    return [Mount(parent, "write") for parent in between]


def spread(folder: Path, taken: Iterable[Path]) -> list[Mount]:
    """Show what a scratch folder holds on the host read-only in it; `taken` are shown in another way."""
    if not folder.is_dir():
        return []
    skipped = set(taken)
    paths = [folder / name for name in sorted(os.listdir(folder)) if folder / name not in skipped]
    return [Mount(path, "link" if path.is_symlink() else "read") for path in paths]


def system_mounts() -> list[str]:
    """Return the arguments for programs and libraries of the system, and the little of /etc that they need."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for path in _LINKED:
        if os.path.islink(path):
            arguments += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            arguments += ["--ro-bind", path, path]
    for name in _ETC:
        if os.path.exists(f"/etc/{name}"):
            arguments += ["--ro-bind", f"/etc/{name}", f"/etc/{name}"]
    return arguments


def interpreter_paths(executable: str | Path) -> tuple[Path, ...]:
    """Return the folders that a Python interpreter needs: its environment's, and those of the Python it was made from.

    Every link on the way from the executable counts. What lies in /usr is shown anyway.
    """
    found: list[Path] = []
    link = Path(os.path.abspath(executable))
    for _ in range(40):  # as many links as Linux follows
        prefix = link.parent.parent
        found.append(prefix)
        if (prefix / "pyvenv.cfg").is_file():
            found += _homes(prefix / "pyvenv.cfg")
        if not link.is_symlink():
            break
        link = Path(os.path.normpath(link.parent / os.readlink(link)))
    found.append(Path(os.path.realpath(executable)).parent.parent)
    return tuple(
        dict.fromkeys(path for path in found if Path("/usr") not in (path, *path.parents) and path != Path("/"))
    )


def _homes(configuration: Path) -> list[Path]:
    for line in configuration.read_text().splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "home":
            return [Path(value.strip()).parent]
    return []


def linked_elsewhere(folder: Path, skipped: Iterable[Path]) -> Path | None:
    """Return a file with several names, if there is one: writing to it would change the others, wherever they are."""
    leave = {str(path) for path in skipped}
    waiting = [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.path in leave:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False) and os.lstat(entry.path).st_nlink > 1:
                    return Path(entry.path)
    return None


def straight(root: Path, path: str | Path) -> Path:
    """Return a path in the root as an absolute one; one that leaves it, or leads over a link, is refused."""
    whole = Path(os.path.normpath(root / path))
    if whole != root and root not in whole.parents:
        raise UsageError(f"The path {str(path)!r} leaves the sandbox's folder {root}. Give paths inside it.")
    at = root
    for part in whole.relative_to(root).parts:
        at /= part
        if at.is_symlink():
            raise UsageError(
                f"The path {str(path)!r} leads over the link {at}, which an earlier run may have made. Remove it."
            )
    return whole


def bytes_below(folders: Iterable[Path]) -> int:
    """Return the bytes that folders hold on their disk. What vanishes meanwhile is not counted."""
    total = 0
    waiting = [str(folder) for folder in folders]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    total += status.st_blocks * 512
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(entry.path)
        except OSError:
            continue
    return total
