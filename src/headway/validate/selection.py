"""How much of a gain is luck, where each step was kept because one noisy result looked better. `headway replay` asks.

A search that keeps the best result so far reports a number that was chosen for being good: of two equal versions it
keeps the one with the luckier run. Conditioning on all results, the rejected ones too, takes the luck out: given the
data, how they were chosen tells nothing more (Gelman et al., "Bayesian Data Analysis", third edition, section 8.1).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headway.core import UsageError
from headway.validate._items import check_level
from headway.validate.noise import Noise

if TYPE_CHECKING:
    import numpy as np

    _Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

__all__ = ["Attempt", "ShrunkGain", "shrink_gain"]

_DRAWS = 2500


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Hold one run: its result, the place of the run it changed (None for the first), whether the change was none."""

    value: float
    parent: int | None
    null: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShrunkGain:
    """Hold what a gain shrinks to: the posterior mean, and the interval that holds it with probability `level`.

    `claimed` is the plain difference of the two results. `chances` are, for each attempt, the probabilities that its
    true value is better than its parent's (0 for the first and for nulls). `noise_sd` is the posterior mean of a run's.
    """

    claimed: float
    expected: float
    low: float
    high: float
    level: float
    noise_sd: float
    chances: tuple[float, ...]


def shrink_gain(
    attempts: Sequence[Attempt],
    last: int,
    noise: Noise | None = None,
    *,
    level: float = 0.95,
    draws: int = _DRAWS,
    seed: int = 0,
) -> ShrunkGain:
    """Estimate how much better the attempt `last` is than the first one; higher values are better.

    The model: a result is the version's true value plus normal noise; a change moves the true value by an effect from a
    Cauchy distribution whose place and scale are estimated along (most changes do little, a few ruin everything); a
    null has no effect. `noise` is what is known of a run's noise beside these results; None if they must tell it
    themselves, which takes a null. Gibbs sampling, exact but for the number of `draws`, with a fixed `seed`.

    Raises `UsageError` where a parent does not come before its attempt, and where nothing tells the noise.
    """
    check_level(level)
    _check(attempts, last, noise)
    import numpy as np

    values = np.array([attempt.value for attempt in attempts])
    scale = float(np.median(np.abs(values - np.median(values)))) or float(np.std(values)) or 1.0
    tree = _Tree(attempts, (values - values[0]) / scale)
    known = None if noise is None else Noise(noise.sd / scale, noise.degrees)
    means, sds = _sample(tree, known, draws, np.random.default_rng(seed))
    gains = means[:, tree.version[last]] * scale
    tail = (1 - level) / 2
    low, high = (float(bound) for bound in np.quantile(gains, [tail, 1 - tail]))
    return ShrunkGain(
        claimed=attempts[last].value - attempts[0].value,
        expected=float(gains.mean()),
        low=low,
        high=high,
        level=level,
        noise_sd=float(np.mean(sds)) * scale,
        chances=tuple(_chance(tree, means, index) for index in range(len(attempts))),
    )


class _Tree:
    """Hold the versions (an attempt and the nulls of it are one), each with its parent, and their measurements."""

    def __init__(self, attempts: Sequence[Attempt], values: "_Array") -> None:
        self.version: list[int] = []
        self.parents: list[int] = []
        self.values = values
        for attempt in attempts:
            if attempt.null and attempt.parent is not None:
                self.version.append(self.version[attempt.parent])
            else:
                self.version.append(len(self.parents))
                self.parents.append(-1 if attempt.parent is None else self.version[attempt.parent])
        size = len(self.parents)
        self.counts, self.sums = [0] * size, [0.0] * size
        for version, value in zip(self.version, values.tolist(), strict=True):
            self.counts[version] += 1
            self.sums[version] += value

    def draw(self, variance: float, weights: "list[float]", shift: float, normals: "list[float]") -> "list[float]":
        """Draw all true values, given the variance of a run and each effect's precision (`weights`) and mean (`shift`).

        Eliminates children before parents, which on a tree costs one pass; then samples from the root.
        """
        precision = [count / variance for count in self.counts]
        pull = [total / variance for total in self.sums]
        for child in range(len(self.parents) - 1, 0, -1):
            parent, weight = self.parents[child], weights[child]
            share = weight / (precision[child] + weight)
            precision[parent] += share * precision[child]
            pull[parent] += share * (pull[child] - shift * precision[child])
        drawn = [pull[0] / precision[0] + normals[0] / math.sqrt(precision[0])]
        for child in range(1, len(self.parents)):
            weight = weights[child]
            total = precision[child] + weight
            mean = (pull[child] + weight * (drawn[self.parents[child]] + shift)) / total
            drawn.append(mean + normals[child] / math.sqrt(total))
        return drawn


def _sample(tree: _Tree, noise: Noise | None, draws: int, random: "np.random.Generator") -> "tuple[_Array, _Array]":
    """Return draws of each version's value less the first one's, and of the noise."""
    import numpy as np

    size, runs = len(tree.parents), len(tree.values)
    parents, versions = np.array(tree.parents), np.array(tree.version)
    degrees, sd = (0.0, 0.0) if noise is None else (noise.degrees, noise.sd)
    variance = sd**2 or 0.1
    shift, spread, mixing = 0.0, 1.0, np.ones(size)
    means: list[_Array] = []
    sds: list[float] = []
    warm_up = draws // 5
    for step in range(warm_up + draws):
        weights = 1 / (spread * mixing)
        drawn = np.array(tree.draw(variance, weights.tolist(), shift, random.standard_normal(size).tolist()))
        effects = drawn[1:] - drawn[parents[1:]]
        if math.isfinite(degrees):
            residual = float(((tree.values - drawn[versions]) ** 2).sum())
            variance = (degrees * sd**2 + residual) / float(random.chisquare(degrees + runs - (noise is None)))
        if size > 1:
            inverse = weights[1:]
            shift = float(inverse @ effects / inverse.sum() + random.standard_normal() / math.sqrt(inverse.sum()))
            apart = (effects - shift) ** 2
            mixing[1:] = (1 + apart / spread) / random.chisquare(2, size - 1)  # a Cauchy is a mixture of normals
            spread = float((apart / mixing[1:]).sum() / random.chisquare(max(size - 2, 1)))
            spread = max(spread, 1e-12)
        if step >= warm_up:
            means.append(drawn - drawn[0])
            sds.append(math.sqrt(variance))
    return np.array(means), np.array(sds)


def _chance(tree: _Tree, means: "_Array", index: int) -> float:
    version = tree.version[index]
    if version == 0 or version in tree.version[:index]:
        return 0.0
    return float((means[:, version] > means[:, tree.parents[version]]).mean())


def _check(attempts: Sequence[Attempt], last: int, noise: Noise | None) -> None:
    if not attempts or attempts[0].parent is not None or not 0 <= last < len(attempts):
        raise UsageError("A gain is counted from a first attempt without a parent to one of the attempts given.")
    for index, attempt in enumerate(attempts[1:], 1):
        if attempt.parent is None or not 0 <= attempt.parent < index:
            raise UsageError(f"Attempt {index} names the parent {attempt.parent}. Expected one that came before it.")
    if not all(math.isfinite(attempt.value) for attempt in attempts):
        raise UsageError("An attempt without a finite value shows nothing. Leave crashed ones out.")
    if (noise is None or noise.sd == 0) and not any(attempt.null for attempt in attempts):
        raise UsageError("Nothing tells the noise from the effects. Give a noise above 0, or mark a null experiment.")
