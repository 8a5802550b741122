"""Log until killed: `flood.py LOGGER FOLDER RETURNED RATE`. RATE is steps a second, 0 for as fast as it goes.

RETURNED is a file of eight bytes, mapped and shared: how many points the logger has returned for. It is written without
a system call, so it is right at whatever moment the process dies.
"""

import mmap
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from loggers import open_logger

__all__ = ["value_at"]


def value_at(step: int) -> float:
    """Return what is logged at a step, so that a reader can tell a right point from a wrong one."""
    return step % 1_000_000 + 0.25


def main(name: str, folder: Path, returned: Path, rate: float) -> None:
    """Log until killed."""
    returned.write_bytes(bytes(8))
    logger = open_logger(name, folder)
    logger.start()
    with returned.open("r+b") as file, mmap.mmap(file.fileno(), 8) as page:
        logger.write(_values(memoryview(page).cast("Q"), rate))


def _values(returned: memoryview, rate: float) -> Iterator[float]:
    began = time.monotonic()
    for step in count():
        yield value_at(step)
        returned[0] = step + 1  # the logger asks for the next value: it has returned for this one
        if rate:
            time.sleep(max(0.0, began + (step + 1) / rate - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
