import copy
import math
import os
import pickle
import random
import subprocess
import sys
import textwrap
import threading

import pytest

from headway.core import DiskError, ExperimentError, UsageError
from headway.experiments import BadMetric, Paused, Run, Settings
from headway.store import UNLIMITED, Mark, Point, RunLog, RunLogReader, Signal


class Trial:
    """One trial whose attempts are made one after the other in a folder of its own."""

    def __init__(self, folder, rungs=()):
        self.folder = folder
        self.rungs = rungs
        self.attempts = 0

    def attempt(self, config=None, seed=0):
        self.attempts += 1
        folder = self.folder / str(self.attempts)
        folder.mkdir(parents=True)
        self.log = RunLog(folder / "worker.runlog", granted=0 if self.rungs else UNLIMITED)
        self.engine = RunLogReader(folder / "worker.runlog")
        return Run(
            self.log,
            config=config or {},
            seed=seed,
            folder=folder,
            checkpoint_folder=self.folder / "checkpoints",
            rungs=self.rungs,
        )

    def items(self):
        return self.engine.read()

    def curve(self, metric="loss"):
        return {item.step: item.value for item in self.items() if isinstance(item, Point) if item.metric == metric}

    def marks(self, kind):
        return [item.data for item in self.items() if isinstance(item, Mark) if item.kind == kind]


@pytest.fixture
def trial(tmp_path):
    return Trial(tmp_path)


def test_log_takes_the_step_of_the_loop_or_its_own(trial):
    run = trial.attempt()
    run.log(loss=9)
    for step in run.steps(3):
        run.log(loss=step / 2)
        run.log(step * 100, tokens=1)
    points = [(item.metric, item.step, item.value) for item in trial.items() if isinstance(item, Point)]
    assert points == [
        ("loss", 0, 9.0),
        ("loss", 0, 0.0),
        ("tokens", 0, 1.0),
        ("loss", 1, 0.5),
        ("tokens", 100, 1.0),
        ("loss", 2, 1.0),
        ("tokens", 200, 1.0),
    ]


def test_a_metric_may_have_any_name(trial):
    trial.attempt().log(1, **{"self": 2.0, "val/loss": 3.0})
    assert [item.metric for item in trial.items()] == ["self", "val/loss"]


def test_numbers_of_other_libraries_are_numbers(trial):
    import numpy

    run = trial.attempt()
    run.log(a=numpy.float32(0.5), b=numpy.int64(3), c=numpy.array(2.0), d=True)
    assert [item.value for item in trial.items()] == [0.5, 3.0, 2.0, 1.0]


def test_tensors_of_one_element_are_numbers(trial):
    import torch

    run = trial.attempt()
    run.log(torch.tensor(3), a=torch.tensor(0.5, requires_grad=True), b=torch.tensor([2]), c=torch.tensor(math.nan))
    run.report(torch.tensor(0.25))
    *points, report = trial.items()
    assert repr([(item.step, item.value) for item in points]) == repr([(3, 0.5), (3, 2.0), (3, math.nan)])
    assert report.data["values"] == {"": 0.25}


@pytest.mark.parametrize("step", ["3", 0.5, math.nan, [1], {"loss": 1}])
def test_a_step_that_is_no_whole_number_is_refused(trial, step):
    run = trial.attempt()
    with pytest.raises(BadMetric, match="Expected a whole number, and metrics by name"):
        run.log(step, loss=1)


def test_a_whole_step_may_be_a_float_or_of_another_library(trial):
    import numpy

    run = trial.attempt()
    run.log(3.0, loss=1)
    run.log(numpy.int64(4), loss=1)
    run.log(numpy.float32(5), loss=1)
    assert [item.step for item in trial.items()] == [3, 4, 5]


def test_a_run_knows_what_it_was_told(trial):
    run = trial.attempt()
    run.log(acc=1)
    assert (run.told("acc"), run.told("loss")) == (True, False)
    run.report(0.5)
    assert run.told("loss")


def test_nan_and_infinity_are_logged_and_reported(trial):
    run = trial.attempt()
    run.log(loss=math.nan, other=-math.inf)
    run.report(math.inf)
    nan, infinite, report = trial.items()
    assert math.isnan(nan.value)
    assert infinite.value == -math.inf
    assert report.data["values"] == {"": math.inf}


@pytest.mark.parametrize("value", ["0.5", "none", None, [1], 1j])
def test_what_is_no_number_is_refused_with_its_type(trial, value):
    run = trial.attempt()
    with pytest.raises(BadMetric, match=r"'loss' is (the text|.* of type)"):
        run.log(loss=value)
    with pytest.raises(BadMetric):
        run.report(loss=value)


def test_a_step_that_no_log_can_hold_is_refused(trial):
    with pytest.raises(UsageError):
        trial.attempt().log(2**70, loss=1.0)


def test_reports_are_kept_in_order_by_name_or_as_the_one_value(trial):
    run = trial.attempt()
    run.report(1.0)
    run.report(loss=2, acc=3)
    assert [mark["values"] for mark in trial.marks("report")] == [{"": 1.0}, {"loss": 2.0, "acc": 3.0}]


def noisy(run, stop_at=None):
    """Walk at random; the state is what the walk has reached."""
    state = run.restore() or {"value": 0.0}
    value = state["value"]
    for step in run.steps(20):
        value += random.random() - 0.5
        run.log(loss=value)
        run.checkpoint({"value": value}, every=6)
        if step == stop_at:
            return
    run.report(value)


def test_a_trial_that_goes_on_draws_the_same_curve(tmp_path):
    whole, broken = Trial(tmp_path / "whole"), Trial(tmp_path / "broken")
    random.seed(1)
    noisy(whole.attempt())
    wanted = whole.curve()
    random.seed(1)
    noisy(broken.attempt(), stop_at=15)
    got = broken.curve()
    random.seed(99)
    noisy(broken.attempt())
    assert min(later := broken.curve()) == 12
    assert {**got, **later} == wanted


PROBE = """
import random, sys, json
from pathlib import Path
from headway.experiments import Run, seed_everything
from headway.store import RunLog, RunLogReader, Point

def train(run, stop_at):
    {before}
    state = run.restore()
    {build}
    for step in run.steps(12):
        if step == 3:
            {late}
        {draw}
        run.log(loss=value)
        run.checkpoint(lambda: {state}, every=5)
        if step == stop_at:
            return

folder, stop_at = Path(sys.argv[1]), int(sys.argv[2])
log = RunLog(folder / f"{{sys.argv[3]}}.runlog")
seed_everything(int(sys.argv[4]))
train(Run(log, config={{}}, seed=0, folder=folder, checkpoint_folder=folder / "checkpoints"), stop_at)
with RunLogReader(folder / f"{{sys.argv[3]}}.runlog") as reader:
    points = [item for item in reader.read() if isinstance(item, Point)]
print(json.dumps({{point.step: point.value.hex() for point in points}}))
"""

NUMPY = {
    "before": "import numpy",
    "build": "value = (state or {'value': 0.0})['value']",
    "late": "pass",
    "draw": "value += random.random() + numpy.random.normal()",
    "state": "{'value': value}",
}
LAZY = {**NUMPY, "before": "pass", "late": "pass", "draw": "import numpy; value += numpy.random.rand()"}
TORCH = {
    "before": "import torch",
    "build": (
        "net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Dropout(0.5), torch.nn.Linear(16, 1)); "
        "optimizer = torch.optim.AdamW(net.parameters(), lr=0.05); "
        "state and (net.load_state_dict(state['net']), optimizer.load_state_dict(state['optimizer']))"
    ),
    "late": "pass",
    "draw": (
        "loss = (net(torch.randn(8, 4)) - 1).square().mean(); optimizer.zero_grad(); loss.backward(); "
        "optimizer.step(); value = loss.item()"
    ),
    "state": "{'net': net.state_dict(), 'optimizer': optimizer.state_dict()}",
}


def curve_of(folder, parts, *, stop_at=-1, name="a", seed=7):
    import json

    folder.mkdir(exist_ok=True)
    script = folder / "probe.py"
    script.write_text(textwrap.dedent(PROBE.format(**parts)))
    words = [sys.executable, str(script), str(folder), str(stop_at), name, str(seed)]
    answer = subprocess.run(words, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.parametrize(
    "parts",
    [NUMPY, LAZY, pytest.param(TORCH, marks=pytest.mark.slow)],
    ids=["numpy", "lazy numpy", "torch"],
)
def test_random_state_of_libraries_goes_on_bit_for_bit(tmp_path, parts):
    whole = curve_of(tmp_path / "whole", parts)
    first = curve_of(tmp_path / "broken", parts, stop_at=7)
    second = curve_of(tmp_path / "broken", parts, name="b")
    assert list(second) == [str(step) for step in range(5, 12)]
    assert {**first, **second} == whole
    assert len(set(whole.values())) == 12


@pytest.mark.slow
def test_a_library_that_is_imported_late_is_seeded(tmp_path):
    one, same, other = (curve_of(tmp_path / str(i), LAZY, seed=seed) for i, seed in enumerate((1, 1, 2)))
    assert one == same != other


def test_every_saves_at_multiples_and_builds_the_state_only_then(trial):
    run = trial.attempt()
    built = []
    for step in run.steps(10):
        run.checkpoint(lambda step=step: built.append(step) or {"step": step}, every=4)
    assert built == [3, 7]
    assert [mark["step"] for mark in trial.marks("checkpoint")] == [4, 8]


def test_the_last_two_checkpoints_are_kept_and_the_newest_is_restored(trial, tmp_path):
    run = trial.attempt()
    for step in run.steps(5):
        run.checkpoint({"step": step})
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == [
        "000000000004.ckpt",
        "000000000005.ckpt",
    ]
    again = trial.attempt()
    assert again.restore() == {"step": 4}
    assert list(again.steps(5)) == []
    assert list(trial.attempt().steps(5)) == [0, 1, 2, 3, 4]  # who does not restore begins anew


def test_a_checkpoint_that_was_not_finished_is_not_found(trial, tmp_path):
    class Unpicklable:
        def __reduce__(self):
            raise OSError(28, "No space left on device")

    run = trial.attempt()
    for step in run.steps(2):
        run.log(loss=step)
        if step == 0:
            run.checkpoint({"step": step})
        else:
            with pytest.raises(OSError, match="No space"):
                run.checkpoint({"step": Unpicklable()})
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["000000000001.ckpt"]
    assert trial.attempt().restore() == {"step": 0}


def test_a_checkpoint_that_the_disk_refuses_is_told_to_the_engine(trial, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    run = trial.attempt()
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskError):
        run.checkpoint({})
    assert trial.marks("interrupted") == [{"errno": 28}]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_an_artifact_that_the_disk_refuses_is_told_to_the_engine_and_one_that_is_not_there_is_not(trial, tmp_path):
    run = trial.attempt()
    (run.folder / "artifacts").mkdir()
    (run.folder / "artifacts" / "plot.png").symlink_to("/dev/full")
    (tmp_path / "plot.png").write_text("one")
    with pytest.raises(DiskError):
        run.artifact(tmp_path / "plot.png")
    with pytest.raises(ExperimentError):
        run.artifact(tmp_path / "none.png")
    assert trial.marks("interrupted") == [{"errno": 28}]
    assert trial.marks("artifact") == []


def test_a_pause_saves_at_the_end_of_the_step_and_leaves(trial):
    run = trial.attempt()
    steps = []

    def train():
        for step in run.steps(100):
            steps.append(step)
            if step == 3:
                trial.engine.signal(Signal.PAUSE)
            run.checkpoint({"step": step}, every=50)

    with pytest.raises(Paused) as paused:
        train()
    assert paused.value.code == 75
    assert not isinstance(paused.value, Exception)
    assert steps == [0, 1, 2, 3]
    assert [item.kind for item in trial.items()] == ["horizon", "checkpoint", "steps", "paused"]
    again = trial.attempt()
    assert again.restore() == {"step": 3}
    assert next(iter(again.steps(100))) == 4


def test_a_pause_of_a_trial_without_checkpoints_leaves_at_once(trial):
    run = trial.attempt()
    trial.engine.signal(Signal.PAUSE)
    with pytest.raises(Paused):
        list(run.steps(100))


def test_a_stop_ends_the_loop_and_the_code_behind_it_reports(trial):
    run = trial.attempt()
    steps = []
    for step in run.steps(100):
        steps.append(step)
        if step == 4:
            trial.engine.signal(Signal.STOP)
    run.report(loss=1)
    assert steps == [0, 1, 2, 3, 4]
    assert run.stopped
    assert [item.kind for item in trial.items()] == ["horizon", "steps", "report"]


def test_a_trial_waits_at_its_rungs_until_it_is_granted_more(tmp_path):
    trial = Trial(tmp_path, rungs=(1 / 9, 1 / 3))
    run = trial.attempt()
    seen = []

    def engine():
        for rung in (10, 30):
            while trial.engine.waiting != rung:
                pass
            seen.append((rung, run.step))
            trial.engine.grant(rung + 1)

    thread = threading.Thread(target=engine)
    thread.start()
    for step in run.steps(90):
        run.checkpoint({"step": step}, every=1000)
    thread.join()
    assert seen == [(10, 9), (30, 29)]
    assert run.step == 89
    assert trial.engine.waiting == 0
    # What must wait may be stopped or killed there, so it saves first.
    assert [mark["step"] for mark in trial.marks("checkpoint")] == [10, 30]


def test_a_stop_reaches_a_trial_that_waits(tmp_path):
    trial = Trial(tmp_path, rungs=(0.5,))
    run = trial.attempt()

    def engine():
        while trial.engine.waiting != 5:
            pass
        trial.engine.signal(Signal.STOP)

    thread = threading.Thread(target=engine)
    thread.start()
    assert list(run.steps(10)) == [0, 1, 2, 3, 4]
    thread.join()
    assert run.stopped


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_a_run_too_short_for_its_rungs_ends(tmp_path, n):
    trial = Trial(tmp_path, rungs=(1 / 9, 1 / 3))
    run = trial.attempt()
    thread = threading.Thread(target=lambda: list(run.steps(n)), daemon=True)
    thread.start()
    trial.engine.grant(UNLIMITED)
    thread.join(10)
    assert not thread.is_alive()


def test_an_input_is_declared_by_its_absolute_path(trial, tmp_path, monkeypatch):
    (tmp_path / "data.bin").touch()
    monkeypatch.chdir(tmp_path)
    run = trial.attempt()
    assert run.input("data.bin") == tmp_path / "data.bin"
    assert trial.marks("input") == [{"path": str(tmp_path / "data.bin")}]
    with pytest.raises(ExperimentError, match=r"none\.bin does not exist"):
        run.input("none.bin")


def test_an_artifact_is_copied_under_its_name(trial, tmp_path):
    run = trial.attempt()
    (tmp_path / "plot.png").write_text("one")
    kept = run.artifact(tmp_path / "plot.png", "plots/first.png")
    (tmp_path / "plot.png").write_text("two")
    assert kept.read_text() == "one"
    assert trial.marks("artifact") == [{"name": "plots/first.png", "path": str(kept)}]
    with pytest.raises(ExperimentError, match="is no file"):
        run.artifact("none.png")
    for name in ("../../out", "/tmp/out"):
        with pytest.raises(ExperimentError, match="leaves its folder"):
            run.artifact(tmp_path / "plot.png", name)


def test_settings_are_read_by_name_and_by_attribute():
    settings = Settings({"lr": 0.1, "name": "x"})
    assert (settings.lr, settings["lr"], dict(settings)) == (0.1, 0.1, {"lr": 0.1, "name": "x"})
    assert settings.get("momentum", 0.9) == 0.9
    with pytest.raises(AttributeError, match=r"no 'momentum'; it has lr, name.*config\.get"):
        _ = settings.momentum
    assert dict(copy.deepcopy(settings)) == dict(pickle.loads(pickle.dumps(settings))) == dict(settings)


def test_seeding_again_leaves_one_finder_for_each_library_that_is_not_loaded():
    code = (
        "import sys; from headway.experiments.randomness import seed_everything; before = len(sys.meta_path)\n"
        "for seed in range(5): seed_everything(seed)\n"
        "assert len(sys.meta_path) <= before + 2, sys.meta_path\n"
        "import numpy; print(numpy.random.random())"
    )
    drawn = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1] != ""
