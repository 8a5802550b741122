import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import UsageError
from headway.validate import compare_several, holm

chances = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def sides(truths, seeds, draw, *, shared=True):
    training = draw.standard_normal(seeds) if shared else 0.0
    theirs = {name: draw.standard_normal(seeds) for name in truths}
    ours = {name: theirs[name] + truth + training + draw.standard_normal(seeds) for name, truth in truths.items()}
    return [{name: dict(enumerate(side[name].tolist())) for name in truths} for side in (ours, theirs)]


def compare(ours, theirs, **settings):
    return compare_several(ours, theirs, metric="accuracy", direction="maximize", **settings)


@given(chances)
def test_holm_lies_between_the_plain_p_value_and_bonferronis(p_values):
    for plain, adjusted in zip(p_values, holm(p_values), strict=True):
        assert plain <= adjusted <= min(1.0, len(p_values) * plain) + 1e-12
    assert max(holm(p_values)) >= max(p_values)


def test_holms_own_steps():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.02, 0.9]) == pytest.approx([0.04, 0.9])


@given(chances)
def test_holm_keeps_the_order(p_values):
    ranked = sorted(zip(p_values, holm(p_values), strict=True))
    assert [adjusted for _, adjusted in ranked] == sorted(adjusted for _, adjusted in ranked)


def test_all_intervals_hold_together_and_claims_are_seldom_false():
    draw, studies, together, false = np.random.default_rng(1), 500, 0, 0
    truths = {"a": 0.0, "b": 2.0, "c": 0.0, "d": 2.0}
    for _ in range(studies):
        found = compare(*sides(truths, 4, draw))
        together += all(task.low <= truths[task.task] <= task.high for task in found.tasks)
        false += any(truths[task.task] == 0 and task.decision != "undecided" for task in found.tasks)
    error = 3 * math.sqrt(0.95 * 0.05 / studies)
    assert together / studies > 0.95 - error
    assert false / studies < 0.05 + error


@pytest.mark.parametrize("shared", [True, False])
def test_the_mean_over_tasks_covers_what_it_says(shared):
    draw, studies, held = np.random.default_rng(2), 600, 0
    truths = {"a": 0.0, "b": 1.0, "c": 2.0}
    for _ in range(studies):
        found = compare(*sides(truths, 3, draw, shared=shared), tasks_share_runs=shared)
        held += found.low <= 1.0 <= found.high
    assert held / studies > 0.95 - 3 * math.sqrt(0.95 * 0.05 / studies)


def test_tasks_that_share_a_training_are_not_taken_for_independent():
    ours, theirs = sides(dict.fromkeys("abcdefgh", 0.0), 6, np.random.default_rng(4))
    honest, fooled = (compare(ours, theirs, tasks_share_runs=share) for share in (True, False))
    assert honest.high - honest.low > 1.5 * (fooled.high - fooled.low)
    assert honest.effect == pytest.approx(fooled.effect)


def test_the_sentence_names_the_tasks_that_changed():
    ours = {"math": {0: 0.9, 1: 0.91, 2: 0.92}, "code": {0: 0.4, 1: 0.6, 2: 0.5}}
    theirs = {"math": {0: 0.5, 1: 0.512, 2: 0.521}, "code": {0: 0.5, 1: 0.45, 2: 0.52}}
    found = compare(ours, theirs)
    assert "Task by task, adjusted for all: better on 1 (math), undecided on 1." in found.sentence
    assert [task.decision for task in found.tasks] == ["accepted", "undecided"]
    assert found.to_json()["tasks"][0]["task"] == "math"
    assert compare(theirs, theirs).decision == "identical"


def test_sides_with_different_tasks_are_refused():
    with pytest.raises(UsageError, match="code is missing on a side"):
        compare({"math": {0: 1.0, 1: 1.0}, "code": {0: 1.0, 1: 2.0}}, {"math": {0: 1.0, 1: 2.0}})
    with pytest.raises(UsageError, match="tasks_share_runs=False"):
        compare(
            {"a": {0: 1.0, 1: 1.1}, "b": {2: 1.0, 3: 1.1}}, {"a": {0: 1.0, 1: 1.2}, "b": {2: 1.0, 3: 1.2}}
        )  # fmt: skip
