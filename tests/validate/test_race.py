"""The race: its filter against brute force, its prior, what it asks for, and what it keeps."""

import itertools
import json
import math
import time

import numpy as np
import pytest
from scipy import integrate, stats

from headway.core import UsageError
from headway.validate._prior import posterior
from headway.validate._race_rule import solve
from headway.validate.noise import Noise
from headway.validate.race import Action, Prior, Race, learn_prior

PRIOR = Prior(good=0.1, bad=0.6, gain=1.5, harm=3.0)


def draw(random, prior, count):
    uniform, size = random.random(count), random.exponential(size=count)
    return np.where(
        uniform < prior.good, prior.gain * size, np.where(uniform < prior.good + prior.bad, -prior.harm * size, 0.0)
    )


def play(race, effects, errors, sd=1.0, record=None):
    """Let a race decide on ideas with these effects. Return levels and (candidate, effect) of what it kept."""
    levels, kept, errors = {race.incumbent: 0.0}, [], iter(errors)
    while (action := race.next()).kind != "stop":
        name = action.candidate
        if action.kind == "idea":
            name = f"idea {len(levels)}"
            levels[name] = levels[race.incumbent] + effects[len(levels) - 1]
            race.add(name)
        before, value = levels[race.incumbent], levels[name] + sd * next(errors)
        if record is not None:
            record.append((action, name, value))
        for ruling in race.observe(name, action.seed, value):
            if ruling.kept:
                kept.append((ruling.candidate, levels[ruling.candidate] - before))
                before = levels[ruling.candidate]
    return levels, kept


@pytest.mark.parametrize(("estimate", "sd"), [(2.0, 1.0), (-1.0, 0.4), (0.1, 0.05), (-6.0, 2.0), (9.0, 0.7)])
def test_posterior_is_what_integration_gives(estimate, sd):
    found = posterior(PRIOR, np.array([estimate]), np.array([sd**2]))

    def moment(power, low, high, density):
        edges = np.clip([estimate - 12 * sd, estimate, estimate + 12 * sd], low, high)
        parts = [
            integrate.quad(lambda effect: effect**power * density(effect) * stats.norm.pdf(estimate, effect, sd), *pair)
            for pair in itertools.pairwise(edges)
        ]
        return sum(value for value, _ in parts)

    good = [moment(k, 0, 200, lambda e: PRIOR.good * stats.expon.pdf(e, scale=PRIOR.gain)) for k in range(3)]
    bad = [moment(k, -200, 0, lambda e: PRIOR.bad * stats.expon.pdf(-e, scale=PRIOR.harm)) for k in range(3)]
    total = good[0] + bad[0] + (1 - PRIOR.good - PRIOR.bad) * stats.norm.pdf(estimate, 0, sd)
    mean = (good[1] + bad[1]) / total
    assert found.evidence[0] == pytest.approx(total, rel=1e-6)
    assert found.good[0] == pytest.approx(good[0] / total, rel=1e-6)
    assert found.mean[0] == pytest.approx(mean, rel=1e-5)
    assert found.variance[0] == pytest.approx((good[2] + bad[2]) / total - mean**2, rel=1e-5)


def test_posterior_is_finite_far_out():
    far = np.array([-1e6, -40.0, 0.0, 40.0, 1e6])
    for sd in (1e-3, 1.0, 1e3):
        found = posterior(PRIOR, far, np.full(5, sd**2))
        for field in (found.good, found.bad, found.gain, found.harm, found.mean, found.variance):
            assert np.isfinite(field).all()
        assert (found.gain >= 0).all()
        assert (found.harm >= 0).all()


def test_prior_is_learned_from_noisy_effects():
    random = np.random.default_rng(1)
    errors = random.choice([0.3, 1.0], size=6000)
    found = learn_prior((draw(random, PRIOR, 6000) + errors * random.normal(size=6000)).tolist(), errors.tolist())
    assert found.good == pytest.approx(PRIOR.good, abs=0.03)
    assert found.bad == pytest.approx(PRIOR.bad, abs=0.06)
    assert found.gain == pytest.approx(PRIOR.gain, rel=0.2)
    assert found.harm == pytest.approx(PRIOR.harm, rel=0.1)
    assert found.strength == Prior.default().strength + 6000


def test_few_effects_teach_little_and_none_nothing():
    start = Prior.default()
    assert learn_prior([], []) == start
    assert abs(learn_prior([8.0], [1.0]).good - start.good) < 0.06


def test_prior_goes_through_json():
    assert Prior.from_json(json.loads(json.dumps(PRIOR.to_json()))) == PRIOR
    with pytest.raises(UsageError, match="good, bad, gain"):
        Prior.from_json({"good": 0.1})


def test_the_filter_agrees_with_a_grid():
    """Incumbent with two runs, three children: the exact posterior of its level on a grid, against the filter's."""
    race = Race("maximize", Noise(1.0), PRIOR, budget=99)
    levels = np.linspace(-8, 8, 4001)
    density = stats.norm.pdf(levels, 0.5, math.sqrt(1 / 2))
    for seed, value in enumerate((0.2, 0.8)):
        race.observe("baseline", seed, value)
    for name, value in (("a", -2.0), ("b", 0.3), ("c", 1.1)):
        race.add(name)
        race.observe(name, 7, value)
        seen = posterior(PRIOR, value - levels, np.ones_like(levels))
        density = density * seen.evidence
    density /= density.sum()
    mean = density @ levels
    found, variance = race._filter.level(race._incumbent)
    assert found == pytest.approx(mean, abs=0.06)
    assert math.sqrt(variance) == pytest.approx(math.sqrt(density @ (levels - mean) ** 2), rel=0.1)


def test_beliefs_are_calibrated():
    """Under its own prior a race's 80 % intervals for the incumbent hold 80 %, and chances are frequencies."""
    random = np.random.default_rng(5)
    inside, off, chances, helped = [], [], [], []
    for _ in range(40):
        race = Race("maximize", Noise(1.0), PRIOR, budget=60)
        race._learn_at = math.inf
        levels, _ = play(race, draw(random, PRIOR, 60), random.normal(size=60))
        mean, variance = race._filter.level(race._incumbent)
        off.append((mean - levels[race.incumbent]) / math.sqrt(variance))
        inside.append(abs(off[-1]) < 1.2816)
        for name in levels.keys() - {"baseline", race.incumbent}:
            if race._arms[name].parent is race._incumbent:
                chances.append(race.standing(name).better)
                helped.append(levels[name] > levels[race.incumbent])
    assert np.mean(inside) == pytest.approx(0.8, abs=0.13)
    assert np.mean(off) == pytest.approx(0.0, abs=0.35)
    assert sum(helped) == pytest.approx(sum(chances), abs=4 * math.sqrt(sum(chances)))


@pytest.mark.parametrize(("direction", "sd"), [("maximize", 1.0), ("minimize", 0.003)])
def test_it_keeps_what_helps(direction, sd):
    random, kept, sign = np.random.default_rng(2), [], 1 if direction == "maximize" else -1
    gain = 0.0
    for _ in range(6):
        race = Race(direction, Noise(sd), budget=150)
        levels, found = play(race, sign * sd * draw(random, PRIOR, 150), random.normal(size=150), sd)
        kept += [sign * effect for _, effect in found]
        gain += sign * levels[race.incumbent] / sd
    assert np.mean(np.array(kept) <= 0) < 0.25
    assert gain / 6 > 5


def test_a_race_is_a_function_of_what_it_was_told():
    random, record = np.random.default_rng(3), []
    first, second = (Race("maximize", Noise(1.0, 4), budget=120) for _ in range(2))
    play(first, draw(random, PRIOR, 120), random.normal(size=120), record=record)
    for action, name, value in record:
        assert second.next() == action
        second.next([("baseline", 999)])  # asking changes nothing
        if action.kind == "idea":
            second.add(name)
        second.observe(name, action.seed, value)
    assert second.incumbent == first.incumbent
    assert second.prior == first.prior
    assert second.noise == first.noise


def test_it_begins_with_the_control_and_ends_with_the_budget():
    race = Race("minimize", Noise(1.0), budget=3)
    assert race.next() == Action(kind="control", candidate="baseline", seed=0)
    assert race.next([("baseline", 0)]).kind != "stop"
    assert race.next([("baseline", 0), ("a", 1), ("b", 2)]).kind == "stop"
    for seed in range(3):
        assert race.next().seed == seed  # a failed run costs, too, and its seed is not asked for again
        race.observe("baseline", seed, None)
    assert race.next().kind == "stop"


def test_a_promising_candidate_gets_more_seeds_and_a_bad_one_none():
    race = Race("maximize", Noise(1.0), budget=100)
    for seed in range(4):
        race.observe("baseline", seed, 0.0)
    race.add("bad")
    assert [ruling.kept for ruling in race.observe("bad", 0, -2.0)] == [False]
    race.add("promising")
    assert race.observe("promising", 1, 2.0) == []
    assert race.next() == Action(kind="candidate", candidate="promising", seed=2)
    assert race.next([("promising", 2)]).kind in ("idea", "control")
    while race.standing("promising").state == "open":
        race.observe("promising", race.standing("promising").runs + 1, 2.0)
    assert race.incumbent == "promising"
    assert race.standing("baseline").effect < -1


def test_several_workers_keep_ideas_in_the_air():
    random, effects = np.random.default_rng(4), draw(np.random.default_rng(6), PRIOR, 200)
    race, levels, running, kept = Race("maximize", Noise(1.0), budget=200), {"baseline": 0.0}, [], []
    while True:
        while len(running) < 4 and (action := race.next(running)).kind != "stop":
            name = action.candidate or f"idea {len(levels)}"
            if action.kind == "idea":
                levels[name] = levels[race.incumbent] + effects[len(levels) - 1]
                race.add(name)
            assert (name, action.seed) not in running
            running.append((name, action.seed))
        if not running:
            break
        name, seed = running.pop(random.integers(len(running)))
        kept += [ruling for ruling in race.observe(name, seed, levels[name] + random.normal()) if ruling.kept]
    assert kept
    assert levels[race.incumbent] > 3


def test_pairing_finds_small_effects_under_large_shared_noise():
    """Seeds bring 95 % of the variance; who pairs them sees an effect of half a sd of the noise."""
    random, shared = np.random.default_rng(8), 0.95
    luck = random.normal(size=500) * math.sqrt(shared)
    prior = Prior(good=0.2, bad=0.4, gain=0.5, harm=0.5)
    gain = {0.0: 0.0, shared: 0.0}
    for told in gain:
        for study in range(6):
            own = np.random.default_rng([9, study])
            effects, race = draw(own, prior, 100), Race("maximize", Noise(1.0), prior, budget=100, shared=told)
            levels = {"baseline": 0.0}
            while (action := race.next()).kind != "stop":
                name = action.candidate or f"idea {len(levels)}"
                if action.kind == "idea":
                    levels[name] = levels[race.incumbent] + effects[len(levels) - 1]
                    race.add(name)
                assert action.seed is not None
                error = luck[(action.seed + 50 * study) % 500] + math.sqrt(1 - shared) * own.normal()
                race.observe(name, action.seed, levels[name] + error)
            gain[told] += levels[race.incumbent] / 6
    assert gain[shared] > 1.3 * gain[0.0]


def test_a_failed_candidate_is_out_and_its_parent_stays():
    race = Race("maximize", Noise(1.0), budget=10)
    race.observe("baseline", 0, 1.0)
    race.add("broken")
    assert [ruling.kept for ruling in race.observe("broken", 0, None)] == [False]
    assert race.standing("broken").state == "failed"
    assert race.incumbent == "baseline"


def test_unknown_noise_is_learned_from_repeats():
    random = np.random.default_rng(10)
    race = Race("maximize", Noise(2.0, 2), budget=200)
    play(race, draw(random, PRIOR, 200), random.normal(size=200))
    assert race.noise.degrees > 15
    assert race.noise.sd == pytest.approx(1.0, abs=0.35)


def test_the_rule_asks_for_more_of_what_few_ideas_reach():
    few, many = (solve(Prior(good=good, bad=0.5, gain=1.0, harm=2.0), 0.2, 8) for good in (0.01, 0.3))
    assert few.keep[2][1] > many.keep[2][1]
    assert few.rate[1] < many.rate[1]
    assert all(
        low <= high for row, top in zip(few.reject, few.keep, strict=True) for low, high in zip(row, top, strict=True)
    )
    assert few.rate == sorted(few.rate, reverse=True)  # a vague incumbent costs


def test_a_decision_takes_less_than_a_millisecond():
    random, race = np.random.default_rng(11), Race("maximize", Noise(1.0), budget=300)
    began = time.process_time()
    play(race, draw(random, PRIOR, 300), random.normal(size=300))
    assert (time.process_time() - began) / 300 < 1e-3 * 3  # three times as long on a busy machine


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Race("maximize", Noise(0.0), budget=5), "Without noise"),
        (lambda: Race("maximize", Noise(1.0), budget=0), "at least 1 of each"),
        (lambda: Race("maximize", Noise(1.0), budget=5, limit=1.0), "between 0 and 1"),
        (lambda: Race("maximize", Noise(1.0), budget=5, shared=1.0), "from 0 to below 1"),
        (lambda: Race("maximize", Noise(1.0), budget=5).observe("x", 0, 1.0), "no candidate 'x'"),
        (lambda: Race("maximize", Noise(1.0), budget=5).observe("baseline", 0, math.nan), "finite"),
        (lambda: Race("maximize", Noise(1.0), budget=5).add("baseline"), "already"),
        (lambda: Prior(good=0.7, bad=0.5, gain=1, harm=1), "no prior"),
        (lambda: learn_prior([1.0], []), "as many"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(make, says):
    with pytest.raises(UsageError, match=says):
        make()
