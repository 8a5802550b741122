import json
import os
import subprocess
import sys

import pytest

import headway
from headway.experiments import Run, current_run, set_current
from headway.store import Mark, Point, RunLog, RunLogReader


@pytest.fixture(autouse=True)
def nobody():
    set_current(None)
    yield
    set_current(None)


def test_log_and_report_speak_through_the_current_run(tmp_path):
    log = RunLog(tmp_path / "worker.runlog")
    set_current(Run(log, config={}, seed=3, folder=tmp_path, checkpoint_folder=tmp_path))
    headway.log(2, loss=0.5)
    headway.report(0.25)
    with RunLogReader(tmp_path / "worker.runlog") as reader:
        point, report = reader.read()
    assert isinstance(point, Point)
    assert isinstance(report, Mark)
    assert (point.metric, point.step, point.value) == ("loss", 2, 0.5)
    assert report.data["values"] == {"": 0.25}
    assert current_run().seed == 3
    log.close()


def test_outside_of_headway_a_script_runs_as_before_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # the second time it begins at step 0 again
        set_current(None)
        run = current_run()
        assert run.restore() is None
        done = []
        for step in run.steps(3):
            headway.log(loss=1.0)
            run.checkpoint({"step": step})
            done.append(step)
        headway.report(loss=1.0)
        assert done == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


def script(tmp_path, code, *, ranks=1):
    (tmp_path / "spec.json").write_text(json.dumps({"checkpoints": str(tmp_path / "ckpt"), "rungs": []}))
    environment = {
        **os.environ,
        "HEADWAY_FOLDER": str(tmp_path),
        "HEADWAY_CONFIG": '{"lr": 0.5}',
        "HEADWAY_SEED": "7",
    }
    processes = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(ranks)]
    assert [process.wait() for process in processes] == [0] * ranks
    points = []
    for path in sorted(tmp_path.glob("*.runlog")):
        with RunLogReader(path) as reader:
            points.append([item for item in reader.read() if isinstance(item, Point)])
    return points


def test_a_script_of_a_command_writes_a_log_of_its_own(tmp_path):
    code = "import headway; run = headway.current_run(); headway.log(run.seed, lr=run.config.lr)"
    ((point,),) = script(tmp_path, code)
    assert (point.metric, point.step, point.value) == ("lr", 7, 0.5)
    assert (tmp_path / "script.runlog").exists()


def test_ranks_that_begin_at_once_do_not_share_a_log(tmp_path):
    code = (
        "import os, time, headway\n"
        "time.sleep(max(0, float(os.environ['AT']) - time.time()))\n"
        "for step in range(2000): headway.log(step, loss=step)\n"
    )
    import time

    os.environ["AT"] = str(time.time() + 0.8)
    logs = script(tmp_path, code, ranks=4)
    assert [[point.step for point in log] for log in logs] == [list(range(2000))] * 4
