"""An OpenEvolve evaluator that stays loaded gives what its steps give: values, reasons, stages, seeds."""

import contextlib

import pytest

from headway.experiments.layouts import find_layout
from headway.experiments.repositories import RepositoryExperiment, base_of
from headway.sandbox import protection
from headway.testing.layouts import perform_trial

PROBLEM = protection().problem
pytestmark = pytest.mark.skipif(bool(PROBLEM), reason=f"no sandbox on this machine: {PROBLEM}")

LOAD = """
import importlib.util, random
def load(path):
    spec = importlib.util.spec_from_file_location("program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
"""
CASCADE = """
COUNT = []
def evaluate(path):
    return {"combined_score": -1.0}
def evaluate_stage1(path):
    COUNT.append(1)
    return {"combined_score": load(path).score(), "first": random.random(), "both": 1.0}
def evaluate_stage2(path):
    return {"combined_score": load(path).score() + 1, "second": random.random(), "both": 2.0}
"""
FORMS = {
    "cascade": CASCADE,
    "asynchronous": "async def inner(path):\n    return {'combined_score': load(path).score()}\n"
    "def evaluate(path):\n    return inner(path)\n",
    "result": "class Result:\n    def __init__(self, metrics): self.metrics = metrics\n"
    "def evaluate(path):\n    return Result({'combined_score': load(path).score(), 'text': 'x', 'yes': True})\n",
    "caught": "def evaluate(path):\n    try: return {'combined_score': load(path).score()}\n"
    "    except Exception as error: return {'combined_score': 0.0, 'error': str(error)}\n",
    "numpy": "import numpy\ndef evaluate(path):\n"
    "    return {'combined_score': numpy.float64(load(path).score()), 'drawn': numpy.random.rand()}\n",
    "relative": "LABEL = float(open('label.txt').read())\n"
    "def evaluate(path):\n    return {'combined_score': load(path).score(), 'label': LABEL}\n",
    "no dictionary": "def evaluate(path):\n    return 1.0\n",
    "variables": "import os\ndef evaluate(path):\n    load(path)\n"
    "    return {'combined_score': float(os.environ['HEADWAY_SEED']), 'home': len(os.environ['HOME']),"
    " 'path': len(os.environ['PATH']), 'here': len(os.getcwd().split('/')[-1])}\n",
}
PROGRAMS = {
    "constant": "def score():\n    return 0.6\n",
    "drawn": "import random\ndef score():\n    return 0.5 + random.random()\n",
    "low": "def score():\n    return 0.1\n",
    "crash": "def score():\n    raise ValueError('on purpose')\n",
    "exit": "def score():\n    raise SystemExit(3)\n",
    "huge": "def score():\n    return 10 ** 400\n",
    "infinite": "def score():\n    return float('inf')\n",
    "text": "def score():\n    return 'x'\n",
    "no program": "def score(:\n",
    "wide": "def score():\n    return 0.7 if not open('/tmp/left', 'a').tell() else 1 / 0\n",
}


@contextlib.contextmanager
def experiment_of(folder, evaluator):
    tree = folder / "repository"
    tree.mkdir(parents=True)
    (tree / "evaluator.py").write_text(LOAD + evaluator)
    (tree / "initial_program.py").write_text("def score():\n    return 0.9\n")
    (tree / "label.txt").write_text("0.25")
    layout = find_layout(tree)
    base = base_of(tree, folder / "store")
    yield RepositoryExperiment.of(layout, base, base.sources(layout.files))


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.parametrize(
    "form", [name if name == "cascade" else pytest.param(name, marks=pytest.mark.slow) for name in FORMS]
)
def test_each_program_comes_to_the_same_warm_and_by_steps(tmp_path, form):
    with experiment_of(tmp_path, FORMS[form]) as experiment, experiment.stand(tmp_path / "standing") as standing:
        for number, (name, text) in enumerate(PROGRAMS.items()):
            found = [
                perform_trial(
                    experiment, tmp_path / way / name, {"initial_program.py": text}, seed=number, standing=held
                )
                for way, held in {"warm": standing, "by steps": None}.items()
            ]
            assert (found[0].reported, found[0].reason) == (found[1].reported, found[1].reason), (name, found)
        assert standing.cpu_seconds > 0


def test_each_stage_of_a_warm_cascade_begins_with_the_seed(tmp_path):
    with experiment_of(tmp_path, CASCADE) as experiment, experiment.stand(tmp_path / "standing") as standing:
        for seed in (1, 2):
            found = perform_trial(
                experiment,
                tmp_path / str(seed),
                {"initial_program.py": PROGRAMS["constant"]},
                seed=seed,
                standing=standing,
            )
            assert found.reported["combined_score"] == 1.6
            assert found.reported["first"] == found.reported["second"]
            assert found.reported["both"] == 2.0
        low = perform_trial(
            experiment, tmp_path / "low", {"initial_program.py": PROGRAMS["low"]}, seed=1, standing=standing
        )
        assert low.reason == "scheduler"
        assert "evaluate_stage1 gave combined_score 0.1; the next stage asks for 0.5" in low.message
