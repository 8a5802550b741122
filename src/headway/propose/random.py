"""Random search: independent draws, the sampler that every other one has to beat."""

from collections.abc import Sequence
from typing import Any, ClassVar, final

from headway.core import Space
from headway.propose._distinct import DistinctSequence, random_config, seed_for
from headway.propose.sampler import Observation, Sampler

__all__ = ["RandomSampler"]


@final
class RandomSampler(Sampler):
    """Draw every parameter evenly on its own scale; from a finite space without repetition, until it is exhausted."""

    order_free: ClassVar[bool] = True

    def __init__(self, space: Space, *, seed: int) -> None:
        self._seed = seed
        self._sequence = DistinctSequence(space, seed, self._draw)

    def propose(self, number: int, history: Sequence[Observation]) -> dict[str, Any] | None:
        """Return random configuration `number`, or None when a finite space is exhausted."""
        del history
        return self._sequence.at(number)

    def _draw(self, space: Space, number: int) -> dict[str, Any]:
        return random_config(space, seed_for(self._seed, "random", number))
