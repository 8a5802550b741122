"""The candidates that a study was given, in their order."""

from collections.abc import Sequence
from typing import Any, ClassVar

from headway.core import Config
from headway.propose.sampler import Observation, Sampler

__all__ = ["GivenSampler"]


class GivenSampler(Sampler):
    """Propose a list of configurations, one after the other, whatever came of the earlier ones."""

    order_free: ClassVar[bool] = True

    def __init__(self, candidates: Sequence[Config]) -> None:
        self._candidates = candidates

    def propose(self, number: int, history: Sequence[Observation]) -> dict[str, Any] | None:
        """Return the candidate of that number; None after the last."""
        del history
        return dict(self._candidates[number]) if number < len(self._candidates) else None
