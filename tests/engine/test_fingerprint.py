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
