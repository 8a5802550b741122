import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headway.core import Choice, Float, Int, Space, SpaceError, canonical_json


def unchecked(value) -> Any:
    return value


units = st.floats(0, 1)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(-5, 5).map(lambda x: x + 0.0), st.text(max_size=3)
)
choices = st.lists(scalars, min_size=1, max_size=5, unique_by=lambda value: (isinstance(value, bool), value))


@st.composite
def floats(draw, when=None):
    log = draw(st.booleans())
    low = draw(st.floats(1e-12, 1e6) if log else st.floats(-1e6, 1e6))
    high = low + draw(st.floats(0, 1e6))
    step = None if log else draw(st.one_of(st.none(), st.sampled_from([0.1, 0.25, 1 / 3, 7.0])))
    return Float(low, high, log, step, when=when)


@st.composite
def ints(draw, when=None):
    log = draw(st.booleans())
    low = draw(st.integers(1, 10**6) if log else st.integers(-(10**12), 10**12))
    high = low + draw(st.integers(0, 10**6))
    return Int(low, high, log, None if log else draw(st.one_of(st.none(), st.integers(1, 1000))), when=when)


@st.composite
def spaces(draw):
    parent = draw(choices)
    when = {"parent": draw(st.lists(st.sampled_from(parent), min_size=1, max_size=2))}
    return Space.of(
        {
            "child": draw(st.one_of(floats(when), ints(when))),
            "parent": Choice(parent),
            "real": draw(floats()),
            "whole": draw(ints()),
            "constant": draw(scalars),
        }
    )


@given(spaces(), st.lists(units, min_size=4, max_size=4))
def test_every_point_of_the_cube_is_a_configuration(space, point):
    config = space.at(point)
    assert space.check(config) == config
    assert canonical_json(space.check(config)) == canonical_json(config)
    assert json.loads(canonical_json(config)) == config
    assert ("child" in config) == (config["parent"] in space.parameters["child"].when["parent"])


@given(spaces(), st.lists(units, min_size=4, max_size=4))
def test_a_space_survives_its_json(space, point):
    again = Space.from_json(json.loads(canonical_json(space.to_json())))
    assert again.digest == space.digest
    named = dict(zip(space.parameters, point, strict=True))
    assert canonical_json(again.at(named)) == canonical_json(space.at(named))


@given(st.one_of(floats(), ints(), choices.map(Choice)), units, units)
def test_numbers_grow_with_the_quantile(parameter, left, right):
    low, high = sorted((left, right))
    if isinstance(parameter, Choice):
        order = [canonical_json(value) for value in parameter.values]  # False == 0, and both may be choices
        assert order.index(canonical_json(parameter.at(low))) <= order.index(canonical_json(parameter.at(high)))
    else:
        assert parameter.low <= parameter.at(low) <= parameter.at(high) <= parameter.high


@given(st.one_of(floats(), ints(), choices.map(Choice)), st.integers(1, 9))
def test_a_grid_holds_distinct_values_of_the_parameter(parameter, points):
    grid = parameter.grid(points)
    assert len({canonical_json(value) for value in grid}) == len(grid)
    assert all(parameter.problem(value) is None for value in grid)
    assert len(grid) <= points or isinstance(parameter, Choice)


@given(st.one_of(floats(), ints(), choices.map(Choice)))
def test_a_large_enough_grid_holds_every_value(parameter):
    assume(parameter.count is not None and parameter.count <= 2000)
    assert len(parameter.grid(parameter.count)) == parameter.count
    assert parameter.at(0.37) in parameter.grid(parameter.count + 5)


def test_ends_of_the_scale_are_reached():
    assert (Float(1e-4, 1e-1, log=True).at(0), Float(1e-4, 1e-1, log=True).at(1)) == (1e-4, 1e-1)
    assert [Int(1, 3).at(u) for u in (0, 0.34, 0.67, 1)] == [1, 2, 3, 3]
    assert Float(1e-4, 1.0, log=True).at(0.5) == pytest.approx(1e-2)
    assert Float(1e-4, 1.0, log=True).grid(5) == [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    assert Float(0, 0.3).grid(4) == [0.0, 0.1, 0.2, 0.3]


def test_whole_numbers_are_equally_likely():
    counts = [sum(Int(1, 4).at((i + 0.5) / 400) == value for i in range(400)) for value in (1, 2, 3, 4)]
    assert counts == [100, 100, 100, 100]


def test_steps_are_the_decimals_that_people_type():
    assert Float(0.0, 1.0, step=0.1).grid(99) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert Float(0.0, 0.95, step=0.1).grid(99)[-1] == 0.9
    assert Int(64, 200, step=48).grid(9) == [64, 112, 160]


def test_equal_values_share_one_text():
    space = Space.of({"x": Float(-1, 1), "flag": Choice([True, 1])})
    assert canonical_json(space.check({"x": -0.0, "flag": 1})) == canonical_json(space.check({"x": 0, "flag": 1}))
    assert canonical_json(space.check({"x": 0, "flag": 1})) != canonical_json(space.check({"x": 0, "flag": True}))


def test_constants_are_filled_in_and_names_sorted():
    space = Space.of({"z": Int(1, 2), "batch": 32, "a": Choice(["x"])})
    assert list(space.check({"z": 1, "a": "x"}).items()) == [("a", "x"), ("batch", 32), ("z", 1)]


def test_check_lists_everything_that_is_wrong_at_once():
    space = Space.of(
        {
            "lr": Float(0, 1),
            "opt": Choice(["a", "b"]),
            "mu": Float(0, 1, when={"opt": "b"}),
            "n": Int(1, 4),
            "batch": 32,
        }
    )
    with pytest.raises(SpaceError) as caught:
        space.check({"lr": 2, "opt": "a", "mu": 0.5, "layer": 3, "batch": 64})
    for part in (
        "'lr' is 2",
        "'mu' exists only when opt is 'b'",
        "'n' is missing",
        "'layer' is unknown",
        "'batch' is the",
    ):
        assert part in str(caught.value)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(SpaceError, match=r"'learning_rat' is unknown \(did you mean 'learning_rate'\?\)"):
        Space.of({"learning_rate": Float(0, 1)}).check({"learning_rate": 0.5, "learning_rat": 1})


@pytest.mark.parametrize("value", ["1", True, None, math.nan, math.inf, 10**400, [1.0]])
def test_what_is_no_number_in_range_is_refused(value):
    for parameter in (Float(0, 1), Int(0, 1)):
        with pytest.raises(SpaceError, match="expected a"):
            Space.of({"x": parameter}).check({"x": value})


def test_a_grandchild_needs_its_whole_line():
    space = Space.of(
        {
            "c": Int(1, 2, when={"b": True}),
            "b": Choice([True, False], when={"a": "x"}),
            "a": Choice(["x", "y"]),
        }
    )
    assert list(space.parameters) == ["a", "b", "c"]
    assert space.check({"a": "y"}) == {"a": "y"}
    assert space.check({"a": "x", "b": False}) == {"a": "x", "b": False}
    with pytest.raises(SpaceError, match="'c' exists only when b is True"):
        space.check({"a": "y", "c": 1})


def test_a_condition_may_name_a_constant():
    space = Space.of({"opt": "sgd", "mu": Float(0, 1, when={"opt": "sgd"}), "beta": Float(0, 1, when={"opt": "adam"})})
    assert space.at([0.5, 0.5]) == {"mu": 0.5, "opt": "sgd"}


def test_order_and_spelling_do_not_change_the_digest():
    parts = {"a": Choice(["x", "y"]), "b": Int(1, 2, when={"a": "x"}), "c": 3}
    digests = {Space.of(dict(order)).digest for order in itertools.permutations(parts.items())}
    assert digests == {Space.of({**parts, "b": Int(1, 2, when={"a": ["x"]})}).digest}
    assert Space.of({"a": Float(0, 1)}).digest == Space.of({"a": Float(0.0, 1.0)}).digest
    assert Space.of({"a": Float(0, 1)}).digest != Space.of({"a": Int(0, 1)}).digest


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Float(1, 0), r"Swap them: Float\(0, 1\)"),
        (lambda: Float(0, 1, log=True), "Start above 0"),
        (lambda: Float(0, math.inf), "finite bounds"),
        (lambda: Float(-1.7e308, 1.7e308), "finite bounds"),
        (lambda: Float(0, 1, step=0), "one positive step"),
        (lambda: Float(0, 1, step=math.nan), "one positive step"),
        (lambda: Float(1, 2, log=True, step=0.5), "without a step"),
        (lambda: Int(unchecked(0.5), 2), "use Float"),
        (lambda: Int(True, 2), "whole number"),
        (lambda: Choice([]), "nothing to choose"),
        (lambda: Choice("adamw"), "Give a list"),
        (lambda: Choice([1, 1.0]), "names a value twice"),
        (lambda: Choice([math.nan]), "no JSON form"),
        (lambda: Choice([unchecked(["a"])]), "name it"),
        (lambda: Space.of({"learning rate": 1}), "no identifier"),
        (lambda: Space.of({"lr": unchecked([1, 2])}), r"write Choice\(\[1, 2\]\)"),
        (lambda: Space.of({"a": Int(1, 2, when={"b": 1})}), "'b' is not in the space"),
        (lambda: Space.of({"a": Int(1, 2, when={"b": 1}), "b": Int(1, 2, when={"a": 1})}), "form a circle"),
    ],
)
def test_a_space_that_cannot_be_meant_is_refused(build, message):
    with pytest.raises(SpaceError, match=message):
        build()
