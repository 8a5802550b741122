import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import UsageError
from headway.validate import clustered_mean, compare_clustered

STUDIES = 1000
numbers = st.floats(-1e3, 1e3, allow_subnormal=False).map(lambda number: round(number, 4))
items = st.lists(st.tuples(numbers, st.integers(0, 4)), min_size=4, max_size=20).filter(
    lambda found: len({cluster for _, cluster in found}) > 1
)


def compare(differences, clusters, **settings):
    names = range(len(differences))
    return compare_clustered(
        dict(zip(names, differences, strict=True)),
        dict.fromkeys(names, 0.0),
        None if clusters is None else dict(zip(names, clusters, strict=True)),
        metric="accuracy",
        direction="maximize",
        **settings,
    )


@given(st.lists(numbers, min_size=2, max_size=30))
def test_one_item_a_cluster_is_the_plain_standard_error(values):
    found = clustered_mean(values, range(len(values)))
    plain = np.std(values, ddof=1) / math.sqrt(len(values))
    assert found.standard_error == pytest.approx(plain, rel=1e-9, abs=1e-9)
    assert found.degrees == pytest.approx(len(values) - 1)


@given(items, st.integers(2, 5))
def test_items_repeated_k_times_in_their_clusters_change_nothing(found, times):
    values, clusters = [value for value, _ in found], [cluster for _, cluster in found]
    once = clustered_mean(values, clusters)
    often = clustered_mean(values * times, clusters * times)
    assert often.mean == pytest.approx(once.mean, abs=1e-9)
    assert often.standard_error == pytest.approx(once.standard_error, rel=1e-9, abs=1e-9)
    assert often.degrees == pytest.approx(once.degrees)
    assert (often.items, often.clusters) == (times * once.items, once.clusters)


def test_a_copy_taken_for_a_new_item_would_halve_the_variance():
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]
    honest = clustered_mean(values * 2, list(range(8)) * 2)
    fooled = clustered_mean(values * 2, range(16))
    assert fooled.standard_error == pytest.approx(honest.standard_error / math.sqrt(2), rel=0.05)


def test_the_error_is_cr2_by_matrices_where_clusters_are_equal():
    draw = np.random.default_rng(0)
    values, labels = draw.standard_normal(15), np.repeat(range(5), 3)
    hat = np.full((15, 15), 1 / 15)
    residuals, meat = values - values.mean(), 0.0
    for cluster in range(5):
        own = np.flatnonzero(labels == cluster)
        eigenvalues, vectors = np.linalg.eigh(np.eye(3) - hat[np.ix_(own, own)])
        adjusted = vectors @ np.diag(eigenvalues**-0.5) @ vectors.T @ residuals[own]
        meat += float(adjusted.sum()) ** 2
    found = clustered_mean(values.tolist(), labels.tolist())
    assert found.standard_error == pytest.approx(math.sqrt(meat) / 15)
    assert found.degrees == pytest.approx(4)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("sizes", [[5] * 5, [20, 5, 5, 5, 5], [1, 1, 2, 2, 3, 3, 5, 8, 13, 21]])
def test_few_and_unequal_clusters_cover_what_they_say(sizes, correlation):
    draw = np.random.default_rng(len(sizes))
    labels, held = np.repeat(range(len(sizes)), sizes), 0
    for _ in range(STUDIES):
        shared, own = draw.standard_normal(len(sizes))[labels], draw.standard_normal(len(labels))
        values = math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own
        found = clustered_mean(values.tolist(), labels.tolist())
        held += abs(found.mean) <= found.half_width(0.95)
    assert held / STUDIES > 0.95 - 3 * math.sqrt(0.95 * 0.05 / STUDIES)


@pytest.mark.parametrize("sizes", [[20, 5, 5, 5, 5], [1, 1, 2, 2, 3, 3, 5, 8, 13, 21]])
def test_the_error_has_no_bias_where_unequal_clusters_agree_within(sizes):
    draw, labels = np.random.default_rng(0), np.repeat(range(len(sizes)), sizes).tolist()
    true = sum(size**2 for size in sizes) / sum(sizes) ** 2
    squares = [
        clustered_mean(draw.standard_normal(len(sizes))[labels].tolist(), labels).standard_error ** 2
        for _ in range(3000)
    ]
    assert np.mean(squares) == pytest.approx(true, rel=0.06)  # plain CR2: 26 and 12 % too small


def test_a_comparison_of_questions_reads_as_a_sentence():
    draw = random.Random(1)
    differences = [0.5 + draw.gauss(0, 0.1) for _ in range(30)]
    found = compare(differences, [index // 3 for index in range(30)])
    assert found.sentence.startswith("accuracy is higher by 0.5")
    assert found.sentence.endswith("30 paired items in 10 clusters): accepted.")
    assert found.low <= found.effect <= found.high
    assert compare([-value for value in differences], None).decision == "rejected"


def test_undecided_says_how_many_clusters_it_would_take():
    found = compare([0.3, -0.1, 0.2, 0.25, -0.2, 0.1], [0, 0, 1, 1, 2, 2])
    assert found.decision == "undecided"
    assert f"about {found.clusters_needed} further clusters would decide" in found.sentence


def test_more_comparisons_widen_the_interval():
    alone, among = (compare([0.3, 0.1, 0.2, 0.4], None, comparisons=count) for count in (1, 5))
    assert among.high > alone.high
    assert among.p_value == pytest.approx(min(1.0, 5 * alone.p_value))


def test_clusters_that_all_agree_are_judged_by_chance():
    assert compare([0.5, 0.5, 0.5, 0.5], [0, 0, 1, 1]).decision == "undecided"
    assert compare([0.5] * 6, None).decision == "accepted"
    assert compare([0.0] * 6, None).decision == "identical"


@pytest.mark.parametrize(
    ("values", "clusters", "says"),
    [
        ([1.0, 2.0], ["a"], "do not match"),
        ([1.0, 2.0], ["a", "a"], "at least 2 clusters"),
        ([1.0, math.nan], ["a", "b"], "finite"),
        ([], [], "at least 2 clusters"),
    ],
)
def test_what_has_no_error_is_refused(values, clusters, says):
    with pytest.raises(UsageError, match=says):
        clustered_mean(values, clusters)


def test_an_item_without_a_cluster_is_named():
    with pytest.raises(UsageError, match="'q2' among them"):
        compare_clustered(
            {"q1": 1.0, "q2": 0.0}, {"q1": 0.0, "q2": 0.0}, {"q1": "a"}, metric="accuracy", direction="maximize"
        )
