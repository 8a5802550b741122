"""Let a process see a clock that jumps: `time.time` is off by what the file in HEADWAY_CHAOS_CLOCK says.

The harness puts this folder first on the path of a study's processes; the monotonic clock stays as it is, as the kernel
promises. A `sitecustomize` of the user is run afterwards.
"""

import importlib.machinery
import importlib.util
import mmap
import os
import struct
import sys
import time


def _jump(path: str) -> None:
    with open(path, "rb") as file:
        shared = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    seconds, nanoseconds, offset = time.time, time.time_ns, struct.Struct("<d")
    time.time = lambda: seconds() + offset.unpack_from(shared)[0]
    time.time_ns = lambda: nanoseconds() + int(offset.unpack_from(shared)[0] * 1e9)


def _begin() -> None:
    path = os.environ.get("HEADWAY_CHAOS_CLOCK")
    if path and os.path.exists(path):
        _jump(path)
    here = os.path.dirname(os.path.abspath(__file__))
    others = [folder for folder in sys.path if os.path.abspath(folder or ".") != here]
    original = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if original is not None and original.loader is not None:
        original.loader.exec_module(importlib.util.module_from_spec(original))


if "_headway_chaos" not in sys.modules:  # another sitecustomize may give way to this one in turn
    sys.modules["_headway_chaos"] = sys
    _begin()
