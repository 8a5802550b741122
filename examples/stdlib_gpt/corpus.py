"""The text: the source of Python's own standard library, as bytes. Every machine with Python has it.

A file is held out when the hash of its path says so: training and validation never share a file, and a file stays on
its side whatever happens to the others.
"""

import hashlib
import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

# Installed packages and tests are not the library; codec tables, pydoc's topics and sysconfig's data were not written
# by people.
SKIPPED_FOLDERS = {"site-packages", "dist-packages", "test", "tests", "idle_test", "encodings", "pydoc_data"}
SKIPPED_PREFIX = "_sysconfigdata"
MAX_BYTES = 16_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Training text and held-out text, each a flat tensor of bytes."""

    train: Tensor
    held_out: Tensor

    def batch(self, starts: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Return the windows at `starts` and, as targets, the same windows one byte later: both (batch, length)."""
        return _windows(self.train, starts, length)

    def validation(self, windows: int, length: int) -> tuple[Tensor, Tensor]:
        """Return windows spread evenly over the held-out text, and their targets: the same ones for every trial."""
        starts = torch.linspace(0, len(self.held_out) - length - 1, windows).long()
        return _windows(self.held_out, starts, length)


def load_corpus() -> Corpus:
    """Read the library: about 10 MB, in a tenth of a second."""
    train, held_out = bytearray(), bytearray()
    for digest, path in _library():
        side = held_out if digest % 10 == 0 else train
        side += path.read_bytes()
        if len(train) + len(held_out) >= MAX_BYTES:
            break
    return Corpus(train=_tensor(train), held_out=_tensor(held_out))


def _library() -> Iterator[tuple[int, Path]]:
    """Yield the library's files with their digests, in the order of these: shuffled, yet always the same."""
    root = Path(sysconfig.get_path("stdlib"))
    yield from sorted((_digest(path.relative_to(root)), path) for path in _sources(root))


def _sources(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = set(folders) - SKIPPED_FOLDERS  # os.walk does not enter what is removed: site-packages are large
        modules = (name for name in files if name.endswith(".py") and not name.startswith(SKIPPED_PREFIX))
        yield from (Path(folder, name) for name in modules)


def _digest(path: Path) -> int:
    return int(hashlib.sha256(path.as_posix().encode()).hexdigest(), 16)


def _tensor(text: bytearray) -> Tensor:
    return torch.frombuffer(text, dtype=torch.uint8)


def _windows(text: Tensor, starts: Tensor, length: int) -> tuple[Tensor, Tensor]:
    window = text[starts[:, None] + torch.arange(length + 1)].long()
    return window[:, :-1], window[:, 1:]
