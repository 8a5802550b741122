"""Sobol' points: they fill the space more evenly than random ones, for the first look at it and for sweeps."""

from collections.abc import Sequence
from typing import Any, ClassVar, final

from headway.core import Space
from headway.propose._distinct import DistinctSequence, seed_for
from headway.propose.sampler import Observation, Sampler

__all__ = ["SobolSampler"]


@final
class SobolSampler(Sampler):
    """Propose the points of a scrambled Sobol' sequence (Owen, "Scrambling Sobol' and Niederreiter-Xing Points", 1998).

    Every parameter has its own dimension, which is unused where the parameter does not exist. Any number of proposals
    will do; a power of two is balanced best. In a finite space, points that fall on a known configuration are
    skipped, and what no point finds comes last.
    """

    order_free: ClassVar[bool] = True

    def __init__(self, space: Space, *, seed: int) -> None:
        self._points = _Points(max(1, len(space.parameters)), seed_for(seed, "sobol"))
        self._sequence = DistinctSequence(space, seed, self._draw)

    def propose(self, number: int, history: Sequence[Observation]) -> dict[str, Any] | None:
        """Return the configuration at point `number`, or None when a finite space is exhausted."""
        del history
        return self._sequence.at(number)

    def _draw(self, space: Space, number: int) -> dict[str, Any]:
        point = self._points.at(number)
        return space.at(dict(zip(space.parameters, point, strict=False)))


class _Points:
    """Find any point of the sequence: skipping costs some nanoseconds a point, drawing in order nothing more."""

    def __init__(self, dimensions: int, seed: int) -> None:
        self._dimensions = dimensions
        self._seed = seed
        self._engine: Any = None

    def at(self, number: int) -> list[float]:
        if self._engine is None:
            self._engine = self._start()
        if number < self._engine.num_generated:
            self._engine.reset()
        if ahead := number - self._engine.num_generated:
            self._engine.fast_forward(ahead)
        return self._engine.random(1)[0].tolist()

    def _start(self) -> Any:
        import numpy as np
        from scipy.stats import qmc  # 0.8 s to import: only where Sobol' points are drawn

        # `seed` is the name in SciPy 1.12 to 1.14; newer ones take it as well as `rng`.
        sobol: Any = qmc.Sobol
        return sobol(self._dimensions, scramble=True, seed=np.random.default_rng(self._seed))
