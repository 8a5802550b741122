import math
import random
from functools import reduce
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad

from headway.core import UsageError
from headway.validate import EProcess, Noise, evidence
from headway.validate._mixture import Spread, log_mixture

ALPHA, LOOKS, STUDIES = 0.05, 20, 1500
KNOWLEDGE = {"known": (Noise(1.0), 0), "learned": (None, 0), "data": (None, 5)}
numbers = st.floats(-100, 100, allow_subnormal=False).map(lambda number: round(number, 3))
lists = st.lists(numbers, min_size=2, max_size=8).filter(lambda values: max(values) - min(values) > 0.01)
noises = st.sampled_from([None, Noise(0.5), Noise(2.0, 3.0)])


def study(seed, effect, noise, others=0):
    """Return the states of an e-process of pairs whose differences have the sd 1; `others` are of A/A pairs."""
    draw = random.Random(seed)
    process = EProcess.start(noise, [draw.gauss(0, 1) for _ in range(others)])
    return list(accumulate((draw.gauss(effect, 1) for _ in range(LOOKS)), EProcess.after, initial=process))[1:]


def radius(process, level=1 - ALPHA):
    interval = process.interval(level)
    return (interval.high - interval.low) / 2


def test_the_radius_is_that_of_robbins_normal_mixture():
    process = EProcess(noise=Noise(1.0), count=100)
    # Howard, Ramdas, McAuliffe and Sekhon, Annals of Statistics 49 (2021), equation 14: v = t and rho = 1, over t.
    published = math.sqrt((100 + 1) * math.log((100 + 1) / ALPHA**2)) / 100
    assert radius(process) == pytest.approx(0.3273018624, abs=1e-9)
    assert radius(process) == pytest.approx(published, abs=1e-12)


@pytest.mark.parametrize("squares", [0.0, 0.7])
def test_the_closed_form_is_the_integral_over_effect_and_variance(squares):
    data, scale = [0.3, -0.1, 0.5], 1.3
    total, count = sum(data), len(data)
    sum_of_squares = sum(value**2 for value in data) + squares
    degrees = count + (2 if squares else 0)

    def likelihood(effect, precision):
        prior = 2 * math.exp(-((effect / scale) ** 2) / 2) / math.sqrt(2 * math.pi) / scale
        exponent = -(precision**2) * sum_of_squares / 2 + precision * effect * total - count * effect**2 / 2
        return precision ** (degrees - 1) * math.exp(exponent) * prior

    above = dblquad(likelihood, 0, 60, 0, 12)[0]
    below = quad(lambda precision: precision ** (degrees - 1) * math.exp(-(precision**2) * sum_of_squares / 2), 0, 60)[
        0
    ]
    spread = Spread(degrees=degrees, squares=sum_of_squares)
    assert log_mixture(total, count, spread, scale=scale, one_sided=True) == pytest.approx(math.log(above / below))


def test_without_an_effect_the_expected_e_value_is_one():
    def known(value):
        return math.exp(evidence([value], Noise(1.0)) - value**2 / 2) / math.sqrt(2 * math.pi)  # tails of the sd 10

    # Two normal values of one unknown variance have a uniform angle, and nothing but the angle counts.
    steps = [2 * math.pi * (step + 0.5) / 4000 for step in range(4000)]
    pairs = [math.exp(evidence([math.cos(angle), math.sin(angle)])) for angle in steps]
    with_data = [math.exp(evidence([math.cos(angle)], aa=[math.sin(angle)])) for angle in steps]
    assert quad(known, -100, 100, limit=200)[0] == pytest.approx(1, abs=1e-6)
    assert sum(pairs) / len(pairs) == pytest.approx(1, abs=1e-3)
    assert sum(with_data) / len(with_data) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("knowledge", KNOWLEDGE.values(), ids=KNOWLEDGE)
def test_looking_after_every_pair_finds_nothing_that_is_not_there(knowledge):
    wrong = sum(study(seed, 0.0, *knowledge)[-1].decided(ALPHA) for seed in range(STUDIES)) / STUDIES
    # Within 20 looks about 1.5 to 2.5 %, as the 5 % are for looks without end; standard error .35 %.
    assert 0.006 < wrong < 0.04


@pytest.mark.parametrize("knowledge", KNOWLEDGE.values(), ids=KNOWLEDGE)
def test_the_interval_covers_the_effect_at_all_looks_together(knowledge):
    covered = 0
    for seed in range(500):
        intervals = [process.interval(0.9) for process in study(seed, 0.7, *knowledge)]
        covered += all(interval.low <= 0.7 <= interval.high for interval in intervals)
    assert 0.88 < covered / 500 < 0.99  # 90 % for looks without end


@pytest.mark.parametrize(("noise", "mean_pairs"), [(Noise(1.0), 8), (None, 11)], ids=["known", "learned"])
def test_an_effect_of_one_and_a_half_sds_of_a_run_is_found_soon(noise, mean_pairs):
    stops = [[process.decided(ALPHA) for process in study(seed, 1.5 / math.sqrt(2), noise)] for seed in range(600)]
    found = [stop.index(True) + 1 for stop in stops if stop[-1]]
    assert len(found) / 600 > 0.93  # 98 % and 95.6 % in the benchmark; standard error .8 %
    assert (sum(found) + LOOKS * (600 - len(found))) / 600 < mean_pairs


def test_a_prior_that_is_too_sure_of_too_little_noise_breaks_the_guarantee():
    wrong = sum(study(seed, 0.0, Noise(0.4))[-1].decided(ALPHA) for seed in range(300)) / 300
    assert wrong > 0.1


@given(lists, noises, st.floats(0.01, 50))
def test_a_better_candidate_has_no_less_evidence(differences, noise, gain):
    better = [difference + gain for difference in differences]
    assert evidence(better, noise) >= evidence(differences, noise) - 1e-9


@given(lists, st.floats(1e-3, 1e3))
def test_the_unit_does_not_matter(differences, factor):
    scaled = [factor * difference for difference in differences]
    assert evidence(scaled) == pytest.approx(evidence(differences), abs=1e-6)
    noises = [Noise(size, 4.0) for size in (0.5, factor * 0.5)]
    assert evidence(scaled, noises[1]) == pytest.approx(evidence(differences, noises[0]), abs=1e-6)


@given(lists, noises)
def test_all_together_is_the_mean_of_three_scales_one_by_one(differences, noise):
    ends = [reduce(EProcess.after, differences, EProcess.start(noise, scale=scale)) for scale in (1.0, 3.0, 10.0)]
    highest = max(end.log_e for end in ends)
    mean = sum(math.exp(end.log_e - highest) for end in ends) / 3
    assert evidence(differences, noise) == pytest.approx(highest + math.log(mean), abs=1e-6)


def test_three_pairs_of_unknown_noise_can_be_enough():
    start = EProcess.start()
    assert reduce(EProcess.after, [1.0, 1.01, 0.99], start).log_e < math.log(8)  # the most that scale 1 can give
    assert evidence([1.0, 1.01, 0.99]) > math.log(20)


@given(lists, noises, st.sampled_from([0.01, 0.05, 0.2]))
def test_what_is_accepted_lies_above_zero_in_its_interval(differences, noise, alpha):
    for process in accumulate(differences, EProcess.after, initial=EProcess.start(noise)):
        if process.log_e >= -math.log(alpha):
            assert process.decided(alpha)
            assert process.interval(1 - 2 * alpha).low > 0


@given(lists)
def test_degrees_lead_from_nothing_known_to_all_known(differences):
    assert evidence(differences, Noise(1.0, 1e-9)) == pytest.approx(evidence(differences), rel=1e-3, abs=1e-3)
    known = evidence(differences, Noise(50.0))
    assert evidence(differences, Noise(50.0, 1e9)) == pytest.approx(known, rel=1e-3, abs=1e-3)


def test_a_a_differences_are_squares_more():
    pooled = Noise(math.sqrt((4 * 0.5**2 + 0.3**2 + 0.1**2) / 6), 6)
    together = evidence([0.4, 0.6], Noise(0.5, 4), aa=[0.3, -0.1])
    assert together == pytest.approx(evidence([0.4, 0.6], pooled))
    assert evidence([0.4, 0.6], Noise(0.5), aa=[9.0]) == evidence([0.4, 0.6], Noise(0.5))


def test_equal_differences_prove_no_more_than_their_signs():
    assert evidence([0.1] * 4) == pytest.approx(math.log(2**4))
    assert evidence([0.1] * 4, aa=[0.0, 0.0]) == pytest.approx(math.log(2**4))
    assert evidence([0.0] * 4) == 0.0
    assert evidence([]) == 0.0


def test_evidence_may_fall_again_and_a_decision_stands():
    process = reduce(EProcess.after, (4.0, 4.0, -3.0, -3.0, -3.0), EProcess.start(Noise(1.0)))
    assert process.log_e < 0 < process.highest
    assert process.decided(ALPHA)


def test_logarithms_hold_where_numbers_would_not():
    assert evidence([1e6] * 8, Noise(1.0)) > 1e10
    for noise in (None, Noise(1.0), Noise(1.0, 5.0)):
        hopeless = evidence([-1e6, -1e6 - 1] * 400, noise)
        assert -200 < hopeless < 0


def test_an_interval_is_infinite_until_the_data_bound_it():
    assert EProcess.start().interval(0.95).high == math.inf
    assert EProcess.start().after(1.0).interval(0.95).low == -math.inf
    assert radius(EProcess.start(Noise(1.0)).after(1.0)) < 4


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: EProcess.start().after(math.nan), "no evidence"),
        (lambda: EProcess.start(aa=[math.inf]), "no evidence"),
        (lambda: evidence([1.0, math.nan]), "no evidence"),
        (lambda: EProcess.start(Noise(0.0)), "known to be zero"),
        (lambda: EProcess.start(scale=0.0), "mixes no effects"),
        (lambda: EProcess.start().decided(5), "no probability"),
        (lambda: EProcess.start().interval(95), "no probability"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong, says):
    with pytest.raises(UsageError, match=says):
        wrong()
