import json
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import UsageError
from headway.validate import Noise, OnlineFdr, evidence
from headway.validate._spending import FEW, left_after, share


def run(log_es, level=0.1):
    state, tests = OnlineFdr(level=level), []
    for log_e in log_es:
        tests.append(state.test(log_e))
        state = state.after(tests[-1])
    return tests


def test_the_shares_of_all_tests_are_one():
    shares = [share(turn) for turn in range(1, 5001)]
    assert math.fsum(shares) + left_after(5000) == pytest.approx(1)
    assert all(early > late > 0 for early, late in pairwise(shares))
    assert 45 < 1 / shares[0] < 55
    assert 5 < shares[0] / shares[49] < 6  # the words of `share`


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=60))
def test_each_test_has_the_level_of_e_lond(log_es):
    accepted = 0
    for index, test in enumerate(run(log_es), 1):
        assert test.level == pytest.approx(0.1 * share(index, FEW) * (accepted + 1))
        assert test.threshold == pytest.approx(1 / test.level)
        assert test.accepted == (test.log_e >= -math.log(test.level))
        accepted += test.accepted


def test_while_all_is_accepted_each_test_needs_about_as_much():
    thresholds = [test.threshold for test in run([20.0] * 20, level=0.05)]
    assert 85 < min(thresholds) < max(thresholds) < 210
    half = [test.threshold for test in run([20.0, 0.0] * 10, level=0.05)]
    assert max(half) < 400


def test_an_acceptance_raises_the_later_levels():
    without, after = run([0.0] * 3)[-1], run([20.0, 20.0, 0.0])[-1]
    assert after.level == pytest.approx(3 * without.level)


def test_ideas_without_effect_are_accepted_as_seldom_as_promised():
    # The e-values that use up all that is allowed: 1 / level with the chance level, else nothing.
    projects, ideas, wrong = 4000, 200, 0
    levels = [0.1 * share(turn, FEW) for turn in range(1, ideas + 1)]
    for seed in range(projects):
        draw = random.Random(seed)
        log_es = [-math.log(level) + 1e-9 if draw.random() < level else -math.inf for level in levels]
        wrong += any(log_e > 0 for log_e in log_es) and any(test.accepted for test in run(log_es))
    # 200 ideas use up 81 % of the level; standard error .4 %.
    assert wrong / projects == pytest.approx(0.1 * (1 - left_after(ideas, FEW)), abs=0.015)


def test_false_discoveries_keep_their_rate_with_one_control_for_all():
    rates, powers = [], []
    for seed in range(40):
        draw = random.Random(seed)
        control = [draw.gauss(0, 1) for _ in range(8)]
        real = [draw.random() < 0.2 for _ in range(60)]
        log_es = [
            evidence([draw.gauss(4.0 * effect, 1) - value for value in control], Noise(math.sqrt(2))) for effect in real
        ]
        accepted = [test.accepted for test in run(log_es)]
        false = sum(took and not effect for took, effect in zip(accepted, real, strict=True))
        rates.append(false / max(1, sum(accepted)))
        powers.append((sum(accepted) - false) / max(1, sum(real)))
    assert sum(rates) / 40 < 0.1
    assert sum(powers) / 40 > 0.8


def test_the_state_is_a_small_json_value():
    state = OnlineFdr(level=0.1)
    state = state.after(state.test(50.0))
    assert json.loads(json.dumps(state.to_json())) == {"level": 0.1, "tests": 1, "discoveries": 1}
    assert OnlineFdr.from_json(json.loads(json.dumps(state.to_json()))) == state


def test_a_test_of_another_state_is_refused():
    state = OnlineFdr(level=0.1)
    test = state.test(0.0)
    with pytest.raises(UsageError, match="cannot follow 1 tests"):
        state.after(test).after(test)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: OnlineFdr(level=10), "no rate"),
        (lambda: OnlineFdr(level=0.1, tests=1, discoveries=2), "cannot be"),
        (lambda: OnlineFdr(level=0.1).test(math.nan), "not a number"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong, says):
    with pytest.raises(UsageError, match=says):
        wrong()
