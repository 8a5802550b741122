from random import Random

import pytest

from headway.propose.evolve import Beliefs, choose


def tree(spread, seed=0):
    """A first program whose noise is known well, and ten children with scores of this spread around it."""
    random, beliefs = Random(seed), Beliefs()
    beliefs.add(None)
    for _ in range(10):
        beliefs.observe(0, random.gauss(0, 1))
    for index in range(20):
        beliefs.observe(beliefs.add(0), spread * (index - 10) / 10)
    return beliefs


def kinds(beliefs, draws=200):
    random = Random(7)
    return [choose(beliefs, random) for _ in range(draws)]


def test_nothing_runs_again_where_scores_repeat_exactly():
    beliefs = Beliefs()
    beliefs.add(None)
    beliefs.observe(0, 0.5)
    beliefs.observe(0, 0.5)
    for score in (0.5, 0.7, 0.4, 0.9):
        beliefs.observe(beliefs.add(0), score)
    assert {choice.kind for choice in kinds(beliefs)} == {"child"}


def test_what_runs_again_is_uncertain_beside_the_effects_that_are_sought():
    beliefs = tree(spread=0.1)  # far below the noise
    node = 0
    for generation in range(6):  # each a guess upon a guess: the last ones are the best, and nobody knows by how much
        node = beliefs.add(node)
        beliefs.observe(node, 0.4 * generation)
    again = [choice for choice in kinds(beliefs) if choice.kind == "again"]
    assert again
    for choice in again:
        assert beliefs.sd(choice.node) > 1.6 * beliefs.effect_sd
        assert beliefs.runs(choice.node) < 12
    certain = tree(spread=100.0)  # far above it
    assert not [choice for choice in kinds(certain) if choice.kind == "again"]


def test_the_first_program_that_ran_often_is_not_run_again():
    beliefs = tree(spread=0.1)
    for _ in range(4):
        beliefs.observe(0, 0.0)
    assert all(choice.node != 0 for choice in kinds(beliefs) if choice.kind == "again")


def test_parents_are_mostly_those_that_may_be_the_best():
    beliefs = tree(spread=100.0)
    parents = [choice.node for choice in kinds(beliefs) if choice.kind == "child"]
    assert parents.count(20) > 0.7 * len(parents)  # a quarter are drawn for what a child would be worth


def test_a_favourite_by_luck_is_left_once_its_children_disappoint():
    random = Random(1)
    beliefs = tree(spread=1.0)
    lucky = beliefs.add(0)
    beliefs.observe(lucky, 4.0)  # four sds of noise above what it is worth
    before = sum(choice.node == lucky for choice in kinds(beliefs))
    for _ in range(25):
        beliefs.observe(beliefs.add(lucky), random.gauss(0, 1))
    after = sum(choice.node == lucky for choice in kinds(beliefs))
    assert before > 100
    assert after < before / 3


def test_a_choice_needs_a_score():
    beliefs = Beliefs()
    beliefs.add(None)
    with pytest.raises(ValueError, match="No program has a score yet"):
        choose(beliefs, Random(0))


def test_the_same_seed_chooses_the_same():
    assert kinds(tree(0.5)) == kinds(tree(0.5))


def test_equal_scores_are_no_noise_whatever_their_mean_rounds_to():
    beliefs = Beliefs()
    beliefs.add(None)
    for _ in range(7):
        beliefs.observe(0, 0.9239570000000001)
    for score in (1.8635, 1.9201, 0.923957):
        beliefs.observe(beliefs.add(0), score)
    assert beliefs.deterministic
    random = Random(1)
    assert {choose(beliefs, random).kind for _ in range(200)} == {"child"}
