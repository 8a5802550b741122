"""Commands under the engine: the same ends as functions, and scripts that pause, resume and stop at rungs."""

import signal

import pytest

from headway.core import Reason, TrialState
from headway.engine import SuccessiveHalving

STUDY = """
import headway
train = headway.command(
    "{command}", metric="loss", space={{"what": headway.Choice(["fine"])}}, limits=headway.Limits(cpu_seconds=2)
)
"""
TRAIN = """
import os, random, signal, sys, time
what = sys.argv[1]

def walk():
    import headway, helper
    run = headway.current_run()
    random.seed(run.seed)
    value = (run.restore() or {"value": 0.0})["value"]
    for step in run.steps(60):
        value += random.random() - 0.5
        headway.log(loss=value)
        run.checkpoint(lambda: {"value": value}, every=10)
        time.sleep(0.01)
    headway.report(loss=value)

if what == "fine":
    print("loss: 3\\rloss: 2\\nstep 7 loss: 0.5 threads:", os.environ["OMP_NUM_THREADS"])
elif what == "crash":
    print("loss: 1")
    raise ValueError(f"bad shape {random.random()}")
elif what == "fail":
    sys.exit(3)
elif what == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif what == "burn":
    while True:
        pass
elif what == "nan":
    print("loss: nan")
elif what == "silent":
    print("done")
elif what == "daemon":
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    print("loss: 1")
elif what == "plain":
    for step in range(40):
        print("loss:", 40 - step, flush=True)
        time.sleep(0.02)
elif what == "ranked":
    import headway
    for step in headway.current_run().steps(27):
        headway.log(loss=float(os.environ["HEADWAY_SEED"]))
else:
    walk()
"""


@pytest.fixture
def made(bench):
    return bench(STUDY.format(command="python train.py {what} --seed {seed}"), train=TRAIN, helper="")


def outcomes(made, trial):
    with made.store() as store:
        return [item.outcome for item in store.trials.attempts(trial.id)]


def test_each_end_is_a_result(made):
    what = ["fine", "crash", "fail", "killed", "burn", "nan", "silent", "daemon"]
    session = made.play(*what, ("crash", 1), workers=4)
    ends = {name: (session.trial(name).state, session.trial(name).reason) for name in what}
    failed = TrialState.FAILED
    assert ends == {
        "fine": (TrialState.COMPLETE, None),
        "daemon": (TrialState.COMPLETE, None),
        "crash": (failed, Reason.EXCEPTION),
        "fail": (failed, Reason.EXCEPTION),
        "killed": (failed, Reason.SIGNAL),
        "burn": (failed, Reason.CPU_TIME),
        "nan": (failed, Reason.NOT_FINITE),
        "silent": (failed, Reason.NO_METRIC),
    }
    assert session.trial("fine").value == 0.5
    assert session.trial("fine").metrics["threads"] == 1
    assert made.curve(session.trial("fine"))[0] == [0, 1, 7]
    assert "ValueError: bad shape" in session.trial("crash").message
    assert session.trial("crash").fingerprint == session.trial("crash", 1).fingerprint
    assert outcomes(made, session.trial("killed")) == ["signal", "signal"]
    assert outcomes(made, session.trial("fail")) == ["exception"]
    assert made.processes() == []


def test_a_script_pauses_at_its_checkpoint_and_goes_on_from_there(made):
    def pause(session, trial, points):
        if points[-1].step >= 25:
            session.engine.pause()

    assert made.play("walk", on_progress=pause).ending == "paused"
    with made.store() as store:
        (place,) = store.places.of_study(1)
        assert place.trial.state == TrialState.PAUSED
        log = store.folder / "runs" / str(place.trial.id) / "1" / "output.log"
        output = log.read_text() if log.exists() else ""
    assert output == ""  # no traceback of what ended it
    record = made.play("walk").trial("walk")
    assert record.state == TrialState.COMPLETE
    assert outcomes(made, record) == ["paused", "complete"]
    assert made.curve(record)[0] == list(range(60))
    whole = made.play("walk", name="again", retry_failed=True)
    assert whole.end_of("walk").reused


def test_a_command_that_cannot_pause_begins_anew(made):
    def end(session, trial, points):
        if points[-1].step >= 5:
            session.engine.end_now()

    assert made.play("plain", on_progress=end).ending == "paused"
    record = made.play("plain").trial("plain")
    assert (record.state, record.value) == (TrialState.COMPLETE, 1.0)
    assert made.curve(record)[0] == list(range(40))


def test_a_script_that_steps_is_stopped_at_rungs(made):
    names = [("ranked", seed) for seed in range(4)]
    session = made.play(*names, workers=1, scheduled=True, scheduler=SuccessiveHalving("minimize"))
    assert [session.trial(*name).state for name in names] == [TrialState.COMPLETE, *[TrialState.STOPPED] * 3]


def test_edits_of_what_a_script_imports_run_it_again(made):
    assert not made.play("fine", "ranked").end_of("fine").reused
    (made.folder / "helper.py").write_text("# changed")
    assert {end.what for end in made.play("fine", "ranked").ends if not end.reused} == set()
    (made.folder / "train.py").write_text(TRAIN + "\n")
    assert {end.what for end in made.play("fine", "ranked").ends if not end.reused} == {"fine", "ranked"}


@pytest.mark.parametrize("backend", ["spawn", "inline"])
def test_commands_run_on_other_backends_too(made, backend):
    session = made.play("fine", "crash", backend=backend)
    assert session.trial("fine").value == 0.5
    assert session.trial("crash").reason == Reason.EXCEPTION
    assert made.play("fine", backend="local").end_of("fine").reused
    (made.folder / "train.py").write_text(TRAIN + "\n")
    assert not made.play("fine", backend=backend).end_of("fine").reused


def test_a_shell_script_is_run_again_by_another_study_only(bench):
    made = bench(STUDY.format(command="sh run.sh {what}"))
    (made.folder / "run.sh").write_text("python -c \"print('loss: 1')\"")
    assert not made.play("fine").end_of("fine").reused
    assert made.play("fine").end_of("fine").reused
    (made.folder / "run.sh").write_text("python -c \"print('loss: 2')\"")
    other = made.play("fine", name="other")
    assert other.trial("fine").value == 2.0


def test_a_killed_engine_takes_its_commands_with_it(made):
    engine = made.launch("plain", "walk", "daemon", workers=3)
    made.wait_for(lambda store: sum("train.py" in line for line in made.processes()) >= 3)
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    engine.stdout.close()
    made.wait_for(lambda _: made.processes() == [], seconds=10)
    session = made.play("plain", "walk", "daemon", workers=3)
    assert {end.trial.state for end in session.ends} == {TrialState.COMPLETE}
