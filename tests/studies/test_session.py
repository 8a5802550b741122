"""Sessions of a study as Python runs them: scripts with and without a guard, notebooks, Ctrl-C, definitions."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest

from headway.core import DefinitionChanged, StudyBusy, UsageError
from headway.engine import EngineSettings
from headway.experiments import load_file
from headway.sandbox import processes
from headway.store import Store
from headway.studies import QuietObserver, record_of, run_study, studies_in

STUDY = """
import random, time
import headway

@headway.experiment(metric="loss", space={"x": headway.Int(0, 9)})
def train(run):
    value = (run.restore() or {"value": 0.0})["value"]
    for step in run.steps(10):
        value += random.random()
        run.log(loss=value)
        run.checkpoint({"value": value})
        time.sleep(PAUSE)
    run.report(loss=run.config.x + value / 1000)

PAUSE = 0.0
study = headway.Study(train, name="study", sampler="grid", budget="11 trials", seeds=3, baseline={"x": 5})
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "pyproject.toml").touch()

    def write(more="", text=STUDY):
        (tmp_path / "study_of_session.py").write_text(text + more)
        sys.modules.pop("study_of_session", None)
        return tmp_path / "study_of_session.py"

    yield write
    sys.modules.pop("study_of_session", None)


def states(store_folder):
    with Store.open(store_folder) as store:
        return sorted(str(place.trial.state) for place in store.places.of_study(1))


def test_a_study_ends_finished_with_a_verdict_and_a_report(project):
    (study,) = studies_in(project()).values()
    summary = study.run(workers=2, observer=QuietObserver())
    assert summary.study.state == "finished"
    assert summary.study.source == "study_of_session.py"
    assert [item.decision for item in summary.verdicts] == ["accepted"]
    assert summary.report is not None
    assert len(summary.trials) == 11


def test_a_finished_study_answers_from_the_record_at_once(project):
    path = project()
    next(iter(studies_in(path).values())).run(workers=2, observer=QuietObserver())
    began = time.monotonic()
    again = next(iter(studies_in(path).values())).run(workers=2, observer=QuietObserver())
    assert time.monotonic() - began < 2
    assert again.spent.trials == 11
    assert [item.sentence for item in again.verdicts]


def test_another_definition_is_refused_with_the_difference(project, tmp_path):
    (study,) = studies_in(project()).values()
    with Store.open(tmp_path / "store") as store:
        first = record_of(store, study)
        (same,) = studies_in(project("# a comment")).values()
        assert record_of(store, same).id == first.id
        (other,) = studies_in(
            project(text=STUDY.replace("seeds=3", "seeds=2").replace('{"x": 5}', '{"x": 4}'))
        ).values()
        with pytest.raises(DefinitionChanged) as error:
            record_of(store, other)
        assert "baseline.x: 5 -> 4" in str(error.value)
        assert "seeds: 3 -> 2" in str(error.value)
        assert 'name="study-2"' in str(error.value)


def test_budget_limits_and_needs_may_change(project, tmp_path):
    with Store.open(tmp_path / "store") as store:
        (study,) = studies_in(project()).values()
        record_of(store, study)
        text = STUDY.replace("11 trials", "12 trials").replace(
            'metric="loss"', 'metric="loss", limits=headway.Limits(wall_seconds=5)'
        )
        (changed,) = studies_in(project(text=text)).values()
        settings = record_of(store, changed).settings
    assert settings["budget"]["trials"] == 12
    assert settings["limits"]["wall_seconds"] == 5


def test_a_busy_study_is_refused_before_anything_is_written(project, tmp_path):
    (study,) = studies_in(project()).values()
    with Store.open(tmp_path / ".headway") as store:
        record = record_of(store, study)
        assert store.studies.take_lease(record.id, os.getpid(), processes.start_time(os.getpid()) or 0.0, None)
        before = (store.studies.get("study"), store.database.rows("SELECT * FROM candidates"))
        (changed,) = studies_in(project(text=STUDY.replace("11 trials", "12 trials"))).values()
        with pytest.raises(StudyBusy, match=f"running already, in process {os.getpid()}"):
            changed.run(observer=QuietObserver())
        assert (store.studies.get("study"), store.database.rows("SELECT * FROM candidates")) == before


@pytest.mark.parametrize(
    ("options", "needs", "says"),
    [
        ({"backend": "lokal"}, "", "The backend 'lokal' is unknown. Did you mean 'local'?"),
        ({"workers": 0}, "", "workers=0 run nothing"),
        ({"workers": "two"}, "", "workers='two' run nothing"),
        ({"worker": 3}, "", r"study\.run\(\.\.\.\) has no parameter 'worker'\. Did you mean 'workers'\?"),
        ({}, "needs=headway.Needs(gpus=800), ", "A trial needs 800 GPUs"),
    ],
)
def test_a_session_that_cannot_be_meant_leaves_no_trace(project, tmp_path, options, needs, says):
    (study,) = studies_in(project(text=STUDY.replace("space=", f"{needs}space="))).values()
    with pytest.raises(UsageError, match=says):
        study.run(observer=QuietObserver(), **options)
    assert not (tmp_path / ".headway").exists()


@pytest.mark.parametrize("guard", ["", 'if __name__ == "__main__":\n    '])
def test_a_script_runs_its_study_with_and_without_a_guard(project, tmp_path, guard):
    path = project(f"\n{guard}print(study.run(workers=2).study.state)\n")
    answer = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout == "finished\n"
    assert answer.stderr.count("trial ") == 11
    assert states(tmp_path / ".headway") == ["complete"] * 11


NOTEBOOK = """
import asyncio, random
import headway

def make(scale):
    scope = {"__name__": "__main__", "SCALE": scale, "random": random}
    exec("def train(run): run.report(loss=run.config.x * SCALE + random.random() / 1000)", scope)
    return headway.experiment(metric="loss", space={"x": headway.Int(0, 9)})(scope["train"])

async def cell():
    for scale in (1, 1, 2):
        study = headway.Study(make(scale), name=f"s{scale}", sampler="grid", budget="11 trials", seeds=3,
                              baseline={"x": 5})
        summary = study.run(workers=2)
        print(summary.study.state, summary.best.config["x"], min(row.value for row in summary.candidates))

asyncio.run(cell())
"""


def test_a_notebook_runs_a_study_in_a_thread_with_functions_of_its_own(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    answer = subprocess.run([sys.executable, "-c", NOTEBOOK], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert [line[:2] for line in lines] == [["finished", "0"]] * 3
    assert lines[0] == lines[1]
    executed = [
        line for line in answer.stderr.splitlines() if line.startswith("trial ") and "from the record" not in line
    ]
    assert len(executed) == 22  # the second cell was the first again; the third has another constant


def start(project, tmp_path):
    path = project("\nprint(study.run(workers=2).study.state)\n", text=STUDY.replace("PAUSE = 0.0", "PAUSE = 0.1"))
    engine = subprocess.Popen(
        [sys.executable, path], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with Store.open(tmp_path / ".headway") as store:
        deadline = time.monotonic() + 20
        while not (store.studies.find("study") and store.trials.open_attempts(1)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    time.sleep(0.25)
    return path, engine


def test_ctrl_c_pauses_and_the_next_run_goes_on(project, tmp_path):
    path, engine = start(project, tmp_path)
    engine.send_signal(signal.SIGINT)
    output, notes = engine.communicate(timeout=30)
    assert (engine.returncode, output) == (0, "paused\n"), notes
    assert "Pausing: running trials go to their next checkpoint." in notes
    assert states(tmp_path / ".headway") == ["paused"] * 2
    path.write_text(path.read_text().replace("PAUSE = 0.1", "PAUSE = 0.0"))
    subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, check=True)
    assert states(tmp_path / ".headway") == ["complete"] * 11


def test_a_second_ctrl_c_ends_at_once(project, tmp_path):
    text = STUDY.replace("time.sleep(PAUSE)", "time.sleep(PAUSE * 300)")
    path = project("\nprint(study.run(workers=2).study.state)\n", text=text.replace("PAUSE = 0.0", "PAUSE = 0.1"))
    engine = subprocess.Popen(
        [sys.executable, path], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with Store.open(tmp_path / ".headway") as store:
        deadline = time.monotonic() + 20
        while not (store.studies.find("study") and len(store.trials.open_attempts(1)) == 2):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    time.sleep(0.3)
    engine.send_signal(signal.SIGINT)
    time.sleep(0.3)
    began = time.monotonic()
    engine.send_signal(signal.SIGINT)
    output, _ = engine.communicate(timeout=30)
    assert (engine.returncode, output) == (0, "paused\n")
    assert time.monotonic() - began < 5


def test_running_inside_of_a_loop_raises_what_the_engine_raised(project, tmp_path):
    path = project(text=STUDY.replace('metric="loss"', 'metric="loss", setup=lambda: 1 / 0'))
    (study,) = studies_in(path).values()

    async def cell():
        study.run(workers=1, observer=QuietObserver())

    with pytest.raises(Exception, match=r"cannot be loaded: study_of_session\.py, line 5: ZeroDivisionError"):
        asyncio.run(cell())
    with Store.open(tmp_path / ".headway") as store:
        assert store.studies.get("study").lease_pid is None


def test_a_store_elsewhere_is_used_and_relative_paths_stay_relative(project, tmp_path):
    load_file(project())
    (study,) = studies_in(project()).values()
    summary = run_study(study, tmp_path / "elsewhere", EngineSettings(workers=2), QuietObserver())
    assert summary.study.state == "finished"
    assert not (tmp_path / ".headway").exists()
    with Store.open(tmp_path / "elsewhere") as store:
        manifest = store.trials.manifest(summary.trials[0].trial.manifest or "")
    assert [use.path for use in manifest.files] == ["study_of_session.py"]
