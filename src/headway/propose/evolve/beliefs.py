"""What is believed of programs that descend from one another, after a few noisy scores each.

A child is its parent and an effect. So a score tells of the whole lineage: the children of a program that was only
lucky score worse than it, and it comes down with them. The model is a Gaussian tree: the value of a node is
that of its parent plus N(effect_mean, effect_sd^2), a score is the value plus N(0, noise_sd^2), and the first node has
a flat prior. A child whose first score lies far from its parent (a program half broken, or a discovery) has an effect
with a spread of its own, as wide as that gap: it says little of the parent. Given the spreads, the posterior is
exact, by messages from the leaves to the root and back (Pearl, "Probabilistic Reasoning in Intelligent Systems", 1988,
chapter 4). The three numbers are learned from the scores: the noise from programs that ran more than once, the effects
robustly from how far children's first scores lie from their parents.
"""

import math
import statistics
from collections import deque
from collections.abc import Container, Iterable
from random import Random

__all__ = ["Beliefs"]

_LIVELY = 128  # nodes that parents are drawn from; the others are too far behind
_GROWTH = 1.1  # of the tree, after which all is computed anew: a constant cost for each score
_ROUNDING = 1e-12
_LEAST_EFFECTS = 8  # before the effects' spread is learned
_NORMAL_MAD = 1.4826
_OWN_NOISE = 1.3  # variances of noise in how far a child's first score lies from its parent: that is uncertain too
_SMALLEST = 0.3  # an effect's sd in noises, at least: nobody proposes what can never be seen
_CHANCE_OF_BEST = 3.0  # sds above the mean that still count
_FAR = 3.0  # sds of a first score about the parent's value, from which an effect counts as one of another kind
_LARGEST = 1e60  # scores beyond it count as this, and noise is this at least: what is computed stays a number
_LEAST_NOISE = 1e-100
_RESOLUTION = 1e-12  # the least noise, in parts of the first program's score
_RECENT = 512  # first scores that the effects are learned from


class Beliefs:
    """Hold the tree of programs; higher values are better. Nodes are numbered as they come, the root is 0.

    Cost of a score: its depth in the tree, and now and then a walk over all nodes, as many as were added since the
    last one, ten times over: a constant for each on average.
    """

    def __init__(self) -> None:
        self.noise_sd = 1.0
        self.effect_mean = 0.0
        self.effect_sd = 1.0
        self._parent: list[int] = []
        self._runs: list[int] = []
        self._sum: list[float] = []
        self._precision: list[float] = []  # of all scores of a node and of those below it
        self._weighted: list[float] = []  # their mean, times that
        self._dead: set[int] = set()
        self._recent: deque[int] = deque(maxlen=_RECENT)  # nodes by their first scores
        self._first: list[float] = []  # scores
        self._gap: list[float] = []  # of a node's first score to what all others say of its parent
        self._effect: list[float] = []  # variances
        self._repeats: dict[int, tuple[float, int]] = {}  # squares and degrees of freedom of those that ran again
        self._squares, self._degrees = 0.0, 0  # their sums
        self._lively: list[int] = []  # parents before their children
        self._followed: set[int] = set()  # the same
        self._fewest = 0  # how many were lively when they were chosen last
        self._mean: dict[int, float] = {}
        self._variance: dict[int, float] = {}
        self._due = 0

    def __len__(self) -> int:
        return len(self._parent)

    @property
    def deterministic(self) -> bool:
        """Tell whether programs that ran again gave the same score again."""
        return self._degrees > 0 and self._squares == 0

    def add(self, parent: int | None) -> int:
        """Add a node below its parent; the first one has none. Return its number."""
        node = len(self._parent)
        self._parent.append(-1 if parent is None else parent)
        self._runs.append(0)
        self._sum.append(0.0)
        self._precision.append(0.0)
        self._weighted.append(0.0)
        self._first.append(0.0)
        self._gap.append(0.0)
        self._effect.append(self.effect_sd**2)
        self._reach(node)
        return node

    def observe(self, node: int, score: float) -> None:
        """Take in a score of a node. Raises `ValueError` for one that is no finite number."""
        if not math.isfinite(score):
            raise ValueError(f"Node {node} has the score {score}. A program without a finite score has failed.")
        score = min(max(score, -_LARGEST), _LARGEST)
        self._reach(node)
        self._learn_of(node, score)
        self._runs[node] += 1
        self._sum[node] += score
        if len(self) >= self._due or len(self) < 2 * _LEAST_EFFECTS:
            self.refresh()
        else:
            self._update(node, 1 / self._noise, score / self._noise)
            if len(self._lively) > 2 * self._fewest + _LIVELY:  # many are new, and most of them no longer of interest
                self._spread()
                self._follow()
            self._spread()

    def kill(self, node: int) -> None:
        """Leave a node out of everything that is drawn: it failed, or is not to be believed. Its scores are forgotten.

        Else what somebody made up would speak for the parent and for all who descend from it.
        """
        self._dead.add(node)
        if self._runs[node]:
            self._runs[node], self._sum[node], self._gap[node] = 0, 0.0, 0.0
            _, degrees = self._repeats.pop(node, (0.0, 0))
            self._squares, self._degrees = (
                math.fsum(item for item, _ in self._repeats.values()),
                self._degrees - degrees,
            )
            self._recent = deque((item for item in self._recent if item != node), maxlen=_RECENT)
            self.refresh()  # taking away from sums would leave the rounding errors of scores that may be huge

    def runs(self, node: int) -> int:
        """Return how many scores a node has."""
        return self._runs[node]

    def mean(self, node: int) -> float:
        """Return the posterior mean of a node's value; minus infinity where it lies too far behind to be followed."""
        return self._mean.get(node, -math.inf)

    def sd(self, node: int) -> float:
        """Return the posterior standard deviation of a node's value."""
        return math.sqrt(self._variance.get(node, 0.0))

    def best(self, count: int) -> list[int]:
        """Return the nodes of the highest posterior mean, the best first."""
        alive = [node for node in self._lively if node not in self._dead and self._runs[node]]
        return sorted(alive, key=lambda node: (-self.mean(node), node))[:count]

    def draw(self, random: Random) -> dict[int, float]:
        """Draw the values of all lively nodes together from the posterior (Thompson sampling): relatives move along."""
        values: dict[int, float] = {}
        for node in self._lively if self._mean else ():
            parent = self._parent[node]
            if parent < 0:
                mean, variance = self._mean[node], self._variance[node]
            else:
                mean, variance = self._given_parent(node, values[parent])
            values[node] = mean + math.sqrt(variance) * random.gauss(0, 1)
        return {node: value for node, value in values.items() if node not in self._dead and self._runs[node]}

    def child(self, value: float, random: Random) -> float:
        """Draw what the best of a parent of this value and a child of it would be worth."""
        return value + max(0.0, self.effect_mean + self.effect_sd * random.gauss(0, 1))

    def refresh(self) -> None:
        """Learn noise and effects anew, compute all messages, and choose who is lively."""
        self._learn()
        noise, effect = self._noise, self.effect_sd**2
        self._effect = [self._spread_of(gap, effect, noise) for gap in self._gap]
        self._precision = [runs / noise for runs in self._runs]
        self._weighted = [total / noise for total in self._sum]
        for node in range(len(self) - 1, 0, -1):
            precision, weighted = self._message(node)
            self._precision[self._parent[node]] += precision
            self._weighted[self._parent[node]] += weighted
        self._lively = list(range(len(self)))
        self._followed = set(self._lively)
        self._spread()
        self._hold_against_parents()
        self._follow()
        self._due = int(len(self) * _GROWTH) + 1

    @property
    def _noise(self) -> float:
        return self.noise_sd**2

    def _learn_of(self, node: int, score: float) -> None:
        runs, parent = self._runs[node], self._parent[node]
        if runs:
            mean = self._sum[node] / runs
            gap = score - mean
            gap = 0.0 if abs(gap) <= _ROUNDING * max(abs(score), abs(mean)) else gap  # of equal scores' mean
            square = gap**2 * runs / (runs + 1)
            squares, degrees = self._repeats.get(node, (0.0, 0))
            self._repeats[node] = (squares + square, degrees + 1)
            self._squares += square
            self._degrees += 1
        elif parent >= 0 and parent in self._mean:
            self._first[node], self._gap[node] = score, score - self._mean[parent]
            self._effect[node] = self._spread_of(self._gap[node], self.effect_sd**2, self._noise)
            self._recent.append(node)

    @staticmethod
    def _spread_of(gap: float, effect: float, noise: float) -> float:
        """Return the variance of an effect by how far the first score came from the parent."""
        return max(effect, (gap / _FAR) ** 2 - noise)

    def _learn(self) -> None:
        gaps = [self._gap[node] for node in self._recent]
        scale = statistics.median(abs(gap) for gap in gaps) if gaps else 0.0
        if self._degrees:
            self.noise_sd = math.sqrt(self._squares / self._degrees)
        elif scale:  # nothing ran twice: as much noise as effects, until more is known
            self.noise_sd = math.sqrt(0.5) * _NORMAL_MAD * scale
        # Where scores repeat exactly there is no noise, but numbers that are divided by it want some.
        size = abs(self._sum[0] / self._runs[0]) if self._runs[0] else 1.0
        self.noise_sd = max(self.noise_sd, 1e-6 * (scale or size), _RESOLUTION * size, _LEAST_NOISE)
        if len(gaps) < _LEAST_EFFECTS:
            self.effect_sd = max(self.noise_sd, _NORMAL_MAD * scale)
            return
        middle = statistics.median(gaps)
        spread = _NORMAL_MAD * statistics.median(abs(gap - middle) for gap in gaps)
        self.effect_mean = middle
        least = max(_SMALLEST * self.noise_sd, 1e-3 * scale)
        self.effect_sd = math.sqrt(max(spread**2 - _OWN_NOISE * self._noise, least**2))

    def _message(self, node: int) -> tuple[float, float]:
        """Return the precision, and the mean times it, that a node's scores and those below give its parent's value."""
        precision = self._precision[node]
        if precision == 0:
            return 0.0, 0.0
        passed = precision / (1 + self._effect[node] * precision)
        return passed, passed * (self._weighted[node] / precision - self.effect_mean)

    def _update(self, node: int, precision: float, weighted: float) -> None:
        """Add to a node's evidence, and pass what that changes on to the root."""
        while True:
            before = self._message(node)
            self._precision[node] += precision
            self._weighted[node] += weighted
            after = self._message(node)
            precision, weighted = after[0] - before[0], after[1] - before[1]
            if self._parent[node] < 0:
                return
            node = self._parent[node]

    def _given_parent(self, node: int, value: float) -> tuple[float, float]:
        effect = self._effect[node]
        variance = 1 / (1 / effect + self._precision[node])
        return variance * ((value + self.effect_mean) / effect + self._weighted[node]), variance

    def _spread(self) -> None:
        """Compute the posterior of all lively nodes, parents first."""
        self._mean, self._variance = {}, {}
        for node in self._lively:
            parent = self._parent[node]
            if parent < 0:
                precision = self._precision[node]
                self._mean[node] = self._weighted[node] / precision if precision else 0.0
                self._variance[node] = 1 / precision if precision else self.effect_sd**2
                continue
            mean, variance = self._given_parent(node, self._mean[parent])
            self._mean[node] = mean
            self._variance[node] = variance + (variance / self._effect[node]) ** 2 * self._variance[parent]

    def _hold_against_parents(self) -> None:
        """Take the gaps anew, by what is believed now: who looked like a fall may be the child of a lucky score."""
        for node in range(1, len(self)):
            if self._runs[node]:
                parent = self._parent[node]
                tightness, weighted = 1 / self._variance[parent], self._mean[parent] / self._variance[parent]
                passed, told = self._message(node)
                if tightness - passed > 1e-9 * tightness:  # what others say; the child itself would agree with itself
                    self._gap[node] = self._first[node] - (weighted - told) / (tightness - passed)

    def _follow(self) -> None:
        """Choose who is lively, among those that are and whose values are known."""
        self._followed = self._kept()
        self._lively = sorted(self._followed)
        self._fewest = len(self._lively)

    def _reach(self, node: int) -> None:
        """Follow a node, and all above it, again: a child may come long after its parent was left behind."""
        if node in self._followed:
            return
        fresh = self._with_ancestors([node], known=self._followed)
        self._followed |= fresh
        if len(fresh) == 1 and (not self._lively or node > self._lively[-1]):
            self._lively.append(node)
        else:
            self._lively = sorted(self._followed)

    def _kept(self) -> set[int]:
        """Return those that may be the best, as many as are followed, and all above them."""
        scored = [node for node in self._lively if self._runs[node] and node not in self._dead]
        hopes = {node: self._mean[node] + _CHANCE_OF_BEST * self.sd(node) for node in scored}
        first = sorted(scored, key=lambda node: -hopes[node])[:_LIVELY]
        new = [node for node in self._lively if not self._runs[node] and node not in self._dead]
        return self._with_ancestors([0, *first, *new] if self._lively else [])

    def _with_ancestors(self, nodes: Iterable[int], known: Container[int] = ()) -> set[int]:
        """Return nodes and all above them, but for those that are `known`."""
        found: set[int] = set()
        for start in nodes:
            node = start
            while node >= 0 and node not in found and node not in known:
                found.add(node)
                node = self._parent[node]
        return found
