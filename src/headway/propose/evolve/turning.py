"""Turn the knobs of a good program: a sampler for a tree of programs, whose structure others change.

Which values are good depends on the structure, so a step begins from where the parent stands. It turns few knobs by a
part of their range, on the scale on which the range is searched; what it brings is believed as any child is.
"""

import math
from collections.abc import Mapping
from random import Random
from typing import Any, final

from headway.core import Choice, Parameter, Scalar, Space, SpaceError, UsageError
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
        held = {name: value for name, value in context.knobs.items() if name in self._space.parameters}
        if not held:
            raise UsageError("The program has none of the knobs of the search space any more.")
        for _ in range(_TRIES):
            turned = self._turned(held, random)
            if turned:
                return Proposed(note=_told(held, turned), config=turned)
        raise UsageError("No step changes any of the knobs.")

    def _turned(self, held: Mapping[str, Scalar], random: Random) -> dict[str, Any]:
        names = sorted(held)
        count = 1
        while count < len(names) and random.random() < _AGAIN:
            count += 1
        found: dict[str, Any] = {}
        for name in random.sample(names, count):
            value = _stepped(self._space.parameters[name], held[name], random)
            if value != held[name]:
                found[name] = value
        try:
            self._space.check({**{key: parameter.at(0.5) for key, parameter in self._space}, **held, **found})
        except SpaceError:  # the parent's own values may lie outside, as somebody wrote them
            return found if all(self._space.parameters[name].problem(found[name]) is None for name in found) else {}
        return found


def _stepped(parameter: Parameter, value: Scalar, random: Random) -> Scalar:
    """Return a value near another one, within the parameter's range."""
    if isinstance(parameter, Choice):
        return random.choice(list(parameter.values))
    low, high = float(parameter.low), float(parameter.high)
    if not isinstance(value, int | float) or not low <= value <= high or low == high:
        return parameter.at(random.random())
    begin, end, here = (math.log(low), math.log(high), math.log(value)) if parameter.log else (low, high, float(value))
    moved = (here - begin) / (end - begin) + random.gauss(0, _STEP)
    folded = abs(moved) if moved < 1 else 2 - moved  # what would leave the range is turned back into it
    return parameter.at(min(max(folded, 0.0), 1.0))


def _told(held: Mapping[str, Scalar], turned: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(held[name])} -> {_short(value)}" for name, value in sorted(turned.items()))


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
