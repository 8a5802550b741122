import copy
import doctest
import pickle
from dataclasses import dataclass, replace

import pytest

from headway.core import Limits, UsageError, call_checked, names, nearest, suggestion
from headway.core.names import fields_checked


def test_examples_in_docstrings_hold():
    result = doctest.testmod(names)
    assert (result.attempted > 0, result.failed) == (True, 0)


@pytest.mark.parametrize(
    ("name", "found"), [("budgett", "budget"), ("LR", "lr"), ("lear_rate", "learning_rate"), ("x", None), ("", None)]
)
def test_the_nearest_name_is_found_whatever_its_capitals(name, found):
    assert nearest(name, ["budget", "lr", "learning_rate"]) == found


def test_without_a_near_name_all_are_told():
    assert suggestion("x", ["lr", "width"]) == "Known: lr, width."
    assert suggestion("x", []) == "Known: none."


@call_checked("headway.call(1, lr=0.1)")
def call(first, *, lr, width=8, **others):
    """Say what came."""
    return first, lr, width, others


def test_a_good_call_goes_through():
    assert call(1, lr=2, other=3) == (1, 2, 8, {"other": 3})
    assert (call.__name__, call.__doc__) == ("call", "Say what came.")


@pytest.mark.parametrize(
    ("arguments", "named", "says"),
    [
        ((), {"lr": 1}, r"headway\.call\(\.\.\.\) cannot be called like this: missing a required argument: 'first'"),
        ((1,), {}, r"missing a required .*'lr'\. Example: headway\.call\(1, lr=0\.1\)"),
        ((1, 2), {"lr": 1}, "too many positional arguments"),
    ],
)
def test_another_call_is_refused_with_an_example(arguments, named, says):
    with pytest.raises(UsageError, match=says):
        call(*arguments, **named)


def test_what_goes_wrong_inside_of_a_good_call_stays_what_it_is():
    @call_checked("f(x)")
    def f(x):
        return x + "a"

    with pytest.raises(TypeError, match="unsupported operand"):
        f(1)


@fields_checked("Point(x=1)")
@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    x: int = 0


def test_a_dataclass_whose_names_are_checked_stays_one():
    assert replace(Point(x=1), x=2) == Point(x=2) == copy.deepcopy(Point(x=2))
    assert pickle.loads(pickle.dumps(Limits(wall_seconds=5))) == Limits(wall_seconds=5)
    with pytest.raises(UsageError, match=r"Point\(\.\.\.\) has no parameter 'y'\. Known: x\. Example: Point\(x=1\)"):
        Point(y=1)  # pyright: ignore[reportCallIssue]
