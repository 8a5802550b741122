"""The verdict's arithmetic: a candidate against its baseline on the same seeds. `studies` calls it to confirm."""

import math
import sys
from collections.abc import Mapping, Sequence

from headway.core import Direction, UsageError
from headway.validate._evidence import Evidence, count_levels, exact, student
from headway.validate._sentence import identical_sentence, sentence
from headway.validate.comparison import Comparison, Decision
from headway.validate.eprocess import further_pairs, spread_evidence

__all__ = ["compare_paired", "further_seeds", "paired_evidence"]

_ROUNDING = 8 * sys.float_info.epsilon  # of the largest value: what subtracting and scaling floats leave behind


def compare_paired(
    candidate: Mapping[int, float],
    baseline: Mapping[int, float],
    *,
    metric: str,
    direction: Direction,
    level: float = 0.95,
    comparisons: int = 1,
) -> Comparison:
    """Decide whether a candidate is better than its baseline, by results of shared seeds; others do not count.

    A difference within one seed is free of what the seed does to both sides. Its mean gets Student's t interval,
    at 1 - (1 - level) / comparisons, and the candidate is accepted (rejected) if all of the interval is better
    (worse). Differences without any spread are judged by the chance that so many agree: see `exact`.

    Raises `UsageError` for fewer than two shared seeds, and for values that are not finite.

    >>> compare_paired({0: 2.9, 1: 3.1, 2: 3.0}, {0: 3.4, 1: 3.5, 2: 3.6}, metric="loss", direction="minimize").sentence
    'loss is lower by 0.50 ± 0.25 (95 % interval 0.25 to 0.75, 3 paired seeds): accepted.'
    """
    _check_settings(level, comparisons)
    seeds = _shared(candidate, baseline, metric)
    ours, theirs = [candidate[seed] for seed in seeds], [baseline[seed] for seed in seeds]
    sign = 1.0 if direction == "maximize" else -1.0
    differences = [sign * (mine - other) for mine, other in zip(ours, theirs, strict=True)]
    effect, sd = _mean_and_sd(differences)
    evidence = _evidence(ours, theirs, differences, error=(1 - level) / comparisons)
    decision = _decide(differences, effect, evidence)
    if decision == Decision.IDENTICAL:
        words = identical_sentence(metric, len(seeds))
    else:
        words = sentence(
            metric, direction, decision, effect, evidence, pairs=len(seeds), level=level, comparisons=comparisons
        )
    return Comparison(
        metric=metric,
        direction=direction,
        decision=decision,
        effect=effect,
        low=effect - evidence.half_width,
        high=effect + evidence.half_width,
        level=level,
        comparisons=comparisons,
        p_value=min(1.0, evidence.p_value * comparisons),
        pairs=len(seeds),
        sd_of_differences=0.0 if evidence.half_width == 0 else sd,
        baseline_mean=_mean_and_sd(theirs)[0],
        candidate_mean=_mean_and_sd(ours)[0],
        seeds_needed=evidence.seeds_needed,
        sentence=words,
    )


def paired_evidence(candidate: Mapping[int, float], baseline: Mapping[int, float], direction: Direction) -> float:
    """Return the log e-value that a candidate is better, by results of shared seeds.

    Half the stake is on differences with a spread (`evidence`), half on all of them being the same: that comes, where
    the candidate is not better, with at most half the chance that `compare_paired` gives it, and so a bet pays its
    inverse.
    """
    effect, sd, pairs, same = _facts(candidate, baseline, direction)
    if same is not None and effect > 0:
        return -math.log(same.p_value)
    return spread_evidence(pairs, effect, sd) - math.log(2)


def further_seeds(
    candidate: Mapping[int, float], baseline: Mapping[int, float], direction: Direction, log_e: float
) -> int | None:
    """Return about how many further seeds bring the evidence to `log_e`, if they are like those that there are."""
    effect, sd, pairs, same = _facts(candidate, baseline, direction)
    if same is None:
        return further_pairs(pairs, effect, sd, log_e + math.log(2))
    if effect <= 0:
        return None
    return max(1, math.ceil((log_e + math.log(2)) * pairs / -math.log(same.p_value / 2)) - pairs)


def _facts(
    candidate: Mapping[int, float], baseline: Mapping[int, float], direction: Direction
) -> tuple[float, float, int, Evidence | None]:
    """Return effect, sd and number of the differences, and how seldom they would all be the same, if they are."""
    seeds = _shared(candidate, baseline, "the metric")
    ours, theirs = [candidate[seed] for seed in seeds], [baseline[seed] for seed in seeds]
    sign = 1.0 if direction == "maximize" else -1.0
    differences = [sign * (mine - other) for mine, other in zip(ours, theirs, strict=True)]
    found = _evidence(ours, theirs, differences, error=0.5)
    return *_mean_and_sd(differences), len(seeds), found if found.half_width == 0 else None


def _evidence(
    ours: Sequence[float], theirs: Sequence[float], differences: Sequence[float], *, error: float
) -> Evidence:
    if not any(differences):
        return Evidence(half_width=0.0, p_value=1.0, decided=False, seeds_needed=None)
    if len(set(ours)) == 1 and len(set(theirs)) == 1:
        return exact(len(differences), error, "results")
    rounding = _ROUNDING * max(map(abs, [*ours, *theirs]))
    if max(differences) - min(differences) <= rounding:
        return exact(len(differences), error, "differences", count_levels(theirs, rounding))
    return student(*_mean_and_sd(differences), len(differences), error)


def _decide(differences: Sequence[float], effect: float, evidence: Evidence) -> Decision:
    if not any(differences):
        return Decision.IDENTICAL
    if not evidence.decided:
        return Decision.UNDECIDED
    return Decision.ACCEPTED if effect > 0 else Decision.REJECTED


def _mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    # hypot scales, so that squares neither overflow nor vanish.
    return mean, math.hypot(*(value - mean for value in values)) / math.sqrt(len(values) - 1)


def _check_settings(level: float, comparisons: int) -> None:
    if not 0 < level < 1:
        raise UsageError(f"The level {level} is no probability. Give one between 0 and 1, such as 0.95.")
    if comparisons < 1:
        raise UsageError(f"comparisons={comparisons} compares nothing. Give the number of finalists, at least 1.")


def _shared(candidate: Mapping[int, float], baseline: Mapping[int, float], metric: str) -> list[int]:
    seeds = sorted(candidate.keys() & baseline.keys())
    if len(seeds) < 2:
        raise UsageError(
            f"A comparison on {metric} needs at least 2 seeds that both sides ran, and has {len(seeds)}: the candidate "
            f"ran {_listed(candidate)}, the baseline {_listed(baseline)}. Run both with seeds 0 and 1."
        )
    for side, values in (("candidate", candidate), ("baseline", baseline)):
        for seed in seeds:
            if not math.isfinite(values[seed]):
                raise UsageError(
                    f"{metric} of the {side} at seed {seed} is {values[seed]}, which cannot be compared. Leave "
                    "the seed out on both sides, or count the candidate as failed."
                )
    return seeds


def _listed(values: Mapping[int, float]) -> str:
    return f"seeds {', '.join(map(str, sorted(values)))}" if values else "none"
