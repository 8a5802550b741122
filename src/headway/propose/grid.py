"""The grid: every combination of a few values of each parameter, in a shuffled order."""

from collections.abc import Sequence
from typing import Any, ClassVar, final

from headway.core import Space, UsageError
from headway.propose._distinct import seed_for
from headway.propose._enumerate import Enumeration, permuted
from headway.propose.sampler import Observation, Sampler

__all__ = ["GridSampler"]


@final
class GridSampler(Sampler):
    """Propose every combination of at most `points` values of each number and all values of each choice.

    Shuffled by the seed, so that a budget that ends early has seen all of the space, thinly. The grid is never
    written down: a billion combinations cost no memory. A parameter that does not exist does not multiply.
    """

    order_free: ClassVar[bool] = True

    def __init__(self, space: Space, *, seed: int, points: int = 5) -> None:
        if points < 1:
            raise UsageError(f"A grid with points={points} is empty. Give at least 1 value for each parameter.")
        self._grid = Enumeration.grid(space, points)
        self._seed = seed_for(seed, "grid")

    @property
    def count(self) -> int:
        """Return how many configurations the grid has."""
        return self._grid.count

    def propose(self, number: int, history: Sequence[Observation]) -> dict[str, Any] | None:
        """Return combination `number` of the shuffled grid, or None behind the last."""
        del history
        return self._grid.at(permuted(number, self.count, self._seed)) if number < self.count else None
