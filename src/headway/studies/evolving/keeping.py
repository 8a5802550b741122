"""Answers of models and agents that are no programs of the record yet: kept in a file, as they may have cost money."""

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from headway.propose.evolve import Proposed
from headway.store import own_writes

__all__ = ["Answer", "Keeper"]

_LARGEST_BYTES = 16_000_000  # of the file, before what was forgotten is left out of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Hold what a proposer answered about a parent: a proposal, or in words why there is none.

    `seed` is that of the request, by which a kept answer is known.
    """

    proposer: str
    parent: str
    seed: int
    proposed: Proposed | None
    refused: str = ""


class Keeper:
    """Keep answers in one file of a folder, until they are in the record or refused.

    A line is added when one comes, and when one is let go: 2 µs each, where a file of its own takes 200. A line that a
    killed process left half written is nobody's answer. Threads may keep answers while the session's own forgets some;
    the lease of the study sees to it that one session writes.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "answers.jsonl"
        self._lock = threading.Lock()
        self._log: int | None = None
        self._bytes = 0
        self._lines: dict[int, bytes] = {}  # by seed, of the answers that count

    def keep(self, answer: Answer) -> None:
        """Keep an answer."""
        line = _line(asdict(answer))
        with self._lock, own_writes(self._path):
            self._append(line)
            self._lines[answer.seed] = line

    def forget(self, seed: int) -> None:
        """Let go of an answer that is in the record now, or of no use; of none, where it was not kept."""
        # Where the disk refuses, an answer that is kept too long is found in the record and refused.
        with self._lock, contextlib.suppress(OSError):
            if seed not in self._lines:
                return
            log = self._opened()
            del self._lines[seed]
            if not self._lines:
                os.ftruncate(log, 0)
                self._bytes = 0
            else:
                self._append(_line({"forget": seed}))
            if self._bytes > _LARGEST_BYTES:
                self._begin_anew()

    def kept(self) -> Iterator[Answer]:
        """Give the answers of earlier sessions that became nothing yet; what cannot be read is left out."""
        with self._lock:
            self._lines = _read(self._path)
            lines = sorted(self._lines.items())
        for seed, line in lines:
            try:
                data: Any = json.loads(line)
                yield Answer(**(data | {"proposed": Proposed(**_whole(data["proposed"]))}))
            except (ValueError, TypeError, KeyError):
                self.forget(seed)

    def _append(self, line: bytes) -> None:
        _write(self._opened(), line)
        self._bytes += len(line)

    def _opened(self) -> int:
        """Return the file, which is opened by the session's first change, and not before it has the study's lease."""
        if self._log is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._log = os.open(self._path, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            self._bytes = os.fstat(self._log).st_size
            self._lines = _read(self._path)  # also what another session kept until it gave the lease back
        return self._log

    def _begin_anew(self) -> None:
        """Write a new file of what counts, and put it in the place of the old one."""
        partial = self._path.with_suffix(".partial")
        partial.write_bytes(b"".join(self._lines.values()))
        os.replace(partial, self._path)
        log, self._log = self._opened(), None
        os.close(log)
        self._opened()


def _line(data: dict[str, Any]) -> bytes:
    """Return a line, with a line break before it too: so it stands alone whatever a killed process left."""
    return f"\n{json.dumps(data)}\n".encode()


def _write(log: int, data: bytes) -> None:
    while data:
        data = data[os.write(log, data) :]


def _read(path: Path) -> dict[int, bytes]:
    """Return the lines of the answers that were kept and not forgotten, by seed."""
    found: dict[int, bytes] = {}
    with contextlib.suppress(FileNotFoundError):
        for line in path.read_bytes().split(b"\n"):
            try:
                data = cast("dict[str, Any]", json.loads(line))
                forgotten = data.get("forget")
                if forgotten is None:
                    found[int(data["seed"])] = b"\n" + line + b"\n"
                else:
                    found.pop(int(forgotten), None)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue
    return found


def _whole(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "patches": [(text, path) for text, path in data["patches"]]}
