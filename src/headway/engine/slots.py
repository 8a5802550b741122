"""Cores and GPUs as slots: a trial takes what it needs, or waits."""

import os
from dataclasses import dataclass

from headway.core import Needs, UsageError

__all__ = ["Lease", "Slots", "available_cores", "available_gpus", "check_needs"]


_MOST_AHEAD = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Hold what one trial occupies: a slot, by its number, with its cores and GPUs."""

    slot: int
    cores: int
    gpus: tuple[int, ...]


class Slots:
    """Hand out cores and GPUs to at most `workers` trials at a time.

    `ahead` is how many more may be handed over that wait for one of these to end, where they need no GPU.
    """

    def __init__(self, needs: Needs, *, workers: int | None, cores: int | None = None, gpus: int | None = None) -> None:
        self.cores = available_cores() if cores is None else cores
        found = check_needs(needs, gpus)
        fitting = max(1, self.cores // needs.cores)
        if needs.gpus:
            fitting = min(fitting, found // needs.gpus)
        # More workers than cores is a person's choice where each needs one core; otherwise the cores decide.
        alone = needs.cores == 1 and not needs.gpus
        self.workers = fitting if workers is None else workers if alone else min(workers, fitting)
        self._needs = needs
        self.ahead = 0
        self._slots = list(range(self.workers + _MOST_AHEAD))  # the free ones
        self._free_gpus = list(range(found))

    @property
    def free(self) -> bool:
        """Tell whether one more trial may start."""
        ahead = 0 if self._needs.gpus else min(self.ahead, _MOST_AHEAD)
        return self._running < self.workers + ahead and len(self._free_gpus) >= self._needs.gpus

    @property
    def busy(self) -> int:
        """Return how many trials run."""
        return min(self._running, self.workers)

    @property
    def _running(self) -> int:
        return self.workers + _MOST_AHEAD - len(self._slots)

    def take(self) -> Lease:
        """Take what one trial needs."""
        gpus = tuple(self._free_gpus.pop(0) for _ in range(self._needs.gpus))
        return Lease(slot=self._slots.pop(0), cores=self._needs.cores, gpus=gpus)

    def give_back(self, lease: Lease) -> None:
        """Give back what a trial had."""
        self._slots.append(lease.slot)
        self._free_gpus = sorted([*self._free_gpus, *lease.gpus])


def check_needs(needs: Needs, gpus: int | None = None) -> int:
    """Return how many GPUs there are to hand out, counted if trials need any; raise `UsageError` for too few."""
    found = available_gpus() if gpus is None and needs.gpus else (gpus or 0)
    if needs.gpus > found:
        raise UsageError(
            f"A trial needs {needs.gpus} GPUs, and this machine shows {found}. Lower needs.gpus, or "
            "install the extra that counts them: pip install 'headway[gpu]'."
        )
    return found


def available_cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def available_gpus() -> int:
    """Return how many NVIDIA GPUs there are, by nvidia-ml-py; 0 where it, the driver or a GPU is missing."""
    try:
        import pynvml  # pyright: ignore[reportMissingImports]
    except ImportError:
        return 0
    try:
        pynvml.nvmlInit()  # pyright: ignore[reportUnknownMemberType]
        return int(pynvml.nvmlDeviceGetCount())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    except pynvml.NVMLError:  # pyright: ignore[reportUnknownMemberType]
        return 0
