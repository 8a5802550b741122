"""Curves at rest: one column of steps and one of values, made small with the standard library's zlib.

Steps are stored as differences, values with equal bytes side by side (the lowest bytes of doubles that were single
precision are zero). Floats come back bit for bit.
"""

import zlib
from array import array
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["pack", "unpack"]

_LEVEL = 6
_WORD = 2**64 - 1  # differences wrap around, so that any two 64-bit steps may follow each other


def pack(steps: Sequence[int], values: Sequence[float]) -> bytes:
    """Pack a curve of equally many steps and values."""
    differences = array("Q", (later - earlier & _WORD for earlier, later in pairwise((0, *steps))))
    data = len(steps).to_bytes(8, "little") + _shuffle(differences.tobytes()) + _shuffle(array("d", values).tobytes())
    return zlib.compress(data, _LEVEL)


def unpack(data: bytes) -> tuple[list[int], list[float]]:
    """Return the steps and values that `pack` was given."""
    raw = zlib.decompress(data)
    count = int.from_bytes(raw[:8], "little")
    steps, values = array("Q"), array("d")
    steps.frombytes(_unshuffle(raw[8 : 8 + 8 * count]))
    values.frombytes(_unshuffle(raw[8 + 8 * count :]))
    total = 0
    absolute: list[int] = []
    for difference in steps:
        total = total + difference & _WORD
        absolute.append(total - (total >> 63 << 64))
    return absolute, values.tolist()


def _shuffle(data: bytes) -> bytes:
    return b"".join(data[index::8] for index in range(8))


def _unshuffle(data: bytes) -> bytes:
    count = len(data) // 8
    result = bytearray(len(data))
    for index in range(8):
        result[index::8] = data[index * count : (index + 1) * count]
    return bytes(result)
