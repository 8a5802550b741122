import math

import numpy as np
import pytest

from headway.core import Direction, UsageError
from headway.validate import compare_noninferior

BASE = {0: 0.811, 1: 0.805, 2: 0.807, 3: 0.809}
DEAR = {0: 99.0, 1: 101.0, 2: 104.0, 3: 100.0}


def compare(ours, cost=None, margin=0.01, direction: Direction = "maximize"):
    dear = None if cost is None else DEAR
    return compare_noninferior(
        ours, BASE, margin, candidate_cost=cost, baseline_cost=dear, metric="accuracy", cost="seconds",
        direction=direction,
    )  # fmt: skip


def shifted(values, by, wobble=0.001):
    return {key: value + by + wobble * (-1) ** key for key, value in values.items()}


def scaled(by):
    return {key: value * by * (1 + 0.01 * (-1) ** key) for key, value in DEAR.items()}


@pytest.mark.parametrize(
    ("loss", "ratio", "decision", "says"),
    [
        (-0.001, 0.6, "accepted", "as good, and cheaper: accepted."),
        (-0.001, 1.4, "rejected", "as good, but dearer: rejected."),
        (-0.05, 0.6, "rejected", "worse than the margin allows, but cheaper: rejected."),
        (-0.009, 0.6, "undecided", "perhaps worse than the margin allows, but cheaper: undecided."),
        (-0.001, 1.0, "undecided", "as good, but perhaps no cheaper: undecided."),
    ],
)
def test_as_good_and_cheaper_takes_both(loss, ratio, decision, says):
    found = compare(shifted(BASE, loss), scaled(ratio))
    assert found.decision == decision
    assert found.sentence.endswith(says)
    assert found.cost_low is not None
    assert found.cost_high is not None
    assert found.cost_low <= ratio <= found.cost_high


def test_the_margin_is_on_the_worse_side_whatever_the_direction():
    assert compare(shifted(BASE, 0.005), direction="minimize").decision == "accepted"
    assert compare(shifted(BASE, 0.05), direction="minimize").decision == "rejected"
    assert compare(shifted(BASE, -0.05), direction="minimize").decision == "accepted"


def test_an_identical_metric_is_as_good_and_an_identical_cost_is_no_saving():
    assert compare(BASE, scaled(0.5)).decision == "accepted"
    assert "accuracy is identical and seconds is" in compare(BASE, scaled(0.5)).sentence
    assert compare(shifted(BASE, 0.0), DEAR).decision == "rejected"


def test_at_the_margin_few_studies_accept_and_the_cost_interval_covers():
    draw, studies, wrong, held = np.random.default_rng(0), 1500, 0, 0
    for _ in range(studies):
        theirs = dict(enumerate(draw.standard_normal(3).tolist()))
        ours = {seed: value - 1 + float(draw.standard_normal()) for seed, value in theirs.items()}
        cost, dear = (dict(enumerate(np.exp(mean + 0.1 * draw.standard_normal(3)).tolist())) for mean in (-0.5, 0.0))
        found = compare_noninferior(
            ours, theirs, 1.0, candidate_cost=cost, baseline_cost=dear, metric="m", direction="maximize"
        )
        wrong += found.decision == "accepted"
        held += (found.cost_low or 0) <= math.exp(-0.5) <= (found.cost_high or 0)
    assert wrong / studies < 0.025 + 3 * math.sqrt(0.025 * 0.975 / studies)
    assert held / studies == pytest.approx(0.95, abs=0.018)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: compare(BASE, margin=0.0), "allows no loss"),
        (lambda: compare(BASE, {0: 1.0, 1: 0.0, 2: 1.0, 3: 1.0}), "costs above 0"),
        (
            lambda: compare_noninferior(
                BASE, BASE, 0.1, candidate_cost=DEAR, metric="m", direction="maximize"
            ),
            "Costs of one side only",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused(call, says):
    with pytest.raises(UsageError, match=says):
        call()
