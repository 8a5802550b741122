"""What a warm repository loads for its candidates beside the evaluator."""

import pytest

from headway.experiments.repositories.warm import _standard_modules


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import math, os.path as p\nfrom concurrent.futures import wait", ["concurrent.futures", "math", "os.path"]),
        ("import numpy\nfrom . import near\nfrom .near import x", []),
        ("def f():\n    import logging", []),
        ("import this\nimport antigravity\nimport tkinter", []),
        ("import statistics\nimport wave", ["wave"]),
        ("def f(:", []),
        ("int main() { return 0; }", []),
    ],
)
def test_the_modules_of_the_standard_library_that_a_program_begins_with(tmp_path, source, modules):
    (tmp_path / "statistics.py").write_text("MINE = 1")  # what lies beside a program comes before the library's
    assert _standard_modules([source], tmp_path) == modules
