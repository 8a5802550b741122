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


def agains(helpful_trials, trials):
    """Evolve where changes stop helping after so many trials; return when programs ran again, of eight evolutions."""
    found = []
    for seed in range(8):
        random, beliefs, true = Random(seed), Beliefs(), [0.0]
        beliefs.add(None)
        for _ in range(5):
            beliefs.observe(0, random.gauss(0, 1))
        for trial in range(trials):
            choice = choose(beliefs, random)
            node = choice.node
            if choice.kind == "child":
                helps = trial < helpful_trials and random.random() < 0.4
                true.append(true[node] + random.expovariate(1) * (1 if helps else -1))
                node = beliefs.add(node)
            else:
                found.append(trial)
                assert beliefs.runs(node) < 12
            beliefs.observe(node, true[node] + random.gauss(0, 1))
    return found


def test_programs_run_again_only_once_their_changes_help_no_more():
    found = agains(60, 300)
    assert sum(trial < 60 for trial in found) <= 2
    assert sum(trial >= 180 for trial in found) >= 10


def test_the_first_program_that_ran_often_is_not_run_again():
    beliefs = tree(spread=0.1)
    for _ in range(4):
        beliefs.observe(0, 0.0)
    assert all(choice.node != 0 for choice in kinds(beliefs) if choice.kind == "again")


def test_parents_are_mostly_those_that_may_be_the_best():
    beliefs = tree(spread=100.0)
    parents = [choice.node for choice in kinds(beliefs) if choice.kind == "child"]
    assert parents.count(20) > 0.7 * len(parents)  # a child of the next ones may be better still


def test_of_two_that_are_as_good_the_one_less_known_has_the_child():
    beliefs = tree(spread=1.0)
    known, unknown = beliefs.add(0), beliefs.add(0)
    for _ in range(8):
        beliefs.observe(known, 2.0)
    while beliefs.mean(unknown) < beliefs.mean(known) - 0.05 or not beliefs.runs(unknown):
        beliefs.observe(unknown, 4.0)  # until as much is believed of it
    assert beliefs.runs(unknown) < 4
    parents = [choice.node for choice in kinds(beliefs)]
    assert parents.count(unknown) > 0.8 * len(parents)


def dried_up(score):
    """A best program and one little worse; forty children of the first have this score beside it."""
    random, beliefs = Random(4), Beliefs()
    beliefs.add(None)
    for _ in range(6):
        beliefs.observe(0, random.gauss(0, 0.1))
    for _ in range(20):
        beliefs.observe(beliefs.add(0), random.choice((-1, 0, 0, 1)) + random.gauss(0, 0.1))
    best, next_best = beliefs.add(0), beliefs.add(0)
    for _ in range(4):
        beliefs.observe(best, 3.0 + random.gauss(0, 0.1))
        beliefs.observe(next_best, 2.8 + random.gauss(0, 0.1))
    before = [choice.node for choice in kinds(beliefs)]
    for _ in range(40):
        beliefs.observe(beliefs.add(best), 3.0 + score + random.gauss(0, 0.1))
    return beliefs, best, next_best, before


def test_a_lineage_whose_changes_never_help_is_left_for_one_little_worse():
    beliefs, best, next_best, before = dried_up(-1.0)
    assert before.count(best) > 0.9 * len(before)
    assert beliefs.best(1) == [best]
    after = [choice.node for choice in kinds(beliefs) if choice.kind == "child"]
    assert after.count(best) < 0.1 * len(after)
    assert after.count(next_best) > 0.5 * len(after)


def test_children_that_broke_say_nothing_of_a_lineage():
    beliefs, best, _, _ = dried_up(-1e4)
    after = [choice.node for choice in kinds(beliefs) if choice.kind == "child"]
    assert after.count(best) > 0.9 * len(after)


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
