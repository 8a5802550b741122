"""Tracebacks are read as Python writes them: chains, recursion, syntax errors, groups, and what is printed around."""

import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

from headway.studies.triage.frames import read_crash
from tests.studies.triage.present import some

HERE = Path(__file__).parent


def crash_of(function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:
        return some(read_crash("".join(traceback.format_exception(error)), HERE))
    raise AssertionError


def invert():
    return np.linalg.inv(np.zeros((2, 2)))


def look(name):
    return {}[name]


def wrapped(name):
    try:
        look(name)
    except KeyError as error:
        raise RuntimeError("evaluation failed") from error


def fallen_back():
    try:
        look("cached")
    except KeyError:
        raise ValueError("nothing to compute") from None or None


def handled():
    try:
        look("cached")
    except KeyError:
        return 1 / 0


def down(depth):
    return down(depth + 1)


def ping(depth):
    return pong(depth)


def pong(depth):
    return ping(depth + 1)


def test_the_first_bad_frame_is_the_users_and_not_the_librarys():
    crash = crash_of(invert)
    assert crash.main.exception == "LinAlgError"
    assert crash.main.message == "Singular matrix"
    assert (some(crash.main.frame).file, some(crash.main.frame).function) == ("test_frames.py", "invert")
    assert some(crash.main.frame).source == "return np.linalg.inv(np.zeros((2, 2)))"
    assert not crash.main.frames[-1].users


def test_of_exceptions_raised_from_each_other_the_first_is_the_one_to_look_at():
    crash = crash_of(wrapped, "lr")
    assert [link.exception for link in crash.links] == ["KeyError", "RuntimeError"]
    assert (crash.main.exception, some(crash.main.frame).function) == ("KeyError", "look")


def test_what_was_raised_while_another_was_handled_counts_and_not_what_was_handled():
    crash = crash_of(handled)
    assert [link.exception for link in crash.links] == ["KeyError", "ZeroDivisionError"]
    assert crash.main.exception == "ZeroDivisionError"


def test_a_hidden_context_is_no_part_of_the_chain():
    assert [link.exception for link in crash_of(fallen_back).links] == ["ValueError"]


@pytest.mark.parametrize(("function", "names"), [(down, {"down"}), (ping, {"ping", "pong"})])
def test_an_endless_recursion_is_its_circle_whatever_its_depth(function, names):
    limit = sys.getrecursionlimit()
    found = []
    for depth in (200, 333):
        sys.setrecursionlimit(depth)
        try:
            found.append(crash_of(function, 0))
        finally:
            sys.setrecursionlimit(limit)
    assert [{frame.function for frame in crash.main.circle} for crash in found] == [names, names]


def test_a_traceback_whose_beginning_was_cut_off_is_read():
    text = ""
    try:
        wrapped("lr")
    except RuntimeError as error:
        text = "".join(traceback.format_exception(error))
    cut = text[text.index("line") :]
    assert [link.exception for link in some(read_crash(cut, HERE)).links][-1] == "RuntimeError"


def test_the_last_of_several_tracebacks_in_what_was_printed_counts():
    def text(function):
        try:
            function()
        except Exception as error:
            return "".join(traceback.format_exception(error))
        return ""

    printed = f"step 1 | loss: 2\n{text(invert)}retrying\n{text(handled)}"
    assert [link.exception for link in some(read_crash(printed, HERE)).links] == ["KeyError", "ZeroDivisionError"]


def test_a_syntax_error_has_its_file_and_line_though_no_traceback_begins(tmp_path):
    (tmp_path / "train.py").write_text("x = 1\ny = (\n")
    ended = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    frame = some(some(read_crash(ended.stderr, tmp_path)).main.frame)
    assert (frame.file.rpartition("/")[2], frame.line, frame.function) == ("train.py", 2, "<syntax>")


def test_an_exception_group_is_known_by_what_is_in_it():
    def many():
        raise ExceptionGroup("two", [ValueError("first")])

    assert crash_of(many).main.exception in ("ValueError", "ExceptionGroup")


@pytest.mark.parametrize("tree", ["runs/12/1/work/tree", "templates/41/42/tree"])
def test_a_repositorys_tree_is_not_part_of_a_path(tree):
    text = (
        "Traceback (most recent call last):\n"
        f'  File "/home/me/repo/.headway/{tree}/model/net.py", line 3, in f\n'
        "    g()\nNameError: name 'g' is not defined\n"
    )
    frame = some(some(read_crash(text, Path("/home/me/repo"))).main.frame)
    assert (frame.file, frame.users) == ("model/net.py", True)


def test_text_without_a_traceback_is_no_crash():
    assert read_crash("step 1 | loss: 2\nerror: no such file\n", HERE) is None
    assert read_crash("", HERE) is None
