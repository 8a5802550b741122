"""Checkpoint files: written whole or not at all, rotated, found again by step, and known when they are damaged.

A file holds the number of steps done, the experiment's own state and the state of the random-number generators. torch
writes it where torch is loaded, pickle elsewhere; neither looks at what follows, and there stands a seal: length and
checksum of all before it. Files of a Headway that wrote no seal are read as they are.
"""

import contextlib
import os
import pickle
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from headway.experiments import randomness
from headway.store import own_writes

__all__ = ["Checkpoint", "newest", "save"]

_KEPT = 2  # the newest and one before it, should the newest be the one that breaks
_MAGIC = b"HWCKPT\x00\x01"
_SEAL = struct.Struct("<8sQI")  # magic, bytes before the seal, their CRC-32
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Hold what a trial goes on from: `steps` done, the experiment's own state, the generators' states."""

    steps: int
    state: object
    random: dict[str, Any]


class _Damaged(Exception):
    """Say what is wrong with a file."""


def save(folder: Path, steps_done: int, state: object) -> Path:
    """Write a checkpoint after `steps_done` steps and remove the ones that it replaces.

    Raise `DiskError` where the disk refuses it; what the state itself raises while it is written passes.
    """
    path = folder / f"{steps_done:012d}.ckpt"
    partial = folder / f".{path.name}.{os.getpid()}"
    content = {"steps": steps_done, "state": state, "random": randomness.capture()}
    with own_writes(path):
        folder.mkdir(parents=True, exist_ok=True)
        file = _SealedFile(partial)
    try:
        _dump(content, file)
        with own_writes(path):
            file.seal()
            os.replace(partial, path)
    finally:
        file.close()
        with contextlib.suppress(OSError):  # on a broken disk; nobody takes it for a checkpoint
            partial.unlink(missing_ok=True)
    with own_writes(path):
        for old in _all(folder)[:-_KEPT]:
            old.unlink(missing_ok=True)
    return path


def newest(folder: Path, damaged: Callable[[int, str], None]) -> Checkpoint | None:
    """Return the newest checkpoint of a trial that is whole, None where there is none.

    One that is damaged is removed, and told by its step and what is wrong with it. What the experiment's own classes
    raise while a whole one is read passes.
    """
    for path in reversed(_all(folder)):
        try:
            file = path.open("rb")
        except FileNotFoundError:  # another process of the same command was faster
            continue
        try:
            with file:
                return _load(file)
        except _Damaged as error:
            with own_writes(path):
                path.unlink(missing_ok=True)
            damaged(int(path.stem), str(error))
    return None


class _SealedFile:
    """Take what is written, and seal it at the end.

    A write that fails is kept for `seal`: torch would answer it with an error of its own, in words about archives.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._bytes = 0
        self._checksum = 0
        self._problem: OSError | None = None

    def write(self, data: bytes | bytearray | memoryview) -> int:
        size = memoryview(data).nbytes
        if self._problem is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._problem = error
        self._checksum = zlib.crc32(data, self._checksum)
        self._bytes += size
        return size

    def flush(self) -> None:
        """Do nothing: `seal` does."""

    def seal(self) -> None:
        if self._problem is not None:
            raise self._problem
        self._file.write(_SEAL.pack(_MAGIC, self._bytes, self._checksum))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it was told before, or the file was given up
            self._file.close()


def _dump(content: object, file: Any) -> None:
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.save(content, file)
    else:
        pickle.dump(content, file, protocol=pickle.HIGHEST_PROTOCOL)


def _load(file: BinaryIO) -> Checkpoint:
    sealed = _sealed(file)
    try:
        content = cast("dict[str, Any]", _read(file))
        return Checkpoint(steps=content["steps"], state=content["state"], random=content["random"])
    except Exception as error:
        if sealed:
            raise
        raise _Damaged(f"{type(error).__name__}: {error}") from error


def _read(file: BinaryIO) -> object:
    file.seek(0)
    zipped = file.read(2) == b"PK"  # torch's format
    file.seek(0)
    if not zipped:
        return pickle.load(file)
    import torch

    # Weights-only loading would refuse the generators' states; the file is one that this trial wrote.
    return torch.load(file, map_location="cpu", weights_only=False)


def _sealed(file: BinaryIO) -> bool:
    """Tell whether a file is sealed; raise `_Damaged` where its seal does not hold, or the disk cannot read it."""
    try:
        length = file.seek(0, os.SEEK_END) - _SEAL.size
        file.seek(max(0, length))
        end = file.read()
        if len(end) < _SEAL.size or not end.startswith(_MAGIC):
            return False
        file.seek(0)
        found = (_MAGIC, length, _checksum(file, length))
    except OSError as error:
        raise _Damaged(f"it cannot be read: {error.strerror}") from error
    if _SEAL.unpack(end) != found:
        raise _Damaged("its bytes are not those that were written")
    return True


def _checksum(file: BinaryIO, length: int) -> int:
    checksum = 0
    while length > 0 and (piece := file.read(min(length, _PIECE))):
        checksum = zlib.crc32(piece, checksum)
        length -= len(piece)
    return checksum


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.ckpt"))
