import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import UsageError
from headway.engine import FullRuns, SuccessiveHalving, make_scheduler

values = st.floats(-1e6, 1e6)


def test_full_runs_wait_nowhere_and_stop_nobody():
    scheduler = FullRuns()
    assert scheduler.rungs == ()
    assert scheduler.described == "full"
    assert scheduler.decide(1, 0, math.nan)


@given(st.integers(2, 5), st.floats(0.01, 0.6))
def test_rungs_grow_by_the_reduction_and_stay_below_the_full_run(reduction, first):
    rungs = SuccessiveHalving("minimize", reduction=reduction, first=first).rungs
    assert rungs[0] == first
    assert all(later == pytest.approx(earlier * reduction) for earlier, later in itertools.pairwise(rungs))
    assert rungs[-1] < 1
    assert rungs[-1] * reduction > 1 - 1e-6


@given(st.lists(values, min_size=1, max_size=40), st.sampled_from(["minimize", "maximize"]))
def test_the_best_so_far_always_runs_on(seen, direction):
    scheduler = SuccessiveHalving(direction)
    best = None
    for trial, value in enumerate(seen):
        goes_on = scheduler.decide(trial, 0, value)
        if best is None or (value < best if direction == "minimize" else value > best):
            best = value
            assert goes_on


@given(st.lists(values, min_size=1, max_size=30, unique=True))
def test_maximizing_is_minimizing_the_negative(seen):
    down, up = SuccessiveHalving("minimize"), SuccessiveHalving("maximize")
    for trial, value in enumerate(seen):
        assert down.decide(trial, 0, value) == up.decide(trial, 0, -value)


@pytest.mark.parametrize("reduction", [2, 3, 4])
def test_about_one_in_reduction_of_many_runs_on(reduction):
    source = random.Random(reduction)
    scheduler = SuccessiveHalving("minimize", reduction=reduction)
    kept = sum(scheduler.decide(trial, 0, source.random()) for trial in range(400))
    assert kept / 400 == pytest.approx(1 / reduction, abs=0.07)


def test_what_arrives_in_the_worst_order_all_runs_on_and_in_the_best_order_only_the_first_ones():
    improving, worsening = SuccessiveHalving("minimize"), SuccessiveHalving("minimize")
    assert [improving.decide(trial, 0, -trial) for trial in range(9)] == [True] * 9
    assert sum(worsening.decide(trial, 0, trial) for trial in range(9)) == 1


def test_equal_values_are_not_stopped_for_being_equal():
    scheduler = SuccessiveHalving("minimize")
    assert all(scheduler.decide(trial, 0, 1.0) for trial in range(10))


def test_rungs_are_judged_apart():
    scheduler = SuccessiveHalving("minimize")
    for trial in range(6):
        scheduler.recall(trial, 0, trial)
    assert not scheduler.decide(9, 0, 5.5)
    assert scheduler.decide(9, 1, 5.5)


def test_without_a_value_a_trial_runs_on_and_with_nan_it_does_not():
    scheduler = SuccessiveHalving("minimize")
    assert scheduler.decide(1, 0, None)
    for value in (math.nan, math.inf, -math.inf):
        assert not scheduler.decide(2, 0, value)
    assert scheduler.decide(3, 0, 1e9)  # what diverged is no rival


@given(st.lists(values, min_size=2, max_size=30))
def test_a_scheduler_that_recalls_decides_as_the_one_that_saw(seen):
    old = SuccessiveHalving("minimize")
    for trial, value in enumerate(seen[:-1]):
        old.decide(trial, 0, value)
    new = SuccessiveHalving("minimize")
    for trial, value in random.Random(1).sample(list(enumerate(seen[:-1])), len(seen) - 1):
        new.recall(trial, 0, value)
    assert old.decide(99, 0, seen[-1]) == new.decide(99, 0, seen[-1])


def test_asking_again_for_the_same_trial_is_no_second_rival():
    scheduler = SuccessiveHalving("minimize")
    assert scheduler.decide(1, 0, 1.0)
    assert scheduler.decide(1, 0, 1.0)


@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("full", "full"),
        ("full()", "full"),
        (" asha ", "asha(reduction=3, first=0.111111)"),
        ("asha(reduction=4)", "asha(reduction=4, first=0.111111)"),
        ("asha( first = 0.25 , reduction = 2 )", "asha(reduction=2, first=0.25)"),
        ("asha()", "asha(reduction=3, first=0.111111)"),
    ],
)
def test_a_scheduler_is_named_with_its_settings(name, described):
    scheduler = make_scheduler(name, "minimize")
    assert scheduler.described == described
    assert make_scheduler(described, "minimize").described == described


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("halving", "'halving' is unknown. Use 'full', 'asha' or"),
        ("ahsa(reduction=3)", "is unknown. Did you mean 'asha'. Use 'full'"),
        ("asha(depth=3)", "unknown setting 'depth'. It takes reduction and first"),
        ("asha(reducton=3)", "'reducton'. Did you mean 'reduction'. It takes"),
        ("full(reduction=3)", r"The scheduler 'full' takes no settings. Use 'full' or 'asha\(reduction=3\)'"),
        ("asha(first=soon)", "Expected a number"),
        ("asha(reduction=1)", "stops nothing"),
        ("asha(first=1)", "stops nothing"),
        ("asha(reduction=nan)", "Expected a whole"),
        ("asha(reduction=2.5)", "Expected a whole"),
    ],
)
def test_a_scheduler_that_cannot_be_meant_is_refused(name, why):
    with pytest.raises(UsageError, match=why):
        make_scheduler(name, "minimize")
