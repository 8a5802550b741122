import doctest

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.interfaces.cli import curves, words
from headway.interfaces.cli.curves import plot_lines, sparkline
from headway.interfaces.cli.words import Column, config_text, cut, jsonable, seconds_text, state_text, table_lines

FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@pytest.mark.parametrize("module", [words, curves])
def test_examples_in_docstrings_hold(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@given(st.lists(FLOATS, max_size=200), st.integers(1, 40))
def test_a_sparkline_draws_whatever_was_logged(values, size):
    line = sparkline(values, size)
    assert len(line) == min(size, len(values))


@given(st.lists(st.tuples(st.integers(0, 10**9), FLOATS), max_size=60))
def test_a_plot_keeps_to_its_frame(points):
    lines = plot_lines([step for step, _ in points], [value for _, value in points], columns=30, rows=5)
    assert len(lines) in (0, 7)
    for line in lines[:5]:
        assert len(line.partition("│")[2]) <= 30


@given(st.floats(0, 1e9))
def test_durations_have_at_most_two_units(seconds):
    assert 2 <= len(seconds_text(seconds).split()) <= 4


def test_a_state_is_shape_word_and_colour():
    assert click.unstyle(state_text("accepted")) == "● accepted"
    assert state_text("accepted") != click.unstyle(state_text("accepted"))


def test_no_color_turns_colours_off(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert state_text("failed") == "! failed"


def test_a_table_is_aligned_whatever_its_colours():
    rows = [[state_text("accepted"), "1"], ["x", "1000"]]
    lines = [click.unstyle(line) for line in table_lines([Column("state"), Column("n", right=True)], rows)]
    assert lines == ["state          n", "● accepted     1", "x           1000"]


def test_only_the_elastic_column_gives_way(monkeypatch):
    monkeypatch.setattr(words, "width", lambda: 30)
    lines = table_lines([Column("id"), Column("text", elastic=True), Column("n")], [["1", "w" * 80, "12345"]])
    assert [len(line) for line in map(click.unstyle, lines)][1] == 30
    assert "12345" in lines[1]


def test_beside_a_baseline_only_differences_are_shown():
    assert config_text({"lr": 0.1, "width": 8}, {"lr": 0.01, "width": 8}) == "lr=0.1"
    assert config_text({"lr": 0.1}, {"lr": 0.1}) == "as the baseline"


def test_a_candidate_of_somebodys_own_is_told_from_the_samplers():
    assert words.number_label(3, "sobol", "sobol") == "#3"
    assert words.number_label(3, "anna", "sobol") == "#3 by anna"


def test_cut_keeps_one_line_of_the_size():
    assert cut("a\nb  c", 10) == "a b c"
    assert cut("abcdef", 4) == "abc…"


def test_what_is_not_finite_becomes_null():
    assert jsonable({"a": [float("nan"), 1.0, (float("inf"),)]}) == {"a": [None, 1.0, [None]]}
