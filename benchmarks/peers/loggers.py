"""What all loggers have in common for the scripts here: log values as a training script would, and read them back.

A logger `name` is the module `<name>_logger.py` with a class `Adapter`. It is set up as somebody would who knows it and
wants it fast, without a network; docs/benchmarks.md lists the settings.
"""

import importlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, cast

__all__ = ["Logger", "open_logger", "size_bytes"]


class Logger(Protocol):
    """Log one run into a folder, or read what an earlier process logged there."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; import what `start` does not need only later."""
        ...

    def start(self) -> None:
        """Begin the run: what a training script does once."""
        ...

    def write(self, values: Iterable[float]) -> None:
        """Log each value as `loss` at the next step, from 0. It is asked for when the one before has been logged."""
        ...

    def write_four(self, values: Iterable[float]) -> None:
        """Log each value under four names, in one call where the logger takes several."""
        ...

    def finish(self) -> None:
        """End the run and wait until all of it is stored."""
        ...

    def read(self, metric: str) -> Sequence[float]:
        """Return one metric's values, by the quickest way that the logger offers to somebody on the same machine."""
        ...


def open_logger(name: str, folder: Path) -> Logger:
    """Return the logger of that name."""
    folder.mkdir(exist_ok=True)
    return cast("type[Logger]", importlib.import_module(f"{name}_logger").Adapter)(folder)


def size_bytes(folder: Path) -> int:
    """Return how large the files in a folder are together."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
