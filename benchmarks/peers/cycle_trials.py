"""The trial of `cycle` as the pools of cycle_pool.py call it. What it imports, its process imports when it runs."""

import time
from functools import cache
from typing import Any

__all__ = ["Trainer", "in_fork", "in_spawn", "kept"]

RATE = 1e-3


@cache
def _data() -> Any:
    from cycle_work import load

    return load()


def kept() -> float:
    """Take the first step in a process that keeps the data set, and return when it was done."""
    from cycle_work import first_step

    first_step(_data(), RATE)
    return time.time()


def in_fork(answer: Any) -> None:
    """Take the first step in a fork of a process that has loaded all."""
    from cycle_preloaded import DATA
    from cycle_work import first_step

    first_step(DATA, RATE)
    answer.send(time.time())


def in_spawn(answer: Any) -> None:
    """Take the first step in a fresh interpreter."""
    answer.send(kept())


class Trainer:
    """Be an actor."""

    def trial(self) -> float:
        """Take the first step."""
        return kept()
