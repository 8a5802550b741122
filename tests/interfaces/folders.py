"""A folder in which commands are typed, as people and agents do it: with processes of their own."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.store import FOLDER

__all__ = ["Folder", "until"]


@dataclass(frozen=True)
class Folder:
    """A folder with a study or a repository, and what is run in it."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / FOLDER

    def start(self, *words: str, out: int | None = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start a command, and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "headway", *words],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def json(self, *words: str) -> Any:
        """Return what a command tells with --json."""
        done = subprocess.run(
            [sys.executable, "-m", "headway", *words, "--json"], cwd=self.folder, capture_output=True, text=True
        )
        return json.loads(done.stdout)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until a condition holds; fail where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
