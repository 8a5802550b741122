"""Count the configurations of a finite space, and find the n-th without writing down the others.

A space with conditions is a tree: a parameter that others depend on branches, all others multiply. Used by the grid,
and by every sampler to finish a finite space without repeating itself.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from headway.core import Config, Parameter, Scalar, Space
from headway.core.space import exists

__all__ = ["Enumeration", "canonical_space", "permuted"]

_MOST_VALUES = 10_000  # of one parameter; above, a search does not come near to exhausting it
_ROUNDS = 6


def canonical_space(space: Space) -> Space:
    """Return the space in the one order that does not depend on how it was declared, parents before children."""
    return Space.of({**space.constants, **dict(sorted(space.parameters.items()))})


class Enumeration:
    """Number the configurations that can be made of the given values of each parameter: 0 to `count` - 1."""

    def __init__(self, space: Space, values: Mapping[str, Sequence[Scalar]]) -> None:
        self._space = canonical_space(space)
        self._values = values
        self._names = list(self._space.parameters)
        self._later_parents = [self._parents_from(index) for index in range(len(self._names) + 1)]
        self._counts: dict[tuple[object, ...], int] = {}
        self.count = self._count(0, self._space.constants)

    @classmethod
    def grid(cls, space: Space, points: int) -> "Enumeration":
        """Take at most `points` values of every number and all of every choice."""
        return cls(space, {name: parameter.grid(points) for name, parameter in space})

    @classmethod
    def of_all(cls, space: Space) -> "Enumeration | None":
        """Take all values of all parameters, or return None where a parameter has more than 10,000."""
        values = {name: _all_values(parameter) for name, parameter in space}
        finite = {name: known for name, known in values.items() if known is not None}
        return cls(space, finite) if len(finite) == len(values) else None

    def at(self, index: int) -> dict[str, Any]:
        """Return configuration `index`."""
        config: dict[str, Any] = dict(self._space.constants)
        for place, (name, parameter) in enumerate(self._space):
            if not exists(parameter, config):
                continue
            if name not in self._later_parents[place + 1]:
                index, digit = divmod(index, len(self._values[name]))
                config[name] = self._values[name][digit]
                continue
            for value in self._values[name]:
                config[name] = value
                below = self._count(place + 1, config)
                if index < below:
                    break
                index -= below
        return self._space.check(config)

    def shuffled(self, seed: int) -> Iterator[dict[str, Any]]:
        """Give all configurations in an order that the seed decides."""
        return (self.at(permuted(index, self.count, seed)) for index in range(self.count))

    def _parents_from(self, index: int) -> tuple[str, ...]:
        later = (self._space.parameters[name].when or {} for name in self._names[index:])
        return tuple(sorted({parent for when in later for parent in when}))

    def _count(self, place: int, config: Config) -> int:
        if place == len(self._names):
            return 1
        # Only what later parameters depend on tells two subtrees apart.
        key = (place, *((name in config, config.get(name)) for name in self._later_parents[place]))
        if key not in self._counts:
            self._counts[key] = self._count_uncached(place, config)
        return self._counts[key]

    def _count_uncached(self, place: int, config: Config) -> int:
        name = self._names[place]
        if not exists(self._space.parameters[name], config):
            return self._count(place + 1, config)
        if name not in self._later_parents[place + 1]:
            return len(self._values[name]) * self._count(place + 1, config)
        return sum(self._count(place + 1, {**config, name: value}) for value in self._values[name])


def permuted(index: int, count: int, seed: int) -> int:
    """Return where a seeded shuffle of `count` items puts item `index`, without shuffling the others.

    A balanced Feistel network over the next power of four, walked along its cycle until it lands below `count`
    (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002, section 3).
    """
    half_bits = max(1, ((count - 1).bit_length() + 1) // 2)
    while True:
        index = _feistel(index, half_bits, seed)
        if index < count:
            return index


def _feistel(index: int, half_bits: int, seed: int) -> int:
    mask = (1 << half_bits) - 1
    left, right = index >> half_bits, index & mask
    for turn in range(_ROUNDS):
        mixed = hashlib.blake2b(f"{seed}/{turn}/{right}".encode(), digest_size=16).digest()
        left, right = right, left ^ (int.from_bytes(mixed) & mask)
    return left << half_bits | right


def _all_values(parameter: Parameter) -> Sequence[Scalar] | None:
    if parameter.count is None or parameter.count > _MOST_VALUES:
        return None
    return parameter.grid(parameter.count)
