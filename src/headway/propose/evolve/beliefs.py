"""What is believed of programs that descend from one another, after a few noisy scores each.

A child is its parent and an effect. So a score tells of the whole lineage: the children of a program that was only
lucky score worse than it, and it comes down with them. The model is a tree: the value of a node is that of its parent
plus an effect (`effects.py`), a score is the value plus N(0, noise_sd^2), and the first node has a flat prior. Each
effect is held as the normal distribution that gives it, with what all else says of it, the mean and variance that it
has (expectation propagation: Minka, "Expectation Propagation for Approximate Bayesian Inference", 2001). Given these,
the posterior is exact, by messages from the leaves to the root and back (Pearl, "Probabilistic Reasoning in Intelligent
Systems", 1988, chapter 4). Noise and effects are learned from the scores: the noise from programs that ran more than
once, the effects from what the gaps between children and parents say.
"""

import math
import statistics
from bisect import bisect_right
from collections import deque
from collections.abc import Container, Iterable, Sequence
from typing import NamedTuple

from headway.propose.evolve.effects import Effects, Told

__all__ = ["Beliefs", "Prospect"]

_LIVELY = 128  # nodes that parents are chosen from; the others are too far behind
_GROWTH = 1.1  # of the tree, after which all is computed anew: a constant cost for each score
_ROUNDING = 1e-12
_SMALL = 16  # nodes: all is computed anew after each score
_LEAST_EFFECTS = 4  # before their shares and sizes are learned
_NORMAL_MAD = 1.4826
_SMALLEST = 0.5  # an effect's mean size in noises, at least: nobody proposes what can never be seen
_SEEN = 0.25  # of the noise's sd: equal scores leave beliefs a hair apart, to either side
_HOPELESS = 6.0  # sds behind the best, from which a program is no prospect
_CHANCE_OF_BEST = 3.0  # sds above the mean that still count
# Usual gaps, and noises: a change of another kind (half the program broke) teaches nothing about the others. Simulated,
# where 60 % of changes break: 300 trials come to 9.5, and to 3.1 where these count as harms like any others.
_FAR, _FAR_IN_NOISES = 15.0, 10.0
_WIDEST = 25.0  # variances of effects, beside the gap's square: as far as one effect's normal may spread
_NARROWEST = 1e-6  # of the gap's variance
_OTHERS = 1e-9  # of what is known of a parent, at least, by others than one child
_DRY = 0.2  # chance that no change of a program helps, before any was tried: simulated, 0.1 does as well and 0.5 not
_EMPTY = math.log(2)  # log odds that an answer without a new program gives for there being none
_LEAST_EVIDENCE, _MOST_EVIDENCE = -3.0, 50.0  # logs of odds
_LARGEST = 1e60  # scores beyond it count as this, and noise is this at least: what is computed stays a number
_LEAST_NOISE = 1e-100
_RESOLUTION = 1e-12  # the least noise, in parts of the first program's score
_RECENT = 512  # first scores that the effects are learned from


class Prospect(NamedTuple):
    """Hold what is believed of a program that may be run again or have a child."""

    node: int
    mean: float
    variance: float
    fertile: float  # the chance that changes of it help as often as others do


class Beliefs:
    """Hold the tree of programs; higher values are better. Nodes are numbered as they come, the root is 0.

    Cost of a score: its depth in the tree, and now and then a walk over all nodes, as many as were added since the
    last one, ten times over: a constant for each on average.
    """

    def __init__(self) -> None:
        self.noise_sd = 1.0
        self.effects = Effects()
        self._parent: list[int] = []
        self._runs: list[int] = []
        self._sum: list[float] = []
        self._precision: list[float] = []  # of all scores of a node and of those below it
        self._weighted: list[float] = []  # their mean, times that
        self._dead: set[int] = set()
        self._recent: deque[int] = deque(maxlen=_RECENT)  # nodes by their first scores
        self._first: list[float] = []  # scores
        self._gap: list[float] = []  # of a node's first score to what all others say of its parent
        self._shift: list[float] = []  # means of effects
        self._effect: list[float] = []  # their variances
        self._told: list[Told | None] = []
        self._dry: list[float] = []  # log odds, by its children, that no change of a node helps
        self._refused: list[int] = []  # answers about a node, since its last child, that were no new programs
        self._far = math.inf
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
        self._shift.append(self.effects.mean)
        self._effect.append(self.effects.variance)
        self._told.append(None)
        self._dry.append(0.0)
        self._refused.append(0)
        if parent is not None:
            self._refused[parent] = 0
        self._reach(node)
        return node

    def refuse(self, node: int) -> None:
        """Take in that somebody who was asked for a child of a node brought no new program: it may have no others."""
        self._refused[node] += 1

    def observe(self, node: int, score: float) -> None:
        """Take in a score of a node. Raises `ValueError` for one that is no finite number."""
        if not math.isfinite(score):
            raise ValueError(f"Node {node} has the score {score}. A program without a finite score has failed.")
        score = min(max(score, -_LARGEST), _LARGEST)
        self._reach(node)
        self._learn_of(node, score)
        self._runs[node] += 1
        self._sum[node] += score
        if len(self) >= self._due or len(self) < _SMALL:
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
            self._runs[node], self._sum[node], self._gap[node], self._told[node] = 0, 0.0, 0.0, None
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

    def improved(self, node: int) -> bool:
        """Tell whether a node is believed to be better than its parent, by more than equal scores may seem to be."""
        if self._parent[node] < 0:
            return False
        before = self.mean(self._parent[node])
        return self.mean(node) > before + max(_SEEN * self.noise_sd, _ROUNDING * abs(before))

    def best(self, count: int) -> list[int]:
        """Return the nodes of the highest posterior mean, the best first."""
        alive = [node for node in self._lively if node not in self._dead and self._runs[node]]
        return sorted(alive, key=lambda node: (-self.mean(node), node))[:count]

    def prospects(self) -> list[Prospect]:
        """Return the programs that may be the best, or have a child that is, each with what is believed of it."""
        alive = [node for node in self._lively if self._runs[node] and node not in self._dead] if self._mean else []
        if not alive:
            return []
        best, effect = max(self._mean[node] for node in alive), self.effects.variance
        hopeful = {
            node for node in alive if (best - self._mean[node]) ** 2 <= _HOPELESS**2 * (self._variance[node] + effect)
        }
        found: list[Prospect] = []
        evidence = {-1: 0.0}
        for node in self._lively:
            dry = self._dry[node] + evidence[self._parent[node]]
            dry = evidence[node] = dry if dry > 0 else 0.0
            if node in hopeful:
                odds = min(dry + _EMPTY * self._refused[node], _MOST_EVIDENCE)
                fertile = 1 / (1 + _DRY * math.exp(odds))
                found.append(Prospect(node, self._mean[node], self._variance[node], fertile))
        return found

    def refresh(self) -> None:
        """Learn noise and effects anew, compute all messages, and choose who is lively."""
        self._learn()
        self._gather()
        self._lively = list(range(len(self)))
        self._followed = set(self._lively)
        self._fit_all()
        self._gather()
        self._spread()
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
            if not self._precision[node]:
                self._fit(node, score, self._noise)
            self._recent.append(node)

    def _learn(self) -> None:
        gaps = sorted(abs(self._gap[node]) for node in self._recent)
        median, usual = statistics.median(gaps) if gaps else 0.0, _usual(gaps)
        if self._degrees:
            self.noise_sd = math.sqrt(self._squares / self._degrees)
        elif median:  # nothing ran twice: as much noise as effects, until more is known
            self.noise_sd = math.sqrt(0.5) * _NORMAL_MAD * median
        # Where scores repeat exactly there is no noise, but numbers that are divided by it want some.
        size = abs(self._sum[0] / self._runs[0]) if self._runs[0] else 1.0
        self.noise_sd = max(self.noise_sd, 1e-6 * (usual or size), _RESOLUTION * size, _LEAST_NOISE)
        if len(gaps) < _LEAST_EFFECTS:
            self.effects = Effects.guessed(max(self.noise_sd, _NORMAL_MAD * median))
            return
        self._far = max(_FAR * usual, _FAR_IN_NOISES * self.noise_sd)
        near = (self._told[node] for node in self._recent if abs(self._gap[node]) <= self._far)
        least = max(_SMALLEST * self.noise_sd, 1e-3 * usual)
        self.effects = Effects.learned((told for told in near if told is not None), least)

    def _message(self, node: int) -> tuple[float, float]:
        """Return the precision, and the mean times it, that a node's scores and those below give its parent's value."""
        precision = self._precision[node]
        if precision == 0:
            return 0.0, 0.0
        passed = precision / (1 + self._effect[node] * precision)
        return passed, passed * (self._weighted[node] / precision - self._shift[node])

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

    def _gather(self) -> None:
        """Pass all scores on to the root."""
        noise = self._noise
        self._precision = [runs / noise for runs in self._runs]
        self._weighted = [total / noise for total in self._sum]
        for node in range(len(self) - 1, 0, -1):
            precision, weighted = self._message(node)
            self._precision[self._parent[node]] += precision
            self._weighted[self._parent[node]] += weighted

    def _spread(self) -> None:
        """Compute the posterior of all lively nodes, parents first."""
        self._mean, self._variance = {}, {}
        for node in self._lively:
            self._place(node)

    def _place(self, node: int) -> None:
        """Compute the posterior of a node from its parent's."""
        parent = self._parent[node]
        if parent < 0:
            precision = self._precision[node]
            self._mean[node] = self._weighted[node] / precision if precision else 0.0
            self._variance[node] = 1 / precision if precision else self.effects.variance
            return
        effect = self._effect[node]
        variance = 1 / (1 / effect + self._precision[node])
        share = variance / effect
        self._mean[node] = share * (self._mean[parent] + self._shift[node]) + variance * self._weighted[node]
        self._variance[node] = variance + share * share * self._variance[parent]

    def _fit_all(self) -> None:
        """Take all effects anew, by what is believed now: who looked like a fall may be the child of a lucky score."""
        self._mean, self._variance = {}, {}
        self._dry = [0.0] * len(self)
        mean, variance = self.effects.mean, self.effects.variance
        for node in self._lively:
            precision = self._precision[node]
            if node and precision:
                self._fit(node, self._weighted[node] / precision, 1 / precision)
            else:
                self._shift[node], self._effect[node], self._told[node] = mean, variance, None
            self._place(node)

    def _fit(self, node: int, mean: float, variance: float) -> None:
        """Hold an effect by what its node's scores, and those below, say of the node, and all others of its parent."""
        parent = self._parent[node]
        tightness, weighted = 1 / self._variance[parent], self._mean[parent] / self._variance[parent]
        passed, told = self._message(node)
        left = tightness - passed  # what others say; the child itself would agree with itself
        if left <= _OTHERS * tightness:
            return
        other = (weighted - told) / left
        self._hold(node, mean - other, variance + 1 / left)
        if self._runs[node]:
            self._gap[node] = self._first[node] - other
            if abs(self._gap[node]) <= self._far:
                self._dry[parent] += self._evidence(node)

    def _hold(self, node: int, gap: float, variance: float) -> None:
        """Find the normal that, beside this gap, leaves the effect the mean and variance that it has."""
        told = self._told[node] = self.effects.told(gap, variance)
        widest = _WIDEST * self.effects.variance + gap * gap
        precision = 1 / told.variance - 1 / variance
        effect = 1 / precision if precision * widest > 1 else widest
        self._effect[node] = effect = max(effect, _NARROWEST * variance)
        away = told.mean - gap
        self._shift[node] = told.mean + effect / variance * away if away else gap

    def _evidence(self, node: int) -> float:
        """Return the log odds that a child gives for changes of its parent being unable to help."""
        told = self._told[node]
        odds = 0.0 if told is None else (1 - told.helpful) / (1 - self.effects.helpful)
        return max(_LEAST_EVIDENCE, math.log(odds)) if odds > 0 else _LEAST_EVIDENCE

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


def _usual(gaps: Sequence[float]) -> float:
    """Return the lower quartile of sorted gaps, but for those of nothing: most changes may have broken a program."""
    first = bisect_right(gaps, 0.0)
    return gaps[first + (len(gaps) - first) // 4] if first < len(gaps) else 0.0
