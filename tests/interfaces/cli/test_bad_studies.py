"""What people get wrong in what a study file declares: one message, one exit code, no trace in the record.

`refused` (conftest) checks the exit code, the message, its JSON form, and that nothing was written.
"""

import pytest

from tests.interfaces.cli.conftest import FIRST as STUDY

COMMAND = """
import headway
train = headway.command("python train.py {lr}", metric="loss", space={"lr": headway.Float(0.1, 1.0)})
study = headway.Study(train, name="first", baseline={"lr": 0.5}, budget="8 trials", seeds=2)
"""
RANGE = "headway.Float(0.1, 1.0)"
SPACE = '{"lr": headway.Float(0.1, 1.0)}'
BUDGET = 'budget="8 trials"'
METRIC = 'metric="loss"'


def with_limits(limits: str) -> str:
    return STUDY.replace(f"space={SPACE}", f"space={SPACE}, {limits}")


UNKNOWN = [
    (BUDGET, 'budgett="8 trials"', ["headway.Study(...) has no parameter 'budgett'", "Did you mean 'budget'?"]),
    (
        BUDGET,
        f"{BUDGET}, epochs=3",
        ["no parameter 'epochs'", "Known: experiment, name, baseline, candidates"],
    ),
    (BUDGET, f'{BUDGET}, sampler="sobl"', ["There is no sampler 'sobl'. Did you mean 'sobol'?", "grid, random"]),
    (BUDGET, f'{BUDGET}, scheduler="ahsa"', ["scheduler 'ahsa' is unknown. Did you mean 'asha'?", "'full', 'asha'"]),
    (BUDGET, f'{BUDGET}, scheduler="asha(reducton=3)"', ["'reducton'. Did you mean 'reduction'?"]),
    (BUDGET, f'{BUDGET}, scheduler="full(reduction=3)"', ["'full' takes no settings", "'asha(reduction=3)'"]),
    ('{"lr": 0.5}', '{"lrr": 0.5}', ["baseline", "'lrr' is unknown (did you mean 'lr'?)", "'lr' is missing"]),
    (METRIC, 'metrics="loss"', ["@headway.experiment(...) has no parameter 'metrics'. Did you mean 'metric'?"]),
    (f"space={SPACE}", f"sapce={SPACE}", ["no parameter 'sapce'", "Did you mean 'space'?"]),
    (RANGE, "headway.Float(min=0.1, max=1.0)", ["headway.Float(...) has no parameter 'min'", "low, high, log"]),
    (RANGE, "headway.Int(1, 8, logg=True)", ["headway.Int(...) has no parameter 'logg'", "'log'"]),
    (RANGE, "headway.Flaot(0.1, 1.0)", ["no attribute 'Flaot'", "Did you mean 'Float'?"]),
    (BUDGET, "budget=headway.Budget(trails=8)", ["headway.Budget(...) has no parameter 'trails'", "'trials'"]),
    (
        f"space={SPACE}",
        f"space={SPACE}, limits=headway.Limits(wall_second=3)",
        ["headway.Limits(...) has no parameter 'wall_second'. Did you mean 'wall_seconds'?"],
    ),
    (
        f"space={SPACE}",
        f"space={SPACE}, needs=headway.Needs(core=3)",
        ["headway.Needs(...) has no parameter 'core'. Did you mean 'cores'?"],
    ),
    (
        SPACE,
        '{"opt": headway.Choice(["a", "b"]), "lr": headway.Float(0.1, 1.0, when={"optt": "a"})}',
        ["'lr' exists only when optt is 'a'", "'optt' is not in the space. Did you mean 'opt'?"],
    ),
]


@pytest.mark.parametrize(("old", "new", "says"), UNKNOWN)
def test_an_unknown_key_is_answered_with_the_nearest(refused, write, old, new, says):
    write(STUDY.replace(old, new))
    refused("run", "study.py", says=says)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (METRIC, 'metrics="loss"', ["headway.command(...) has no parameter 'metrics'", "'metric'"]),
        ("{lr}", "{lrr}", ["uses {lrr}", "its space has lr, seed", "Did you mean 'lr'?"]),
        (METRIC, f'{METRIC}, inputs="data.txt"', ["inputs='data.txt' is one text", "inputs=['data.txt']"]),
        (METRIC, f'{METRIC}, patterns={{"loss": "loss ("}}', ["'loss (' of the metric 'loss'", "no regular expr"]),
        ('"python train.py {lr}"', '["python", "train.py"]', ["['python', 'train.py'] is no text", "as in a shell"]),
        ('"lr":', '"seed":', ["The parameter 'seed'", "Give it another name"]),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(refused, write, old, new, says):
    write(COMMAND.replace(old, new))
    refused("run", "study.py", says=["study.py, line 3", *says])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (f"{METRIC}, ", "", ["missing a required", "'metric'", 'Example: @headway.experiment(metric="loss"']),
        (METRIC, 'metric=""', ["metric='' names nothing", 'metric="loss"']),
        (METRIC, "metric=None", ["metric=None names nothing"]),
        (METRIC, f'{METRIC}, direction="maximise"', ["'maximise' is unknown. Did you mean 'maximize'?"]),
        (f"({METRIC}, space={SPACE})", "", ["@headway.experiment(...) cannot be called like this", "Example: "]),
        ("def train(run)", "def train()", ["train() must take one argument", "def train(run)"]),
        (METRIC, f"{METRIC}, setup=3", ["setup=3 cannot be called"]),
    ],
)
def test_a_metric_or_function_that_is_missing_or_wrong_is_named_with_its_place(refused, write, old, new, says):
    assert old in STUDY
    write(STUDY.replace(old, new))
    refused("run", "study.py", says=["study.py, line ", *says])


@pytest.mark.parametrize(
    ("space", "says"),
    [
        ('{"lr": headway.Float(1.0, 0.1)}', ["Float(1.0, 0.1) has low above high", "Swap them: Float(0.1, 1.0)"]),
        ('{"lr": headway.Int(8, 1)}', ["Int(8, 1) has low above high", "Int(1, 8)"]),
        ('{"lr": headway.Float("a", 1)}', ["Float has low='a'. Expected a number"]),
        ('{"lr": headway.Float(None, 1)}', ["Float has low=None. Expected a number"]),
        ('{"lr": headway.Float(0, float("nan"))}', ["Float(0, nan) is not bounded. Give finite bounds"]),
        ('{"lr": headway.Float(0, 1, log=True)}', ["Start above 0"]),
        ('{"lr": headway.Float(0, 1, step="a")}', ["step='a'. Expected a number"]),
        ('{"lr": headway.Int(0, 9, step=0.5)}', ["step=0.5. Expected a whole number"]),
        ('{"lr": headway.Choice("abc")}', ["Choice('abc') has nothing to choose from", "Give a list"]),
        ('{"lr": headway.Choice(3)}', ["Choice(3)", "Give a list"]),
        ('{"lr": headway.Choice("a", "b")}', ["headway.Choice(...) cannot be called like this", 'Choice(["adamw"']),
        ('{"lr": [0.1, 1.0]}', ["'lr' is [0.1, 1.0]", "Float(low, high)", "Choice([0.1, 1.0])"]),
        ('{"lr": {"low": 0.1}}', ["'lr' is {'low': 0.1}", "Float(low, high)"]),
        ('["lr"]', ["The space ['lr'] is of type list", 'Expected names and what they may be: {"lr": headway.Float']),
        ("{3: headway.Int(1, 8)}", ["name 3 is no identifier"]),
        ('{"lr": float("inf")}', ["'lr' is inf", "Give a finite number"]),
        ('{"lr": headway.Int(1, 8, when="opt")}', ["when='opt'", "Expected a dict"]),
        (
            '{"opt": headway.Choice(["a"]), "lr": headway.Int(1, 8, when={"opt": "c"})}',
            ["only when opt is 'c', but 'opt' can never be 'c': expected one of ['a']"],
        ),
    ],
)
def test_a_space_that_cannot_be_meant_says_what_would_be(refused, write, space, says):
    write(STUDY.replace(SPACE, space))
    refused("run", "study.py", says=["study.py, line 4", *says])


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ("limits=headway.Limits(wall_seconds=0)", ["wall_seconds=0", "end every trial at once", "above 0"]),
        ('limits=headway.Limits(wall_seconds="3")', ["wall_seconds='3'", "finite number above 0"]),
        ('limits=headway.Limits(cpu_seconds=float("nan"))', ["cpu_seconds=nan", "finite number above 0"]),
        (
            'limits={"wall_seconds": 3}',
            ["limits={'wall_seconds': 3} is of type dict", "limits=headway.Limits(wall_seconds"],
        ),
        ("needs=headway.Needs(cores=0)", ["cores=0", "whole number from 1"]),
        ("needs=headway.Needs(cores=1.5)", ["cores=1.5", "whole number from 1"]),
        ('needs={"cores": 2}', ["needs={'cores': 2} is of type dict", "needs=headway.Needs(cores=2)"]),
    ],
)
def test_needs_and_limits_that_cannot_be_meant_are_refused(refused, write, limits, says):
    write(with_limits(limits))
    refused("run", "study.py", says=["study.py, line 4", *says])


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        ('"0 trials"', ["The budget '0 trials' runs nothing", "'24 trials', '2 hours'"]),
        ('"0 h"', ["The budget '0 h' runs nothing", "'24 trials', '2 hours'"]),
        ('"-3 trials"', ["'-3 trials' runs nothing"]),
        ('"8 trials or 0 s"', ["'0 s' is not above 0"]),
        ('"8 trails"', ["unknown unit 'trails'. Did you mean 'trials'?"]),
        ('"1 trial"', ["A budget of 1 trials cannot reach a verdict", "Give at least 6"]),
        ('""', ["The budget '' cannot be read"]),
        ("8", ["The budget 8 of type int cannot be read", "Expected amounts such as '24 trials'"]),
        ("None", ["The budget None of type NoneType"]),
        ('{"trails": 8}', ["The budget {'trails': 8} of type dict", "'24 trials'"]),
        ("headway.Budget(trials=0)", ["Budget(trials=0) runs nothing", "whole number from 1"]),
        ("headway.Budget(trials=8.5)", ["Budget(trials=8.5)", "whole number from 1"]),
        ('headway.Budget(seconds=float("nan"))', ["Budget(seconds=nan)", "above 0"]),
    ],
)
def test_a_budget_of_nothing_is_refused_in_the_file(refused, write, budget, says):
    write(STUDY.replace(BUDGET, f"budget={budget}"))
    refused("run", "study.py", says=["study.py, line 8", *says])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seeds=2", 'seeds="2"', ["seeds='2' is no whole number", "from 2"]),
        ("seeds=2", "seeds=2.5", ["seeds=2.5 is no whole number"]),
        ("seeds=2", "seeds=2, finalists=True", ["finalists=True is no whole number"]),
        ("seeds=2", "seeds=2, workers=0", ["workers=0 run nothing", "at least 1"]),
        ("seeds=2", "seeds=2, seed=-1", ["seed=-1 is below 0"]),
        ("seeds=2", 'seeds=2, level="high"', ["level='high' is no confidence level", "0.95"]),
        ("seeds=2", "seeds=2, sampler=None", ["sampler=None is no name", 'sampler="sobol"']),
        ("seeds=2", "seeds=2, scheduler=3", ["scheduler=3 is no name", 'scheduler="asha"']),
        ('name="first"', "name=3", ["name=3 is no name", 'name="first"']),
        ('name="first"', 'name="a\\nb"', ["name='a\\nb' is no name"]),
        ('{"lr": 0.5}', "[0.5]", ["baseline", "[0.5] is no configuration", "each of: lr"]),
        ('{"lr": 0.5}', '{"lr": "fast"}', ["'lr' is 'fast': expected a finite number in [0.1, 1.0]"]),
        ('{"lr": 0.5}', '{"lr": float("nan")}', ["'lr' is nan: expected a finite number in [0.1, 1.0]"]),
        ("Study(train,", "Study(print,", ["Study got <built-in function print>", "@headway.experiment"]),
        ("Study(train,", "Study(", ["missing a required argument: 'experiment'", "Example: headway.Study(train"]),
    ],
)
def test_a_study_that_cannot_be_meant_is_refused(refused, write, old, new, says):
    write(STUDY.replace(old, new))
    refused("run", "study.py", says=["study.py, line 8", *says])


@pytest.mark.parametrize("backend", ["local", "inline"])
def test_more_gpus_than_there_are_leave_no_trace(refused, write, backend):
    write(with_limits("needs=headway.Needs(gpus=800)"))
    refused("run", "study.py", "--backend", backend, says=["needs 800 GPUs, and this machine shows", "needs.gpus"])


def test_two_studies_of_one_name_in_a_file_are_refused(refused, write):
    write(STUDY + 'other = headway.Study(train, name="first", budget="9 trials", seeds=2)\n')
    refused("run", "study.py", says=["declares two studies 'first'", "name="])
