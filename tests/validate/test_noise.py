import math
import random
import statistics

import pytest
from scipy.integrate import quad
from scipy.stats import chi2

from benchmarks._runs import real_groups
from headway.core import UsageError
from headway.validate import Noise, difference_noise, drift, learn_noise, learn_paired_noise, prior_noise


def test_groups_are_pooled_about_their_own_means():
    groups = [[1.0, 3.0], [10.0, 10.0, 13.0], [7.0]]
    assert learn_noise(groups).degrees == 3
    assert learn_noise(groups).sd == pytest.approx(math.sqrt((2 + 6) / 3))


def test_a_prior_counts_as_its_degrees():
    shrunken = learn_noise([[1.0, 3.0]], Noise(0.5, 7))
    assert shrunken.degrees == 8
    assert shrunken.sd == pytest.approx(math.sqrt((2 + 7 * 0.25) / 8))
    assert learn_noise([], Noise(0.5, 7)) == Noise(0.5, 7)
    assert learn_noise([[1.0, 3.0]], Noise(0.5)) == Noise(0.5)


def experiments(count, prior, runs, seed):
    """Return the true sds of experiments whose variances have the prior, with their pooled estimates."""
    draw = random.Random(seed)
    for _ in range(count):
        variance = prior.degrees * prior.sd**2 / draw.gammavariate(prior.degrees / 2, 2)
        degrees = draw.choice(runs)
        yield math.sqrt(variance), Noise(math.sqrt(variance * draw.gammavariate(degrees / 2, 2) / degrees), degrees)


@pytest.mark.parametrize("runs", [[4], [1, 2, 9]])
def test_the_prior_is_found_from_earlier_experiments(runs):
    found = prior_noise([noise for _, noise in experiments(800, Noise(0.02, 6), runs, 1)])
    assert found.sd == pytest.approx(0.02, rel=0.1)
    assert 4 < found.degrees < 9


def test_experiments_that_do_not_differ_give_a_known_noise():
    noises = [noise for _, noise in experiments(40, Noise(3.0, 1e8), [5], 8)]
    found = prior_noise(noises)
    assert found.sd == pytest.approx(3, rel=0.1)
    assert found.degrees > 50
    assert prior_noise([Noise(1.0, 9)] * 30).degrees == math.inf


def test_shrinkage_is_calibrated_and_nearer_to_the_truth():
    prior, inside, errors = Noise(1.0, 6), 0, [0.0, 0.0]
    drawn = list(experiments(2000, prior, [3], 2))
    for sd, noise in drawn:
        degrees = noise.degrees + prior.degrees
        variance = (noise.degrees * noise.sd**2 + prior.degrees * prior.sd**2) / degrees
        low, high = (degrees * variance / float(chi2.ppf(share, degrees)) for share in (0.95, 0.05))
        inside += low <= sd**2 <= high
        errors[0] += math.log(noise.sd / sd) ** 2
        errors[1] += math.log(math.sqrt(variance) / sd) ** 2
    assert inside / 2000 == pytest.approx(0.9, abs=0.02)  # three standard errors
    assert errors[1] < 0.5 * errors[0]


def test_real_runs_of_one_project_differ_in_their_noise():
    found = prior_noise([Noise(group.sd, group.runs - 1) for group in real_groups()])
    assert len(real_groups()) == 89
    assert found.sd == pytest.approx(0.0012, rel=0.05)
    assert 3 < found.degrees < 8


def paired_runs(seed, codes, seeds, correlation, ran=0.9):
    draw = random.Random(seed)
    shared = [draw.gauss(0, math.sqrt(correlation)) for _ in range(seeds)]
    rest = math.sqrt(1 - correlation)
    return [
        {number: code + value + draw.gauss(0, rest) for number, value in enumerate(shared) if draw.random() < ran}
        for code in range(codes)
    ]


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_the_seeds_correlation_is_found(correlation):
    found = learn_paired_noise(paired_runs(3, 4, 200, correlation))
    assert found.correlation == pytest.approx(correlation, abs=0.1)
    assert found.difference.sd == pytest.approx(math.sqrt(2 * (1 - correlation)), rel=0.1)


def test_two_codes_on_shared_seeds_are_the_variance_of_their_differences():
    ours, theirs = {0: 1.0, 1: 2.5, 2: 3.0}, {0: 1.1, 1: 2.0, 2: 3.3, 7: 9.0}
    found = learn_paired_noise([ours, theirs]).difference
    assert found.degrees == 2
    assert found.sd == pytest.approx(statistics.stdev(ours[seed] - theirs[seed] for seed in ours))


def test_the_noise_of_a_difference_is_unbiased_in_small_tables():
    variances = [learn_paired_noise(paired_runs(seed, 3, 4, 0.5, ran=1.0)).difference.sd ** 2 for seed in range(400)]
    assert statistics.mean(variances) == pytest.approx(1.0, abs=0.12)  # four standard errors


def test_a_difference_of_two_runs_has_twice_their_variance_less_what_they_share():
    assert difference_noise(Noise(1.0, 5)) == Noise(math.sqrt(2), 5)
    assert difference_noise(Noise(1.0), 0.75).sd == pytest.approx(math.sqrt(0.5))


def test_without_a_drift_its_expected_e_value_is_one():
    def known(gap):
        return math.exp(drift([0.0, gap], Noise(1.0)).log_e - gap**2 / 4) / math.sqrt(4 * math.pi)

    # Of three normal values, unknown level and variance leave an angle, which is uniform.
    e_values = []
    for step in range(5000):
        angle = 2 * math.pi * (step + 0.5) / 5000
        along, across = math.cos(angle) / math.sqrt(2), math.sin(angle) / math.sqrt(6)
        e_values.append(math.exp(drift([along + across, across - along, -2 * across]).log_e))
    assert quad(known, -30, 30)[0] == pytest.approx(1, abs=1e-6)
    assert statistics.mean(e_values) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("knowledge", ["known", "learned", "data"])
def test_looking_for_drift_after_every_run_seldom_raises_a_false_alarm(knowledge):
    alarms = 0
    for seed in range(200):
        draw = random.Random(seed)
        values = [3.0 + draw.gauss(0, 0.1) for _ in range(40)]
        others = [draw.gauss(0, 0.1) for _ in range(6)]
        noise = {"known": Noise(0.1), "learned": None, "data": learn_noise([others])}[knowledge]
        alarms += any(drift(values[:count], noise).found(0.1) for count in range(2, 41))
    assert alarms / 200 < 0.1  # for looks without end; 40 use up little of it


@pytest.mark.parametrize("noise", [Noise(0.1), None])
def test_a_step_is_found_and_where_it_came(noise):
    found = 0
    for seed in range(50):
        draw = random.Random(seed)
        values = [3.0 + (0.3 if run >= 15 else 0) + draw.gauss(0, 0.1) for run in range(30)]
        end = drift(values, noise)
        found += end.found(0.05) and abs(end.since - 15) <= 3
        assert end.change == pytest.approx(0.3, abs=0.2)
    assert found >= 47


def test_a_slow_drift_is_found():
    found = 0
    for seed in range(50):
        draw = random.Random(seed)
        found += drift([0.02 * run + draw.gauss(0, 0.1) for run in range(30)], Noise(0.1)).found(0.05)
    assert found >= 45


def test_the_level_and_the_unit_do_not_matter_to_drift():
    values = [1.0, 1.2, 0.9, 1.6, 1.7, 1.5]
    moved = [1e4 + 50 * value for value in values]
    assert drift(moved).log_e == pytest.approx(drift(values).log_e, abs=1e-6)
    assert drift(moved, Noise(5.0, 4)).log_e == pytest.approx(drift(values, Noise(0.1, 4)).log_e, abs=1e-6)


def test_few_or_equal_values_show_no_drift():
    for values in ([], [1.0], [1.0] * 5):
        assert not drift(values).found(0.5)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: learn_noise([[1.0], []]), "Run the baseline twice"),
        (lambda: learn_noise([[1.0, math.nan]]), "Leave failed runs out"),
        (lambda: prior_noise([Noise(1.0, 3)]), "at least 2"),
        (lambda: prior_noise([Noise(0.0, 3)] * 3), "sd above 0"),
        (lambda: learn_paired_noise([{0: 1.0, 1: 2.0}, {1: 1.0}]), "share two seeds"),
        (lambda: learn_paired_noise([]), "share two seeds"),
        (lambda: difference_noise(Noise(1.0), 1.0), "leaves no difference"),
        (lambda: drift([1.0, math.inf]), "finite"),
        (lambda: drift([1.0, 2.0], Noise(0.0)), "known to be zero"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong, says):
    with pytest.raises(UsageError, match=says):
        wrong()
