"""Proposals that do not repeat themselves, and the seeds that they are drawn from. All but the grid use it."""

import itertools
import math
import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from headway.core import Config, Float, Parameter, Space, canonical_json, digest
from headway.propose._enumerate import Enumeration, canonical_space

__all__ = ["DistinctSequence", "completed", "config_key", "fresh", "random_config", "seed_for"]

_PATIENCE = 64  # draws without a new configuration before a finite space is walked through instead
_LAST_PATIENCE = 10_000  # where it cannot be walked through: then what is left is too rare to be found


def seed_for(seed: int, *parts: int | str) -> int:
    """Return a seed of 63 bits for one purpose: the same for the same parts, unrelated for others."""
    return int(digest([seed, *parts])[:16], 16) >> 1


def config_key(config: Config) -> str:
    """Return the text by which equal configurations are known."""
    return canonical_json(config)


def random_config(space: Space, seed: int) -> dict[str, Any]:
    """Draw one configuration, every parameter on its own scale. `space` must be in canonical order."""
    generator = random.Random(seed)
    return space.at({name: generator.random() for name in space.parameters})


def fresh(source: Iterable[dict[str, Any]], known: set[str], patience: float = math.inf) -> Iterator[dict[str, Any]]:
    """Give what is not yet in `known` and add it there; end after `patience` items in a row that are."""
    misses = 0
    for config in source:
        key = config_key(config)
        if key not in known:
            known.add(key)
            misses = 0
            yield config
        elif (misses := misses + 1) >= patience:
            return


def completed(
    draws: Iterable[dict[str, Any]], enumeration: Enumeration | None, known: set[str], seed: int
) -> Iterator[dict[str, Any]]:
    """Give what is new among endless `draws`; in a finite space, once these find little, all that they left out."""
    if enumeration is None:
        return fresh(draws, known, _LAST_PATIENCE)
    rest = enumeration.shuffled(seed_for(seed, "rest"))
    return itertools.chain(fresh(draws, known, _PATIENCE), fresh(rest, known))


class DistinctSequence:
    """Number the distinct configurations of a seeded stream: what an order-free sampler proposes as its n-th.

    `draw(space, n)` gives the n-th configuration of the stream, in which a small space repeats itself. Where it
    cannot (a real number that always exists), the n-th is drawn directly; else all before it are drawn once.
    """

    def __init__(self, space: Space, seed: int, draw: Callable[[Space, int], dict[str, Any]]) -> None:
        self._space = canonical_space(space)
        self._draw = draw
        self._found: list[dict[str, Any]] = []
        self._direct = any(_is_continuous(parameter) for _, parameter in self._space)
        draws = (draw(self._space, number) for number in itertools.count())
        enumeration = None if self._direct else Enumeration.of_all(self._space)
        self._stream = completed(draws, enumeration, set(), seed)

    def at(self, number: int) -> dict[str, Any] | None:
        """Return the configuration with that number, or None behind the last one."""
        if self._direct:
            return self._draw(self._space, number)
        self._found += itertools.islice(self._stream, max(0, number + 1 - len(self._found)))
        return dict(self._found[number]) if number < len(self._found) else None


def _is_continuous(parameter: Parameter) -> bool:
    match parameter:
        case Float(low, high, step=None, when=None):
            return low < high
        case _:
            return False
