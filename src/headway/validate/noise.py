"""How far results of the same code lie apart when only the seed differs."""

import math
from dataclasses import dataclass

from headway.core import UsageError

__all__ = ["Noise"]


@dataclass(frozen=True, slots=True)
class Noise:
    """Hold what is known of the noise of one run, in the metric's units.

    The variance has a scaled inverse chi-square distribution: `degrees` * `sd`^2 / chi-square(`degrees`) (Gelman et
    al., "Bayesian Data Analysis", third edition, section 2.6). With infinite `degrees` it is known.
    """

    sd: float
    degrees: float = math.inf

    def __post_init__(self) -> None:
        """Refuse what is no spread."""
        if not (math.isfinite(self.sd) and self.sd >= 0 and self.degrees > 0):
            raise UsageError(f"{self} is no noise. Give a finite sd of at least 0 and degrees above 0.")
