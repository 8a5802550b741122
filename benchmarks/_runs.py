"""Repeated real runs of the same code, as the benchmarks of the statistics draw from them."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "Group", "real_groups"]

Floats = NDArray[np.float64]
_FILE = Path(__file__).parent / "data" / "nanogpt_speedrun_seed_noise.csv"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Group:
    """Hold the residuals of one group of runs, scaled so that draws from them have the variance of its runs."""

    residuals: Floats
    sd: float

    @property
    def runs(self) -> int:
        """Return how many runs there are."""
        return len(self.residuals)


@cache
def real_groups() -> tuple[Group, ...]:
    """Return the final validation losses of 1,026 runs of modded-nanogpt in 89 groups (MIT, see data/README.md)."""
    losses: dict[tuple[str, str], list[float]] = defaultdict(list)
    with _FILE.open() as file:
        for row in csv.DictReader(file):
            losses[row["group"], row["final_step"]].append(float(row["val_loss"]))
    return tuple(_group(np.asarray(values)) for values in losses.values())


def _group(values: Floats) -> Group:
    scaled = (values - values.mean()) * np.sqrt(len(values) / (len(values) - 1))
    return Group(residuals=scaled, sd=float(values.std(ddof=1)))
