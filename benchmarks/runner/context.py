"""What a benchmark is given: its sizes, folders on a real disk, measured subprocesses, repeats in turns."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.runner.environments import Environments, Peer, PeerFailed
from benchmarks.runner.processes import Ended, ProcessFailed, run_process

__all__ = ["ROOT", "SCRIPTS", "Context", "Driven"]

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "benchmarks" / "peers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """Hold what a script printed as its last line, and what the whole process cost."""

    data: dict[str, Any]
    process: Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Measure. `say` writes a line of progress to stderr."""

    repeats: int
    quick: bool
    with_peers: bool
    say: Callable[[str], None]
    environments: Environments
    scenario: Path | None = None  # a file with cases of the user's own

    def pick(self, full: T, quick: T) -> T:
        """Return the size that this run has: the claim's, or a smaller one for a smoke test."""
        return quick if self.quick else full

    @contextmanager
    def folder(self) -> Generator[Path]:
        """Make a folder on a real disk, gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="headway-bench-", dir=_disk(), ignore_cleanup_errors=True) as name:
            yield Path(name)

    def version(self, peer: Peer | None) -> str:
        """Return the release of a peer, or Headway's own."""
        if peer is not None:
            return self.environments.version(peer)
        import headway

        return headway.__version__

    def python(self, peer: Peer | None) -> Path:
        """Return the interpreter that holds a peer, or this one for Headway. Raise `PeerFailed` where there is none."""
        if peer is None:
            return Path(sys.executable)
        if not self.with_peers:
            raise PeerFailed("left out (--no-peers)")
        return self.environments.python(peer.group)

    def drive(
        self,
        script: str,
        *arguments: object,
        folder: Path,
        peer: Peer | None = None,
        variables: Mapping[str, str] | None = None,
        seconds: float = 600.0,
    ) -> Driven:
        """Run `benchmarks/peers/<script>.py` in the environment of a peer (None: Headway's) and read its last line.

        Raise `PeerFailed` with the reason where it does not work.
        """
        command = [self.python(peer), SCRIPTS / f"{script}.py", *map(str, arguments)]
        try:
            process = run_process(command, folder=folder, variables=variables, seconds=seconds).checked()
            return Driven(data=json.loads(process.stdout.strip().splitlines()[-1]), process=process)
        except (ProcessFailed, ValueError, IndexError) as error:
            raise PeerFailed(f"{script} {error}") from error

    def in_turns(
        self, contestants: Mapping[str, Callable[[], T]], repeats: int | None = None
    ) -> dict[str, list[T] | PeerFailed]:
        """Call each contestant `repeats` times in turns (A B C A B C), so that a busy minute falls on all of them.

        One that raises `PeerFailed` is out, and its failure is returned in place of its results.
        """
        found: dict[str, list[T] | PeerFailed] = {name: [] for name in contestants}
        times = repeats or self.repeats
        for number in range(1, times + 1):
            for name, measure in contestants.items():
                results = found[name]
                if isinstance(results, PeerFailed):
                    continue
                self.say(f"{name}: repeat {number} of {times}")
                try:
                    results.append(measure())
                except PeerFailed as error:
                    self.say(f"{name}: {error}")
                    found[name] = error
        return found


def _disk() -> Path:
    """Return a folder for temporary files that lies on a disk: in memory, every durable write would look cheap."""
    for name in (os.environ.get("TMPDIR"), "/var/tmp", "/tmp", ROOT):
        if name and Path(name).is_dir() and os.stat(name).st_dev not in _memory_devices():
            return Path(name)
    raise PeerFailed("There is no folder on a disk for temporary files. Name one in TMPDIR.")


def _memory_devices() -> set[int]:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return {
        os.stat(fields[1]).st_dev for fields in mounts if fields[2] in ("tmpfs", "ramfs") and os.path.isdir(fields[1])
    }
