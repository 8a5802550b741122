"""Make a template cheap to fork: all that a first step would do lazily is done, and its memory lies in huge pages."""

import ctypes
import gc
import sys
from functools import cache
from pathlib import Path

__all__ = ["collapse_memory", "settle", "warm_torch"]

_HUGE = 2 * 1024 * 1024
_WORTH_BYTES = 64 * 1024 * 1024  # below it a fork copies few page tables anyway
_COLLAPSE = 25  # MADV_COLLAPSE, Linux 6.1


def warm_torch() -> None:
    """Take a step of an optimizer, where torch is loaded: the first one imports its compiler stack (1.45 s).

    The gradient is made by hand: autograd would start threads, and a parent that has any makes its children hang.
    """
    if (torch := sys.modules.get("torch")) is not None:
        weight = torch.zeros(1, requires_grad=True)
        for optimizer in (torch.optim.SGD([weight], lr=0.1, momentum=0.9), torch.optim.AdamW([weight])):
            weight.grad = torch.zeros(1)
            optimizer.step()


def settle() -> None:
    """Put what was allocated so far out of the garbage collector's reach.

    Each object that it looks at in a forked child is a page to be copied.
    """
    gc.collect()
    gc.freeze()


def collapse_memory() -> int:
    """Gather this process's memory into huge pages; return how many bytes were asked for, 0 where it is not worth it.

    A fork copies page tables, and the child writes into copied pages: with torch and 50 MB of data a fork and a first
    step take 30 ms of CPU from small pages and 17 from huge ones. It costs about 2 ms of CPU a megabyte, once.
    """
    ranges = _anonymous()
    size = sum(end - start for start, end in ranges)
    if size < _WORTH_BYTES:
        return 0
    for start, end in ranges:
        _madvise()(start, end - start, _COLLAPSE)  # older kernels refuse, and nothing is lost
    return size


def _anonymous() -> list[tuple[int, int]]:
    """Return the private, writable, anonymous ranges of at least one huge page."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return []
    found: list[tuple[int, int]] = []
    for line in lines:
        fields = line.split()
        if fields[1] == "rw-p" and fields[4] == "0" and (len(fields) == 5 or fields[5] == "[heap]"):
            start, end = (int(word, 16) for word in fields[0].split("-"))
            start, end = -(-start // _HUGE) * _HUGE, end // _HUGE * _HUGE
            if start < end:
                found.append((start, end))
    return found


@cache
def _madvise() -> "ctypes._NamedFuncPointer":  # pyright: ignore[reportPrivateUsage]
    function = ctypes.CDLL(None, use_errno=True).madvise
    function.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return function
