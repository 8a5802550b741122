"""The peers' virtual environments: `.venv-peers/<group>`, made from the group's part of peers.txt when it is needed."""

import fcntl
import re
import shutil
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.runner.processes import ProcessFailed, run_process

__all__ = ["Environments", "Peer", "PeerFailed", "groups"]

_STAMP = "installed.txt"
_INSTALL_SECONDS = 1800.0
_PINNED = re.compile(r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!]+)$")


class PeerFailed(Exception):
    """Say why a peer could not be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Name a contestant: `name` in tables and figures, `package` and `group` as in peers.txt."""

    name: str
    package: str
    group: str


class Environments:
    """Make the environments and say what is in them."""

    def __init__(self, root: Path, requirements: str, say: Callable[[str], None]) -> None:
        self._root = root
        self._groups = groups(requirements)
        self._say = say

    def version(self, peer: Peer) -> str:
        """Return the release of a peer that is pinned."""
        for line in self._lines(peer.group):
            match = _PINNED.match(line)
            if match and match[1].lower() == peer.package.lower():
                return match[2]
        raise PeerFailed(f"benchmarks/peers.txt pins no {peer.package} in the group {peer.group!r}")

    def python(self, group: str) -> Path:
        """Return the interpreter of a group's environment, which is made first where it is missing or stale."""
        folder = self._root / group
        wanted = "\n".join([f"# Python {sys.version.split()[0]}", *self._lines(group), ""])
        with _locked(self._root, group):
            stamp = folder / _STAMP
            if not stamp.exists() or stamp.read_text() != wanted:
                self._make(folder, wanted)
                stamp.write_text(wanted)
        return folder / "bin" / "python"

    def _lines(self, group: str) -> list[str]:
        if group not in self._groups:
            raise PeerFailed(f"benchmarks/peers.txt has no group {group!r}; it has {', '.join(self._groups)}")
        return self._groups[group]

    def _make(self, folder: Path, wanted: str) -> None:
        self._say(f"making {self._root.name}/{folder.name} with {', '.join(self._groups[folder.name])}: takes minutes")
        shutil.rmtree(folder, ignore_errors=True)
        requirements = self._root / f"{folder.name}.txt"
        requirements.write_text(wanted)
        pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
        try:
            run_process([sys.executable, "-m", "venv", folder], folder=self._root).checked()
            run_process(
                [*pip, "install", "--quiet", "-r", requirements], folder=self._root, seconds=_INSTALL_SECONDS
            ).checked()
        except ProcessFailed as error:
            raise PeerFailed(f"its environment cannot be made: {error}") from error


def groups(requirements: str) -> dict[str, list[str]]:
    """Return the requirements by group. Each must be pinned to one release."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in (line.strip() for line in requirements.splitlines()):
        if line.startswith("# group:"):
            name = line.partition(":")[2].strip()
            found[name] = []
        elif line and not line.startswith("#"):
            if not name or not _PINNED.match(line):
                raise ValueError(
                    f"peers.txt holds {line!r}, expected package==version under a '# group: NAME' line. Pin it there."
                )
            found[name].append(line)
    return found


@contextmanager
def _locked(root: Path, group: str) -> Generator[None]:
    """Keep two benchmark runs from making the same environment at once."""
    root.mkdir(exist_ok=True)
    with (root / f"{group}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
