"""A store on a disk that fills up while trials run: no trial fails by it, and nothing that was done is done again.

Each scenario runs in a process of its own, within a mount namespace where `.headway` is a disk of a few MiB.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

STUDY = """
import os, random, signal
from pathlib import Path
import headway

def fill():
    if not Path("freed").exists():
        with open(".headway/ballast", "ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

def free():
    Path(".headway/ballast").unlink(missing_ok=True)

@headway.experiment(metric="loss", space={"what": headway.Choice(["quiet"])})
def train(run):
    return globals()[run.config.what](run)

def quiet(run, act=lambda run, step: None):
    value = (run.restore() or {"value": 0.0})["value"]
    for step in run.steps(30):
        value += random.random()
        run.log(loss=value)
        act(run, step)
        run.checkpoint({"value": value, "ballast": bytes(20_000)}, every=10)
    run.report(loss=value)

def saves(run):
    quiet(run, lambda run, step: step == 18 and fill())

def logs(run):
    def act(run, step):
        if step == 18:
            fill()
            for count in range(3000):
                run.log(count, other=1.0)
    quiet(run, act)

def keeps(run):
    def act(run, step):
        if step == 18:
            Path("plot.bin").write_bytes(bytes(50_000))
            fill()
            run.artifact("plot.bin")
    quiet(run, act)

def wraps(run):
    try:
        saves(run)
    except Exception as error:
        raise RuntimeError("training failed") from error

def dies(run):
    def act(run, step):
        if step == 18 and not Path("freed").exists():
            fill()
            os.kill(os.getpid(), signal.SIGBUS)  # as where a page of a mapped file finds no room
    quiet(run, act)

def prints(run):
    fill()
    print("done")  # and it is flushed when the process ends
    return 0.5

def swallows(run):
    fill()
    for step in run.steps(3):
        try:
            run.checkpoint({"step": step, "ballast": bytes(20_000)})
        except headway.HeadwayError:
            free()
    return 0.5

def own_file(run):
    with open(".headway/own", "wb", buffering=0) as file:
        fill()
        try:
            file.write(bytes(20_000))
            file.write(bytes(20_000))
        finally:
            free()
"""

COMMAND = """
import headway
train = headway.command("python train.py {what}", metric="loss", space={"what": headway.Choice(["quiet"])})
"""
TRAIN = """
import headway, random, sys
import scenarios
run = headway.current_run()
random.seed(1)
scenarios.__dict__[sys.argv[1]](run)
"""

SESSION = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from conftest import Bench
from headway.core import DiskError

bench, told = Bench(Path(sys.argv[1])), {}
for what in sys.argv[3:]:
    try:
        bench.play(what)
        told[what] = ""
    except DiskError as error:
        told[what] = str(error)
    (bench.store_folder / "ballast").unlink(missing_ok=True)
(bench.folder / "freed").touch()
session = bench.play("quiet", *sys.argv[3:])
with bench.store() as store:
    print(json.dumps({
        end.what: {
            "told": told.get(end.what),
            "state": end.trial.state,
            "message": end.trial.message,
            "reused": end.reused,
            "outcomes": [item.outcome for item in store.trials.attempts(end.trial.id)],
            "curve": bench.curve(end.trial) if end.trial.horizon == 30 else None,
        }
        for end in session.ends
    }))
"""


def on_a_small_disk(made, *what):
    """Run scenarios on a small disk; return what was told of each, and how it stands when there is room again."""
    made.store_folder.mkdir()
    script = made.folder / "session.py"
    script.write_text(SESSION)
    mount = f"mount -t tmpfs -o size=6m none '{made.store_folder}'"
    try:
        probe = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if probe.returncode != 0:
        pytest.skip(f"no mount namespace of one's own here: {probe.stderr}")
    words = [sys.executable, str(script), str(made.folder), str(Path(__file__).parent), *what]
    inner = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh", *words]
    answer = subprocess.run(inner, capture_output=True, text=True, cwd="/")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""  # no traceback of the event loop's
    return json.loads(answer.stdout)


CUT_SHORT = ("saves", "logs", "keeps", "wraps", "dies")


@pytest.fixture(scope="module")
def ends(make_bench):
    return on_a_small_disk(make_bench(STUDY), *CUT_SHORT, "prints", "own_file", "swallows")


@pytest.mark.parametrize("what", CUT_SHORT)
def test_what_headway_writes_for_a_trial_cuts_it_short_and_it_goes_on_later(ends, what):
    assert "is full" in ends[what]["told"]
    assert "type: headway resume" in ends[what]["told"]
    assert (ends[what]["state"], ends[what]["outcomes"]) == ("complete", ["interrupted", "complete"])
    assert ends[what]["curve"] == ends["quiet"]["curve"]


def test_a_trial_that_ended_with_its_output_lost_is_not_run_again(ends):
    assert "is full" in ends["prints"]["told"]
    assert (ends["prints"]["state"], ends["prints"]["outcomes"]) == ("complete", ["complete"])


def test_errors_of_the_trials_own_files_are_its_own(ends):
    assert (ends["own_file"]["state"], ends["own_file"]["told"]) == ("failed", "")
    assert "No space left on device" in ends["own_file"]["message"]


def test_a_trial_that_goes_on_without_its_checkpoint_is_complete(ends):
    assert (ends["swallows"]["state"], ends["swallows"]["told"]) == ("complete", "")


def test_a_script_that_meets_a_full_disk_is_cut_short_as_well(bench):
    ends = on_a_small_disk(bench(COMMAND, train=TRAIN, scenarios=STUDY), "saves")
    assert "is full" in ends["saves"]["told"]
    assert (ends["saves"]["state"], ends["saves"]["outcomes"]) == ("complete", ["interrupted", "complete"])
    assert ends["saves"]["curve"] == ends["quiet"]["curve"]


NO_LOG = """
import sys
import headway.engine.worker
from headway.core import DiskError

def refuse(*_, **__):
    raise DiskError("worker.runlog cannot be written", 28)

in_template = getattr(sys.modules["__main__"].__spec__, "name", "") == "headway.engine.template"
if in_template and not Path("freed").exists():
    headway.engine.worker.RunLog = refuse  # and so in the workers

def leaves(run):
    import os
    os._exit(74)
"""


def test_where_not_even_a_log_can_be_written_the_exit_code_tells_it(bench):
    from headway.core import DiskError

    made = bench(STUDY, more=NO_LOG)
    with pytest.raises(DiskError, match="type: headway resume"):
        made.play("quiet")
    (made.folder / "freed").touch()
    trial = made.play("quiet").trial("quiet")
    with made.store() as store:
        assert [item.outcome for item in store.trials.attempts(trial.id)] == ["interrupted", "complete"]
    assert "with code 74" in made.play("leaves").trial("leaves").message  # a trial may end with any code
