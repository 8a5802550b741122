import math

import numpy as np
import pytest

from headway.core import UsageError
from headway.validate import (
    Noise,
    compare_paired,
    design_effect,
    detectable_difference,
    detectable_effect,
    pairs_needed,
    power_of_pairs,
    questions_needed,
)


def test_millers_example_takes_969_questions():
    assert questions_needed(0.03, variance=1 / 9, level=0.95, power=0.8) == 969
    assert detectable_difference(969, variance=1 / 9) == pytest.approx(0.03, abs=1e-6)
    assert detectable_difference(968, variance=1 / 9) > 0.03


def test_conditional_variances_add_and_answers_divide_them():
    once = questions_needed(0.03, variance=1 / 9, candidate_variance=1 / 6, baseline_variance=1 / 6)
    assert once == math.ceil(968.998 * (1 / 9 + 1 / 3) * 9)
    many = {"candidate_samples": 1000, "baseline_samples": 1000}
    assert questions_needed(0.03, variance=1 / 9, candidate_variance=1 / 6, baseline_variance=1 / 6, **many) < 975


def test_clusters_take_more_questions():
    assert design_effect(1, 0.7) == 1
    assert design_effect(5, 0.5) == 3
    assert questions_needed(0.03, variance=1 / 9, design_effect=3) == math.ceil(3 * 968.998)


@pytest.mark.parametrize("degrees", [math.inf, 2.0])
def test_the_power_is_that_of_the_comparison_itself(degrees):
    noise, pairs, studies = Noise(0.1, degrees), 8, 2000
    draw, found = np.random.default_rng(3), 0
    for _ in range(studies):
        sd = 0.1 * (1.0 if math.isinf(degrees) else math.sqrt(degrees / draw.chisquare(degrees)))
        ours, theirs = sd * draw.standard_normal((2, pairs))
        ours += 0.15
        result = compare_paired(
            dict(enumerate(ours.tolist())), dict(enumerate(theirs.tolist())), metric="m", direction="maximize"
        )
        found += result.decision != "undecided"
    assert found / studies == pytest.approx(power_of_pairs(pairs, 0.15, noise), abs=0.035)


@pytest.mark.parametrize("noise", [Noise(0.4), Noise(0.4, 1), Noise(0.4, 7)])
@pytest.mark.parametrize("effect", [0.1, -0.5, 3.0])
def test_the_pairs_needed_are_the_fewest_that_have_the_power(noise, effect):
    pairs = pairs_needed(effect, noise)
    assert pairs is not None
    assert power_of_pairs(pairs, effect, noise) >= 0.8
    assert pairs == 2 or power_of_pairs(pairs - 1, effect, noise) < 0.8


@pytest.mark.parametrize("degrees", [1, 3, math.inf])
@pytest.mark.parametrize("pairs", [2, 5, 40])
def test_the_detectable_effect_is_just_detected(pairs, degrees):
    effect = detectable_effect(pairs, Noise(2.0, degrees))
    assert power_of_pairs(pairs, effect, Noise(2.0, degrees)) == pytest.approx(0.8, abs=1e-3)


def test_badly_known_noise_and_more_finalists_take_more_and_shared_noise_less():
    plain = pairs_needed(0.2, Noise(0.2))
    assert plain == 18
    assert pairs_needed(0.2, Noise(0.2, 2)) == 42
    assert pairs_needed(0.2, Noise(0.2), comparisons=5) == 27
    assert pairs_needed(0.2, Noise(0.2), correlation=0.9) == 4


def test_what_cannot_be_reached_is_none_and_certainty_takes_two():
    assert pairs_needed(1e-9, Noise(1.0)) is None
    assert pairs_needed(0.0, Noise(1.0)) is None
    assert pairs_needed(1e6, Noise(1.0)) == 2
    assert pairs_needed(0.1, Noise(0.0)) == 2
    assert detectable_effect(4, Noise(0.0)) == 0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: questions_needed(0.0, variance=1.0), "no finite number of questions"),
        (lambda: questions_needed(0.1, variance=-1.0), "variance=-1.0"),
        (lambda: questions_needed(0.1, variance=1.0, candidate_samples=0), "at least 1"),
        (lambda: questions_needed(0.1, variance=1.0, power=1.0), "power 1.0"),
        (lambda: detectable_difference(1, variance=1.0), "at least 2"),
        (lambda: design_effect(0.5, 0.1), "do not exist"),
        (lambda: pairs_needed(math.nan, Noise(1.0)), "not finite"),
        (lambda: pairs_needed(0.1, Noise(1.0), correlation=2), "between -1 and 1"),
        (lambda: pairs_needed(0.1, Noise(1.0), level=1.0), "no probability"),
        (lambda: detectable_effect(1, Noise(1.0)), "at least 2"),
    ],
)
def test_what_cannot_be_planned_is_refused(call, says):
    with pytest.raises(UsageError, match=says):
        call()
