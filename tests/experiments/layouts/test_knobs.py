"""Knobs: found, ranged, written back with every other byte in its place, recognised."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import Choice, Float, Int, UsageError
from headway.experiments.layouts import RepositoryKnobs, find_knobs, only_knobs, space_of, write_knobs

SOURCE = '''"""A script: größer."""
import argparse
ASPECT_RATIO = 64       # model_dim = depth * ASPECT_RATIO
WINDOW_PATTERN = "SSSL" # sliding window pattern
TOTAL_BATCH_SIZE = 2**19 # ~524K tokens
EMBEDDING_LR = 0.6
ADAM_BETAS = (0.8, 0.95) # Adam beta1, beta2
WARMUP_RATIO = 0.0
DEPTH: int = 8
COMPILE = True
OPTIMIZER = "adamw"
SEED = 42
LIMIT = -1
H100_BF16_PEAK_FLOPS = 989.5e12
NAME = "größer"; AFTER_NAME = 3.0
twice = 1
CHANGED = 1
CHANGED += 1
def f():
    INNER = 3
    return OPTIMIZER == "muon" or OPTIMIZER in ("sgd", "adamw")
parser = argparse.ArgumentParser()
parser.add_argument("--weight-decay", type=float, default=1e-2)
parser.add_argument("--norm", choices=["layer", "rms"], default="rms")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--steps", type=int)
'''


def test_constants_and_flags_become_a_typed_space():
    parameters = {knob.name: knob.parameter for knob in find_knobs(SOURCE)}
    assert parameters == {
        "ASPECT_RATIO": Choice([16, 32, 64, 128, 256]),
        "WINDOW_PATTERN": None,
        "TOTAL_BATCH_SIZE": Choice([2**17, 2**18, 2**19, 2**20, 2**21]),
        "EMBEDDING_LR": Float(0.06, 6.0, log=True),
        "ADAM_BETAS__0": Float(0.0, 0.98),
        "ADAM_BETAS__1": Float(0.5, 0.995),
        "WARMUP_RATIO": Float(0.0, 1.0),
        "DEPTH": Choice([2, 4, 8, 16, 32]),
        "COMPILE": Choice([True, False]),
        "OPTIMIZER": Choice(["adamw", "muon", "sgd"]),
        "LIMIT": None,
        "H100_BF16_PEAK_FLOPS": None,
        "NAME": None,
        "AFTER_NAME": Float(0.3, 30.0, log=True),
        "weight_decay": Float(0.001, 0.1, log=True),
        "norm": Choice(["rms", "layer"]),
    }
    assert [knob.parameter for knob in find_knobs("LAYERS = 12\nWIDTH = 100\n")] == [Int(6, 24), Int(25, 400, log=True)]


def test_only_the_value_changes_and_powers_stay_powers():
    config = {"TOTAL_BATCH_SIZE": 2**18, "ADAM_BETAS__1": 0.9, "AFTER_NAME": 0.5, "norm": "layer", "COMPILE": False}
    expected = SOURCE
    for old, new in [
        ("2**19 #", "2**18 #"), ("(0.8, 0.95)", "(0.8, 0.9)"), ("AFTER_NAME = 3.0", "AFTER_NAME = 0.5"),
        ('default="rms"', "default='layer'"), ("COMPILE = True", "COMPILE = False"),
    ]:  # fmt: skip
        assert expected.count(old) == 1
        expected = expected.replace(old, new)
    assert write_knobs(SOURCE, config) == expected
    assert only_knobs(SOURCE, expected) == config
    assert write_knobs(SOURCE, {knob.name: knob.value for knob in find_knobs(SOURCE)}) == SOURCE
    with pytest.raises(UsageError, match="Did you mean 'EMBEDDING_LR'"):
        write_knobs(SOURCE, {"EMBEDING_LR": 1.0})
    with pytest.raises(UsageError, match="finite"):
        write_knobs(SOURCE, {"EMBEDDING_LR": float("nan")})


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_marks_and_form_feeds_stay(ends, mark):
    source = mark + ends.join(["# é", "\x0cA = 1.5", "B = 'ü'; C = 2.5  # \u2028 x", ""])
    assert write_knobs(source, {"A": 4.5, "C": 1e-07}) == source.replace("1.5", "4.5").replace("2.5", "1e-07")


@given(st.floats(1e-12, 1e12), st.integers(1, 10**9), st.booleans())
def test_any_value_comes_back(real, whole, truth):
    new = write_knobs("A = 1.0\nB = 7 # x\nC = False\n", {"A": real, "B": whole, "C": truth})
    assert {knob.name: knob.value for knob in find_knobs(new)} == {"A": real, "B": whole, "C": truth}
    space = space_of(find_knobs(new))
    assert space.check({"A": real, "B": whole, "C": truth} if len(space.parameters) == 3 else {})


@pytest.mark.parametrize(
    ("old", "new", "turned"),
    [
        ("0.6", "0.7", {"EMBEDDING_LR": 0.7}),
        ("SSSL", "SL", {"WINDOW_PATTERN": "SL"}),
        ("# ~524K tokens", "# half a million", {}),
        ("DEPTH: int = 8", "DEPTH: int = 8\nEXTRA = 1", None),
        ("INNER = 3", "INNER = 4", None),
        ("SEED = 42", "SEED = 43", None),
        ("(0.8, 0.95)", "(0.8, 0.95, 0.9)", None),
        ("return OPTIMIZER", "return not OPTIMIZER", None),
        ("0.6", "0.6 +", None),
    ],
)
def test_a_proposal_that_only_turns_knobs_is_recognised(old, new, turned):
    assert SOURCE.count(old) == 1
    assert only_knobs(SOURCE, SOURCE.replace(old, new)) == turned


def test_a_name_in_two_files_is_called_after_its_file():
    sources = {"a.py": "LR = 0.1\nWIDTH = 3\n", "b/c.py": "LR = 0.2\n"}
    knobs = RepositoryKnobs.of(sources)
    assert knobs.values == {"a__LR": 0.1, "WIDTH": 3, "b_c__LR": 0.2}
    assert knobs.write(sources, {"b_c__LR": 0.5, "WIDTH": 3}) == {"b/c.py": "LR = 0.5\n"}
    assert knobs.turned(sources, {"b/c.py": "LR = 0.5\n", "a.py": "LR = 0.1\nWIDTH = 4\n"}) == {
        "b_c__LR": 0.5,
        "WIDTH": 4,
    }
    assert knobs.turned(sources, {"new.py": ""}) is None


def test_what_is_no_python_has_no_knobs():
    assert find_knobs("A = = 1") == ()
    assert only_knobs("A = 1", "A = = 1") is None
    assert ast.parse(write_knobs("", {})).body == []
