import itertools
import math
import statistics
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.propose.evolve import Beliefs, choose
from headway.propose.evolve import beliefs as module
from headway.propose.evolve.effects import Effects

# A tree as its parents (node i + 1 hangs below one of the nodes before it), and scores by node.
trees = st.lists(st.integers(0, 30), max_size=12).map(lambda draws: [d % (i + 1) for i, d in enumerate(draws)])
scores = st.lists(st.tuples(st.integers(0, 12), st.floats(-3, 3)), min_size=1, max_size=30)


def grown(parents, observed):
    beliefs = Beliefs()
    beliefs.add(None)
    for parent in parents:
        beliefs.add(parent)
    beliefs.observe(0, 0.1)  # the prior of the root is flat, so without a score it is nowhere
    for node, score in observed:
        beliefs.observe(node % len(beliefs), score)
    return beliefs


def exact(parents, observed, beliefs):
    """Return means and covariances from the joint precision matrix of all values."""
    size = len(parents) + 1
    precision, weighted = np.zeros((size, size)), np.zeros(size)
    for child, parent in enumerate(parents, 1):
        tightness = 1 / beliefs._effect[child]
        precision[[child, parent], [child, parent]] += tightness
        precision[child, parent] -= tightness
        precision[parent, child] -= tightness
        weighted[child] += tightness * beliefs._shift[child]
        weighted[parent] -= tightness * beliefs._shift[child]
    for node, score in [(0, 0.1), *((node % size, score) for node, score in observed)]:
        precision[node, node] += 1 / beliefs.noise_sd**2
        weighted[node] += score / beliefs.noise_sd**2
    covariance = np.linalg.inv(precision)
    return covariance @ weighted, covariance


@given(trees, scores)
@settings(max_examples=150, deadline=None)
def test_the_posterior_is_that_of_the_joint_gaussian(parents, observed):
    beliefs = grown(parents, observed)
    beliefs.refresh()
    means, covariance = exact(parents, observed, beliefs)
    beliefs._spread()
    for node in range(len(parents) + 1):
        assert beliefs.mean(node) == pytest.approx(means[node], abs=1e-6, rel=1e-6)
        assert beliefs.sd(node) == pytest.approx(math.sqrt(covariance[node, node]), abs=1e-6, rel=1e-6)


@given(st.lists(st.integers(0, 30), min_size=20, max_size=40), scores)
@settings(max_examples=100, deadline=None)
def test_scores_taken_in_one_by_one_leave_the_same_as_all_at_once(draws, observed):
    parents = [draw % (index + 1) for index, draw in enumerate(draws)]
    beliefs = Beliefs()
    beliefs.add(None)
    for parent in parents:
        beliefs.add(parent)
    beliefs.noise_sd, beliefs.effects = 0.7, Effects(helpful=0.2, harmful=0.5, gain=1.1, harm=0.9)
    beliefs._learn = lambda: None  # the numbers stay, so that nothing but the messages is compared
    beliefs.refresh()
    beliefs._due = 10_000  # and each score is passed on by itself
    beliefs.observe(0, 0.1)
    for node, score in observed:
        beliefs.observe(node % len(beliefs), score)
    means, covariance = exact(parents, observed, beliefs)
    for node in range(len(beliefs)):
        assert beliefs.mean(node) == pytest.approx(means[node], abs=1e-6)
        assert beliefs.sd(node) == pytest.approx(math.sqrt(covariance[node, node]), abs=1e-6)


def test_repeated_scores_that_agree_are_deterministic():
    beliefs = grown([0, 0, 1], [])
    assert not beliefs.deterministic
    beliefs.observe(0, 0.1)
    assert beliefs.deterministic
    for node, score in ((1, 0.2), (2, 0.15), (3, 0.4)):
        beliefs.observe(node, score)
    assert [beliefs.mean(node) for node in range(4)] == pytest.approx([0.1, 0.2, 0.15, 0.4], abs=1e-5)
    assert max(beliefs.sd(node) for node in range(4)) < 1e-5
    beliefs.observe(3, 0.41)
    assert not beliefs.deterministic


def test_where_all_are_dead_nothing_is_drawn_and_nobody_is_best():
    beliefs = grown([0, 1], [(1, 1.0), (2, 2.0)])
    for node in range(3):
        beliefs.kill(node)
    assert beliefs.prospects() == []
    assert beliefs.best(5) == []
    with pytest.raises(ValueError, match="Run the first one"):
        choose(beliefs, Random(0))


def test_what_is_not_believed_speaks_for_nobody():
    def tree(cheat):
        beliefs = Beliefs()
        beliefs.add(None)
        for score in (0.10, 0.12, 0.11):
            beliefs.observe(0, score)
        for score in (0.2, 0.15, 0.13):
            beliefs.observe(beliefs.add(0), score)
        node = beliefs.add(1)
        if cheat is not None:
            beliefs.observe(node, cheat)
        beliefs.kill(node)
        return beliefs

    honest = tree(None)
    for cheat in (1e9, 1e300, -1e300):
        beliefs = tree(cheat)
        assert beliefs.best(9) == honest.best(9)
        assert [beliefs.mean(node) for node in range(4)] == pytest.approx(
            [honest.mean(node) for node in range(4)], abs=1e-3
        )
        beliefs.observe(beliefs.add(1), 0.25)
        assert 0.1 < beliefs.mean(5) < 0.3


@pytest.mark.parametrize("factor", [1e-90, 1e-12, 1.0, 1e12, 1e58, 1e200])
def test_huge_and_tiny_scores_leave_numbers_and_their_order(factor):
    beliefs = Beliefs()
    beliefs.add(None)
    random = Random(3)
    for index in range(60):
        node = beliefs.add(index % min(index, 5)) if index else 0
        for _ in range(2):
            beliefs.observe(node, factor * (index + 0.1 * random.random()))
    means = [beliefs.mean(node) for node in beliefs.best(60)]
    assert all(map(math.isfinite, means))
    assert all(math.isfinite(beliefs.sd(node)) for node in range(60))
    assert choose(beliefs, Random(0)).node in range(60)
    if factor < 1e60:
        assert beliefs.best(1) == [59]


def test_beliefs_do_not_depend_on_the_unit_of_scores():
    def chosen(factor):
        beliefs, random, noise = Beliefs(), Random(5), Random(6)
        beliefs.add(None)
        for _ in range(4):
            beliefs.observe(0, factor * (1 + noise.gauss(0, 0.1)))
        found = []
        for _ in range(80):
            choice = choose(beliefs, random)
            found.append(choice)
            node = choice.node if choice.kind == "again" else beliefs.add(choice.node)
            beliefs.observe(node, factor * (1 + 0.01 * node + noise.gauss(0, 0.1)))
        return found

    assert chosen(1.0) == chosen(2.0**-40) == chosen(2.0**30)


def test_equal_scores_are_no_division_by_zero():
    beliefs = Beliefs()
    beliefs.add(None)
    for index in range(40):
        beliefs.observe(0 if index < 3 else beliefs.add(index % 3 if index > 6 else 0), 0.0)
    assert beliefs.mean(0) == pytest.approx(0)
    assert choose(beliefs, Random(0)).kind == "child"


def test_a_score_that_is_no_number_is_refused():
    beliefs = grown([], [])
    for score in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="without a finite score has failed"):
            beliefs.observe(0, score)


def test_children_that_broke_do_not_pull_their_parent_down():
    random = Random(2)
    beliefs = Beliefs()
    beliefs.add(None)
    for _ in range(6):
        beliefs.observe(0, random.gauss(0.5, 0.02))
    good = beliefs.add(0)
    for _ in range(3):
        beliefs.observe(good, random.gauss(0.6, 0.02))
    for _ in range(12):
        beliefs.observe(beliefs.add(good), random.gauss(0.6, 0.03))
    before = beliefs.mean(good)
    for score in (0.0, -1e10, 0.1, 0.05):
        beliefs.observe(beliefs.add(good), score)
    assert beliefs.mean(good) == pytest.approx(before, abs=0.02)


def test_what_is_learned_of_effects_is_not_of_those_that_broke():
    def learned(broken):
        random, beliefs = Random(4), Beliefs()
        beliefs.add(None)
        for _ in range(6):
            beliefs.observe(0, random.gauss(0, 0.1))
        for index in range(100):
            score = random.gauss(0, 1)
            beliefs.observe(beliefs.add(0), broken if index % 5 < 3 else score)
        return beliefs.effects

    alike = learned(-50.0)
    assert alike.gain < 2
    assert alike.harm < 2
    worse = learned(-1e9)
    assert (worse.helpful, worse.gain) == (pytest.approx(alike.helpful, abs=0.1), pytest.approx(alike.gain, rel=0.5))


def test_a_lucky_score_comes_down_with_its_children():
    hoped: list[float] = []
    left: list[float] = []
    for seed in range(20):
        random, beliefs = Random(seed), Beliefs()
        beliefs.add(None)
        for _ in range(20):
            beliefs.observe(0, random.gauss(0, 1))
        for _ in range(10):
            beliefs.observe(beliefs.add(0), random.gauss(0, 1))
        lucky = beliefs.add(0)
        beliefs.observe(lucky, 2.7)  # truly worth nothing
        hoped.append(beliefs.mean(lucky))
        for _ in range(8):
            beliefs.observe(beliefs.add(lucky), random.gauss(0, 1))
        left.append(beliefs.mean(lucky))
    assert statistics.fmean(hoped) > 0.3
    assert statistics.fmean(left) < statistics.fmean(hoped) / 2


def test_the_cost_of_a_score_does_not_grow_with_the_tree(monkeypatch):
    operations = 0

    def counted(name):
        plain = getattr(Beliefs, name)

        def method(*given):
            nonlocal operations
            operations += 1
            return plain(*given)

        monkeypatch.setattr(Beliefs, name, method)

    for name in ("_message", "_place", "_fit"):
        counted(name)
    beliefs, random = Beliefs(), Random(0)
    beliefs.add(None)
    beliefs.observe(0, 0.0)
    costs: list[int] = []
    for node in range(1, 4001):
        parent = random.choice(beliefs.best(20))
        before = operations
        beliefs.observe(beliefs.add(parent), beliefs.mean(parent) + random.gauss(-0.5, 1))
        costs.append(operations - before)
        assert node < 10 or len(beliefs._lively) < 1000
    early, late = statistics.fmean(costs[500:1000]), statistics.fmean(costs[3000:4000])
    assert late < 2 * early
    assert late < 1500


def test_those_who_failed_are_not_followed():
    beliefs = Beliefs()
    beliefs.add(None)
    beliefs.observe(0, 0.0)
    random = Random(0)
    for index in range(2000):
        node = beliefs.add(0)
        if index % 4:
            beliefs.kill(node)
        else:
            beliefs.observe(node, random.gauss(0, 1))
    assert len(beliefs._lively) < 800


def test_the_best_and_their_ancestors_are_always_followed():
    beliefs, random = Beliefs(), Random(1)
    beliefs.add(None)
    true = [0.0]
    beliefs.observe(0, 0.0)
    for _ in range(2000):
        parent = random.randrange(max(0, len(true) - 30), len(true))
        true.append(true[parent] + random.gauss(-0.2, 1))
        beliefs.observe(beliefs.add(parent), true[-1] + random.gauss(0, 0.2))
    followed = set(beliefs._lively)
    best = sorted(range(len(true)), key=lambda node: -true[node])[:10]
    assert set(best) <= followed
    for start in best:
        node = start
        while node >= 0:
            assert node in followed
            node = beliefs._parent[node]
    assert len(followed) >= module._LIVELY


def evolved(seed, runs=250):
    """Evolve where each truth is known: effects of which 15 % help, by as much as the noise; return the best's."""
    random, beliefs, true = Random(seed), Beliefs(), [0.0]
    beliefs.add(None)
    for _ in range(7):
        beliefs.observe(0, random.gauss(0, 1))
    for _ in range(runs):
        choice = choose(beliefs, random)
        node = choice.node
        if choice.kind == "child":
            kind, size = random.random(), random.expovariate(1)
            true.append(true[node] + (size if kind < 0.15 else 0.0 if kind < 0.5 else -size))
            node = beliefs.add(node)
        beliefs.observe(node, true[node] + random.gauss(0, 1))
    best = beliefs.best(1)[0]
    return true[best], beliefs.mean(best), beliefs.sd(best)


def test_the_interval_of_the_one_believed_best_holds_its_value_nearly_as_often_as_it_says():
    found = [evolved(seed) for seed in range(60)]
    covered = statistics.fmean(abs(value - mean) < 1.96 * sd for value, mean, sd in found)
    # Over 120 evolutions 0.825 of the 95 % intervals held, as the best was chosen by scores. The mean is too high by
    # 0.39 of these sds on average.
    assert covered > 0.7
    assert abs(statistics.fmean((mean - value) / sd for value, mean, sd in found)) < 0.7
    assert statistics.fmean(value for value, _, _ in found) > 20


def test_a_small_budget_finds_what_a_normal_model_of_effects_would_not():
    # 60 trials, of them 5 on the first program and 4 to confirm: 5.6 on average (standard error 0.2). Parents drawn by
    # Thompson sampling from a normal model of effects come to 3.9.
    values = [evolved(seed, runs=51)[0] for seed in range(150)]
    assert statistics.fmean(values) > 4.6


def test_prospects_are_those_that_may_be_the_best_or_have_such_a_child():
    beliefs, random = Beliefs(), Random(0)
    beliefs.add(None)
    for _ in range(6):
        beliefs.observe(0, random.gauss(0, 0.1))
    near = [beliefs.add(0) for _ in range(8)]
    for node in near:
        beliefs.observe(node, random.gauss(0, 1))
    hopeless = beliefs.add(0)
    beliefs.observe(hopeless, -1e3)
    failed, waiting = beliefs.add(0), beliefs.add(0)
    beliefs.kill(failed)
    found = {item.node: item for item in beliefs.prospects()}
    assert beliefs.best(1)[0] in found
    assert set(near) <= set(found)
    assert not {hopeless, failed, waiting} & set(found)
    for item in found.values():
        assert (item.mean, item.variance) == (beliefs.mean(item.node), pytest.approx(beliefs.sd(item.node) ** 2))
        assert 0 < item.fertile < 1


def test_the_interval_is_right_where_the_model_is():
    """Values drawn from the model itself, parents chosen blindly: then 95 % are 95 %."""
    hits: list[bool] = []
    for seed in range(60):
        random, beliefs, true = Random(seed), Beliefs(), [0.0]
        beliefs.add(None)
        for _ in range(6):
            beliefs.observe(0, random.gauss(0, 1))
        for _ in range(150):
            parent = random.randrange(len(true))
            true.append(true[parent] + random.gauss(-0.3, 1))
            beliefs.observe(beliefs.add(parent), true[-1] + random.gauss(0, 1))
        beliefs.refresh()
        beliefs._lively = list(range(len(true)))
        beliefs._spread()
        nodes = random.sample(range(len(true)), 20)
        hits += [abs(beliefs.mean(node) - true[node]) < 1.96 * beliefs.sd(node) for node in nodes]
    # The noise is learned from six runs, so that some intervals are too narrow.
    assert 0.85 < statistics.fmean(hits) < 0.995


def test_a_node_of_many_generations_is_reached_without_recursion():
    beliefs = Beliefs()
    beliefs.add(None)
    beliefs.observe(0, 0.0)
    for node, score in zip(range(800), itertools.count(1), strict=False):
        beliefs.observe(beliefs.add(node), float(score))
    assert beliefs.best(1) == [800]


def test_who_brings_no_new_programs_is_asked_about_less_until_a_child_comes():
    beliefs = Beliefs()
    beliefs.add(None)
    for score in (0.0, 0.1, -0.1):
        beliefs.observe(0, score)

    def fertile():
        return beliefs.prospects()[0].fertile

    first = fertile()
    for _ in range(5):
        beliefs.refuse(0)
    assert fertile() < 0.25 * first
    beliefs.add(0)
    assert fertile() == first


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_a_child_that_scores_as_its_parent_is_no_improvement_and_a_clear_gain_is(noise):
    random, beliefs = Random(2), Beliefs()
    beliefs.add(None)
    for _ in range(8):
        beliefs.observe(0, random.gauss(0, noise))
    better = beliefs.add(0)
    beliefs.observe(better, 5.0)
    assert beliefs.improved(better)
    assert not beliefs.improved(0)
    for _ in range(10):
        equal = beliefs.add(better)
        beliefs.observe(equal, 5.0)
        assert not beliefs.improved(equal)
