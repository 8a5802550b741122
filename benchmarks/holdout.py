"""What an analyst finds in 10,000 features that mean nothing, when the holdout may be asked as often as one likes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks._runs import Floats
from benchmarks.runner import Context, Result, Row, Sample, Table, at_least, at_most, benchmark
from headway.validate.holdout import Holdout, HoldoutClosed

_ROWS, _FEATURES, _BLOCK = 10_000, 10_000, 500
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # of the classifiers that the analyst tries
_THRESHOLD, _NOISE = 2.0, 0.1  # in units of 1 / sqrt(rows): .02 and .001
_BUDGET, _SMALL_BUDGET = 1_000, 100
_TRAINING, _HOLDOUT, _FRESH = range(3)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Data:
    """Hold three samples of +-1 features that tell nothing of their +-1 labels. Features are drawn when needed."""

    seed: int
    rows: int
    features: int
    labels: NDArray[np.int8]  # samples x rows

    def block(self, sample: int, index: int) -> NDArray[np.int8]:
        """Return one block of features: rows x features of the block."""
        draw = np.random.default_rng([self.seed, sample, index])
        bits = np.unpackbits(np.frombuffer(draw.bytes(self.rows * _BLOCK // 8), dtype=np.uint8))
        return (2 * bits.astype(np.int8) - 1).reshape(self.rows, _BLOCK)

    def correlations(self, sample: int) -> Floats:
        """Return each feature's correlation with the labels: the mean of their product."""
        labels = self.labels[sample].astype(np.float32)
        sums = [labels @ self.block(sample, index).astype(np.float32) for index in range(self.features // _BLOCK)]
        return np.concatenate(sums).astype(np.float64) / self.rows

    def scores(self, sample: int, weights: Floats) -> Floats:
        """Return the rows' sums of weighted features."""
        total = np.zeros(self.rows)
        for index in range(self.features // _BLOCK):
            part = weights[index * _BLOCK : (index + 1) * _BLOCK]
            chosen = np.flatnonzero(part)
            if len(chosen):
                total += self.block(sample, index)[:, chosen] @ part[chosen]
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class _Study:
    """Hold what one analyst believed of its classifiers (one for each size), what holds, and what asking cost."""

    reported: Sequence[float]
    fresh: Sequence[float]
    asked: int
    spent: int
    closed: bool


@benchmark(
    "10,000 features that mean nothing reach .6 on a holdout asked naively; ours reports .5 within .02, then closes"
)
def run(context: Context) -> Result:
    """Measure what the naive analyst and the analyst behind `Holdout` report."""
    rows, features = context.pick(_ROWS, 2_000), context.pick(_FEATURES, 2_000)
    small_budget = context.pick(_SMALL_BUDGET, _SMALL_BUDGET // 10)
    naive: list[_Study] = []
    guarded: list[_Study] = []
    small: list[_Study] = []
    for repeat in range(context.repeats):
        context.say(f"repeat {repeat + 1} of {context.repeats}")
        data = _draw(repeat, rows, features)
        correlations = [data.correlations(sample) for sample in (_TRAINING, _HOLDOUT)]
        naive.append(_naive(data, correlations))
        guarded.append(_guarded(data, correlations, _BUDGET))
        small.append(_guarded(data, correlations, small_budget))
    errors = np.array([[abs(value - 0.5) for value in study.reported] for study in guarded])
    figures = {
        "naive_accuracy_of_500": min(study.reported[-1] for study in naive),
        "worst_error_of_500": float(errors[:, -1].max()),
        "mean_error_of_the_worst_size": float(errors.mean(axis=0).max()),
        "worst_error_of_any_answer": float(errors.max()),
        "highest_accuracy_on_fresh_data": max(value for study in (*naive, *guarded) for value in study.fresh),
        "questions": float(np.mean([study.asked for study in guarded])),
        "charged": float(np.mean([study.spent for study in guarded])),
        "questions_before_the_small_budget_closed": float(np.mean([study.asked for study in small])),
    }
    targets = {
        "naive_accuracy_of_500": at_least(figures["naive_accuracy_of_500"], 0.6),
        "worst_error_of_500": at_most(figures["worst_error_of_500"], 0.02),
        "mean_error_of_the_worst_size": at_most(figures["mean_error_of_the_worst_size"], 0.02),
        "small_budget_closed_share": at_least(float(np.mean([study.closed for study in small])), 1),
    }
    return Result(tables=(_table(rows, features, naive, guarded, small),), figures=figures, targets=targets)


def _draw(seed: int, rows: int, features: int) -> _Data:
    labels = np.random.default_rng([seed, 3]).choice(np.array([-1, 1], dtype=np.int8), (3, rows))
    return _Data(seed=seed, rows=rows, features=features, labels=labels)


def _naive(data: _Data, correlations: Sequence[Floats]) -> _Study:
    """Look at the holdout's own correlations, and believe its accuracy."""
    reported: list[float] = []
    fresh: list[float] = []
    for size in _SIZES:
        weights = _select(correlations[_TRAINING], correlations[_HOLDOUT], size, data.rows)
        reported.append(_accuracy(data, _HOLDOUT, weights))
        fresh.append(_accuracy(data, _FRESH, weights))
    return _Study(reported=reported, fresh=fresh, asked=data.features + len(_SIZES), spent=0, closed=False)


def _guarded(data: _Data, correlations: Sequence[Floats], budget: int) -> _Study:
    """Do the same behind `Holdout`, with numbers for answers, until it is closed.

    All questions are accuracies; that of one feature is (1 + correlation) / 2.
    """
    step = 1 / math.sqrt(data.rows)
    holdout = Holdout(threshold=_THRESHOLD * step, noise=_NOISE * step, budget=budget, one_bit=False)
    secret = data.seed.to_bytes(32)
    reported: list[float] = []
    fresh: list[float] = []

    def ask(query: str, training: float, truth: float) -> float:
        nonlocal holdout
        answer = holdout.ask(query, training=training, holdout=truth, secret=secret)
        holdout = holdout.after(answer)
        assert answer.value is not None
        return answer.value

    try:
        right = [((1 + values) / 2).tolist() for values in correlations]
        told = np.array([ask(f"feature {index}", *pair) for index, pair in enumerate(zip(*right, strict=True))])
        for size in _SIZES:
            weights = _select(correlations[_TRAINING], 2 * told - 1, size, data.rows)
            accuracies = [_accuracy(data, sample, weights) for sample in (_TRAINING, _HOLDOUT)]
            reported.append(ask(f"classifier of {size}", *accuracies))
            fresh.append(_accuracy(data, _FRESH, weights))
    except HoldoutClosed:
        return _Study(reported=reported, fresh=fresh, asked=holdout.asked, spent=holdout.spent, closed=True)
    return _Study(reported=reported, fresh=fresh, asked=holdout.asked, spent=holdout.spent, closed=False)


def _select(training: Floats, holdout: Floats, size: int, rows: int) -> Floats:
    """Weigh the features with the highest correlations in training among those that the holdout confirms."""
    least = 1 / math.sqrt(rows)
    confirmed = (training * holdout > 0) & (np.abs(training) > least) & (np.abs(holdout) > least)
    strength = np.where(confirmed, np.abs(training), 0)
    chosen = np.argsort(-strength)[:size]
    weights = np.zeros(len(training))
    weights[chosen] = np.sign(training[chosen]) * (strength[chosen] > 0)
    return weights


def _accuracy(data: _Data, sample: int, weights: Floats) -> float:
    """Return the share of rows whose sign is right; a sum of zero is half right."""
    signs = np.sign(data.scores(sample, weights)) * data.labels[sample]
    return float((signs + 1).mean() / 2)


def _table(
    rows: int, features: int, naive: Sequence[_Study], guarded: Sequence[_Study], small: Sequence[_Study]
) -> Table:
    found = [
        Row(name=f"naive, {_SIZES[-1]}", samples=[Sample(study.reported[-1]) for study in naive]),
        *(
            Row(name=f"headway, {size}", samples=[Sample(study.reported[index]) for study in guarded])
            for index, size in enumerate(_SIZES)
        ),
        Row(name="headway, small budget", failure=f"closed after {_mean_asked(small)} questions"),
        Row(name=f"fresh data, {_SIZES[-1]}", samples=[Sample(study.fresh[-1]) for study in naive], note="the truth"),
    ]
    spent = np.mean([study.spent for study in guarded])
    cost = f"{_mean_asked(guarded)} questions, {spent:,.0f} charged"
    title = f"Reported accuracy of classifiers of {features:,} features without meaning, {rows:,} rows; {cost}"
    return Table(title=title, unit="share of rows", rows=found)


def _mean_asked(studies: Sequence[_Study]) -> str:
    return f"{np.mean([study.asked for study in studies]):,.0f}"
