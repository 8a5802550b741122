"""What single samplers promise beyond the contract that all share."""

import itertools
import math
import random
import statistics
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from headway.core import Choice, Float, Int, Space, UsageError
from headway.propose import GridSampler, Observation, OptunaSampler, RandomSampler, Sampler, SobolSampler

SQUARE = Space.of({"x": Float(0, 1), "y": Float(0, 1)})
CONDITIONAL = Space.of(
    {
        "a": Float(-5, 5),
        "b": Float(-5, 5),
        "deep": Choice([False, True]),
        "c": Float(-5, 5, when={"deep": True}),
        "d": Float(-5, 5, when={"deep": True}),
    }
)


def propose(sampler: Sampler, number: int, history: Sequence[Observation]) -> dict[str, Any]:
    config = sampler.propose(number, history)
    assert config is not None
    return config


def _regret(config):
    regret = (config["a"] - 1) ** 2 + 0.5 * (config["b"] + config["a"]) ** 2
    return regret + (0.4 * (config["c"] - 2) ** 2 + 0.4 * (config["d"] - config["c"]) ** 2 if config["deep"] else 1.5)


def _search(sampler, trials, seed, sign=1.0):
    noise, history = random.Random(seed), []
    for number in range(trials):
        config = propose(sampler, number, history)
        value = sign * (_regret(config) + noise.gauss(0, 0.1))
        history.append(Observation(number=number, config=config, value=value, state="complete"))
    return _regret(min(history, key=lambda seen: sign * seen.value).config)


def test_tpe_beats_random_on_a_noisy_conditional_quadratic():
    tpe = [_search(OptunaSampler(CONDITIONAL, seed=seed, direction="minimize"), 40, seed) for seed in range(12)]
    drawn = [_search(RandomSampler(CONDITIONAL, seed=seed), 40, seed) for seed in range(12)]
    assert statistics.fmean(tpe) < 0.75 * statistics.fmean(drawn)
    assert sum(ours < theirs for ours, theirs in zip(tpe, drawn, strict=True)) >= 8


def test_tpe_maximizes_as_it_minimizes():
    down = _search(OptunaSampler(CONDITIONAL, seed=3, direction="minimize"), 25, 3)
    up = _search(OptunaSampler(CONDITIONAL, seed=3, direction="maximize"), 25, 3, sign=-1.0)
    assert up == pytest.approx(down, rel=0.5)


def test_tpe_keeps_away_from_what_fails():
    space, history = Space.of({"width": Float(0, 1)}), []
    for number in range(40):
        config = propose(OptunaSampler(space, seed=1, direction="minimize"), number, history)
        failed = config["width"] > 0.5  # out of memory
        value = None if failed else -config["width"]
        history.append(Observation(number=number, config=config, value=value, state="failed" if failed else "complete"))
    assert sum(seen.state == "failed" for seen in history[20:]) < 10
    assert max(-seen.value for seen in history if seen.value is not None) > 0.45


def test_tpe_keeps_parallel_proposals_apart():
    space = Space.of({"x": Float(0, 1)})
    history = [
        Observation(number=n, config={"x": n / 20}, value=abs(n / 20 - 0.5), state="complete") for n in range(20)
    ]
    sampler = OptunaSampler(space, seed=0, direction="minimize")
    for number in range(20, 28):
        config = propose(sampler, number, history)
        history.append(Observation(number=number, config=config, value=None, state="pending"))
    proposed = sorted(seen.config["x"] for seen in history[20:])
    assert min(right - left for left, right in itertools.pairwise(proposed)) > 1e-4


def test_tpe_starts_again_when_the_history_is_another_one():
    first = [Observation(number=n, config={"x": n / 20, "y": 0.5}, value=n, state="complete") for n in range(15)]
    second = [Observation(number=n, config={"x": 0.5, "y": n / 20}, value=-n, state="complete") for n in range(12)]
    used = OptunaSampler(SQUARE, seed=0, direction="minimize")
    propose(used, 15, first)
    fresh = OptunaSampler(SQUARE, seed=0, direction="minimize")
    assert propose(used, 12, second) == propose(fresh, 12, second)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_tpe_takes_a_value_that_is_not_finite_for_a_failure(value):
    history = [Observation(number=n, config={"x": n / 20, "y": 0.5}, value=value, state="complete") for n in range(12)]
    failed = [Observation(number=n, config={"x": n / 20, "y": 0.5}, value=None, state="failed") for n in range(12)]
    proposals = [propose(OptunaSampler(SQUARE, seed=0, direction="minimize"), 12, told) for told in (history, failed)]
    assert proposals[0] == proposals[1]


def test_tpe_leaves_optunas_logging_as_it_was(capfd):
    import optuna

    before = optuna.logging.get_verbosity()
    propose(OptunaSampler(SQUARE, seed=0, direction="minimize"), 0, [])
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


def test_sobol_points_fill_every_cell_of_a_square():
    sampler = SobolSampler(SQUARE, seed=5)
    cells = Counter((int(c["x"] * 4), int(c["y"] * 4)) for c in (propose(sampler, n, []) for n in range(64)))
    assert set(cells.values()) == {4}
    assert len(cells) == 16


def test_sobol_finds_any_point_without_a_warning():
    straight = SobolSampler(SQUARE, seed=5)
    points = [propose(straight, number, []) for number in range(200)]
    jumping = SobolSampler(SQUARE, seed=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [propose(jumping, number, []) for number in (7, 199, 0, 0, 100, 3)] == [
            points[number] for number in (7, 199, 0, 0, 100, 3)
        ]


def test_random_draws_follow_each_parameters_scale():
    sampler = RandomSampler(Space.of({"lr": Float(1e-4, 1, log=True), "pick": Choice(["a", "b", "c"])}), seed=0)
    configs = [propose(sampler, number, []) for number in range(3000)]
    decades = Counter(math.floor(math.log10(config["lr"])) for config in configs)
    assert all(650 < decades[decade] < 850 for decade in (-4, -3, -2, -1))
    assert all(900 < count < 1100 for count in Counter(config["pick"] for config in configs).values())


def test_random_does_not_repeat_a_branch_that_has_one_configuration():
    space = Space.of({"clip": Choice([False, True]), "norm": Float(0.1, 10, when={"clip": True})})
    configs = [propose(RandomSampler(space, seed=0), number, []) for number in range(30)]
    assert configs.count({"clip": False}) == 1


def test_grid_counts_and_shuffles_its_combinations():
    space = Space.of({"lr": Float(1e-4, 1, log=True), "layers": Int(1, 2), "opt": Choice(["a", "b"])})
    grid = GridSampler(space, seed=0, points=3)
    assert grid.count == 12
    assert {round(propose(grid, number, [])["lr"], 9) for number in range(12)} == {1e-4, 1e-2, 1.0}
    assert [propose(grid, number, [])["layers"] for number in range(12)] != sorted([1, 2] * 6)


def test_a_grid_without_points_is_refused():
    with pytest.raises(UsageError, match="points=0 is empty"):
        GridSampler(SQUARE, seed=0, points=0)
