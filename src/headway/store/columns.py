"""Curves at rest: one column of steps and one of values, made small with the standard library's zlib where that pays.

Equal bytes of a column lie side by side: the sign, exponent and first digits of a float hardly change and pack well;
the last ones are noise and stay as they are, so that reading does not pay for them. Steps that go on evenly, as almost
all do, are a first one and a stride. Floats come back bit for bit.

The first byte tells the format: 2 is this one. Short curves are one piece of zlib's, whose own first byte is 120.
"""

import struct
import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise

__all__ = ["pack", "unpack"]

_FORMAT = 2
_HEAD = struct.Struct("<BBQqq")  # format, whether the steps are listed, count, first step, stride
_SIZE = struct.Struct("<I")
_LEVEL, _LEVEL_OF_SHORT = 3, 6
_SHORT = 64  # points; below it the head and sizes cost more than they save
_WORTH = 0.9  # of its size: bytes that pack to more stay as they are
_WORD = 2**64 - 1  # differences wrap around, so that any two 64-bit steps may follow each other


def pack(steps: Sequence[int], values: Sequence[float]) -> bytes:
    """Pack a curve of equally many steps and values."""
    count = len(steps)
    floats = array("d", values)
    if count < _SHORT:
        data = count.to_bytes(8, "little") + _shuffle(_differences(steps).tobytes()) + _shuffle(floats.tobytes())
        return zlib.compress(data, _LEVEL_OF_SHORT)
    first, stride = steps[0], steps[1] - steps[0]
    if -(2**63) <= stride < 2**63 and stride and list(steps) == list(range(first, first + count * stride, stride)):
        return _HEAD.pack(_FORMAT, False, count, first, stride) + _planes(floats)
    return _HEAD.pack(_FORMAT, True, count, 0, 0) + _planes(_differences(steps)) + _planes(floats)


def unpack(data: bytes) -> tuple[Sequence[int], Sequence[float]]:
    """Return the steps and values that `pack` was given."""
    if data[0] != _FORMAT:
        return _unpack_short(zlib.decompress(data))
    _, listed, count, first, stride = _HEAD.unpack_from(data)
    offset = _HEAD.size
    steps: Sequence[int] = range(first, first + count * stride, stride) if not listed else ()
    if listed:
        raw, offset = _unplanes(data, offset, count)
        steps = _sums(array("Q", raw))
    raw, _ = _unplanes(data, offset, count)
    return steps, array("d", raw)


def _unpack_short(raw: bytes) -> tuple[Sequence[int], Sequence[float]]:
    count = int.from_bytes(raw[:8], "little")
    return _sums(array("Q", _unshuffle(raw[8 : 8 + 8 * count]))), array("d", _unshuffle(raw[8 + 8 * count :]))


def _differences(steps: Sequence[int]) -> "array[int]":
    return array("Q", (later - earlier & _WORD for earlier, later in pairwise((0, *steps))))


def _sums(differences: "array[int]") -> list[int]:
    return [(word := total & _WORD) - (word >> 63 << 64) for total in accumulate(differences)]


def _planes(column: "array[int] | array[float]") -> bytes:
    """Pack the first bytes of all words, then the second ones, and so on, each with its size before it."""
    data = column.tobytes()
    parts: list[bytes] = []
    for index in range(8):
        plane = data[index::8]
        packed = zlib.compress(plane, _LEVEL)
        stored = packed if len(packed) < _WORTH * len(plane) else plane
        parts += _SIZE.pack(len(stored)), stored
    return b"".join(parts)


def _unplanes(data: bytes, offset: int, count: int) -> tuple[bytes, int]:
    result = bytearray(8 * count)
    for index in range(8):
        (size,) = _SIZE.unpack_from(data, offset)
        stored = data[offset + _SIZE.size : offset + _SIZE.size + size]
        result[index::8] = stored if size == count else zlib.decompress(stored)
        offset += _SIZE.size + size
    return bytes(result), offset


def _shuffle(data: bytes) -> bytes:
    return b"".join(data[index::8] for index in range(8))


def _unshuffle(data: bytes) -> bytes:
    count = len(data) // 8
    result = bytearray(len(data))
    for index in range(8):
        result[index::8] = data[index * count : (index + 1) * count]
    return bytes(result)
