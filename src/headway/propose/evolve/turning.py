"""Turn the knobs of a good program: a sampler for a tree of programs, whose structure others change.

Which values are good depends on the structure, so a step begins from where the parent stands. It turns few knobs by a
part of their range, on the scale on which the range is searched; what it brings is believed as any child is.
"""

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, final

from headway.core import Choice, Parameter, Scalar, Space, UsageError, exists
from headway.propose.evolve.context import Context, Proposed
from headway.propose.evolve.proposers import Proposer

__all__ = ["KnobProposer"]

_STEP = 0.15  # sd of a step, in ranges
_AGAIN = 0.4  # the probability of turning one knob more
_TRIES = 50


@final
class KnobProposer(Proposer):
    """Propose steps in a search space, from the parent's values."""

    instant = True

    def __init__(self, space: Space) -> None:
        if not space.parameters:
            raise UsageError("There is no knob to turn: the code has no constants that a sampler could search.")
        self._space = space

    @property
    def name(self) -> str:
        """Return what the record calls it."""
        return "near"

    def propose(self, context: Context) -> Proposed:
        """Turn one knob or a few. Raise `UsageError` where the parent has none of them."""
        random = Random(f"near {context.seed}")
        held = self._existing({name: value for name, value in context.knobs.items() if name in self._space.parameters})
        if not held:
            raise UsageError("The program has none of the knobs of the search space any more.")
        for trying in range(_TRIES):
            turned = self._turned(held, random, _STEP * (1 + trying / 5))  # wider, where the next value is far
            if turned:
                return Proposed(note=_told(held, turned), config=turned)
        raise UsageError("No step changes any of the knobs.")

    def close(self) -> None:
        """Do nothing: it starts nothing."""

    def _turned(self, held: Mapping[str, Scalar], random: Random, step: float) -> dict[str, Any]:
        names = sorted(held)
        count = 1
        while count < len(names) and random.random() < _AGAIN:
            count += 1
        found: dict[str, Any] = {}
        for name in random.sample(names, count):
            value = _stepped(self._space.parameters[name], held[name], random, step)
            if value != held[name]:
                found[name] = value
        existing = self._existing({**held, **found})
        return {name: value for name, value in found.items() if name in existing}

    def _existing(self, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return the values of knobs whose conditions hold beside the others."""
        beside = {**self._space.constants, **values}
        return {name: value for name, value in values.items() if exists(self._space.parameters[name], beside)}


def _stepped(parameter: Parameter, value: Scalar, random: Random, step: float) -> Scalar:
    """Return a value near another one, within the parameter's range. `step` is the sd, in ranges."""
    if isinstance(parameter, Choice):
        return _other(parameter.values, value, random, step)
    low, high = float(parameter.low), float(parameter.high)
    if not isinstance(value, int | float) or not low <= value <= high or low == high:
        return parameter.at(random.random())
    begin, end, here = (math.log(low), math.log(high), math.log(value)) if parameter.log else (low, high, float(value))
    moved = (here - begin) / (end - begin) + random.gauss(0, step)
    folded = abs(moved) if moved < 1 else 2 - moved  # what would leave the range is turned back into it
    return parameter.at(min(max(folded, 0.0), 1.0))


def _other(values: Sequence[Scalar], value: Scalar, random: Random, step: float) -> Scalar:
    """Return another of some values: where all are numbers, one near the present one in their order."""
    ranks = sorted(item for item in values if isinstance(item, int | float) and not isinstance(item, bool))
    if len(ranks) < len(values) or value not in ranks:
        return random.choice([item for item in values if item != value] or list(values))
    here, far = ranks.index(value), max(1, round(abs(random.gauss(0, step)) * len(ranks)))
    near = [place for place in (here - far, here + far) if 0 <= place < len(ranks)]
    return ranks[random.choice(near)] if near else value


def _told(held: Mapping[str, Scalar], turned: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(held[name])} -> {_short(value)}" for name, value in sorted(turned.items()))


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
