import sys

import pytest

import headway
from headway.core import ExperimentError
from headway.experiments import StopLoading, load_file, loading, registered


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(text, name="my_study.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    yield write
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_study_file_is_loaded_with_its_neighbours(study):
    study("value = 42", "neighbour_of_study.py")
    module = load_file(study("import neighbour_of_study\nanswer = neighbour_of_study.value"))
    assert module.answer == 42
    assert sys.modules["my_study"] is module


def test_a_run_without_guard_ends_the_loading_and_keeps_what_stands_above(study):
    text = (
        "import headway\n"
        "@headway.experiment(metric='loss', space={'x': headway.Int(1, 3)})\n"
        "def train(run): return 1\n"
        "headway.Study(train, budget='50 trials').run()\n"
        "raise AssertionError('below the run')\n"
    )
    module = load_file(study(text))
    assert registered(module.train.identity) is module.train
    assert not loading()


def test_run_raises_only_while_a_file_is_loaded(study):
    module = load_file(study("from headway.experiments import loading\nseen = loading()"))
    assert module.seen
    assert not loading()
    assert issubclass(StopLoading, BaseException)
    assert not issubclass(StopLoading, Exception)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("x = 1\ny = = 2\n", 2, "SyntaxError"),
        ("x = 1\n\nraise ValueError('bad data')\n", 3, "ValueError: bad data"),
        ("def f():\n    1 / 0\nf()\n", 2, "ZeroDivisionError"),
        ("import no_such_module_anywhere.part\n", 1, "pip install no_such_module_anywhere"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit"),
    ],
)
def test_an_error_in_a_study_file_names_file_and_line(study, text, line, what):
    path = study(text)
    with pytest.raises(ExperimentError) as error:
        load_file(path)
    assert f"{path}, line {line}" in str(error.value)
    assert what in str(error.value)
    assert not loading()
    assert "my_study" not in sys.modules  # half of a module is none


def test_headways_own_errors_pass_through(study):
    path = study("import headway\nheadway.experiment(metric='')(lambda run: None)\n")
    with pytest.raises(ExperimentError, match="names nothing"):
        load_file(path)


def test_a_file_that_is_not_there_is_answered_with_those_that_are(study, tmp_path):
    with pytest.raises(ExperimentError, match="headway init"):
        load_file(tmp_path / "none.py")
    study("", "other.py")
    with pytest.raises(ExperimentError, match=r"There are: other\.py"):
        load_file(tmp_path / "none.py")
    with pytest.raises(ExperimentError, match="is no Python file"):
        load_file(study("", "notes.txt"))


@pytest.mark.parametrize("name", ["random.py", "my-study.py", "2024.py"])
def test_a_study_file_may_have_an_awkward_name(study, name):
    import random

    assert load_file(study("value = 1", name)).value == 1
    assert sys.modules["random"] is random
    assert headway.__version__
