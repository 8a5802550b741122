"""
Data, tokenizer and evaluation of this example. Read-only: train.py imports it, and no experiment may change it.

The text is the source of Python's own standard library, so nothing is downloaded: a file is held out when the hash of
its path says so. Tokens are bytes.

Usage: python prepare.py        (shows what there is)
"""

import hashlib
import math
import os
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

# ---------------------------------------------------------------------------
# Constants (fixed, do not modify)
# ---------------------------------------------------------------------------

MAX_SEQ_LEN = 64  # the longest context, in bytes
FLOP_BUDGET = 60e9  # training budget in floating point operations: a few seconds of one core
EVAL_TOKENS = 16_384  # bytes of the validation text that are predicted
TRAIN_BYTES = 2_000_000  # of the training text
VOCAB_SIZE = 256

_SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "encodings", "pydoc_data", "__pycache__"}
_HELD_OUT = 10  # one file in ten

# ---------------------------------------------------------------------------
# Text
# ---------------------------------------------------------------------------


def _files() -> list[Path]:
    """The library's sources, shuffled by the hash of their paths: in the same order on every machine."""
    root = Path(sysconfig.get_path("stdlib"))
    found: list[Path] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in _SKIPPED]
        found += [Path(folder, name) for name in names if name.endswith(".py") and not name.startswith("_sysconfig")]
    return sorted(found, key=lambda path: _digest(path.relative_to(root)))


def _digest(path: Path) -> int:
    return int(hashlib.sha256(path.as_posix().encode()).hexdigest(), 16)


@cache
def load_text(split: str) -> np.ndarray:
    """The bytes of a split ("train" or "val"), one file after the other."""
    assert split in ("train", "val")
    wanted = TRAIN_BYTES if split == "train" else 8 * EVAL_TOKENS
    root = Path(sysconfig.get_path("stdlib"))
    text = bytearray()
    for path in _files():
        if (_digest(path.relative_to(root)) % _HELD_OUT == 0) == (split == "val"):
            text += path.read_bytes()
        if len(text) >= wanted:
            break
    return np.frombuffer(bytes(text[:wanted]), dtype=np.uint8)


class Tokenizer:
    """A byte is a token."""

    @classmethod
    def from_directory(cls) -> "Tokenizer":
        return cls()

    def get_vocab_size(self) -> int:
        return VOCAB_SIZE

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: list[int]) -> str:
        return bytes(ids).decode(errors="replace")


def make_dataloader(B: int, T: int, split: str) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield contexts (B, T), the bytes that follow them (B,), and the epoch. The order is fixed."""
    assert 1 <= T <= MAX_SEQ_LEN, f"a context has 1 to {MAX_SEQ_LEN} bytes, not {T}"
    text = load_text(split)
    order = np.random.Generator(np.random.PCG64(0))
    places = len(text) - MAX_SEQ_LEN
    epoch, drawn = 1, 0
    while True:
        ends = order.integers(MAX_SEQ_LEN, MAX_SEQ_LEN + places, size=B)
        yield text[ends[:, None] + np.arange(-T, 0)], text[ends], epoch
        drawn += B
        epoch = 1 + drawn // places


# ---------------------------------------------------------------------------
# Evaluation (DO NOT CHANGE: this is the fixed metric)
# ---------------------------------------------------------------------------


def evaluate_bpb(model, T: int, batch_size: int) -> float:
    """Bits per byte on the validation text: the mean of -log2 of what the model gave the byte that came.

    `model(x, y)` returns the nats of each target, for contexts `x` (B, T) and targets `y` (B,).
    """
    text = load_text("val")
    ends = np.linspace(MAX_SEQ_LEN, len(text) - 1, EVAL_TOKENS).astype(np.int64)
    nats = 0.0
    for start in range(0, EVAL_TOKENS, batch_size):
        some = ends[start : start + batch_size]
        nats += float(np.sum(model(text[some[:, None] + np.arange(-T, 0)], text[some]), dtype=np.float64))
    return nats / (math.log(2) * EVAL_TOKENS)


if __name__ == "__main__":
    for name in ("train", "val"):
        print(f"{name}: {len(load_text(name)):,} bytes")
    print("Done! Ready to train.")
