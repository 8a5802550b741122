"""The driver that keeps an OpenEvolve evaluator loaded, run as in a warm sandbox: in a Python of its own."""

import json
import subprocess
import sys

import pytest

import headway.experiments.layouts
from headway.experiments.layouts import OpenEvolveLayout

PLAIN = "def evaluate(path):\n    return {'combined_score': 0.5}\n"
ASYNC = "async def evaluate(path):\n    return {'combined_score': 0.5}\n"
WRAPPED = """
class Result:
    metrics = {"combined_score": 0.5}
def evaluate(path):
    return Result()
"""
AWAITABLE = """
class Later:
    def __await__(self):
        return {"combined_score": 0.5}
        yield
def evaluate(path):
    return Later()
"""
ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
import openevolve_evaluate as driver
evaluate = driver.prepare(sys.argv[2], "evaluate", "")
loaded = "asyncio" in sys.modules
print(json.dumps([list(evaluate({"program": "p", "seed": 0})), loaded]))
"""


@pytest.mark.parametrize(
    ("evaluator", "loaded"),
    [(PLAIN, False), (ASYNC, True), (WRAPPED, False), (AWAITABLE, False)],
    ids=["plain", "async", "wrapped", "awaitable"],
)
def test_whatever_an_evaluator_returns_its_metrics_come_and_asyncio_is_loaded_once_where_it_is_needed(
    tmp_path, evaluator, loaded
):
    (tmp_path / "evaluator.py").write_text(evaluator)
    (tmp_path / "initial_program.py").write_text("X = 1\n")
    warm = OpenEvolveLayout.open(tmp_path).warm(tmp_path)
    words = [sys.executable, "-c", ASK, str(warm.driver.parent), str(tmp_path / "evaluator.py")]
    ended = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == [[{"combined_score": 0.5}], loaded]


def test_what_is_no_dict_of_metrics_is_refused(tmp_path):
    (tmp_path / "evaluator.py").write_text("def evaluate(path):\n    return 3.0\n")
    driver = f"{headway.experiments.layouts.__path__[0]}/drivers"
    words = [sys.executable, "-c", ASK, driver, str(tmp_path / "evaluator.py")]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "evaluate returned float. Expected a dict of metrics." in ended.stderr
