"""Sessions of an engine: killed, paused, asked to stop, resumed; trials go on from their checkpoints, exactly once."""

import os
import signal
import threading
import time

import pytest

from headway.core import Reason, StudyBusy, TrialState
from headway.engine import SuccessiveHalving
from headway.engine.progress import Follower
from headway.store import live_points
from tests.engine.templates import own_templates

WALKS = [("walk", 0), ("walk", 1)]
SLOW = [("slow_walk", 0), ("slow_walk", 1)]


def outcomes(bench, trial):
    with bench.store() as store:
        return [item.outcome for item in store.trials.attempts(trial.id)]


def logged(store, count):
    """Tell whether that many points were logged by running trials."""
    return sum(len(live_points(store.folder, item)) for item in store.trials.open_attempts(1)) >= count


@pytest.fixture(scope="module")
def uninterrupted(make_bench):
    """Walk without any interruption: the curves that interrupted walks must reach as well."""
    bench = make_bench()
    session = bench.play(*WALKS)
    return [bench.curve(session.trial(*walk)) for walk in WALKS]


def assert_same_curves(bench, session, uninterrupted):
    assert [session.trial(*walk).state for walk in SLOW] == [TrialState.COMPLETE] * 2
    # A slow walk draws what a walk of the same seed draws.
    assert [bench.curve(session.trial(*walk)) for walk in SLOW] == uninterrupted
    assert all(curve[0] == list(range(60)) for curve in uninterrupted)
    assert len({tuple(curve[1]) for curve in uninterrupted}) == 2


def test_an_engine_killed_at_any_moment_is_resumed_and_each_trial_completes_once(bench, uninterrupted):
    made = bench()
    for points in (25, 70):
        engine = made.launch(*SLOW)
        made.wait_for(lambda store, points=points: logged(store, points))
        engine.send_signal(signal.SIGKILL)
        engine.wait()
        engine.stdout.close()
        made.wait_for(lambda _: made.processes() == [], seconds=10)  # template and workers follow their engine
    session = made.play(*SLOW)
    assert any("running when the last engine ended" in note for note in session.notes)
    assert_same_curves(made, session, uninterrupted)
    with made.store() as store:
        places = store.places.of_study(1)
        assert sorted(place.trial.seed for place in places) == [0, 1]
        assert store.trials.open_attempts(1) == []
        resumed = [item for place in places for item in store.trials.attempts(place.trial.id)]
    assert sorted({item.outcome for item in resumed}) == ["complete", "interrupted"]
    assert len(resumed) > 2
    again = made.play(*SLOW)
    assert [end.reused for end in again.ends] == [True] * 2
    assert again.began == []


@pytest.mark.parametrize("broken", [1, 2])
def test_a_trial_whose_checkpoints_the_disk_damaged_ends_as_an_uninterrupted_one(bench, uninterrupted, broken):
    made = bench()

    def pause(session, trial, points):
        if points[-1].step >= 25:
            session.engine.pause()

    made.play("slow_walk", on_progress=pause)
    with made.store() as store:
        (place,) = store.places.of_study(1)
        newest_first = sorted(store.checkpoint_folder(place.trial.id).iterdir(), reverse=True)
        for path in newest_first[:broken]:
            path.write_bytes(bytes(path.stat().st_size))
    trial = made.play("slow_walk").trial("slow_walk")
    assert trial.state == TrialState.COMPLETE
    assert outcomes(made, trial) == ["paused", "complete"]
    assert made.curve(trial) == uninterrupted[0]
    with made.store() as store:
        told = [event.data["step"] for event in store.events.of_trial(trial.id) if event.kind == "damaged checkpoint"]
    assert told == [int(path.stem) for path in newest_first[:broken]]


def test_a_paused_session_goes_on_from_its_checkpoints(bench, uninterrupted):
    made = bench()

    def pause(session, trial, points):
        if points[-1].step >= 25:
            session.engine.pause()

    first = made.play(*SLOW, on_progress=pause)
    assert first.ending == "paused"
    assert first.ends == []
    with made.store() as store:
        paused = [place.trial for place in store.places.of_study(1)]
        assert {trial.state for trial in paused} == {TrialState.PAUSED}
        steps = [trial.step or 0 for trial in paused]  # on a busy machine one is far behind the other
        assert 20 < max(steps) < 60
        assert min(steps) > 0
        assert store.studies.get("bench").state == "paused"
        assert store.studies.get("bench").lease_pid is None
    second = made.play(*SLOW)
    assert second.ending == "done"
    assert_same_curves(made, second, uninterrupted)
    assert outcomes(made, second.trial("slow_walk")) == ["paused", "complete"]


def test_a_session_that_ends_at_once_loses_what_came_after_the_checkpoint_and_no_more(bench, uninterrupted):
    made = bench()

    def end(session, trial, points):
        if points[-1].step >= 25:
            session.engine.end_now()

    assert made.play(*SLOW, on_progress=end).ending == "paused"
    session = made.play(*SLOW)
    assert_same_curves(made, session, uninterrupted)
    assert outcomes(made, session.trial("slow_walk")) == ["interrupted", "complete"]


@pytest.mark.slow
def test_pausing_again_and_again_never_makes_a_trial_fail(bench, uninterrupted):
    made = bench()
    for limit in (12, 22, 32):
        made.play(
            *SLOW, on_progress=lambda session, trial, points, limit=limit: (
                session.engine.end_now() if points[-1].step >= limit else None
            ),
        )  # fmt: skip
    assert_same_curves(made, made.play(*SLOW), uninterrupted)


def test_a_pause_asked_for_through_the_store_is_heard(bench):
    made = bench()
    session = made.play(*SLOW, on_progress=lambda session, *_: session.store.studies.ask(1, "pause"), seconds=30)
    assert session.ending == "paused"


def test_one_trial_is_stopped_by_a_person_and_stays_so(bench):
    made = bench()

    def stop(session, trial, points):
        if trial == session.began[0]:
            session.store.studies.ask(1, f"stop {trial}")

    session = made.play(("slow_walk", 0), ("slow_walk", 1), on_progress=stop)
    stopped, other = session.trial("slow_walk", 0), session.trial("slow_walk", 1)
    assert (stopped.state, stopped.reason) == (TrialState.STOPPED, Reason.USER)
    assert 0 < (stopped.step or 0) < 60
    assert other.state == TrialState.COMPLETE
    again = made.play(("slow_walk", 0), ("slow_walk", 1))
    assert again.end_of("slow_walk", 0).reused
    assert again.began == []
    # Another study asks for the same: what somebody stopped there is no answer here.
    elsewhere = made.play(("slow_walk", 0), ("slow_walk", 1), name="other")
    assert (elsewhere.end_of("slow_walk", 0).reused, elsewhere.end_of("slow_walk", 1).reused) == (False, True)


def test_a_second_engine_is_told_who_runs_the_study(bench):
    made = bench()
    engine = made.launch(*SLOW)
    made.wait_for(lambda store: store.studies.find("bench") and store.studies.get("bench").lease_pid)
    with pytest.raises(StudyBusy, match=f"in process {engine.pid}"):
        made.play(*SLOW)
    other = made.play("one", name="other")  # another study of the same store runs
    assert other.ending == "done"
    engine.send_signal(signal.SIGINT)
    assert '"paused"' in engine.stdout.read()
    assert engine.wait() == 0
    engine.stdout.close()


KILLS = """

def once(run):
    import os, signal
    if not os.path.exists("killed"):
        open("killed", "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return 0.5
"""


def test_a_worker_that_somebody_kills_is_tried_once_more(bench):
    made = bench(more=KILLS)
    session = made.play("once")
    assert session.trial("once").state == TrialState.COMPLETE
    assert outcomes(made, session.trial("once")) == ["signal", "complete"]
    assert any("tried once more" in note and "SIGKILL" in note for note in session.notes)


def templates(made):
    return [line for line in made.processes() if "headway.engine.template" in line]


def kill_template(session):
    for template in own_templates():  # none, where it is gone already
        os.kill(template, signal.SIGKILL)


def test_trials_of_a_template_that_dies_go_on_under_a_new_one(bench, uninterrupted):
    made = bench()
    killed = []

    def kill(session, trial, points):
        if points[-1].step >= 15 and not killed:
            killed.append(trial)
            kill_template(session)

    session = made.play(*SLOW, on_progress=kill)
    assert_same_curves(made, session, uninterrupted)
    assert outcomes(made, session.trial("slow_walk")) == ["lost beside others", "complete"]
    assert any("The template is gone" in note for note in session.notes)


def test_a_trial_whose_process_goes_away_twice_has_failed(bench):
    made = bench()
    session = made.play("slow_walk", on_progress=lambda session, *_: kill_template(session))
    assert (session.trial("slow_walk").state, session.trial("slow_walk").reason) == (TrialState.FAILED, Reason.LOST)
    assert outcomes(made, session.trial("slow_walk")) == ["lost", "lost"]


ENDS_ITS_TEMPLATE = """

def ends_its_template(run):
    import os, signal
    time.sleep(0.2)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)

def oom_score(run):
    return float(Path("/proc/self/oom_score_adj").read_text())
"""


def test_a_trial_that_ends_its_template_harms_nobody_beside_it(bench):
    made = bench(more=ENDS_ITS_TEMPLATE)
    session = made.play("ends_its_template", *SLOW, ("one", 1), ("one", 2), workers=3)
    trial = session.trial("ends_its_template")
    assert (trial.state, trial.reason) == (TrialState.FAILED, Reason.LOST)
    assert "ended the process that had started it, twice" in trial.message
    assert outcomes(made, trial) == ["lost beside others", "lost", "lost"]
    others = [end.trial for end in session.ends if end.trial.id != trial.id]
    assert {other.state for other in others} == {TrialState.COMPLETE}
    with made.store() as store:
        attempts = sorted(
            (item for other in (trial, *others) for item in store.trials.attempts(other.id)),
            key=lambda item: item.started,
        )
    again = [item for item in attempts[3:] if item.directory.rpartition("/")[2] != "1"]
    alone = [item for item in again if all(item is other or apart(item, other) for other in attempts[3:])]
    assert again == alone
    assert len(again) == 4  # two of the trial that is to blame, one of each that ran beside it


def apart(one, other):
    return one.ended <= other.started or other.ended <= one.started


@pytest.mark.parametrize("backend", ["local", "spawn"])
def test_the_kernel_ends_a_trial_rather_than_its_template_when_memory_runs_out(bench, backend):
    made = bench(more=ENDS_ITS_TEMPLATE)
    assert made.play("oom_score", backend=backend).trial("oom_score").value >= 500


def test_an_engine_that_dies_while_it_imports_leaves_nobody(bench):
    made = bench(setup="time.sleep(600)")
    engine = made.launch("one")
    made.wait_for(lambda _: templates(made))
    engine.kill()
    engine.wait()
    engine.stdout.close()
    made.wait_for(lambda _: made.processes() == [], seconds=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_session_can_be_ended_while_it_imports(bench, number):
    made = bench(setup="time.sleep(600)")
    engine = made.launch("one")
    made.wait_for(lambda _: templates(made))
    engine.send_signal(number)
    timer = threading.Timer(20, engine.kill)
    timer.start()
    engine.wait()
    timer.cancel()
    output = engine.stdout.read()
    engine.stdout.close()
    assert engine.returncode == 0, output
    assert '"paused"' in output
    with made.store() as store:
        assert store.studies.get("bench").lease_pid is None


def test_checkpoints_stay_below_their_cap(bench):
    made = bench(
        more="\ndef heavy(run):\n"
        "    for step in run.steps(9):\n        run.log(loss=step)\n        run.checkpoint({'x': bytes(100_000)})\n"
    )
    names = [("heavy", seed) for seed in range(6)]
    # The first rung stops most trials; what they leave is kept, should somebody want to go on.
    made.play(*names, workers=1, scheduled=True, scheduler=SuccessiveHalving("maximize"), checkpoint_bytes=250_000)
    total = sum(path.stat().st_size for path in (made.store_folder / "checkpoints").rglob("*.ckpt"))
    assert total <= 250_000


def test_the_search_of_asha_stops_trials_at_rungs_and_a_later_session_knows(bench):
    ranked = (
        "\ndef ranked(run):\n"
        "    for step in run.steps(27):\n        run.log(loss=run.seed)\n        run.checkpoint({})\n"
        "    run.report(loss=run.seed)\n"
    )
    made = bench(more=ranked)
    names = [("ranked", seed) for seed in range(6)]
    session = made.play(*names, workers=1, scheduled=True, scheduler=SuccessiveHalving("minimize"))
    states = [session.trial("ranked", seed).state for seed in range(6)]
    assert states == [TrialState.COMPLETE, *[TrialState.STOPPED] * 5]
    assert session.trial("ranked", 5).reason == Reason.SCHEDULER
    assert session.trial("ranked", 5).step == 3
    with made.store() as store:
        rungs = [event.data for event in store.events.of_study(1, kinds=("rung",))]
    assert [(item["rung"], item["step"], item["go_on"]) for item in rungs[:2]] == [(0, 3, True), (1, 9, True)]
    assert [item["go_on"] for item in rungs[2:]] == [False] * 5
    later = made.play(*names, ("ranked", 9), ("ranked", -1), workers=1, scheduled=True,
                      scheduler=SuccessiveHalving("minimize"))  # fmt: skip
    assert len(later.began) == 2
    assert later.trial("ranked", 9).state == TrialState.STOPPED
    assert later.trial("ranked", -1).state == TrialState.COMPLETE


def test_a_trial_that_comes_to_a_rung_just_after_its_log_was_read_is_judged_by_all_it_logged(bench, monkeypatch):
    poll = Follower.poll

    def poll_slowly(follower, *limits):
        points = poll(follower, *limits)
        time.sleep(0.05)
        return points

    monkeypatch.setattr(Follower, "poll", poll_slowly)
    falls = "\ndef falls(run):\n    for step in run.steps(27):\n        run.log(loss=-step)\n        time.sleep(0.02)\n"
    made = bench(more=falls)
    made.play(*[("falls", seed) for seed in range(6)], scheduled=True, scheduler=SuccessiveHalving("minimize"))
    with made.store() as store:
        rungs = [event.data for event in store.events.of_study(1, kinds=("rung",))]
    assert len(rungs) == 12
    assert [item["value"] for item in rungs] == [1 - item["step"] for item in rungs]


def test_time_and_slots_are_charged_and_answers_from_the_record_cost_nothing(bench):
    made = bench()
    began = time.monotonic()
    made.play("slow_walk", workers=2)
    passed = time.monotonic() - began
    with made.store() as store:
        spent = store.studies.spending(1)
    assert 0.8 < spent["seconds"] <= passed
    assert spent["slot seconds"] == pytest.approx(2 * spent["seconds"])
    assert 0.8 < spent["busy slot seconds"] <= spent["seconds"]
    made.play("slow_walk", workers=2)
    with made.store() as store:
        assert store.studies.spending(1) == spent
