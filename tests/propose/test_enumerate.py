import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import Choice, Float, Int, Space, canonical_json
from headway.propose._enumerate import Enumeration, permuted
from headway.testing.samplers import FINITE_SPACES


@given(st.integers(1, 600), st.integers(0, 2**63))
def test_permuted_is_a_permutation(count, seed):
    assert sorted(permuted(index, count, seed) for index in range(count)) == list(range(count))


def test_seeds_shuffle_small_sets_in_every_way():
    orders = {tuple(permuted(index, 3, seed) for index in range(3)) for seed in range(200)}
    assert len(orders) == 6


@pytest.mark.parametrize("name", FINITE_SPACES)
def test_enumeration_numbers_each_configuration_once(name):
    enumeration = Enumeration.of_all(FINITE_SPACES[name])
    assert enumeration is not None
    assert len({canonical_json(enumeration.at(index)) for index in range(enumeration.count)}) == enumeration.count


def test_enumeration_agrees_with_brute_force_over_deep_conditions():
    space = Space.of(
        {
            "a": Int(1, 3),
            "b": Choice(["x", "y"], when={"a": [2, 3]}),
            "c": Int(1, 4, when={"b": "x"}),
            "d": Choice([True, False], when={"a": 3, "b": ["x", "y"]}),
            "e": Int(1, 2),
        }
    )
    counts = [parameter.count or 0 for _, parameter in space]
    axes = [[(place + 0.5) / count for place in range(count)] for count in counts]
    brute = {canonical_json(space.at(point)) for point in itertools.product(*axes)}
    enumeration = Enumeration.of_all(space)
    assert enumeration is not None
    assert {canonical_json(enumeration.at(index)) for index in range(enumeration.count)} == brute


def test_a_huge_grid_is_never_written_down():
    space = Space.of({f"x{index}": Float(0, 1) for index in range(60)} | {"width": Int(1, 10**9)})
    grid = Enumeration.grid(space, 5)
    assert grid.count == 5**61
    assert grid.at(grid.count - 1) == {name: 1.0 for name in space.parameters if name != "width"} | {"width": 10**9}


def test_a_real_number_makes_a_space_infinite():
    assert Enumeration.of_all(Space.of({"lr": Float(0, 1)})) is None
    assert Enumeration.of_all(Space.of({"width": Int(1, 10_001)})) is None
    assert Enumeration.of_all(Space.of({"lr": Float(1, 1), "width": Int(1, 10_000)})) is not None
