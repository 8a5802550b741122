"""The race: which idea gets the next run, and which ideas are kept.

Who keeps each idea whose one run beats the best so far keeps noise: where few ideas are good, half to three quarters of
what it keeps does not help. A race believes a run as far as its noise and the spread of ideas' effects allow
(`_race_filter`), asks whether one more seed is worth more than a fresh idea (`_race_rule`), and keeps an idea when the
chance that it does not help is small. What it learns of the effects of ideas as it goes sets both.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from headway.core import Direction, UsageError
from headway.validate._prior import Prior, learn_prior
from headway.validate._race_filter import Arm, Estimate, Filter, State
from headway.validate._race_rule import Rule, solve
from headway.validate.noise import Noise

__all__ = ["Action", "Prior", "Race", "Ruling", "Standing", "learn_prior"]

_FALSE_SHARE, _LIMIT = 0.13, 0.45
_LIMITS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)  # that a race tries
_UNKNOWN = 2.0  # the variance, in those of one run, above which nothing can be compared with an incumbent
_LEARN_FROM, _LEARN_AGAIN = 8, 1.4
_RARE, _CAUTION = 0.05, 4  # below one good idea in twenty, false keeps are allowed less by this power


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Say what to run next.

    `idea`: add a new candidate, with the incumbent as its parent, and run it with `seed`. `candidate`: run that one
    with one seed more. `control`: the same for the incumbent. `stop`: the budget is spent.
    """

    kind: Literal["idea", "candidate", "control", "stop"]
    candidate: str | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Hold a decision on a candidate. One that is kept is the incumbent from then on."""

    candidate: str
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Hold what is believed of a candidate's effect against the incumbent, in the metric's units, positive if better.

    `effect` and `sd` are the posterior's. They depend on the prior, so do not quote them: quote fresh runs.
    `better` is the chance that the effect is above 0.
    """

    effect: float
    sd: float
    better: float
    runs: int
    state: State


class Race:
    """Decide which candidate gets the next run, and which are kept.

    A race is a function of what it was told, in that order: feed another one the same and it stands where this one
    does. It runs nothing. Ask `next` what to run; then `add` the idea, and `observe` each result, which returns the
    decisions that it brings.

    `noise` is that of one run; with finite degrees it is learned further from repeated runs. `prior` is where learning
    begins: the default, or one from earlier studies (`learn_prior`). `budget` counts runs, those that fail included.
    `false_share` is the share of keeps that may turn out not to help: a candidate is kept only where the chance that it
    does not help is below a bound, which the race sets by what it has learned of ideas so that this share is expected,
    and never above `limit`. `max_seeds` ends the doubt about a candidate: rejected. `shared` is the share of the
    noise's variance that a seed brings to parent and child alike, measured in A/A runs; above 0, candidates run on
    seeds that the incumbent has run.

    Raises `UsageError` for noise without an sd, and for limits that cannot be.

    >>> race = Race("minimize", Noise(0.1), budget=50)
    >>> race.next().kind
    'control'
    >>> race.observe("baseline", 0, 3.1)
    []
    """

    def __init__(
        self,
        direction: Direction,
        noise: Noise,
        prior: Prior | None = None,
        *,
        budget: int,
        baseline: str = "baseline",
        false_share: float = _FALSE_SHARE,
        limit: float = _LIMIT,
        max_seeds: int = 10,
        shared: float = 0.0,
    ) -> None:
        """Begin with the baseline as the incumbent, and no run."""
        _check(noise, budget, (false_share, limit), max_seeds, shared)
        self._sign = 1.0 if direction == "maximize" else -1.0
        self._budget, self._max_seeds, self._false_share = budget, max_seeds, false_share
        self._limits = [bound for bound in _LIMITS if bound < limit] + [limit]
        self._rung = len(self._limits) // 2
        self._spent, self._learn_at = 0, float(_LEARN_FROM)
        self._filter = Filter(noise, prior or Prior.default(), shared)
        self._incumbent = Arm(baseline, None, "incumbent")
        self._arms = {baseline: self._incumbent}
        self._open: list[Arm] = []
        self._seen = 0  # candidates with a run
        self._rule = self._solved()

    @property
    def incumbent(self) -> str:
        """Return the candidate that new ideas build on."""
        return self._incumbent.name

    @property
    def prior(self) -> Prior:
        """Return the prior as it was learned so far."""
        return self._filter.prior

    @property
    def noise(self) -> Noise:
        """Return the noise of one run as it was learned so far."""
        return self._filter.noise

    def add(self, candidate: str, parent: str | None = None) -> None:
        """Enter a candidate that changes `parent`, by default the incumbent."""
        if candidate in self._arms:
            raise UsageError(f"The race already holds a candidate {candidate!r}. Give each its own name.")
        arm = Arm(candidate, self._incumbent if parent is None else self._arm(parent))
        self._arms[candidate] = arm
        self._open.append(arm)

    def observe(self, candidate: str, seed: int, value: float | None) -> list[Ruling]:
        """Take in the result of a run, None if it failed, and return the decisions that follow."""
        arm = self._arm(candidate)
        if seed in arm.values:
            raise UsageError(f"The race has a value of {candidate!r} at seed {seed}. Run another seed.")
        if value is not None and not math.isfinite(value):
            raise UsageError(f"{candidate!r} has the value {value} at seed {seed}. Give a finite one, or None: failed.")
        self._spent += 1
        if value is None:
            arm.failed.append(seed)
            return [self._settle(arm, "failed")] if arm.state == "open" else []
        self._seen += arm.parent is not None and not arm.values
        self._filter.take(arm, seed, self._sign * value)
        if self._seen >= self._learn_at:
            self._learn()
        return self._decide(told=arm)

    def next(self, running: Collection[tuple[str, int]] = ()) -> Action:
        """Return what to run next, while the runs in `running` (candidate, seed) are still in the air."""
        left = self._budget - self._spent - len(running)
        if left <= 0:
            return Action(kind="stop")
        busy = {name for name, _ in running}
        controls = sum(name == self.incumbent for name, _ in running)
        variance = self._incumbent_variance(controls)
        if variance > _UNKNOWN:
            return self._run(self._incumbent, running)
        waiting = [arm for arm in self._open if arm.name not in busy]
        if waiting:
            arm = max(waiting, key=self._promise) if len(waiting) > 1 else waiting[0]
            control = self._control_tells_more(arm, variance, running)
            return self._run(self._incumbent if control else arm, running)
        if self._rule.worth_of_control(variance, left) > 0:
            return self._run(self._incumbent, running)
        return Action(kind="idea", seed=self._first_seed())

    def standing(self, candidate: str) -> Standing:
        """Return what is believed of a candidate, against the incumbent of now."""
        arm = self._arm(candidate)
        effect, sd, better = self._against_incumbent(arm)
        return Standing(effect=effect, sd=sd, better=better, runs=len(arm.values), state=arm.state)

    def _arm(self, name: str) -> Arm:
        if name not in self._arms:
            raise UsageError(f"The race holds no candidate {name!r}. Add it first.")
        return self._arms[name]

    def _learn(self) -> None:
        self._learn_at = math.ceil(self._seen * _LEARN_AGAIN)
        self._filter.learn(list(self._arms.values()))
        self._rule = self._solved()
        self._filter.tell(
            [arm for arm in self._arms.values() if arm.parent is self._incumbent and arm.state in ("open", "rejected")]
        )

    def _solved(self) -> Rule:
        """Return the rule with the highest bound that is expected to keep the share; up by one step at a time."""
        # In units of a run's sd, as the rule wants it, effects are larger where runs are paired.
        prior = self.prior.scaled(1 / self._unit)
        # Where few ideas help, what is kept is mostly luck, and what counts is how little is kept.
        allowed = self._false_share * min(1.0, (prior.good / _RARE) ** _CAUTION)
        self._rung = min(self._rung + 1, len(self._limits) - 1)
        rule = solve(prior, self._limits[self._rung], self._max_seeds)
        while rule.false_share > allowed and self._rung > 0:
            self._rung -= 1
            rule = solve(prior, self._limits[self._rung], self._max_seeds)
        return rule

    @property
    def _unit(self) -> float:
        """Return the sd of a run that is paired, in sds of one that is not."""
        return math.sqrt(1 - self._filter.shared**2)

    def _decide(self, told: Arm) -> list[Ruling]:
        rulings: list[Ruling] = []
        for arm in [arm for arm in self._open if arm.values]:
            if arm is not told:  # a control moved its parent
                self._filter.tell([arm])
            match self._judge(arm):
                case "keep":
                    rulings.append(self._settle(arm, "incumbent"))
                case "reject":
                    rulings.append(self._settle(arm, "rejected"))
                case "go on":
                    pass
        return rulings

    def _judge(self, arm: Arm) -> Literal["keep", "reject", "go on"]:
        last = len(arm.values) >= self._max_seeds
        if arm.parent is not self._incumbent:  # its parent was overtaken while it ran: rare, and no rule is made for it
            effect, _, better = self._against_incumbent(arm)
            return "keep" if self._is_sure(better) else "reject" if last or effect <= 0 else "go on"
        estimate = self._filter.estimate(arm)
        low, high = self._rule.bounds(*self._state(estimate))
        reached = estimate.effect / (self._unit * self._filter.sd)
        if (reached >= high or (last and reached > low)) and self._is_sure(self._against_incumbent(arm)[2]):
            return "keep"
        return "reject" if last or reached <= low else "go on"

    def _is_sure(self, better: float) -> bool:
        return 1 - better <= self._limits[self._rung]

    def _state(self, estimate: Estimate) -> tuple[float, float]:
        """Return an estimate's errors as the rule counts them: as a number of runs, and its parent's variance."""
        run = (self._unit * self._filter.sd) ** 2
        return run / estimate.own, estimate.slope**2 * estimate.variance / run

    def _settle(self, arm: Arm, state: Literal["incumbent", "rejected", "failed"]) -> Ruling:
        self._open.remove(arm)
        if state == "incumbent":
            self._filter.crown(arm)
            self._incumbent.state = "superseded"
            self._incumbent = arm
        else:
            arm.state = state
        return Ruling(candidate=arm.name, kept=state == "incumbent")

    def _against_incumbent(self, arm: Arm) -> tuple[float, float, float]:
        """Return mean and sd of a candidate's effect against the incumbent, and the chance that it is above 0."""
        if arm is self._incumbent:
            return 0.0, 0.0, 0.0
        if arm.parent is self._incumbent:
            seen = self._filter.effects([self._filter.estimate(arm)])
            return float(seen.mean[0]), math.sqrt(float(seen.variance[0])), float(seen.good[0])
        (level, variance), (other, spread) = self._filter.level(arm), self._filter.level(self._incumbent)
        sd = math.sqrt(variance + spread)
        return level - other, sd, math.erfc((other - level) / (sd * math.sqrt(2))) / 2

    def _promise(self, arm: Arm) -> float:
        return self._against_incumbent(arm)[0]

    def _incumbent_variance(self, controls: int) -> float:
        """Return the variance of the incumbent's level in those of one run, once the controls in the air are in."""
        variance = self._filter.level(self._incumbent)[1] / self._filter.sd**2
        return variance / (1 + controls * variance)

    def _control_tells_more(self, arm: Arm, variance: float, running: Collection[tuple[str, int]]) -> bool:
        """Tell whether the incumbent's next run narrows the effect of a candidate more than the candidate's own."""
        if arm.parent is not self._incumbent or not arm.values:
            return False
        if self._filter.shared >= 0.5 and not self._paired_seeds(arm, running):
            return True
        runs, spread = self._state(self._filter.estimate(arm))
        return spread * variance / (1 + variance) > 1 / (runs * (runs + 1))

    def _run(self, arm: Arm, running: Collection[tuple[str, int]]) -> Action:
        paired = self._paired_seeds(arm, running)
        taken = [*arm.values, *arm.failed, *(seed for name, seed in running if name == arm.name)]
        seed = paired[0] if paired else max(taken, default=-1) + 1
        return Action(kind="control" if arm is self._incumbent else "candidate", candidate=arm.name, seed=seed)

    def _paired_seeds(self, arm: Arm, running: Collection[tuple[str, int]]) -> list[int]:
        if not self._filter.shared or arm.parent is None or arm is self._incumbent:
            return []
        return [seed for seed in arm.parent.values if seed not in arm.values and (arm.name, seed) not in running]

    def _first_seed(self) -> int:
        """Return a seed for a new idea. They take turns, so that no seed's luck is taken for the incumbent's level."""
        seeds = list(self._incumbent.values)
        count = len(self._arms) - 1
        return seeds[count % len(seeds)] if self._filter.shared and seeds else count


def _check(noise: Noise, budget: int, shares: tuple[float, float], max_seeds: int, shared: float) -> None:
    if not noise.sd > 0:
        raise UsageError("Without noise there is nothing to race: one run of each candidate tells all. Compare them.")
    if budget < 1 or max_seeds < 1:
        raise UsageError(f"budget={budget} and max_seeds={max_seeds} run nothing. Give at least 1 of each.")
    if not all(0 < share < 1 for share in shares):
        raise UsageError(
            f"false_share={shares[0]} and limit={shares[1]} are no chances. Give both between 0 and 1, such as 0.13."
        )
    if not 0 <= shared < 1:
        raise UsageError(f"shared={shared} is no share of the variance. Give one from 0 to below 1.")
