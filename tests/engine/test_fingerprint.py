import sys
import traceback

import pytest

from headway.engine import fingerprint


def crash(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return fingerprint.of_exception(error, str(error))
    raise AssertionError


def divide(number):
    return number / 0


def look(name):
    return {}[name]


def say(text):
    raise ValueError(text)


def other(text):
    raise ValueError(text)


def wrap(text):
    say(text)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("loss is 3.5 at step 7", "loss is 1e-9 at step 1234"),
        ("gradient -5 too small", "gradient 5 too small"),
        ("object at 0x7f3a", "object at 0xdeadbeef"),
        ("no key 'lr'", "no key 'momentum'"),
        ('no file "a.txt"', 'no file "b.txt"'),
    ],
)
def test_equal_crashes_with_other_numbers_share_a_fingerprint(first, second):
    assert crash(say, first) == crash(say, second)


def test_other_messages_places_ways_and_types_do_not():
    prints = [
        crash(say, "too large"),
        crash(say, "too small"),
        crash(other, "too large"),
        crash(wrap, "too large"),
        crash(divide, 1),
        crash(look, 1),
    ]
    assert len(set(prints)) == len(prints)
    assert all(len(item) == 12 for item in prints)


def test_line_numbers_do_not_count():
    def at(blank_lines):
        scope = {}
        exec(compile("\n" * blank_lines + "def f():\n    raise ValueError('x')", "train.py", "exec"), scope)
        return crash(scope["f"])

    assert at(0) == at(50)


def printed(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        return ["loss: 3", *"".join(traceback.format_exception(error)).splitlines()]
    raise AssertionError


def test_a_traceback_in_a_commands_output_counts_and_not_what_was_printed_before():
    first, second = printed(say, "step 3"), printed(say, "step 9")
    assert fingerprint.of_text(first) == fingerprint.of_text(["loss: 1", "more", *second[1:]])
    assert fingerprint.of_text(first) != fingerprint.of_text(printed(other, "step 3"))


def test_without_a_traceback_the_last_line_counts():
    assert fingerprint.of_text(["a", "error: code 3"]) == fingerprint.of_text(["b", "error: code 4"])
    assert fingerprint.of_text(["error: code 3"]) != fingerprint.of_text(["error: disk"])
    assert fingerprint.of_text([]) == fingerprint.of_text([])


def evaluate(function, *arguments):
    try:
        function(*arguments)
    except Exception as error:
        raise RuntimeError("evaluation failed") from error


def ping(depth):
    return pong(depth + 1)


def pong(depth):
    return ping(depth)


def test_what_one_line_wraps_counts():
    causes = [(look, "lr"), (divide, 3), (say, "x")]
    assert len({crash(evaluate, *cause) for cause in causes}) == len(causes)
    assert crash(evaluate, look, "lr") == crash(evaluate, look, "momentum")
    assert len({fingerprint.of_text(printed(evaluate, *cause)) for cause in causes}) == len(causes)


def test_a_recursion_without_end_is_one_crash_whatever_its_depth():
    limit, found = sys.getrecursionlimit(), []
    for depth in (300, 301, 457):
        sys.setrecursionlimit(depth)
        try:
            found.append(crash(ping, 0))
        finally:
            sys.setrecursionlimit(limit)
    assert len(set(found)) == 1


def test_fingerprints_of_plain_crashes_are_those_of_the_first_records():
    lines = ["Traceback (most recent call last):", '  File "/a/train.py", line 3, in f', "    g()", "KeyError: 'lr'"]
    assert fingerprint.of_text(lines) == "df47416ccdd9"
