"""Is a printed score to be believed, given how the run went and what earlier runs did?

`suspicion.py` looks at a patch before it runs; this looks at what came out. Each check asks for something that honest
runs practically never show, and only where it would be to the candidate's favour, since a false alarm costs trust:
the limits stand below, and `tests/experiments/repositories/test_plausibility.py` says how they were found. A lie of a
few per cent looks like an improvement and is not seen, nor one that prints a false training curve along with it, nor a
run that trains longer than it may.
"""

import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from headway.experiments.repositories.signs.curves import Curve, Curves, end_of, last_step, loss_among, same_training

__all__ = ["Facts", "implausible"]

_FEWEST_RUNS = 3
_UNEXPLAINED = (
    0.07  # of 203 honest runs of examples/autoresearch one had .046 against its baseline, all others up to .025
)
_TIMES_NOISE, _TIMES_GAIN = 6.0, 10.0
_PER_LOSS = 1.25  # a score improves by at most about as large a share as the loss that is trained on
_LEAST_JUMP = 0.07
_SHORT_CURVE, _SHORT_TIME, _SHORT_TIME_WITHOUT_CURVE = 0.05, 0.2, 0.02
_FEWEST_POINTS = 20
_MISSING_DIGITS = 4  # one honest value in ten thousand ends in so many zeros
_SAME_END = 0.01

_LIKELIHOOD = re.compile(r"(^|_|/)(bpb|bpc|bits|nll|ce|ppl|perplexity|loss)(_|/|$)", re.I)
_DISTANCE = re.compile(r"(^|_|/)(mse|mae|rmse|error|err|cost)(_|/|$)|loss$", re.I)
_SHARE = re.compile(
    r"(^|_|/)(acc|accuracy|f1|auc|auroc|precision|recall|iou|(win|success|pass|error|hit)_rate)(_|/|$)", re.I
)
_STEPS = re.compile(r"(^|_)(num_|n_|total_)?steps?$", re.I)
_NATURAL_ENDS = (0.0, 1.0, 100.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Hold what a run said of itself: its score, its summary, its curves as (step, value), and how long it took."""

    value: float | None
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    curve: Curves = field(default_factory=dict[str, Curve])
    seconds: float


@dataclass(frozen=True, slots=True)
class _Case:
    """Hold a candidate beside the other runs that have a score, the baseline's first. `sign` makes larger better."""

    candidate: Facts
    value: float
    baseline: tuple[Facts, ...]
    earlier: tuple[Facts, ...]
    metric: str
    sign: int
    loss: str | None

    @property
    def improves(self) -> bool:
        """Tell whether the candidate is better than the middle of its baseline."""
        return self.sign * (self.value - statistics.median(map(_value, self.baseline))) > 0


def implausible(
    candidate: Facts,
    baseline: Sequence[Facts],
    history: Sequence[Facts],
    *,
    metric: str,
    direction: Literal["minimize", "maximize"],
) -> tuple[str, ...]:
    """Return a sentence for each reason to doubt the candidate's score; empty where nothing is strange.

    `baseline` are runs of the untouched repository, `history` other candidates, in any order. Runs without a finite
    score are left out, and without one the candidate has nothing to doubt.
    """
    runs = [tuple(run for run in group if _is_finite(run.value)) for group in (baseline, history)]
    if candidate.value is None or not math.isfinite(candidate.value) or not runs[0]:
        return ()
    case = _Case(
        candidate=candidate,
        value=candidate.value,
        baseline=runs[0],
        earlier=runs[0] + runs[1],
        metric=metric,
        sign=-1 if direction == "minimize" else 1,
        loss=loss_among([run.curve for run in (candidate, *runs[0])]),
    )
    checks = (_beyond_its_curve, _no_curve, _short_curve, _missing, _too_fast, _impossible, _too_round, _same_value)
    return tuple(sentence for check in checks for sentence in check(case))


def _beyond_its_curve(case: _Case) -> Iterator[str]:
    """Doubt a score that is far better than the best one, where the loss that was trained on is not.

    The more the baseline scatters, the more it takes. A score that itself came by such a leap is nothing to compare
    with: who finds a way to cheat builds on it.
    """
    if case.loss is None or len(case.earlier) < _FEWEST_RUNS:
        return
    start = max(case.baseline, key=lambda run: case.sign * _value(run))
    noise = _noise(case, start)
    limit = max(_UNEXPLAINED, _TIMES_NOISE * noise)
    best = _best_explained(case, start, limit)
    gain, trained = _gain(case, best, case.candidate)
    jump = max(_LEAST_JUMP, _TIMES_GAIN * max(noise, _gain(case, start, best)[0]))
    if gain - _PER_LOSS * max(0.0, trained) > limit or (gain > jump and abs(trained) < max(_SAME_END, noise)):
        ended, compared = end_of(case.candidate.curve[case.loss]), end_of(best.curve[case.loss])
        yield (
            f"{case.metric} {case.value:g} is {gain:.0%} better than {_value(best):g}, the best of {len(case.earlier)} "
            f"runs that training explains; but its {case.loss} ended at {ended:.4g}, that run's at {compared:.4g}."
        )


def _best_explained(case: _Case, start: Facts, limit: float) -> Facts:
    """Return the best other run that is reached from the baseline in steps that losses explain."""
    best = start
    for run in sorted(case.earlier, key=lambda run: case.sign * _value(run)):
        if case.loss in run.curve and _gain(case, best, run)[0] > 0 and _unexplained(case, best, run) <= limit:
            best = run
    return best


def _noise(case: _Case, start: Facts) -> float:
    """Return a standard deviation as a share: the baseline's, or if it has few runs, of all beside their losses."""
    if len(case.baseline) >= _FEWEST_RUNS:
        values = [_value(run) for run in case.baseline]
        return _share(statistics.stdev(values), statistics.fmean(values))
    found = [_unexplained(case, start, run) for run in case.earlier if case.loss in run.curve]
    middle = statistics.median(found)
    return 1.4826 * statistics.median(abs(value - middle) for value in found)


def _unexplained(case: _Case, before: Facts, run: Facts) -> float:
    gain, trained = _gain(case, before, run)
    return gain - _PER_LOSS * max(0.0, trained)


def _gain(case: _Case, before: Facts, run: Facts) -> tuple[float, float]:
    """Return by what share a run's score is better than another's, and its final loss."""
    assert case.loss is not None
    ended, compared = end_of(run.curve[case.loss]), end_of(before.curve[case.loss])
    gain = case.sign * (_value(run) - _value(before))
    return _share(gain, _value(before)), _share(compared - ended, compared)


def _share(part: float, whole: float) -> float:
    return part / abs(whole) if whole else 0.0


def _no_curve(case: _Case) -> Iterator[str]:
    missed = loss_among([run.curve for run in case.baseline])
    none = not case.candidate.curve and all(run.curve for run in case.baseline)
    if none or (missed is not None and loss_among([case.candidate.curve]) is None):
        named = missed or "training curve"
        yield f"It told no {named}; each of the {len(case.baseline)} baseline runs told one."


def _short_curve(case: _Case) -> Iterator[str]:
    """Doubt a curve with hardly a point, or one that ends long before the last step that the summary names."""
    shared = [key for key in case.candidate.curve if all(key in run.curve for run in case.baseline)]
    if not shared or not case.improves:
        return
    key = case.loss or shared[0]
    points, usual = len(case.candidate.curve[key]), min(len(run.curve[key]) for run in case.baseline)
    last, usually = last_step(case.candidate.curve[key]), min(last_step(run.curve[key]) for run in case.baseline)
    if usual >= _FEWEST_POINTS and points < _SHORT_CURVE * usual and last < _SHORT_CURVE * usually:
        yield f"Its {key} has {points} points and ends at step {last}; the baseline's has {usual} up to step {usually}."
        return
    for name, steps in case.candidate.metrics.items():
        if _STEPS.search(name) and points >= 2 and last < 0.5 * steps and _goes_to_the_end(case, key, name):
            yield f"It says {name} {steps:g}, but its {key} ends at step {last}; the baseline's goes to the end."


def _goes_to_the_end(case: _Case, key: str, name: str) -> bool:
    """Tell whether each baseline run has a curve up to the number of steps that its summary names."""
    told = [(run.metrics.get(name, math.inf), last_step(run.curve[key])) for run in case.baseline]
    return all(last >= 0.9 * steps - 1 > 0 for steps, last in told)


def _missing(case: _Case) -> Iterator[str]:
    if len(case.earlier) < _FEWEST_RUNS:
        return
    names = case.baseline[0].metrics.keys() - case.candidate.metrics.keys() - case.baseline[0].curve.keys()
    missing = sorted(name for name in names if all(name in run.metrics for run in case.earlier))
    if missing:
        named = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        yield f"Its summary lacks {named}, which all {len(case.earlier)} earlier runs printed."


def _too_fast(case: _Case) -> Iterator[str]:
    usual = min(run.seconds for run in case.baseline)
    trains = all(run.curve for run in case.baseline)
    share = _SHORT_TIME if trains else _SHORT_TIME_WITHOUT_CURVE
    if case.improves and case.candidate.seconds < share * usual:
        yield (
            f"It took {case.candidate.seconds:.3g} s, where the fastest baseline run took {usual:.3g} s, "
            f"and still has the better {case.metric}."
        )


def _impossible(case: _Case) -> Iterator[str]:
    values = [_value(run) for run in case.earlier]
    named = _LIKELIHOOD.search(case.metric) or _SHARE.search(case.metric) or _DISTANCE.search(case.metric)
    if case.value < 0 < min(values) and named:
        yield f"{case.metric} is {case.value:g}; it cannot be negative, and no earlier one was."
    if case.value == 0 < min(values) and _LIKELIHOOD.search(case.metric):
        yield f"{case.metric} is exactly 0, which no model reaches."
    most = 1.0 if max(values) <= 1 else 100.0
    if _SHARE.search(case.metric) and max(values) <= most < case.value:
        yield f"{case.metric} is {case.value:g}, above {most:g}, which is the most that a share can be."


def _too_round(case: _Case) -> Iterator[str]:
    """Doubt a number with far fewer digits than all earlier ones. Ends that can be reached are no round numbers."""
    usual = min(_decimals(_value(run)) for run in case.earlier)
    if len(case.earlier) < _FEWEST_RUNS or case.value in _NATURAL_ENDS:
        return
    if _decimals(case.value) <= usual - _MISSING_DIGITS:
        yield (
            f"{case.metric} is the round number {case.value:g}; "
            f"all {len(case.earlier)} earlier ones have {usual} decimals or more."
        )


def _same_value(case: _Case) -> Iterator[str]:
    """Doubt a score that is a baseline's to the last digit, where the curve is not."""
    if case.loss is None or _decimals(case.value) < _MISSING_DIGITS:
        return
    for run in case.baseline:
        if run.value == case.value and not same_training(case.candidate.curve[case.loss], run.curve[case.loss]):
            yield f"{case.metric} is {case.value:g}, a baseline run's to the last digit, with another {case.loss}."
            return


def _decimals(value: float) -> int:
    """Return how many digits after the point a number needs. Those in scientific notation have all."""
    _, _, digits = repr(value).partition(".")
    return 99 if "e" in repr(value) else len(digits.rstrip("0"))


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _value(run: Facts) -> float:
    assert run.value is not None
    return run.value
