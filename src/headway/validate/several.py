"""Several tasks at once: which of them changed, with few false alarms among all of them, and what the mean says.

Who looks at twenty tasks at 95 % each finds one "change" where there is none. Here the chance that any claim among the
tasks is false stays below 1 - level, whatever ties the tasks together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from headway.core import Direction, UsageError
from headway.validate._items import check_level, decide, gain_words
from headway.validate.comparison import Comparison, Decision
from headway.validate.paired import compare_paired

__all__ = ["SeveralTasks", "TaskComparison", "compare_several", "holm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskComparison:
    """Hold one task among several. The interval is simultaneous: those of all tasks hold together at the level.

    `p_value` is the task's alone, `adjusted_p_value` Holm's, by which the task is decided. Holm's decides a little more
    than the intervals do: a task may be accepted whose interval still touches 0.
    """

    task: str
    decision: Decision
    effect: float
    low: float
    high: float
    p_value: float
    adjusted_p_value: float
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeveralTasks:
    """Hold the evidence over several tasks. `effect` is the mean over exactly these tasks, with an interval of its own.

    The mean's `decision` and interval are at `level` alone: it is one claim, decided before the tasks are looked at. It
    speaks of these tasks and not of others like them.
    """

    metric: str
    direction: Direction
    level: float
    tasks: tuple[TaskComparison, ...]
    decision: Decision
    effect: float
    low: float
    high: float
    p_value: float
    degrees: float
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON."""
        return asdict(self)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for all of them (Holm, Scandinavian Journal of Statistics 6, 1979).

    >>> [round(p, 6) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def compare_several(
    candidate: Mapping[str, Mapping[int, float]],
    baseline: Mapping[str, Mapping[int, float]],
    *,
    metric: str,
    direction: Direction,
    level: float = 0.95,
    tasks_share_runs: bool = True,
) -> SeveralTasks:
    """Compare a candidate with its baseline on several tasks: for each task, its results by seed.

    Each task gets the paired interval of `compare_paired` with Bonferroni's share of the error, so that all hold
    together, and is decided by Holm's adjusted p-value; both are right however the tasks depend on each other. The mean
    over tasks weighs each task the same; all must be in the same units.

    `tasks_share_runs` tells that a seed is one training that all tasks score: the mean over tasks is then taken within
    each seed, and only seeds that ran on all tasks count for it. Otherwise tasks are independent experiments, and the
    mean's error adds up theirs, with Satterthwaite's degrees (Biometrics Bulletin 2, 1946).

    Raises `UsageError` where the sides have different tasks, or a task or the mean has fewer than two shared seeds.
    """
    check_level(level)
    if candidate.keys() != baseline.keys() or not candidate:
        odd = sorted(candidate.keys() ^ baseline.keys())
        raise UsageError(
            f"Both sides need the same tasks, at least one; {', '.join(odd) or 'all'} is missing on a side. Leave out "
            "tasks before you look at results, not after."
        )
    found = {
        task: compare_paired(
            candidate[task], baseline[task], metric=metric, direction=direction, level=level, comparisons=len(candidate)
        )
        for task in candidate
    }
    alone = [
        compare_paired(candidate[task], baseline[task], metric=metric, direction=direction, level=level).p_value
        for task in candidate
    ]
    tasks = [
        _task(task, comparison, single, adjusted, 1 - level)
        for (task, comparison), single, adjusted in zip(found.items(), alone, holm(alone), strict=True)
    ]
    mean = _mean_by_seed(candidate, baseline, metric, direction, level) if tasks_share_runs else None
    return _conclude(metric, direction, level, tasks, mean or _mean_of_independent(list(found.values()), level))


def _task(task: str, found: Comparison, single: float, adjusted: float, error: float) -> TaskComparison:
    decision = found.decision
    if decision != Decision.IDENTICAL:
        decision = decide(found.effect, decided=adjusted < error)
    return TaskComparison(
        task=task, decision=decision, effect=found.effect, low=found.low, high=found.high, p_value=single,
        adjusted_p_value=adjusted, pairs=found.pairs,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mean:
    """Hold the mean over tasks; `degrees` are those of its error."""

    effect: float
    half_width: float
    p_value: float
    decision: Decision
    degrees: float


def _mean_by_seed(
    candidate: Mapping[str, Mapping[int, float]],
    baseline: Mapping[str, Mapping[int, float]],
    metric: str,
    direction: Direction,
    level: float,
) -> _Mean:
    shared = set[int].intersection(*(set(candidate[task].keys() & baseline[task].keys()) for task in candidate))
    if len(shared) < 2:
        raise UsageError(
            f"The mean over tasks needs at least 2 seeds that ran on all tasks on both sides, and has {len(shared)}. "
            "Run them, or say tasks_share_runs=False where each task is an experiment of its own."
        )
    ours, theirs = (
        {seed: math.fsum(side[task][seed] for task in side) / len(side) for seed in shared}
        for side in (candidate, baseline)
    )
    found = compare_paired(ours, theirs, metric=metric, direction=direction, level=level)
    return _Mean(
        effect=found.effect, half_width=(found.high - found.low) / 2, p_value=found.p_value, decision=found.decision,
        degrees=found.pairs - 1.0,
    )  # fmt: skip


def _mean_of_independent(found: Sequence[Comparison], level: float) -> _Mean:
    from scipy.special import stdtr, stdtrit

    variances = [item.sd_of_differences**2 / item.pairs for item in found]
    total = math.fsum(variances)
    spread = math.fsum(variance**2 / (item.pairs - 1) for variance, item in zip(variances, found, strict=True))
    degrees = total**2 / spread if spread else float(sum(item.pairs - 1 for item in found))
    effect, error = math.fsum(item.effect for item in found) / len(found), math.sqrt(total) / len(found)
    half_width = float(stdtrit(degrees, (1 + level) / 2)) * error
    p_value = min(1.0, 2 * float(stdtr(degrees, -abs(effect) / error))) if error else 1.0
    # Without any spread there is no error to trust: the tasks' own evidence decides, and the mean does not.
    decision = decide(effect, decided=abs(effect) > half_width > 0)
    return _Mean(effect=effect, half_width=half_width, p_value=p_value, decision=decision, degrees=degrees)


def _conclude(
    metric: str, direction: Direction, level: float, tasks: Sequence[TaskComparison], mean: _Mean
) -> SeveralTasks:
    decision = mean.decision
    if all(task.decision == Decision.IDENTICAL for task in tasks):
        decision = Decision.IDENTICAL
        words = f"{metric} is identical on all {len(tasks)} tasks: the change does not reach it."
    else:
        name, remarks = f"mean {metric}", [f"{len(tasks)} tasks"]
        words = gain_words(name, direction, mean.effect, mean.half_width, level, remarks)
        words = f"{words}: {decision}. {_counts(tasks)}"
    return SeveralTasks(
        metric=metric,
        direction=direction,
        level=level,
        tasks=tuple(tasks),
        decision=decision,
        effect=mean.effect,
        low=mean.effect - mean.half_width,
        high=mean.effect + mean.half_width,
        p_value=mean.p_value,
        degrees=mean.degrees,
        sentence=words,
    )


def _counts(tasks: Sequence[TaskComparison]) -> str:
    names = {
        word: [task.task for task in tasks if task.decision == decision]
        for word, decision in (("better", Decision.ACCEPTED), ("worse", Decision.REJECTED))
    }
    told = [f"{word} on {len(those)} ({', '.join(those)})" for word, those in names.items() if those]
    rest = len(tasks) - sum(map(len, names.values()))
    return "Task by task, adjusted for all: " + ", ".join([*told, *([f"undecided on {rest}"] if rest else [])]) + "."
