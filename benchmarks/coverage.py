"""How often the intervals that Headway prints hold the truth, beside those that others print.

Each case simulates studies whose truth is known, asks Headway for the interval, and counts. To add an interval, append
a `Case` to `CASES`: a name, a function that simulates one study with a generator and tells whether the interval (or all
intervals that are promised to hold together) held the truth, and the noise it is promised for.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from benchmarks.runner import Context, Result, Row, Sample, Table, Target, at_least, benchmark
from headway.validate import (
    Attempt,
    Comparison,
    EProcess,
    Noise,
    bootstrap_score,
    clustered_mean,
    compare_noninferior,
    compare_paired,
    compare_several,
    median_interval,
    shrink_gain,
)

Generator = np.random.Generator
Array = np.ndarray[tuple[Any, ...], np.dtype[np.float64]]

__all__ = ["CASES", "Case"]

_STUDIES, _LEVEL, _ERRORS = 2_000, 0.95, 2
_EFFECT = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Hold one interval and one situation.

    `promised`: Headway claims it covers there, and a target says so; otherwise the row shows where it breaks. `ours`
    tells Headway's intervals from those of others.
    """

    name: str
    covers: Callable[[Generator], bool]
    promised: bool = True
    ours: bool = True
    note: str = ""


def _normal(random: Generator, *shape: int) -> Array:
    return random.standard_normal(shape)


def _skewed(random: Generator, *shape: int) -> Array:
    return random.exponential(size=shape) - 1


def _heavy(random: Generator, *shape: int) -> Array:
    return random.standard_t(3, size=shape) / math.sqrt(3)


_Draw = Callable[..., Array]
_Results = dict[int, float]
_NOISES: Mapping[str, _Draw] = {"normal": _normal, "skewed": _skewed, "heavy tails": _heavy}


# Student's interval over seeds -----------------------------------------------------------------------------------


def _by_seed(values: Array) -> _Results:
    return {seed: float(value) for seed, value in enumerate(values)}


def _sides(differences: Array, random: Generator) -> tuple[_Results, _Results]:
    """Return results of a candidate and a baseline with these differences, and what the seed does to both."""
    seeds = random.standard_normal(len(differences))
    return _by_seed(seeds + differences), _by_seed(seeds)


def _paired(draw: _Draw, seeds: int, random: Generator) -> bool:
    found = compare_paired(
        *_sides(_EFFECT + draw(random, seeds), random), metric="score", direction="maximize", level=_LEVEL
    )
    return found.low <= _EFFECT <= found.high


def _finalists(draw: _Draw, seeds: int, random: Generator, *, count: int = 4) -> bool:
    """Judge `count` finalists against one baseline: all intervals must hold, and their errors share its noise."""
    baseline, held = draw(random, seeds), True
    for finalist in range(count):
        truth = 0.2 * finalist
        sides = _by_seed(truth + draw(random, seeds)), _by_seed(baseline)
        found = compare_paired(*sides, metric="score", direction="maximize", comparisons=count)
        held = held and found.low <= truth <= found.high
    return held


def _coarse(cases: int, seeds: int, random: Generator) -> bool:
    """Compare two equal models by an accuracy over few cases: pairs often agree by chance, and must not decide."""
    ours, theirs = (_by_seed(random.binomial(cases, 0.5, size=seeds) / cases) for _ in range(2))
    return compare_paired(ours, theirs, metric="a", direction="maximize").decision in ("undecided", "identical")


def _look_on(ours: _Results, theirs: _Results, *, adjusted: bool) -> Comparison:
    """Look after each seed from the third, and return the first look that decides, or the last."""
    looks = range(3, len(ours) + 1)
    found: list[Comparison] = []
    for seeds in looks:
        some = [{seed: side[seed] for seed in range(seeds)} for side in (ours, theirs)]
        comparisons = len(looks) if adjusted else 1
        found.append(compare_paired(*some, metric="score", direction="maximize", comparisons=comparisons))
        if found[-1].decision != "undecided":
            break
    return found[-1]


def _stops(draw: _Draw, most: int, random: Generator) -> bool:
    """Stop as soon as it is decided, up to `most` seeds, each look at its share of the error (Bonferroni's)."""
    found = _look_on(*_sides(_EFFECT + draw(random, most), random), adjusted=True)
    return found.low <= _EFFECT <= found.high


def _stops_unadjusted(draw: _Draw, most: int, random: Generator) -> bool:
    """Stop as people do: look after each seed at 95 %, and report the interval that decided."""
    found = _look_on(*_sides(draw(random, most), random), adjusted=False)
    return found.low <= 0 <= found.high


def _anytime(draw: _Draw, most: int, known: bool, random: Generator) -> bool:
    """Look after each of `most` pairs: the confidence sequence must hold the truth at every look at once."""
    process = EProcess.start(Noise(1.0) if known else None)
    for difference in (_EFFECT + draw(random, most)).tolist():
        process = process.after(difference)
        found = process.interval(_LEVEL)
        if not found.low <= _EFFECT <= found.high:
            return False
    return True


# Items in clusters -----------------------------------------------------------------------------------------------


def _in_clusters(draw: _Draw, sizes: Sequence[int], correlation: float, random: Generator) -> tuple[Array, list[int]]:
    labels = [cluster for cluster, size in enumerate(sizes) for _ in range(size)]
    shared, own = draw(random, len(sizes))[labels], draw(random, len(labels))
    return math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own, labels


def _clustered(draw: _Draw, sizes: Sequence[int], correlation: float, random: Generator) -> bool:
    values, labels = _in_clusters(draw, sizes, correlation, random)
    found = clustered_mean(values.tolist(), labels)
    return abs(found.mean) <= found.half_width(_LEVEL)


def _clustered_z(draw: _Draw, sizes: Sequence[int], correlation: float, random: Generator) -> bool:
    """Use the plain clustered sandwich with the normal quantile, as evaluation harnesses do."""
    values, labels = _in_clusters(draw, sizes, correlation, random)
    sums = np.bincount(labels, values - values.mean())
    clusters = len(sizes)
    error = math.sqrt(clusters / (clusters - 1) * float((sums**2).sum())) / len(values)
    return abs(values.mean()) <= float(ndtri((1 + _LEVEL) / 2)) * error


def _naive(draw: _Draw, sizes: Sequence[int], correlation: float, random: Generator) -> bool:
    values, _ = _in_clusters(draw, sizes, correlation, random)
    count = len(values)
    return abs(values.mean()) <= float(stdtrit(count - 1, 0.975)) * values.std(ddof=1) / math.sqrt(count)


# Scores that are no means ----------------------------------------------------------------------------------------


def _ratio_rows(draw: _Draw, count: int, random: Generator) -> Array:
    weights = random.gamma(4, 1 / 4, size=count) + 0.2
    return np.stack([2 * weights + 0.6 * draw(random, count), weights], axis=1)


def _ratio(sums: Array) -> Array:
    return sums[..., 0] / sums[..., 1]


def _f1(sums: Array) -> Array:
    return 2 * sums[..., 0] / np.maximum(2 * sums[..., 0] + sums[..., 1] + sums[..., 2], 1e-9)


def _ratio_case(draw: _Draw, count: int, random: Generator) -> bool:
    found = bootstrap_score(_ratio_rows(draw, count, random).tolist(), _ratio, seed=int(random.integers(2**31)))
    return found.low <= 2 <= found.high


def _ratio_lognormal(count: int, random: Generator) -> bool:
    weights = random.gamma(4, 1 / 4, size=count) + 0.2
    rows = np.stack([weights * 2 * random.lognormal(-0.32, 0.8, size=count), weights], axis=1)
    found = bootstrap_score(rows.tolist(), _ratio, seed=int(random.integers(2**31)))
    return found.low <= 2 <= found.high


def _f1_rows(documents: int, random: Generator) -> Array:
    mentions, quality = random.poisson(8, size=documents) + 1, random.beta(4, 1.5, size=documents)
    found = random.binomial(mentions, quality)
    false = random.binomial(mentions, 0.3 * (1 - quality))
    return np.stack([found, false, mentions - found], axis=1).astype(float)


# Expected sums of one document: mentions 9, of which 4 / 5.5 are found and .3 * 1.5 / 5.5 are false.
_F1_TRUE = float(_f1(np.array([9 * 4 / 5.5, 9 * 0.3 * 1.5 / 5.5, 9 * 1.5 / 5.5])))


def _f1_case(documents: int, random: Generator) -> bool:
    """Give the counts item by item, two items a document: the document is what is resampled."""
    rows = np.repeat(_f1_rows(documents, random) / 2, 2, axis=0)
    labels = np.repeat(np.arange(documents), 2).tolist()
    found = bootstrap_score(rows.tolist(), _f1, labels, seed=int(random.integers(2**31)))
    return found.low <= _F1_TRUE <= found.high


def _median(draw: _Draw, count: int, truth: float, random: Generator) -> bool:
    found = median_interval(draw(random, count).tolist())
    return found.low <= truth <= found.high


def _percentile_mean(draw: _Draw, count: int, random: Generator) -> bool:
    values = draw(random, count)
    means = values[random.integers(0, count, size=(1000, count))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return bool(low <= 0 <= high)


def _percentile_ratio(draw: _Draw, count: int, random: Generator) -> bool:
    rows = _ratio_rows(draw, count, random)
    ratios = _ratio(rows[random.integers(0, count, size=(1000, count))].sum(axis=1))
    low, high = np.quantile(ratios, [0.025, 0.975])
    return bool(low <= 2 <= high)


# Several tasks, non-inferiority, selection -----------------------------------------------------------------------


def _tasks(draw: _Draw, tasks: int, seeds: int, together: bool, random: Generator) -> bool:
    """Draw tasks that share half of their noise through the training run; all intervals, or the mean's, must hold."""
    truths = [0.2 * task for task in range(tasks)]
    shared = draw(random, seeds) if together else np.zeros(seeds)
    sides = [_sides(truth + (shared + draw(random, seeds)) / math.sqrt(2), random) for truth in truths]
    ours, theirs = ({str(task): side[which] for task, side in enumerate(sides)} for which in (0, 1))
    found = compare_several(ours, theirs, metric="score", direction="maximize", tasks_share_runs=together)
    return all(task.low <= truth <= task.high for task, truth in zip(found.tasks, truths, strict=True))


def _mean_of_tasks(draw: _Draw, tasks: int, seeds: int, together: bool, random: Generator) -> bool:
    shared = draw(random, seeds) if together else np.zeros(seeds)
    scales = np.linspace(0.5, 1.5, tasks)
    sides = [_sides(_EFFECT + scale * (shared + draw(random, seeds)), random) for scale in scales.tolist()]
    ours, theirs = ({str(task): side[which] for task, side in enumerate(sides)} for which in (0, 1))
    found = compare_several(ours, theirs, metric="score", direction="maximize", tasks_share_runs=together)
    return found.low <= _EFFECT <= found.high


def _holm(draw: _Draw, tasks: int, seeds: int, random: Generator) -> bool:
    """Tell whether no task without an effect is decided, where half of them have one."""
    truths = [0.0 if task % 2 else 2.0 for task in range(tasks)]
    shared = draw(random, seeds)
    sides = [_sides(truth + (shared + draw(random, seeds)) / math.sqrt(2), random) for truth in truths]
    ours, theirs = ({str(task): side[which] for task, side in enumerate(sides)} for which in (0, 1))
    found = compare_several(ours, theirs, metric="score", direction="maximize")
    return all(truth != 0 or task.decision == "undecided" for task, truth in zip(found.tasks, truths, strict=True))


def _costs(draw: _Draw, seeds: int, mean: float, random: Generator) -> dict[int, float]:
    return {seed: math.exp(mean + 0.1 * value) for seed, value in enumerate(draw(random, seeds).tolist())}


def _noninferior(draw: _Draw, seeds: int, random: Generator) -> bool:
    """Put the truth at the margin: accepting is wrong, and may happen in 2.5 % of studies. The interval covers 95 %."""
    margin = 1.0
    ours, theirs = _sides(-margin + draw(random, seeds), random)
    cost = [_costs(draw, seeds, mean, random) for mean in (-0.5, 0.0)]
    found = compare_noninferior(
        ours, theirs, margin, candidate_cost=cost[0], baseline_cost=cost[1], metric="score", direction="maximize"
    )
    return found.decision != "accepted" and found.quality.low <= -margin <= found.quality.high


def _saving(draw: _Draw, seeds: int, random: Generator) -> bool:
    cost = [_costs(draw, seeds, mean, random) for mean in (-0.5, 0.0)]
    ours, theirs = _sides(draw(random, seeds), random)
    found = compare_noninferior(
        ours, theirs, 1.0, candidate_cost=cost[0], baseline_cost=cost[1], metric="score", direction="maximize"
    )
    assert found.cost_low is not None
    assert found.cost_high is not None
    return found.cost_low <= math.exp(-0.5) <= found.cost_high


def ledger(random: Generator, tries: int, noise: float, nulls: int) -> tuple[list[Attempt], int, float]:
    """Play a search that keeps what looks better; return its attempts, the last one kept, and the true gain."""
    true, best, last = 0.0, noise * float(random.standard_normal()), 0
    attempts = [Attempt(value=best, parent=None)]
    for number in range(1, tries + 1):
        null = number % (tries // nulls) == 0 if nulls else False
        effect = 0.0 if null else float(-0.5 + 0.7 * random.standard_cauchy()) * noise
        value = true + effect + noise * float(random.standard_normal())
        attempts.append(Attempt(value=value, parent=last, null=null))
        if value > best and not null:
            true, best, last = true + effect, value, number
    return attempts, last, true


def _selection(claimed: bool, known: bool, random: Generator) -> bool:
    attempts, last, truth = ledger(random, 40, 1.0, 0 if known else 3)
    if claimed:  # what the ledger's readers do: the difference of two results, with the error of such a difference
        return abs(attempts[last].value - attempts[0].value - truth) <= 1.96 * math.sqrt(2)
    found = shrink_gain(attempts, last, Noise(1.0) if known else None, draws=1500)
    return found.low <= truth <= found.high


# The registry ----------------------------------------------------------------------------------------------------


def _cases() -> list[Case]:
    cases = [case for word, draw in _NOISES.items() for case in _under(word, draw)]
    cases += [Case(name=f"F1, {documents} documents", covers=partial(_f1_case, documents)) for documents in (5, 10, 40)]
    cases += [
        Case(name="ratio, 10 items, lognormal", covers=partial(_ratio_lognormal, 10), promised=False),
        Case(name="equal pairs of an accuracy over 3 cases, 3 seeds", covers=partial(_coarse, 3, 3)),
        Case(name="equal pairs of an accuracy over 20 cases, 3 seeds", covers=partial(_coarse, 20, 3)),
        Case(name="gain after selection, noise known", covers=partial(_selection, False, True)),
        Case(name="gain after selection, noise from 3 nulls", covers=partial(_selection, False, False)),
    ]
    return cases + _others()


def _under(word: str, draw: _Draw) -> list[Case]:
    """Return the cases under one noise. Student's t is made for symmetric noise, and heavy tails only widen it."""
    sound = word != "skewed"
    symmetric = "differences of two runs are symmetric, whatever the runs are"
    center = 0.0 if sound else math.log(2) - 1  # the median of an exponential less its mean
    ragged = [1, 1, 2, 2, 3, 3, 5, 8, 13, 21]
    anyway: dict[str, Callable[[Generator], bool]] = {
        "median, 6 values": partial(_median, draw, 6, center),
        "median, 15 values": partial(_median, draw, 15, center),
    }
    of_pairs: dict[str, Callable[[Generator], bool]] = {
        "4 finalists, 4 seeds": partial(_finalists, draw, 4),
        "saving, 3 seeds": partial(_saving, draw, 3),
    }
    if_symmetric: dict[str, Callable[[Generator], bool]] = {
        "paired t, 3 seeds": partial(_paired, draw, 3),
        "paired t, 5 seeds": partial(_paired, draw, 5),
        "paired t, 10 seeds": partial(_paired, draw, 10),
        "stop when decided, up to 10 seeds": partial(_stops, draw, 10),
        "at each of 20 looks, noise known": partial(_anytime, draw, 20, True),
        "at each of 20 looks, noise unknown": partial(_anytime, draw, 20, False),
        "5 clusters of 5": partial(_clustered, draw, [5] * 5, 0.3),
        "5 clusters of 20, 5, 5, 5, 5": partial(_clustered, draw, [20, 5, 5, 5, 5], 0.3),
        "10 clusters of 1 to 21": partial(_clustered, draw, ragged, 0.3),
        "40 clusters of 5": partial(_clustered, draw, [5] * 40, 0.3),
        "ratio, 5 items": partial(_ratio_case, draw, 5),
        "ratio, 20 items": partial(_ratio_case, draw, 20),
        "6 tasks at once, 4 seeds": partial(_tasks, draw, 6, 4, True),
        "6 tasks, no false claim, 4 seeds": partial(_holm, draw, 6, 4),
        "mean of 6 tasks, 3 seeds": partial(_mean_of_tasks, draw, 6, 3, True),
        "mean of 6 independent tasks, 3 seeds": partial(_mean_of_tasks, draw, 6, 3, False),
        "non-inferiority at the margin, 3 seeds": partial(_noninferior, draw, 3),
    }
    return [
        *(Case(name=f"{name}, {word}", covers=covers) for name, covers in anyway.items()),
        *(Case(name=f"{name}, {word}", covers=covers, note=symmetric) for name, covers in of_pairs.items()),
        *(Case(name=f"{name}, {word}", covers=covers, promised=sound) for name, covers in if_symmetric.items()),
    ]


def _others() -> list[Case]:
    found: dict[str, Callable[[Generator], bool]] = {
        "percentile bootstrap of a mean, 3 seeds": partial(_percentile_mean, _normal, 3),
        "percentile bootstrap of a mean, 10 seeds": partial(_percentile_mean, _normal, 10),
        "percentile bootstrap of a ratio, 5 items": partial(_percentile_ratio, _normal, 5),
        "clustered z, 5 clusters": partial(_clustered_z, _normal, [5] * 5, 0.3),
        "clustered z, 10 clusters": partial(_clustered_z, _normal, [5] * 10, 0.3),
        "clusters ignored, 10 of 5": partial(_naive, _normal, [5] * 10, 0.3),
        "stop when decided, unadjusted, up to 10 seeds": partial(_stops_unadjusted, _normal, 10),
        "claimed gain after selection": partial(_selection, True, True),
    }
    return [Case(name=name, covers=covers, ours=False) for name, covers in found.items()]


CASES = _cases()


@benchmark("every interval holds the truth as often as it says: 95 % less two errors of 2,000 studies, down to 3 seeds")
def run(context: Context) -> Result:
    """Count, case by case, in how many of the simulated studies the interval holds the truth."""
    studies = context.pick(_STUDIES, 60)
    errors = context.pick(_ERRORS, 4)  # a smoke test must not fail for one of so many targets by chance
    least = _LEVEL - errors * math.sqrt(_LEVEL * (1 - _LEVEL) / studies)
    shares = {case.name: _share(case, number, studies, context) for number, case in enumerate(CASES)}
    groups = {
        "Where coverage is claimed": [case for case in CASES if case.ours and case.promised],
        "Where it is not: skewed noise and few units": [case for case in CASES if case.ours and not case.promised],
        "What others use": [case for case in CASES if not case.ours],
    }
    version = context.version(None)
    tables = [
        Table(
            title=f"{title}; {studies:,} studies each, at 95 %",
            unit="% that hold the truth",
            rows=[
                Row.of(
                    case.name, [Sample(100 * shares[case.name])], version=version if case.ours else "", note=case.note
                )
                for case in cases
            ],
        )
        for title, cases in groups.items()
    ]
    figures = {f"{_key(name)}_share": share for name, share in shares.items()}
    targets: dict[str, Target] = {
        f"{_key(case.name)}_share": at_least(shares[case.name], round(least, 4))
        for case in CASES
        if case.ours and case.promised
    }
    return Result(tables=tables, figures=figures, targets=targets)


def _share(case: Case, number: int, studies: int, context: Context) -> float:
    began = time.perf_counter()
    random = np.random.default_rng([2024, number])
    held = sum(case.covers(random) for _ in range(studies)) / studies
    context.say(f"{case.name}: {100 * held:.1f} % ({time.perf_counter() - began:.1f} s)")
    return held


def _key(name: str) -> str:
    return "_".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())
