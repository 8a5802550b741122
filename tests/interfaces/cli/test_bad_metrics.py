"""A metric that is no number is the result of its trial, with a reason and a message, and the study goes on.

One study of functions and one of commands, each run once from the command line; a test looks at one trial.
"""

import json
import subprocess
import sys

import pytest

FUNCTIONS = """
import decimal, fractions, headway, importlib, numpy
nan, inf = float("nan"), float("inf")

def torch():  # costs more than a second: in the trials that need it alone
    return importlib.import_module("torch")

WAYS = {
    "fine": lambda run: run.report(loss=0.25),
    "nan logged": lambda run: run.log(loss=nan),
    "inf reported": lambda run: run.report(loss=inf),
    "-inf returned": lambda run: -inf,
    "nan of numpy": lambda run: numpy.float64("nan"),
    "text logged": lambda run: run.log(loss="0.5"),
    "text reported": lambda run: run.report(loss="low"),
    "text returned": lambda run: "0.5",
    "None logged": lambda run: run.log(loss=None),
    "None reported": lambda run: run.report(None),
    "nothing reported": lambda run: run.report(),
    "list logged": lambda run: run.log(loss=[0.5]),
    "dict reported": lambda run: run.report({"loss": 0.5}),
    "dict returned": lambda run: {"loss": 0.5},
    "dict as step": lambda run: headway.log({"loss": 0.5}),
    "number as step": lambda run: run.log(0.5),
    "complex": lambda run: run.report(loss=1j),
    "huge": lambda run: run.report(loss=10**400),
    "tensor of two": lambda run: run.report(loss=torch().tensor([0.5, 1.0])),
    "array of many": lambda run: run.log(loss=numpy.zeros(100_000)),
    "True returned": lambda run: True,
    "silent": lambda run: None,
    "another name": lambda run: run.log(los=0.5),
    "True reported": lambda run: run.report(loss=True),
    "numpy": lambda run: run.log(loss=numpy.float32(0.375)),
    "numpy whole": lambda run: run.report(loss=numpy.int64(3)),
    "numpy returned": lambda run: numpy.array([0.5]),
    "torch returned": lambda run: torch().tensor(0.5, requires_grad=True),
    "decimal": lambda run: decimal.Decimal("0.5"),
    "fraction": lambda run: fractions.Fraction(1, 2),
    "told, and an object returned": lambda run: run.log(loss=0.5) or {"model": 1},
}

@headway.experiment(metric="loss", space={"way": headway.Choice(sorted(WAYS))})
def train(run):
    return WAYS[run.config.way](run)

study = headway.Study(train, name="bad", baseline={"way": "fine"}, sampler="grid", budget="50 trials", seeds=2)
"""
COMMANDS = """
import headway
LINES = ["loss: 0.25", "loss: nan", "loss=-inf", '{"loss": NaN}', "loss: low", "loss: None", '{"loss": "0.5"}',
         '{"loss": null}', '{"loss": true}', "done", "Loss: 0.5"]
train = headway.command("python say.py {line} {seed}", metric="loss", space={"line": headway.Choice(LINES)})
study = headway.Study(train, name="bad", baseline={"line": LINES[0]}, sampler="grid", budget="30 trials", seeds=2)
"""


def results(folder, name):
    """Run the study and return its trials by the one parameter, as the command line tells them."""
    words = [sys.executable, "-m", "headway"]
    run = subprocess.run(
        [*words, "run", "study.py"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    told = subprocess.run([*words, "trials", "--json"], cwd=folder, capture_output=True, text=True, check=True)
    trials = json.loads(told.stdout)["trials"]
    return {trial["config"][name]: trial for trial in trials if trial["seed"] == 0}


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("functions")
    (folder / "study.py").write_text(FUNCTIONS)
    return results(folder, "way")


@pytest.fixture(scope="module")
def commands(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    (folder / "study.py").write_text(COMMANDS)
    (folder / "say.py").write_text("import sys; print(sys.argv[1])")
    return results(folder, "line")


EXPECTED = "Expected a number"


@pytest.mark.parametrize(
    ("way", "reason", "says"),
    [
        ("nan logged", "not finite", ["The objective loss is nan"]),
        ("inf reported", "not finite", ["The objective loss is inf"]),
        ("-inf returned", "not finite", ["The objective loss is -inf"]),
        ("nan of numpy", "not finite", ["The objective loss is nan"]),
        ("text logged", "bad metric", ["The metric 'loss' is the text '0.5'", EXPECTED]),
        ("text reported", "bad metric", ["The metric 'loss' is the text 'low'", EXPECTED]),
        ("text returned", "bad metric", ["returned '0.5' of type str", "Return a number", "run.report(loss=...)"]),
        ("None logged", "bad metric", ["The metric 'loss' is None of type NoneType", EXPECTED]),
        ("None reported", "bad metric", ["The objective is None of type NoneType", EXPECTED]),
        ("nothing reported", "bad metric", ["run.report() got no value", "run.report(loss=0.5)"]),
        ("list logged", "bad metric", ["is [0.5] of type list", EXPECTED]),
        ("dict reported", "bad metric", ["The objective is {'loss': 0.5} of type dict", EXPECTED]),
        ("dict returned", "bad metric", ["returned {'loss': 0.5} of type dict", "run.report(loss=...)"]),
        ("dict as step", "bad metric", ["The step is {'loss': 0.5} of type dict", "run.log(3, loss=0.5)"]),
        ("number as step", "bad metric", ["The step is 0.5 of type float", "run.log(3, loss=0.5)"]),
        ("complex", "bad metric", ["is 1j of type complex", EXPECTED]),
        ("huge", "bad metric", ["000… of type int", EXPECTED]),
        (
            "tensor of two",
            "bad metric",
            ["is tensor([0.5000, 1.0000]) of type Tensor", "or a tensor or array of one element"],
        ),
        ("array of many", "bad metric", ["is array([0., 0., 0.", "of type ndarray", "of one element"]),
        ("True returned", "bad metric", ["returned True of type bool", "Return a number"]),
        ("silent", "no metric", ["ended without 'loss'; it logged nothing", "run.report(loss=...)"]),
        ("another name", "no metric", ["it logged los. Did you mean 'los'? Report it: run.report(loss=...)"]),
    ],
)
def test_what_a_function_gives_in_place_of_a_number_is_a_failed_trial(functions, way, reason, says):
    trial = functions[way]
    assert (trial["state"], trial["reason"], trial["value"]) == ("failed", reason, None)
    assert [text for text in says if text not in trial["message"]] == [], trial["message"]
    assert "BadMetric" not in trial["message"]
    assert len(trial["message"]) < 300


@pytest.mark.parametrize(
    ("way", "value"),
    [
        ("fine", 0.25), ("True reported", 1.0), ("numpy", 0.375), ("numpy whole", 3.0), ("numpy returned", 0.5),
        ("torch returned", 0.5), ("decimal", 0.5), ("fraction", 0.5),
        ("told, and an object returned", 0.5),
    ],
)  # fmt: skip
def test_a_number_is_one_whatever_library_made_it(functions, way, value):
    assert (functions[way]["state"], functions[way]["value"]) == ("complete", value)


def test_every_way_was_tried(functions, commands):
    assert len(functions) == 31
    assert len(commands) == 11


@pytest.mark.parametrize(
    ("line", "reason", "says"),
    [
        ("loss: nan", "not finite", ["The objective loss is nan"]),
        ("loss=-inf", "not finite", ["The objective loss is -inf"]),
        ('{"loss": NaN}', "not finite", ["The objective loss is nan"]),
        ("loss: low", "bad metric", ["printed 'low' as its 'loss'", EXPECTED, "'loss: 0.5'"]),
        ("loss: None", "bad metric", ["printed 'None' as its 'loss'", EXPECTED]),
        ('{"loss": "0.5"}', "bad metric", ["""printed '"0.5"' as its 'loss'""", EXPECTED]),
        ('{"loss": null}', "bad metric", ["printed 'null' as its 'loss'", "headway.log(loss=0.5)"]),
        ('{"loss": true}', "bad metric", ["printed 'true' as its 'loss'", EXPECTED]),
        ("done", "no metric", ["ended without 'loss'; it logged nothing", "print 'loss: VALUE'"]),
        ("Loss: 0.5", "no metric", ["it logged Loss. Did you mean 'Loss'?", "print 'loss: VALUE'"]),
    ],
)
def test_what_a_command_prints_in_place_of_a_number_is_a_failed_trial(commands, line, reason, says):
    trial = commands[line]
    assert (trial["state"], trial["reason"], trial["value"]) == ("failed", reason, None)
    assert [text for text in says if text not in trial["message"]] == [], trial["message"]
