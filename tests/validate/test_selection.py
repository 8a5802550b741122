import math

import numpy as np
import pytest

from headway.core import UsageError
from headway.validate import Attempt, Noise, shrink_gain


def search(draw, tries, *, effects=0.0, nulls=0):
    """Keep what looks better; return the attempts, the last kept and the true gain."""
    true, best, last = 0.0, float(draw.standard_normal()), 0
    attempts = [Attempt(value=best, parent=None)]
    for number in range(1, tries + 1):
        null = number <= nulls
        effect = 0.0 if null else effects * float(draw.standard_cauchy() - 0.7)
        value = true + effect + float(draw.standard_normal())
        attempts.append(Attempt(value=value, parent=last, null=null))
        if value > best and not null:
            true, best, last = true + effect, value, number
    return attempts, last, true


def test_a_gain_of_pure_luck_shrinks_to_almost_nothing():
    attempts, last, _ = search(np.random.default_rng(0), 60)
    found = shrink_gain(attempts, last, Noise(1.0))
    assert found.claimed > 1.5
    assert found.expected < 0.4 * found.claimed
    assert found.low < 0 < found.high


def test_a_large_real_gain_stays():
    attempts = [
        Attempt(value=0.0, parent=None),
        Attempt(value=50.0, parent=0),
        Attempt(value=50.5, parent=1, null=True),
    ]
    found = shrink_gain(attempts, 1, Noise(0.5))
    assert found.expected == pytest.approx(50, abs=1)
    assert found.chances[1] > 0.99
    assert found.chances[0] == found.chances[2] == 0


@pytest.mark.parametrize("nulls", [0, 3])
def test_the_interval_holds_the_true_gain_and_the_mean_has_no_bias(nulls):
    draw, studies, held, errors, claims = np.random.default_rng(nulls), 60, 0, [], []
    for _ in range(studies):
        attempts, last, true = search(draw, 30, effects=0.5, nulls=nulls)
        found = shrink_gain(attempts, last, None if nulls else Noise(1.0), draws=200)
        held += found.low <= true <= found.high
        errors.append(found.expected - true)
        claims.append(found.claimed - true)
    assert held / studies > 0.95 - 3 * math.sqrt(0.95 * 0.05 / studies)
    assert abs(np.mean(errors)) < 0.5 * np.mean(claims)


def test_units_do_not_matter():
    attempts, last, _ = search(np.random.default_rng(1), 20, effects=0.5)
    small = [Attempt(value=7 + 1e-4 * item.value, parent=item.parent) for item in attempts]
    one, other = shrink_gain(attempts, last, Noise(1.0)), shrink_gain(small, last, Noise(1e-4))
    assert other.expected == pytest.approx(1e-4 * one.expected, rel=1e-3)


@pytest.mark.parametrize(
    ("attempts", "noise", "says"),
    [
        ([], Noise(1.0), "first attempt"),
        ([Attempt(value=0.0, parent=None), Attempt(value=0.0, parent=1)], Noise(1.0), "came before"),
        ([Attempt(value=0.0, parent=None), Attempt(value=math.nan, parent=0)], Noise(1.0), "finite"),
        ([Attempt(value=0.0, parent=None), Attempt(value=1.0, parent=0)], None, "Nothing tells the noise"),
    ],
)
def test_what_has_no_gain_is_refused(attempts, noise, says):
    with pytest.raises(UsageError, match=says):
        shrink_gain(attempts, 0, noise)
