import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.propose.evolve import effects as module
from headway.propose.evolve.effects import Effects

shares = st.floats(0.05, 0.45)
sizes = st.floats(0.2, 8.0)


def integrated(effects, gap, variance):
    """Return mean, variance and the chances of gain and harm, by summing over a fine grid."""
    step = 1e-4 * max(effects.gain, effects.harm, 1.0)
    size = np.arange(step / 2, 60 * max(effects.gain, effects.harm, 1.0), step)

    def density(effect):
        return np.exp(-((gap - effect) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)

    gains = effects.helpful / effects.gain * np.exp(-size / effects.gain) * density(size) * step
    harms = effects.harmful / effects.harm * np.exp(-size / effects.harm) * density(-size) * step
    none = (1 - effects.helpful - effects.harmful) * density(np.zeros(1))[0]
    whole = gains.sum() + harms.sum() + none
    mean = (gains @ size - harms @ size) / whole
    square = (gains @ size**2 + harms @ size**2) / whole
    return mean, square - mean**2, gains.sum() / whole, harms.sum() / whole


@given(shares, shares, sizes, sizes, st.floats(-6, 6), st.floats(0.1, 4.0))
@settings(max_examples=60, deadline=None)
def test_what_a_gap_says_is_what_bayes_says(helpful, harmful, gain, harm, gap, variance):
    effects = Effects(helpful=helpful, harmful=harmful, gain=gain, harm=harm)
    told = effects.told(gap, variance)
    mean, spread, up, down = integrated(effects, gap, variance)
    assert told.mean == pytest.approx(mean, abs=1e-3)
    assert told.variance == pytest.approx(spread, rel=1e-2, abs=1e-3)
    assert (told.helpful, told.harmful) == (pytest.approx(up, abs=1e-3), pytest.approx(down, abs=1e-3))


@pytest.mark.parametrize("factor", [1e-90, 1e-6, 1e6, 1e55])
def test_units_do_not_matter(factor):
    near = Effects(gain=2.0, harm=0.7).told(1.3, 0.9)
    far = Effects(gain=2.0 * factor, harm=0.7 * factor).told(1.3 * factor, 0.9 * factor**2)
    assert far.mean == pytest.approx(near.mean * factor)
    assert far.variance == pytest.approx(near.variance * factor**2)
    assert (far.helpful, far.harmful) == (pytest.approx(near.helpful), pytest.approx(near.harmful))


def test_the_expansion_of_the_tail_goes_on_where_the_exact_one_ends(monkeypatch):
    for z, size in ((-30.0, 0.2), (-35.0, 10.0), (-1.0, 0.0295)):
        monkeypatch.setattr(module, "_DEEP", -1e3)
        exact = module._tail(z, size)
        monkeypatch.setattr(module, "_DEEP", 0.0)
        assert module._tail(z, size) == pytest.approx(exact, rel=2e-3)


def test_a_gap_far_beyond_the_noise_is_as_it_looks():
    effects = Effects(helpful=0.2, harmful=0.5, gain=1.0, harm=1.0)
    for gap, variance in ((-1e10, 1e-4), (3.0, 1e-30), (1e60, 1e-200)):
        told = effects.told(gap, variance)
        assert told.mean == pytest.approx(gap)
        assert told.helpful == float(gap > 0)
    assert effects.told(0.0, 1e-12).mean == pytest.approx(0.0, abs=1e-9)


def test_mean_and_variance_are_those_of_draws():
    random = Random(0)
    effects = Effects(helpful=0.2, harmful=0.5, gain=2.0, harm=0.5)
    draws = []
    for _ in range(200_000):
        kind = random.random()
        draws.append(random.expovariate(0.5) if kind < 0.2 else -random.expovariate(2) if kind < 0.7 else 0.0)
    assert effects.mean == pytest.approx(np.mean(draws), abs=0.02)
    assert effects.variance == pytest.approx(np.var(draws), rel=0.05)


def test_shares_and_sizes_are_learned_from_noisy_gaps():
    random = Random(1)
    gaps = []
    for _ in range(4000):
        kind = random.random()
        effect = random.expovariate(1) if kind < 0.15 else -random.expovariate(1 / 3) if kind < 0.65 else 0.0
        gaps.append(effect + random.gauss(0, 0.5))
    effects = Effects.guessed(1.0)
    for _ in range(60):
        effects = Effects.learned([effects.told(gap, 0.25) for gap in gaps], least=0.1)
    assert effects.helpful == pytest.approx(0.15, abs=0.04)
    assert effects.harmful == pytest.approx(0.5, abs=0.06)
    assert effects.gain == pytest.approx(1.0, abs=0.25)
    assert effects.harm == pytest.approx(3.0, abs=0.4)


def test_few_gaps_move_what_is_believed_little_and_none_leave_a_third_of_each():
    first = Effects.guessed(1.0)
    assert first.variance == pytest.approx(1.0)
    assert first.mean == pytest.approx(0.0)
    one = Effects.learned([first.told(-5.0, 1.0)], least=0.1)
    assert one.helpful == pytest.approx(1 / 3, abs=0.05)
    assert 1 / 3 < one.harmful < 0.42
    none = Effects.learned([], least=0.4)
    assert (none.helpful, none.harmful, none.gain, none.harm) == pytest.approx((1 / 3, 1 / 3, 0.4, 0.4))
