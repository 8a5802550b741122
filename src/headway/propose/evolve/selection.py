"""Who is worth the next run: a new child of some program, or one more score of a program that may be the best.

Both are answered by a draw from the beliefs (`beliefs.py`), so that a lucky score is worth no more than it says.
"""

from dataclasses import dataclass
from random import Random
from typing import Literal

from headway.propose.evolve.beliefs import Beliefs

__all__ = ["Choice", "choose"]

# Simulated, effects as large as the noise, 300 runs (30 repeats): the best program's true value, with a child sought
# whenever the draw's best is uncertain by less than so many effects, was 21 at 1.0, 28 at 1.3, 26 at 1.6, 26 at 3.
_UNCERTAIN = 1.6
_MOST_RUNS = 12
# Of the parents, those drawn for what a child of theirs would be worth: no gain and no loss where effects add up, and
# a way out where they do not.
_ADVENTURES = 0.25


@dataclass(frozen=True, slots=True)
class Choice:
    """Say what is worth a run: a `child` of a node, or the node `again`."""

    kind: Literal["child", "again"]
    node: int


def choose(beliefs: Beliefs, random: Random) -> Choice:
    """Return what to run next. Raises `ValueError` where no node has a score."""
    drawn = beliefs.draw(random)
    if not drawn:
        raise ValueError("No program has a score yet, so none can be a parent. Run the first one.")
    best = max(drawn, key=drawn.__getitem__)
    unsure = beliefs.sd(best) > _UNCERTAIN * beliefs.effect_sd
    if unsure and not beliefs.deterministic and beliefs.runs(best) < _MOST_RUNS:
        return Choice("again", best)
    if random.random() < _ADVENTURES:
        best = max(drawn, key=lambda node: beliefs.child(drawn[node], random))
    return Choice("child", best)
