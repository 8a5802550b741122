import json
import math
import random
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import Direction, UsageError
from headway.validate import Decision, compare_paired, further_seeds, paired_evidence
from headway.validate._evidence import count_levels

STUDIES = 2000
values = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda number: round(number, 6))
pairs = st.lists(st.tuples(values, values), min_size=2, max_size=8)
directions = st.sampled_from(["minimize", "maximize"])
OPPOSITE = {"accepted": "rejected", "rejected": "accepted", "undecided": "undecided", "identical": "identical"}


def compare(ours: Iterable[float], theirs: Iterable[float], direction: Direction = "minimize", **settings: Any):
    return compare_paired(
        dict(enumerate(ours)), dict(enumerate(theirs)), metric="loss", direction=direction, **settings
    )


def sides(results: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [ours for ours, _ in results], [theirs for _, theirs in results]


def simulate(count, true_effect, seed, **settings):
    draw = random.Random(seed)
    baseline = [3.0 + draw.gauss(0, 0.3) for _ in range(count)]  # what the seed does to both
    candidate = [value - true_effect + draw.gauss(0, 0.05) for value in baseline]
    return compare(candidate, baseline, **settings)


def printed_interval(sentence):
    match = re.search(r"is (lower|higher) by .* \((?:\S+) % interval (\S+) to (\S+?)(?: adjusted.*)?, ", sentence)
    assert match is not None
    low, high = float(match[2]), float(match[3])
    return (low, high) if match[1] == "lower" else (-high, -low)


@pytest.mark.parametrize("count", [2, 3, 4, 8])
def test_the_printed_interval_covers_the_effect_as_often_as_it_says(count):
    covered = 0
    for seed in range(STUDIES):
        low, high = printed_interval(simulate(count, 0.1, seed * 10 + count).sentence)
        covered += low <= 0.1 <= high
    # 2,000 studies at 95 %: standard error .49 %. Rounding to the digits shown may move an end by 5 % of the width.
    assert 0.95 - 0.018 < covered / STUDIES < 0.95 + 0.018


@pytest.mark.parametrize("comparisons", [1, 5])
def test_without_an_effect_few_studies_decide(comparisons):
    decided = 0
    for study in range(STUDIES // comparisons):
        results = [
            simulate(4, 0.0, 7_000_000 + study * 5 + finalist, comparisons=comparisons)
            for finalist in range(comparisons)
        ]
        decided += any(result.decision != Decision.UNDECIDED for result in results)
    studies = STUDIES // comparisons
    assert decided / studies < 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / studies)


def test_the_seeds_said_to_be_needed_decide_four_times_in_five():
    draw = random.Random(5)
    differences = [0.1 + 0.2 * (-1) ** index for index in range(4)]  # mean .1, sd .23
    needed = compare([-d for d in differences], [0.0] * 3 + [1e-9]).seeds_needed
    assert needed is not None
    count, sd = 4 + needed, 0.2309
    decided = 0
    for _ in range(1000):
        ours = [-(0.1 + draw.gauss(0, sd)) for _ in range(count)]
        decided += compare(ours, [draw.random() * 1e-9 for _ in range(count)]).decision == Decision.ACCEPTED
    assert 0.76 < decided / 1000 < 0.85


@given(pairs, directions)
def test_the_other_direction_turns_every_sign(results, direction):
    ours, theirs = sides(results)
    one = compare(ours, theirs, direction)
    other = compare(ours, theirs, "maximize" if direction == "minimize" else "minimize")
    assert (other.effect, other.low, other.high) == (-one.effect, -one.high, -one.low)
    assert other.decision == OPPOSITE[one.decision]
    assert other.p_value == one.p_value


@given(pairs, directions)
def test_exchanged_sides_turn_every_sign(results, direction):
    ours, theirs = sides(results)
    one, other = compare(ours, theirs, direction), compare(theirs, ours, direction)
    assert (other.effect, other.low, other.high) == (-one.effect, -one.high, -one.low)
    assert (other.candidate_mean, other.baseline_mean) == (one.baseline_mean, one.candidate_mean)
    assert other.decision == OPPOSITE[one.decision]


@given(pairs, directions, st.integers(1, 20))
def test_decision_interval_and_p_value_agree(results, direction, comparisons):
    found = compare(*sides(results), direction, comparisons=comparisons)
    assert found.low <= found.effect <= found.high
    assert (found.decision in ("accepted", "rejected")) == (found.p_value < 1 - found.level) or (
        found.p_value == pytest.approx(0.05)
    )
    if found.decision == "accepted":
        assert found.low > 0
    elif found.decision == "rejected":
        assert found.high < 0
    assert found.decision in found.sentence
    assert json.loads(json.dumps(found.to_json()))["decision"] == found.decision


@given(pairs, st.integers(2, 50))
def test_more_finalists_never_claim_more(results, comparisons):
    alone = compare(*sides(results))
    among = compare(*sides(results), comparisons=comparisons)
    assert among.high - among.low >= alone.high - alone.low
    assert among.decision in (alone.decision, Decision.UNDECIDED)
    assert among.p_value == pytest.approx(min(1.0, alone.p_value * comparisons))


def test_accepted_reads_as_a_sentence():
    found = compare([2.9, 3.12, 3.03, 3.2], [3.0, 3.27, 3.17, 3.3])
    assert found.sentence == (
        "loss is lower by 0.122 ± 0.042 (95 % interval 0.081 to 0.164, 4 paired seeds): accepted."
    )
    assert (found.pairs, found.decision) == (4, "accepted")
    assert found.baseline_mean - found.candidate_mean == pytest.approx(found.effect)


def test_rejected_gives_the_size_of_the_harm():
    found = compare([0.71, 0.72, 0.69], [0.81, 0.825, 0.788], "maximize")
    assert found.sentence == "loss is lower by 0.101 ± 0.009 (95 % interval 0.092 to 0.110, 3 paired seeds): rejected."
    assert found.high < 0


def test_undecided_says_what_it_would_take():
    found = compare([2.9, 3.3, 3.0], [3.0, 3.27, 3.17])
    assert found.decision == "undecided"
    assert found.sentence.endswith(
        f"undecided; about {found.seeds_needed} further seeds would decide an effect of this size."
    )
    tiny = compare([3.0, 3.5, 2.5], [3.5, 3.0, 2.5001])
    assert tiny.seeds_needed is None
    assert tiny.sentence.endswith("undecided; an effect of this size would take more than 1000 seeds.")


def test_finalists_are_named_in_the_sentence():
    assert " adjusted for 3 finalists, 3 paired" in compare([2.9, 3.1, 3.0], [3.0, 3.27, 3.17], comparisons=3).sentence
    assert "the result (adjusted for 3 finalists): undecided" in compare([1.0] * 3, [2.0] * 3, comparisons=3).sentence


def test_identical_results_are_no_evidence_of_anything():
    found = compare([0.1 + 0.2, 2.0], [0.1 + 0.2, 2.0])
    assert (found.decision, found.effect, found.p_value) == ("identical", 0.0, 1.0)
    assert found.sentence == "loss is identical on all 2 paired seeds: the change does not reach it."
    assert compare([0.1 + 0.2, 2.0], [0.3, 2.0]).decision != "identical"


@pytest.mark.parametrize(("count", "decision"), [(2, "undecided"), (3, "accepted"), (4, "accepted")])
def test_a_deterministic_experiment_is_decided_by_three_seeds(count, decision):
    found = compare([0.5] * count, [1.0] * count)
    assert (found.decision, found.low, found.high, found.sd_of_differences) == (decision, 0.5, 0.5, 0.0)
    assert (
        f"lower by exactly 0.5 on each of {count} paired seeds, and the seeds do not change the result"
        in found.sentence
    )
    if decision == "undecided":
        assert found.sentence.endswith("by chance; 1 further seed would decide, if the difference stays the same.")


@pytest.mark.parametrize(("count", "decision"), [(2, "undecided"), (5, "undecided"), (6, "rejected")])
def test_equal_differences_between_unequal_results_need_six_seeds(count, decision):
    theirs = [0.1 * index for index in range(count)]
    found = compare([value + 0.3 for value in theirs], theirs)  # equal up to the rounding of floats
    assert found.decision == decision
    assert found.seeds_needed == (None if decision == "rejected" else 6 - count)


@pytest.mark.parametrize(("count", "decision"), [(2, "undecided"), (3, "accepted")])
def test_noise_that_cancels_in_every_pair_needs_three_seeds_where_the_metric_is_fine(count, decision):
    draw = random.Random(1)
    theirs = [draw.gauss(3.0, 0.01) for _ in range(count)]
    assert compare([value - 0.3 for value in theirs], theirs).decision == decision


@given(st.integers(2, 50), st.integers(3, 8), st.integers(0, 2**32))
def test_levels_are_at_most_those_of_the_metric(cases, count, seed):
    draw = random.Random(seed)
    accuracies = [draw.randint(0, cases) / cases for _ in range(count)]
    assert 1 <= count_levels(accuracies, 1e-14) <= cases


@given(st.integers(3, 8), st.integers(0, 2**32))
def test_real_numbers_have_many_levels(count, seed):
    draw = random.Random(seed)
    assert count_levels([draw.random() for _ in range(count)], 1e-14) > 1000


@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=6), st.integers(2, 6))
def test_chance_agreement_stays_below_the_bound(weights, count):
    shares = [weight / sum(weights) for weight in weights]
    powers = [share**count for share in shares]
    assert sum(powers) ** 2 - sum(power**2 for power in powers) <= 2 / 4**count * (1 + 1e-9)


@given(st.floats(0.1, 0.4), st.integers(0, 2**32))
def test_a_coarse_metric_is_not_taken_for_a_deterministic_one(share, seed):
    draw = random.Random(seed)
    tosses = [float(draw.random() < share) for _ in range(4)]
    found = compare(tosses[:2], tosses[2:])
    assert found.decision in ("undecided", "identical")


def test_seeds_of_one_side_only_do_not_count():
    found = compare_paired(
        {0: 1.0, 1: 1.1, 2: 1.3, 9: math.nan}, {2: 2.0, 1: 2.3, 0: 2.4, 5: -7.0}, metric="loss", direction="minimize"
    )
    assert (found.pairs, round(found.effect, 9)) == (3, 1.1)


def test_fewer_than_two_shared_seeds_are_refused():
    with pytest.raises(UsageError, match=r"has 1: the candidate ran seeds 0, 1, the baseline seeds 1, 2\. Run both"):
        compare_paired({0: 1.0, 1: 1.0}, {1: 1.0, 2: 1.0}, metric="loss", direction="minimize")
    with pytest.raises(UsageError, match="the candidate ran none"):
        compare_paired({}, {1: 1.0, 2: 1.0}, metric="loss", direction="minimize")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(value):
    with pytest.raises(UsageError, match=r"loss of the baseline at seed 1 is (nan|inf)"):
        compare([1.0, 2.0], [1.0, value])


@pytest.mark.parametrize("settings", [{"level": 0.0}, {"level": 95}, {"comparisons": 0}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(UsageError):
        compare([1.0, 2.0], [1.0, 3.0], **settings)


def evidence_of(ours, theirs, direction: Direction = "minimize"):
    return paired_evidence(dict(enumerate(ours)), dict(enumerate(theirs)), direction)


def test_evidence_is_finite_whatever_the_differences():
    same = [3.0, 3.0, 3.0, 3.0]
    assert evidence_of([2.0] * 4, same) == pytest.approx(math.log(128))  # 2 / 4^4: see `exact`
    assert -50 < evidence_of([4.0] * 4, same) < 0
    assert evidence_of(same, same) == pytest.approx(-math.log(2))
    assert evidence_of([2.0, 2.1, 2.2, 2.0], same) > 0 > evidence_of([4.0, 4.1, 4.2, 4.0], same)
    assert evidence_of([4.0, 4.1, 4.2, 4.0], same, "maximize") > 0


def test_evidence_pays_at_most_its_stake_where_nothing_is_better():
    # Under no effect an e-value has a mean of at most 1: with normal noise, coarse noise and a coin's.
    draw = random.Random(0)
    for noise in (lambda: draw.gauss(0, 1), lambda: draw.randint(0, 3), lambda: draw.random() < 0.5):
        values = [evidence_of([noise() for _ in range(4)], [noise() for _ in range(4)]) for _ in range(4000)]
        assert math.fsum(math.exp(value) for value in values) / 4000 < 1.15


def test_further_seeds_bring_the_evidence_there():
    theirs = {seed: 3.0 + 0.1 * (seed % 3) for seed in range(6)}
    ours = {seed: 2.8 + 0.1 * (seed % 2) for seed in range(6)}
    wanted = paired_evidence(ours, theirs, "minimize") + 3
    further = further_seeds(ours, theirs, "minimize", wanted)
    assert further in range(1, 7)
    assert further_seeds({0: 2.0, 1: 2.0}, {0: 3.0, 1: 3.0}, "minimize", math.log(89)) == 2
    assert further_seeds({0: 4.0, 1: 4.0}, {0: 3.0, 1: 3.0}, "minimize", math.log(89)) is None
