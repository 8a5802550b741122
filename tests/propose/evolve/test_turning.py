import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headway.core import Choice, Float, Int, Space, UsageError, exists
from headway.propose.evolve import Context, KnobProposer, Program

lows = st.floats(1e-6, 10)
floats = st.tuples(lows, st.floats(1.1, 1e6), st.booleans()).map(lambda t: Float(t[0], t[0] * t[1], log=t[2]))
stepped = st.tuples(st.integers(-5, 5), st.integers(1, 50)).map(lambda t: Float(t[0], t[0] + t[1], step=0.5))
negative = st.floats(0.1, 100).map(lambda size: Float(-size, size))
ints = st.tuples(st.integers(1, 50), st.integers(1, 10**6), st.booleans()).map(
    lambda t: Int(t[0], t[0] + t[1], log=t[2])
)
choices = st.lists(st.sampled_from(["a", "b", 3, 4.5, True]), min_size=2, max_size=4, unique_by=str).map(Choice)
parameters = st.one_of(floats, stepped, negative, ints, choices)
spaces = st.dictionaries(st.sampled_from(["lr", "width", "kind", "depth"]), parameters, min_size=1, max_size=4).map(
    Space.of
)


def propose(space, knobs, seed=0):
    context = Context(
        task="",
        metric="loss",
        direction="minimize",
        parent=Program(number=1, files={"a.py": ""}, score=""),
        knobs=knobs,
        seed=seed,
    )
    return KnobProposer(space).propose(context)


@given(spaces, st.lists(st.floats(0, 1), min_size=4, max_size=4), st.integers(0, 10**9))
def test_a_step_changes_something_and_stays_in_the_space(space, point, seed):
    held = {name: parameter.at(point[place]) for place, (name, parameter) in enumerate(space)}
    found = propose(space, held, seed)
    assert found.config
    for name, value in found.config.items():
        assert value != held[name]
        assert space.parameters[name].problem(value) is None
        assert name in found.note
    space.check({**held, **found.config})
    assert propose(space, held, seed) == found


@given(spaces, st.integers(0, 1000), st.sampled_from([-1e9, 0, 0.0, 1e12, "who", True, float("inf")]))
def test_a_value_outside_of_its_range_is_brought_into_it(space, seed, stray):
    held = dict.fromkeys(space.parameters, stray)
    found = propose(space, held, seed)
    for name, value in found.config.items():
        assert space.parameters[name].problem(value) is None


@given(st.sampled_from(["adam", "muon"]), st.integers(0, 500))
def test_a_knob_turns_only_where_its_condition_holds(optimizer, seed):
    space = Space.of({
        "optimizer": Choice(["adam", "muon"]),
        "momentum": Float(0.8, 0.99, when={"optimizer": "muon"}),
        "beta": Float(0.8, 0.99, when={"optimizer": "adam"}),
    })  # fmt: skip
    held = {"optimizer": optimizer, "momentum": 0.9, "beta": 0.9}
    found = propose(space, held, seed)
    after = {**held, **found.config}
    assert all(exists(space.parameters[name], after) for name in found.config)


@given(st.integers(0, 300))
def test_steps_are_small_on_the_scale_of_the_search(seed):
    space = Space.of({"lr": Float(1e-5, 1e-1, log=True)})
    value = propose(space, {"lr": 1e-3}, seed).config["lr"]
    assert 1e-5 <= value <= 1e-1
    assume(value != 1e-3)


def test_small_ranges_turn_too():
    for seed in range(50):
        assert propose(Space.of({"n": Int(1, 2)}), {"n": 1}, seed).config == {"n": 2}
        assert propose(Space.of({"k": Choice(["a", "b"])}), {"k": "a"}, seed).config == {"k": "b"}


def test_where_nothing_can_turn_it_says_so():
    with pytest.raises(UsageError, match="no knob to turn"):
        KnobProposer(Space.of({}))
    with pytest.raises(UsageError, match="none of the knobs"):
        propose(Space.of({"lr": Float(0, 1)}), {})
    with pytest.raises(UsageError, match="No step changes"):
        propose(Space.of({"n": Int(3, 3)}), {"n": 3})


@given(st.permutations([16, 32, 64, 128, 256]), st.sampled_from([16, 32, 64, 128, 256]), st.integers(0, 300))
def test_of_numbers_to_choose_from_one_near_in_size_comes_next_however_they_are_listed(values, value, seed):
    found = propose(Space.of({"width": Choice(values)}), {"width": value}, seed).config["width"]
    assert found / value in (1 / 4, 1 / 2, 2, 4)


def test_two_places_at_once_are_rare():
    space = Space.of({"width": Choice([16, 32, 64, 128, 256])})
    found = [propose(space, {"width": 64}, seed).config["width"] for seed in range(200)]
    assert 0 < sum(width in (16, 256) for width in found) < 30
    assert min(found.count(32), found.count(128)) > 60
