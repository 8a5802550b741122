from decimal import Decimal
from typing import Any

import numpy
import pytest

import headway
from headway.core import ExperimentError
from headway.experiments import BadMetric, FunctionExperiment, Run, experiment, registered


class Recorder:
    granted = 2**64 - 1
    signal = 0

    def __init__(self):
        self.marks = []

    def point(self, metric, step, value):
        self.marks.append((metric, step, value))

    def mark(self, kind, **data):
        self.marks.append((kind, data))

    def disk_refused(self, number):
        self.marks.append(("interrupted", {"errno": number}))

    def wait_at(self, step):
        pass


def perform(function, tmp_path):
    channel = Recorder()
    found = experiment(metric="loss")(function)
    found.run(Run(channel, config={}, seed=0, folder=tmp_path, checkpoint_folder=None))
    return channel.marks


def test_an_experiment_is_known_by_its_file_name_and_metric():
    @experiment(metric="loss", space={"lr": headway.Float(0, 1)})
    def train(run):
        pass

    assert isinstance(train, FunctionExperiment)
    assert train.described["function"].endswith("test_definition.py:" + train.name)
    assert registered(train.identity) is train
    assert (train.metric, train.direction, train.opaque, train.has_seed_channel) == ("loss", "minimize", False, True)
    assert train.source is not None
    assert train.folder == train.source.parent


@pytest.mark.parametrize("value", [1, 0.5, numpy.float32(0.5), numpy.int64(2), numpy.array(0.5), Decimal("0.5")])
def test_a_number_that_is_returned_is_reported(tmp_path, value):
    ((kind, data),) = perform(lambda run: value, tmp_path)
    assert kind == "report"
    assert data["values"] == {"": float(value)}


@pytest.mark.parametrize("value", [True, "0.5", [1], {"loss": 0.5}])
def test_what_else_is_returned_does_not_stand_for_the_metric(tmp_path, value):
    assert perform(lambda run: None, tmp_path) == []
    with pytest.raises(BadMetric, match=r"returned .* of type .*neither logged nor reported 'loss'\. Return a number"):
        perform(lambda run: value, tmp_path)
    assert perform(lambda run: run.log(loss=1) or value, tmp_path) == [("loss", 0, 1.0)]
    assert [mark for mark, _ in perform(lambda run: run.report(1) or value, tmp_path)] == ["report"]


def test_setup_is_what_prepare_returns():
    assert experiment(metric="loss", setup=lambda: [1, 2])(lambda run: None).prepare() == [1, 2]
    assert experiment(metric="loss")(lambda run: None).prepare() is None


@pytest.mark.parametrize("function", [lambda: None, lambda a, b: None])
def test_a_function_of_another_shape_is_refused(function):
    with pytest.raises(ExperimentError, match="must take one argument"):
        experiment(metric="loss")(function)


def test_a_direction_or_metric_that_cannot_be_meant_is_refused():
    with pytest.raises(ExperimentError, match="'minimize' or 'maximize'"):
        experiment(metric="loss", direction="down")(lambda run: None)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ExperimentError, match="names nothing"):
        experiment(metric="")(lambda run: None)


NOTEBOOK = """
{constant} = 1
class Model:
    def forward(self, x):
        return x * {factor}

def helper(x):
    return [Model().forward(item) + {number} + WIDTH for item in [x]][0]

def load():
    return {data}

def train(run):
    return helper(run.config.x)
"""


def in_notebook(constant="WIDTH", factor=1, number=1, data=1):
    """Define a function as a notebook does: no file holds it."""
    scope: Any = {"__name__": "__main__", "WIDTH": 5}
    exec(NOTEBOOK.format(constant=constant, factor=factor, number=number, data=data), scope)
    return experiment(metric="loss", setup=scope["load"])(scope["train"])


def test_in_a_notebook_the_code_counts_and_that_of_what_it_uses():
    first = in_notebook()
    assert first.source is None
    assert first.identity == in_notebook().identity
    changes: list[dict[str, Any]] = [{"constant": "OTHER"}, {"factor": 2}, {"number": 2}, {"data": 2}]
    for change in changes:
        assert in_notebook(**change).identity != first.identity, change
