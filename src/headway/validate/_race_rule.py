"""When to stop running a candidate: the value of its next seed against that of the same run on a fresh idea.

A candidate's state is the estimate of its effect after n runs. It can be rejected (worth 0), kept (worth its expected
effect), or get a further run, which costs what the run would bring elsewhere. As ideas do not end, that is the rate at
which the best rule gains: the average-reward form of optimal stopping (Puterman, "Markov Decision Processes", 1994,
chapter 11). The rule is found by backward induction on a grid, and its rate by Newton's method. All is in units of the
sd of one run's noise.
"""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from headway.validate._prior import Prior, posterior

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Rule", "solve"]

_VARIANCES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)  # of the incumbent's level
_TYPICAL = 0.2  # what the variance mostly is
_KEEP_RUNS = 1.0  # control runs that a new incumbent will need
_CONTROL = 0.05  # of what a control would bring, as candidates tell of the incumbent, too; gains were less at .2 and .5
_STEPS = 4
_LOWEST_RATE = 1e-6
_FINE = 5.0  # up to here the grid is fine; estimates above it are kept


@dataclass(frozen=True, slots=True)
class Rule:
    """Hold the rule. The first index is the number of runs - 1, the last that of the incumbent's variance.

    `reject` and `keep` are the estimates up to which a candidate is rejected, and from which it is kept. `rate` is
    the gain of one run, `between` the expected number of runs from one keep to the next, `false` the share of keeps
    that do not help.
    """

    reject: list[list[float]]
    keep: list[list[float]]
    rate: list[float]
    between: list[float]
    false: list[float]

    def bounds(self, runs: float, variance: float) -> tuple[float, float]:
        """Return the estimates up to which to reject and from which to keep after so many runs."""
        index = min(max(runs, 1.0), float(len(self.keep))) - 1
        low = int(index)
        high = min(low + 1, len(self.keep) - 1)
        reject, keep = (
            _mix(_at(table[low], variance), _at(table[high], variance), index - low)
            for table in (self.reject, self.keep)
        )
        return reject, keep

    @property
    def false_share(self) -> float:
        """Return the share of keeps that do not help, where the incumbent is known as well as it mostly is."""
        return _at(self.false, _TYPICAL)

    def worth_of_control(self, variance: float, horizon: float) -> float:
        """Return what one more run of the incumbent brings, beyond what it costs, until the next keep."""
        rate = _at(self.rate, variance)
        better = _at(self.rate, variance / (1 + variance))
        return _CONTROL * (better - rate) * min(horizon, _at(self.between, variance)) - rate


@dataclass(frozen=True, slots=True)
class _Problem:
    """Hold what the induction needs. Arrays have an axis for the incumbent's variance, and one for the estimate.

    `worth` is that of keeping after n + 1 runs, `wrong` the chance that it does not help, `weights` the density of the
    estimates, `kernels` that of an estimate given the next one, and `totals` what the two of them add up to. `fine`
    marks where the grid is.
    """

    worth: "Array"
    wrong: "Array"
    weights: "Array"
    kernels: "list[Array]"
    totals: "list[Array]"
    fine: "NDArray[np.bool_]"


@dataclass(frozen=True, slots=True)
class _Solution:
    """Hold what a fresh idea brings, for each variance of the incumbent.

    `value` is its worth, `spent` the number of its further runs, `kept` and `false` its chances to be kept and to be
    kept without a gain. `reject` and `keep` are indices of the grid, by the number of runs - 1.
    """

    value: "Array"
    spent: "Array"
    kept: "Array"
    false: "Array"
    reject: "list[NDArray[np.intp]]"
    keep: "list[NDArray[np.intp]]"


def solve(prior: Prior, limit: float, runs: int) -> Rule:
    """Return the best rule among those that keep only where the chance of no gain is at most `limit`."""
    import numpy as np

    grid = _grid(round(12 * prior.gain + 0.5))
    problem = _problem(prior, limit, runs, grid)
    rate = np.full(len(_VARIANCES), 0.02)
    solution = _induct(problem, rate)
    for _ in range(_STEPS):
        rate = np.maximum(rate + (solution.value - rate) / (1 + solution.spent), _LOWEST_RATE)
        solution = _induct(problem, rate)
    return Rule(
        reject=[grid[row].tolist() for row in solution.reject],
        keep=[grid[row].tolist() for row in solution.keep],
        rate=rate.tolist(),
        between=((1 + solution.spent) / np.maximum(solution.kept, 1e-9)).tolist(),
        false=(solution.false / np.maximum(solution.kept, 1e-9)).tolist(),
    )


def _problem(prior: Prior, limit: float, runs: int, grid: "Array") -> _Problem:
    import numpy as np

    spread = 1 / np.arange(1, runs + 1)[:, None, None] + np.asarray(_VARIANCES)[None, :, None]
    seen = posterior(prior, *np.broadcast_arrays(grid, spread))
    weights = seen.evidence * np.gradient(grid)
    kernels = _kernels(float(grid[-1]), runs)
    return _Problem(
        worth=np.where(1 - seen.good <= limit, seen.mean, -np.inf),
        wrong=1 - seen.good,
        weights=weights,
        kernels=kernels,
        totals=[after @ kernel for after, kernel in zip(weights[1:], kernels, strict=True)],
        fine=grid < _FINE,
    )


def _induct(problem: _Problem, rate: "Array") -> _Solution:
    """Go backwards from the last run, if a run is worth `rate` elsewhere."""
    import numpy as np

    cost = rate[:, None]
    rejects: list[NDArray[np.intp]] = []
    keeps: list[NDArray[np.intp]] = []
    ahead = np.zeros((4, *problem.worth[0].shape))  # value, further runs, chances to be kept, and without a gain
    for n in reversed(range(len(problem.worth))):
        keep = problem.worth[n] - _KEEP_RUNS * cost
        if n == len(problem.kernels):
            future, more = ahead, np.full_like(keep, -np.inf)
        else:
            future = (ahead * problem.weights[n + 1]) @ problem.kernels[n] / problem.totals[n]
            more = future[0] - cost
        # Far out the grid is too coarse to look ahead; what is kept at one estimate is kept at all above it.
        keeping = np.logical_or.accumulate((keep > 0) & ((keep >= more) | ~problem.fine), axis=1)
        going = (more > 0) & ~keeping
        ahead = np.stack(
            [
                np.where(going, more, np.where(keeping, keep, 0.0)),
                np.where(going, 1 + future[1], np.where(keeping, _KEEP_RUNS, 0.0)),
                np.where(going, future[2], keeping.astype(float)),
                np.where(going, future[3], np.where(keeping, problem.wrong[n], 0.0)),
            ]
        )
        rejects.append(keep.shape[1] - 1 - (~(going | keeping))[:, ::-1].argmax(axis=1))
        keeps.append(keeping.argmax(axis=1))
    value, spent, kept, false = (ahead * problem.weights[0]).sum(axis=-1) / problem.weights[0].sum(axis=-1)
    return _Solution(value=value, spent=spent, kept=kept, false=false, reject=rejects[::-1], keep=keeps[::-1])


def _grid(top: int) -> "Array":
    import numpy as np

    tail = np.geomspace(_FINE, max(60.0, top), 24)
    return np.concatenate([np.arange(-8.0, -2.0, 0.5), np.arange(-2.0, _FINE, 0.1), tail])


@cache
def _kernels(top: float, runs: int) -> "list[Array]":
    """Return, for each n, the density of the mean of n runs (second index) where that of n + 1 is known (first)."""
    import numpy as np

    grid = _grid(round(top))
    gaps = grid[:, None] - grid[None, :]
    return [np.exp(-0.5 * gaps**2 * n * (n + 1)) for n in range(1, runs)]


def _at(table: list[float], variance: float) -> float:
    if variance >= _VARIANCES[-1]:
        return table[-1]
    high = next(index for index, value in enumerate(_VARIANCES) if value > variance)
    low = high - 1
    return _mix(table[low], table[high], (variance - _VARIANCES[low]) / (_VARIANCES[high] - _VARIANCES[low]))


def _mix(one: float, other: float, share: float) -> float:
    return one + (other - one) * share
