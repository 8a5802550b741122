import math

import numpy as np
import pytest

from headway.core import UsageError
from headway.validate import bootstrap_score, compare_scores, median_interval


def ratio(sums):
    return sums[..., 0] / sums[..., 1]


def f1(sums):
    return 2 * sums[..., 0] / np.maximum(2 * sums[..., 0] + sums[..., 1] + sums[..., 2], 1e-9)


def rows_of(draw, count):
    weights = draw.gamma(4, 1 / 4, size=count) + 0.2
    return np.stack([2 * weights + 0.6 * draw.standard_normal(count), weights], axis=1)


@pytest.mark.parametrize("count", [5, 12])
def test_a_ratio_of_few_items_covers_what_it_says_where_the_percentile_does_not(count):
    draw, studies, ours, others = np.random.default_rng(count), 600, 0, 0
    for study in range(studies):
        rows = rows_of(draw, count)
        found = bootstrap_score(rows.tolist(), ratio, resamples=399, seed=study)
        ours += found.low <= 2 <= found.high
        scores = ratio(rows[draw.integers(0, count, size=(399, count))].sum(axis=1))
        low, high = np.quantile(scores, [0.025, 0.975])
        others += bool(low <= 2 <= high)
    assert ours / studies > 0.95 - 3 * math.sqrt(0.95 * 0.05 / studies)
    assert others / studies < 0.93


def test_clusters_are_resampled_as_wholes():
    rows = rows_of(np.random.default_rng(1), 8)
    halves = np.repeat(rows / 2, 2, axis=0).tolist()
    whole = bootstrap_score(rows.tolist(), ratio)
    split = bootstrap_score(halves, ratio, np.repeat(range(8), 2).tolist())
    assert (split.items, split.clusters, whole.clusters) == (16, 8, 8)
    assert (split.low, split.high) == pytest.approx((whole.low, whole.high))
    fooled = bootstrap_score(halves, ratio)
    assert fooled.high - fooled.low < 0.8 * (whole.high - whole.low)


def test_the_same_seed_gives_the_same_interval_and_the_p_value_agrees():
    rows = rows_of(np.random.default_rng(2), 10).tolist()
    one, two = bootstrap_score(rows, ratio, seed=4), bootstrap_score(rows, ratio, seed=4)
    assert one == two
    assert one.low > 0
    assert one.p_value is not None
    assert one.p_value < 0.05
    assert bootstrap_score(rows, ratio, level=0.99).high > one.high


@pytest.mark.parametrize(("count", "least"), [(6, 0.9687), (10, 0.978), (15, 0.964)])
def test_a_median_covers_by_order_statistics_whatever_the_noise(count, least):
    draw, held = np.random.default_rng(count), 0
    for _ in range(3000):
        found = median_interval(draw.exponential(size=count).tolist())
        held += found.low <= math.log(2) <= found.high
    assert held / 3000 == pytest.approx(least, abs=0.011)


def test_five_values_do_not_hold_a_median_at_95_percent():
    with pytest.raises(UsageError, match="Give at least 6"):
        median_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0], level=0.9).low == 1.0


def counts(draw, documents, quality):
    mentions = draw.poisson(20, size=documents) + 1
    found = draw.binomial(mentions, quality)
    return np.stack([found, draw.binomial(mentions, 0.1), mentions - found], axis=1).astype(float).tolist()


def test_a_better_f1_is_accepted_and_an_equal_one_is_not():
    draw = np.random.default_rng(0)
    worse, better = (dict(enumerate(counts(draw, 20, quality))) for quality in (0.5, 0.8))
    found = compare_scores(better, worse, f1, metric="F1", direction="maximize")
    assert found.decision == "accepted"
    assert found.sentence.startswith("F1 is higher by 0.")
    assert found.sentence.endswith("20 paired items): accepted.")
    assert found.candidate_score - found.baseline_score == pytest.approx(found.effect)
    assert compare_scores(worse, better, f1, metric="F1", direction="maximize").decision == "rejected"
    assert compare_scores(worse, worse, f1, metric="F1", direction="maximize").decision == "identical"
    other = dict(enumerate(counts(np.random.default_rng(7), 20, 0.5)))
    undecided = compare_scores(other, worse, f1, metric="F1", direction="maximize")
    assert undecided.decision == "undecided"
    assert "items" in undecided.sentence


@pytest.mark.parametrize(
    ("rows", "clusters", "says"),
    [
        ([[1.0, 2.0]] * 4, None, "too few for a bootstrap"),
        ([[1.0, 2.0]] * 9, [0, 0, 1, 1, 2, 2, 3, 3, 3], "too few for a bootstrap"),
        ([[1.0, 2.0]] * 9, [0], "do not match"),
        ([1.0, 2.0], None, "row of finite numbers"),
        ([[math.nan, 2.0]] * 9, None, "row of finite numbers"),
    ],
)
def test_what_cannot_be_resampled_is_refused(rows, clusters, says):
    with pytest.raises(UsageError, match=says):
        bootstrap_score(rows, ratio, clusters)


def test_a_score_that_is_undefined_without_a_cluster_is_refused():
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        pytest.raises(UsageError, match="what an empty sum is worth"),
    ):
        bootstrap_score([[1.0, 1.0], *([[0.0, 0.0]] * 5)], ratio)


def test_too_few_resamples_for_the_level_are_refused():
    with pytest.raises(UsageError, match="resamples=5000"):
        bootstrap_score(rows_of(np.random.default_rng(2), 10).tolist(), ratio, level=0.999)
