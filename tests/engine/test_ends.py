"""Every way in which a trial can end, run once together on many workers: each is a result, and none ends the engine."""

import itertools
import json
import os
import signal
import threading
import time

import pytest

from headway.core import Reason, TrialState
from headway.sandbox import processes
from headway.store import Store
from tests.engine.templates import own_templates

GALLERY = """
import ctypes, json, math, mmap, os, signal, subprocess, sys, time
import headway

@headway.experiment(
    metric="loss",
    space={"what": headway.Choice(["fine"])},
    limits=headway.Limits(
        wall_seconds=7, cpu_seconds=1, memory_bytes=400_000_000, output_bytes=1_000_000, idle_seconds=2
    ),
)
def train(run):
    return globals()[run.config.what](run)

def fine(run):
    print("fine")
    return 0.5

def fine_by_log(run):
    for step in run.steps(5):
        run.log(loss=5 - step, acc=step)

def crash(run):
    run.log(loss=3.0)
    raise ValueError(f"bad shape {run.seed} {os.environ['API_KEY_OF_BENCH']}")

def crash_elsewhere(run):
    [][1]

class Mute(Exception):
    def __str__(self):
        return 1 + "one"
    __repr__ = __str__

def crash_without_text(run):
    raise Mute()

def crash_at_length(run):
    raise ValueError("long " * 10_000_000)

def crash_without_streams(run):
    sys.stderr = None
    raise ValueError("unheard")

def leave(run):
    sys.exit("no data")

def leave_well(run):
    run.report(0.5)
    sys.exit(0)

def vanish(run):
    os._exit(0)

def segfault(run):
    ctypes.string_at(0)

def not_finite(run):
    return math.nan

def no_metric(run):
    run.log(accuracy=1.0)

def text_metric(run):
    run.report(loss="0.5")

def forever(run):
    while True:
        run.log(loss=1.0)
        time.sleep(0.05)

def burn(run):
    while True:
        run.log(loss=1.0)
        sum(range(100_000))

def hog(run):
    held = bytearray(1_000_000_000)

def hog_by_children(run):
    code = "import mmap, time; m = mmap.mmap(-1, 150_000_000); m.write(b'x' * 150_000_000); time.sleep(60)"
    for _ in range(3):
        subprocess.Popen([sys.executable, "-c", code])
    forever(run)

def flood(run):
    for _ in range(200):
        sys.stdout.write("x" * 1_000_000 + "\\n")
    return 0.5

def idle(run):
    run.log(loss=1.0)
    time.sleep(60)

def only_checkpoints(run):
    for step in run.steps(30):
        time.sleep(0.1)
        run.checkpoint({"step": step})
    return 0.5

def only_prints(run):
    for step in range(30):
        time.sleep(0.1)
        print(step, flush=True)
    return 0.5

def grandchild(run):
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    run.log(pid=child.pid)
    return 0.5

def odd_names(run):
    for name in (b"\\xff.bin", b"new\\nline", b"ta\\tb"):
        with open(name, "wb") as file:
            file.write(b"1")
    with open(os.fsencode(run.folder) + b"/../../../../\\xfe.bin", "rb") as file:
        file.read()
    run.log(**{"": 1.0, "ünï/cödé 😀": 2.0})
    raise ValueError("no file \\udcff.bin \\x00")

def damage_log(run):
    run.log(loss=1.0)
    path = run._channel._path
    with path.open("r+b") as file:
        file.seek(64)
        file.write(b"\\xff" * 64)
    return 0.5

def close_everything(run):
    os.closerange(0, 100)
    return 0.5

def artifact(run):
    (run.folder / "plot.txt").write_text("a plot")
    run.artifact(run.folder / "plot.txt", "plots/a.txt")
    return 0.5
"""
WHAT = [line.split()[1].split("(")[0] for line in GALLERY.splitlines() if line.startswith("def ")][1:]


@pytest.fixture(scope="module")
def gallery(make_bench):
    bench = make_bench(GALLERY)
    (bench.folder / os.fsdecode(b"\xfe.bin")).write_bytes(b"1")
    os.environ["API_KEY_OF_BENCH"] = "sesame-open-sesame"
    began = time.monotonic()
    try:
        session = bench.play(*WHAT, ("crash", 1), workers=8)
    finally:
        del os.environ["API_KEY_OF_BENCH"]
    assert bench.processes() == []
    assert time.monotonic() - began < 60
    return bench, session


@pytest.fixture
def trial(gallery):
    return gallery[1].trial


def test_the_study_goes_on_to_its_end(gallery):
    _, session = gallery
    assert session.ending == "done"
    assert len(session.ends) == len(WHAT) + 1
    assert all(end.trial.state.ended and not end.reused for end in session.ends)


@pytest.mark.parametrize(
    "what", ["fine", "leave_well", "only_checkpoints", "only_prints", "grandchild", "artifact", "close_everything"]
)
def test_what_is_well_is_complete(trial, what):
    assert (trial(what).state, trial(what).value, trial(what).reason) == (TrialState.COMPLETE, 0.5, None)


def test_the_last_value_logged_is_the_objective_where_none_was_reported(trial):
    record = trial("fine_by_log")
    assert (record.value, record.metrics, record.step, record.horizon) == (1.0, {"loss": 1.0, "acc": 4.0}, 5, 5)


@pytest.mark.parametrize(
    ("what", "reason", "message"),
    [
        ("crash", Reason.EXCEPTION, "ValueError: bad shape 0 [redacted]"),
        ("crash_elsewhere", Reason.EXCEPTION, "IndexError"),
        ("crash_without_text", Reason.EXCEPTION, "Mute: <the text of this exception cannot be shown: it raised Type"),
        ("crash_at_length", Reason.EXCEPTION, "ValueError: long long"),
        ("crash_without_streams", Reason.EXCEPTION, "ValueError: unheard"),
        ("leave", Reason.EXITED, "SystemExit: no data"),
        ("vanish", Reason.EXITED, "code 0 before its function returned"),
        ("segfault", Reason.SIGNAL, "SIGSEGV"),
        ("not_finite", Reason.NOT_FINITE, "loss is nan"),
        ("no_metric", Reason.NO_METRIC, "it logged accuracy"),
        ("text_metric", Reason.BAD_METRIC, "the text '0.5'"),
        ("forever", Reason.WALL_TIME, "longer than 7 s"),
        ("burn", Reason.CPU_TIME, "more than 1 s"),
        ("hog", Reason.MEMORY, "MemoryError"),
        ("hog_by_children", Reason.MEMORY, "more memory than 381 MiB"),
        ("flood", Reason.OUTPUT, "more than 1 MiB"),
        ("idle", Reason.NO_PROGRESS, "For 2 s"),
        ("odd_names", Reason.EXCEPTION, "no file \\udcff.bin"),
        ("damage_log", Reason.EXCEPTION, "is damaged"),
    ],
)
def test_what_goes_wrong_fails_with_its_reason(trial, what, reason, message):
    record = trial(what)
    assert (record.state, record.reason) == (TrialState.FAILED, reason), record.message
    assert message in record.message
    assert record.fingerprint


def test_a_crash_whose_text_cannot_be_shown_says_where_it_was(gallery):
    bench, session = gallery
    with bench.store() as store:
        (event,) = [
            event for event in store.events.of_trial(session.trial("crash_without_text").id) if event.kind == "failed"
        ]
    assert 'study_of_bench.py", line' in event.data["traceback"]
    assert "in crash_without_text" in event.data["traceback"]


def test_a_message_that_is_far_too_long_is_cut_and_says_so(gallery):
    bench, session = gallery
    record = session.trial("crash_at_length")
    assert len(record.message) < 5000
    assert record.message.endswith("[cut here: it has 50,000,000 characters]")
    printed = (bench.store_folder / "runs" / str(record.id) / "1" / "output.log").read_text()
    assert len(printed) < 10_000


def test_equal_crashes_share_their_fingerprint(trial):
    assert trial("crash", 1).fingerprint == trial("crash").fingerprint != trial("crash_elsewhere").fingerprint


def test_a_signal_is_tried_once_more_and_an_exception_is_not(gallery):
    bench, session = gallery
    with bench.store() as store:
        outcomes = {
            what: [item.outcome for item in store.trials.attempts(session.trial(what).id)]
            for what in ("segfault", "crash", "vanish", "hog", "idle")
        }
    assert outcomes == {
        "segfault": ["signal", "signal"],
        "crash": ["exception"],
        "vanish": ["exited"],
        "hog": ["memory"],
        "idle": ["no progress"],
    }


def test_limits_hold_about_when_they_should(trial):
    assert 7 <= trial("forever").wall_seconds < 11
    assert 2 <= trial("idle").wall_seconds < 6
    assert 0.9 <= trial("burn").cpu_seconds < 3
    assert trial("hog_by_children").peak_memory_bytes > 400_000_000


def test_what_was_printed_is_kept_up_to_the_limit_without_secrets(gallery):
    bench, session = gallery
    runs = bench.store_folder / "runs"
    assert (runs / str(session.trial("fine").id) / "1" / "output.log").read_text() == "fine\n"
    assert (runs / str(session.trial("flood").id) / "1" / "output.log").stat().st_size <= 1_000_000
    crash = (runs / str(session.trial("crash").id) / "1" / "output.log").read_text()
    assert "bad shape 0 [redacted]" in crash
    assert "sesame" not in crash


def test_a_traceback_is_kept_without_secrets_and_the_store_holds_none(gallery):
    bench, session = gallery
    with bench.store() as store:
        (event,) = store.events.of_trial(session.trial("crash").id)
    assert "in crash" in event.data["traceback"]
    for path in bench.store_folder.rglob("*"):
        if path.is_file():
            assert b"sesame-open" not in path.read_bytes(), path


def test_a_grandchild_that_left_its_session_is_ended_with_its_trial(gallery, trial):
    from headway.sandbox import processes

    started = processes.start_time(int(trial("grandchild").metrics["pid"]))
    assert started is None or not processes.alive(int(trial("grandchild").metrics["pid"]), started)


def test_artifacts_are_kept_by_content(gallery):
    bench, session = gallery
    with bench.store() as store:
        (kept,) = store.trials.artifacts(session.trial("artifact").id)
        assert (kept.name, kept.size_bytes, store.artifacts.read(kept.digest)) == ("plots/a.txt", 6, b"a plot")


def test_a_file_name_of_any_bytes_is_in_the_manifest(gallery):
    bench, session = gallery
    with bench.store() as store:
        manifest = store.trials.manifest(session.trial("odd_names").manifest or "")
    assert "\udcfe.bin" in {use.path for use in manifest.files}
    assert session.trial("odd_names").metrics == {"": 1.0, "ünï/cödé 😀": 2.0}


def test_a_record_says_how_and_on_what_a_trial_ran(gallery, trial):
    with Store.open(gallery[0].store_folder) as store:
        record = store.trials.get(trial("fine").id).record
    assert record["backend"] == "local"
    assert record["file"] == "study_of_bench.py"
    assert record["hardware"]["cores"] >= 1
    assert record["limits"]["wall_seconds"] == 7
    assert "sesame" not in json.dumps(record)


def test_ended_trials_leave_no_run_logs_and_no_checkpoints(gallery):
    bench, _ = gallery
    assert list(bench.store_folder.rglob("*.runlog")) == []
    assert list(bench.store_folder.rglob("*.ckpt")) == []
    assert list((bench.store_folder / "templates").iterdir()) == []
    assert list((bench.store_folder / "live").iterdir()) == []


STANDSTILL = """
import os, signal, time
import headway

@headway.experiment(metric="loss", space={"what": headway.Choice(["slow"])}, limits=headway.Limits(idle_seconds=1.5))
def train(run):
    return globals()[run.config.what](run)

def slow(run):
    for step in run.steps(5):
        run.log(loss=1.0)
        began = time.process_time()
        while time.process_time() < began + 0.3:
            pass

def vanish(run):
    run.log(loss=1.0)
    time.sleep(0.6)
    os._exit(5)
"""


def test_a_machine_that_stood_still_fails_nobody_for_it(bench):
    stood_still = []

    def stand_still(session, trial, points):
        if not stood_still:
            (worker,) = processes.children(*own_templates())
            os.kill(worker, signal.SIGSTOP)
            time.sleep(2)
            os.kill(worker, signal.SIGCONT)
            stood_still.append(trial)

    session = bench(STANDSTILL).play("slow", on_progress=stand_still)
    assert session.trial("slow").state == TrialState.COMPLETE, session.trial("slow").message


def test_who_ended_while_the_engine_was_held_up_passed_no_limit(bench):
    logged = []

    def hold_up(session, trial, points):
        logged.append(trial)
        if len({*logged}) == 2 and trial == session.began[0]:  # the other is looked at after it
            logged.extend([0, -1])
            time.sleep(3)

    session = bench(STANDSTILL).play("slow", "vanish", on_progress=hold_up)
    assert session.trial("vanish").reason == Reason.EXITED, session.trial("vanish").message
    assert session.trial("slow").state == TrialState.COMPLETE, session.trial("slow").message


def test_a_template_that_is_held_up_makes_nobody_pass_a_limit(bench):
    def hold_up(session, trial, points):
        if len(session.began) == 1:
            session.began.append(0)
            (template,) = own_templates()
            os.kill(template, signal.SIGSTOP)
            threading.Timer(3, os.kill, (template, signal.SIGCONT)).start()

    session = bench(STANDSTILL).play("vanish", on_progress=hold_up)
    assert session.trial("vanish").reason == Reason.EXITED, session.trial("vanish").message


FLOOD = """
import time
import headway

@headway.experiment(metric="loss", space={"what": headway.Choice(["flood"])})
def train(run):
    return globals()[run.config.what](run)

def flood(run):
    for step in range(1_000_000):
        run.log(step, loss=step)

def steady(run):
    for step in range(100):
        run.log(step, loss=step)
        time.sleep(0.03)
"""


def test_a_flood_of_points_does_not_hold_up_the_others_and_is_read_to_its_end(bench):
    heard = []

    def hear(session, trial, points):
        if trial == session.began[-1]:
            heard.append(time.monotonic())

    made = bench(FLOOD)
    session = made.play("flood", "steady", on_progress=hear)
    assert (
        max(later - earlier for earlier, later in itertools.pairwise(heard)) < 2
    )  # all of it at once takes more than that
    assert len(made.curve(session.trial("flood"))[0]) == 1_000_000
