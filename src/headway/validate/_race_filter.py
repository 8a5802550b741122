"""What the runs of a race say of its candidates' levels: a Bayesian filter that all runs feed, in whatever order.

A candidate's level is its parent's level plus an effect, and the effect has a prior. So a candidate's runs say
something about its parent, too: twenty ideas that all look bad mean that the parent is better than it seemed. A parent
has a normal belief, to which each child contributes a factor (a site of expectation propagation: Minka, "Expectation
propagation for approximate Bayesian inference", UAI 2001). Values are those of the metric, turned so that more is
better.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from headway.validate._prior import Posterior, Prior, climb, posterior
from headway.validate.noise import Noise

__all__ = ["Arm", "Estimate", "Filter", "State"]

State = Literal["open", "incumbent", "superseded", "rejected", "failed"]
_NO_RUNS = 1e4  # the sd, in sds of one run, of what a candidate without runs says
_FLAT = 1e-6  # the precision, in units of one run, of a level that nothing is known of
_ROUNDS = 12  # each time, from where the last one ended


@dataclass(slots=True, eq=False)
class Arm:
    """Hold a candidate: its runs by seed, the seeds whose runs failed, and what is known of its level.

    `inherited` is the precision and the precision times mean of the level when it was kept, by the first `counted`
    runs and its parent; `site` is what it says of its parent, `told` the sum of what its children say of it.
    """

    name: str
    parent: "Arm | None"
    state: State = "open"
    values: dict[int, float] = field(default_factory=dict[int, float])
    failed: list[int] = field(default_factory=list[int])
    inherited: tuple[float, float] = (0.0, 0.0)
    counted: int = 0
    site: tuple[float, float] = (0.0, 0.0)
    told: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Hold what the runs of one candidate say of its effect, its parent's level being N(`level`, `variance`).

    `effect` has an error with variance `own` + `slope`^2 * `variance`: the runs' own, and the parent's. `slope` is 1,
    less where runs are paired with the parent's and so know a part of its error.
    """

    effect: float
    own: float
    slope: float
    level: float
    variance: float

    @property
    def error(self) -> float:
        """Return the variance of `effect` about the true effect."""
        return self.own + self.slope**2 * self.variance

    @property
    def gain(self) -> float:
        """Return how far the parent's level moves with what remains unexplained (Kalman's gain)."""
        return self.slope * self.variance / self.error


class Filter:
    """Keep the beliefs on all candidates. See the module."""

    def __init__(self, noise: Noise, prior: Prior, shared: float) -> None:
        """Begin without any run."""
        self.shared = shared
        self.prior = prior
        self._start = prior
        self._given = noise
        self._squares, self._repeats = 0.0, 0
        self.sd = self._effective_sd()

    @property
    def noise(self) -> Noise:
        """Return what is known of the noise, by now: what was given and the repeated runs since."""
        degrees = self._given.degrees
        if math.isinf(degrees):
            return self._given
        total = degrees + self._repeats
        return Noise(math.sqrt((degrees * self._given.sd**2 + self._squares) / total), total)

    def _effective_sd(self) -> float:
        """Return the sd of the normal that comes near Student's t: its 90 % quantile is (Fisher-Cornish, 1 + .66 / n).

        The expansion is 26.7.5 of Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964.
        """
        noise = self.noise
        return noise.sd * (1 + 0.66 / noise.degrees)

    def take(self, arm: Arm, seed: int, value: float) -> None:
        """Take in a run."""
        runs = len(arm.values)
        if runs:
            mean = math.fsum(arm.values.values()) / runs
            self._squares += (value - mean) ** 2 * runs / (runs + 1)
            self._repeats += 1
            self.sd = self._effective_sd()
        arm.values[seed] = value
        if arm.state in ("open", "rejected"):
            self.tell([arm])

    def belief(self, arm: Arm) -> tuple[float, float]:
        """Return precision, and precision times mean, of the level of a candidate that has been an incumbent."""
        weight = 1 / self.sd**2
        own = list(arm.values.values())[arm.counted :]
        return (
            arm.inherited[0] + weight * len(own) + arm.told[0],
            arm.inherited[1] + weight * math.fsum(own) + arm.told[1],
        )

    def level(self, arm: Arm) -> tuple[float, float]:
        """Return mean and variance of a candidate's level."""
        if arm.parent is None or arm.counted:
            precision, shift = self.belief(arm)
            precision = max(precision, _FLAT / self.sd**2)
            return shift / precision, 1 / precision
        estimate = self.estimate(arm)
        seen = self.effects([estimate])
        gain = estimate.gain
        mean = estimate.level + gain * estimate.effect + (1 - gain) * float(seen.mean[0])
        rest = estimate.variance * (1 - gain * estimate.slope)
        return mean, rest + (1 - gain) ** 2 * float(seen.variance[0])

    def estimate(self, arm: Arm) -> Estimate:
        """Return what a candidate's runs say of its effect; its own word on its parent is left out of the parent's."""
        parent = arm.parent
        assert parent is not None, "a baseline has no effect"
        if parent.parent is not None and not parent.counted:
            level, variance = self.level(parent)
        else:
            precision, shift = (whole - own for whole, own in zip(self.belief(parent), arm.site, strict=True))
            precision = max(precision, _FLAT / self.sd**2)
            level, variance = shift / precision, 1 / precision
        if not arm.values:
            return Estimate(0.0, (_NO_RUNS * self.sd) ** 2, 1.0, level, variance)
        # With the parent's run on the same seed known, a run's error has correlation `shared` with that run's.
        paired = [seed for seed in arm.values if self.shared and seed in parent.values]
        lone = math.fsum(value for seed, value in arm.values.items() if seed not in paired)
        pairs = math.fsum(arm.values[seed] - self.shared * parent.values[seed] for seed in paired)
        weight = 1 / (1 - self.shared**2)
        own = 1 / (len(arm.values) - len(paired) + weight * len(paired))
        slope = own * (len(arm.values) - len(paired) + weight * len(paired) * (1 - self.shared))
        effect = own * (lone + weight * pairs) - slope * level
        return Estimate(effect, own * self.sd**2, slope, level, variance)

    def effects(self, estimates: Sequence[Estimate]) -> Posterior:
        """Return the posterior of effects, in the metric's units."""
        import numpy as np

        return posterior(
            self.prior.scaled(self.sd),
            np.array([estimate.effect for estimate in estimates]),
            np.array([estimate.error for estimate in estimates]),
        )

    def tell(self, arms: Sequence[Arm]) -> None:
        """Let candidates tell their parents anew what their runs say of them.

        Where a run's effect is in doubt it may widen the belief in the parent. Then it moves the mean and leaves the
        precision: leaving it out altogether biased incumbents upwards by half a sd of the noise.
        """
        arms = [arm for arm in arms if arm.values and arm.parent is not None]
        if not arms:
            return
        estimates = [self.estimate(arm) for arm in arms]
        seen = self.effects(estimates)
        for arm, estimate, effect, spread in zip(
            arms, estimates, seen.mean.tolist(), seen.variance.tolist(), strict=True
        ):
            gain, variance = estimate.gain, estimate.variance
            mean = estimate.level + gain * (estimate.effect - effect)
            after = min(variance * (1 - gain * estimate.slope) + gain**2 * spread, variance)
            # Candidates on one seed share its error, beyond what the parent's run there tells; so they count less.
            count = 1 - self.shared
            site = (count * (1 / after - 1 / variance), count * (mean / after - estimate.level / variance))
            parent = arm.parent
            assert parent is not None
            parent.told = (parent.told[0] + site[0] - arm.site[0], parent.told[1] + site[1] - arm.site[1])
            arm.site = site

    def learn(self, arms: Sequence[Arm]) -> None:
        """Learn the prior from all candidates with runs."""
        import numpy as np

        estimates = [self.estimate(arm) for arm in arms if arm.values and arm.parent is not None]
        effects = np.array([estimate.effect for estimate in estimates]) / self.sd
        errors = np.array([estimate.error for estimate in estimates]) / self.sd**2
        self.prior = climb(self._start, self.prior, effects, errors, _ROUNDS)

    def crown(self, arm: Arm) -> None:
        """Make an incumbent of a candidate: what is known of its level becomes what its children build on."""
        mean, variance = self.level(arm)
        arm.inherited, arm.counted, arm.state = (1 / variance, mean / variance), len(arm.values), "incumbent"
