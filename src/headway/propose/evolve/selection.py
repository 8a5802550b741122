"""Who is worth the next run: a new child of some program, or one more score of a program that may be the best.

Each is worth what it would, on average, add to the value of the program that is believed best after it: the knowledge
gradient (Frazier, Powell and Dayanik, "A Knowledge-Gradient Policy for Sequential Information Collection", 2008). So a
program of which little is known comes before one as good of which all is known, and a lucky score is worth no more than
it says (`beliefs.py`). A child tells of its parent too, and may be better: where changes help at all, a second score of
the same program is seldom worth more.
"""

import math
from dataclasses import dataclass
from random import Random
from typing import Literal

from headway.propose.evolve.beliefs import Beliefs, Prospect

__all__ = ["Choice", "choose"]

_MOST_RUNS = 12
# Of what a child is worth: who is less behind takes turns. Simulated, 0.3 costs nothing and 1.0 a little.
_AS_GOOD = 0.1
_HOPELESS = -6.0  # sds behind
_ROOT = math.sqrt(2 * math.pi)


@dataclass(frozen=True, slots=True)
class Choice:
    """Say what is worth a run: a `child` of a node, or the node `again`."""

    kind: Literal["child", "again"]
    node: int


def choose(beliefs: Beliefs, random: Random) -> Choice:
    """Return what to run next. Raises `ValueError` where no node has a score."""
    prospects = beliefs.prospects()
    if not prospects:
        raise ValueError("No program has a score yet, so none can be a parent. Run the first one.")
    best = max(prospects, key=lambda item: item.mean)
    worth, parent = _best_parent(beliefs, prospects, best, random)
    if not beliefs.deterministic:
        gain, node = _best_again(beliefs, prospects, best)
        if gain > worth:
            return Choice("again", node)
    return Choice("child", parent)


def _best_parent(beliefs: Beliefs, prospects: list[Prospect], best: Prospect, random: Random) -> tuple[float, int]:
    """Return what the best child to try is worth, and its parent."""
    noise, effect = beliefs.noise_sd**2, beliefs.effects.variance
    behind = beliefs.effects.mean - best.mean
    found, parent = -1.0, best.node
    for node, mean, variance, fertile in prospects:
        spread = variance + effect
        gain = _improvement(mean + behind, spread / math.sqrt(spread + noise))
        if gain:
            gain *= fertile * (1 + _AS_GOOD * random.random())
        if gain > found:
            found, parent = gain, node
    return found, parent


def _best_again(beliefs: Beliefs, prospects: list[Prospect], best: Prospect) -> tuple[float, int]:
    """Return what the best further score is worth, and whose it is: it may put another program first."""
    noise = beliefs.noise_sd**2
    second = max((item.mean for item in prospects if item is not best), default=-math.inf)
    found, again = 0.0, best.node
    for item in prospects:
        node, mean, variance, _ = item
        behind = second - mean if item is best else mean - best.mean
        gain = _improvement(behind, variance / math.sqrt(variance + noise))
        if gain > found and beliefs.runs(node) < _MOST_RUNS:
            found, again = gain, node
    return found, again


def _improvement(mean: float, sd: float) -> float:
    """Return the mean of what a normal variable is above zero."""
    if mean <= _HOPELESS * sd:
        return 0.0
    if not sd:
        return mean
    z = mean / sd
    return mean * 0.5 * math.erfc(-z / math.sqrt(2)) + sd * math.exp(-z * z / 2) / _ROOT
