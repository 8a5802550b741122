import math
import signal

import pytest

from headway.core import Limits, Reason, TrialState
from headway.engine.outcome import Exit, judge
from headway.engine.progress import Progress
from headway.store import Mark, Point


def said(*items):
    progress = Progress()
    for item in items:
        if isinstance(item, tuple) and len(item) == 3:
            progress.take(Point(*item, 0.0))
        else:
            kind, data = item if isinstance(item, tuple) else (item, {})
            progress.take(Mark(kind, data, 0.0))
    return progress


def outcome(*items, exit_=None, cause=None, limits=None):
    return judge(said(*items), exit_ or Exit(code=0), cause, "loss", limits or Limits())


FAILED = ("failed", {"reason": "exception", "message": "ValueError: x", "traceback": "...", "fingerprint": "f"})
REPORT = ("report", {"values": {"loss": 0.5}, "step": 1})


def test_a_trial_that_ends_and_reports_is_complete():
    assert outcome(REPORT, "ended").state == TrialState.COMPLETE
    assert outcome(REPORT, "ended").value == 0.5


@pytest.mark.parametrize(
    ("items", "value"),
    [
        ([("loss", 0, 3.0), ("loss", 1, 2.0)], 2.0),
        ([("loss", 1, 2.0), REPORT], 0.5),
        ([REPORT, ("loss", 1, 2.0)], 0.5),
        ([REPORT, ("report", {"values": {"loss": 0.25}})], 0.25),
        ([("report", {"values": {"": 7.0}}), ("loss", 1, 2.0)], 7.0),
        ([("report", {"values": {"": 7.0, "loss": 1.0}})], 1.0),
        ([("report", {"values": {"acc": 9.0}}), ("loss", 1, 2.0)], 2.0),
    ],
)
def test_the_objective_is_the_last_report_else_the_last_value_logged(items, value):
    assert outcome(*items, "ended").value == value


def test_a_trial_without_its_metric_says_what_it_logged_instead():
    found = outcome(("acc", 1, 2.0), "ended")
    assert (found.state, found.reason) == (TrialState.FAILED, Reason.NO_METRIC)
    assert "it logged acc" in found.message
    assert "acc. Report it" in found.message
    assert "it logged acc, los. Did you mean 'los'?" in outcome(("los", 1, 2.0), ("acc", 1, 2.0), "ended").message
    assert "it logged nothing" in outcome("ended").message


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_objective_that_is_not_finite_has_no_value(value):
    found = outcome(("loss", 0, 1.0), ("report", {"values": {"loss": value}}), "ended")
    assert (found.state, found.reason, found.value) == (TrialState.FAILED, Reason.NOT_FINITE, None)


def test_an_exception_keeps_its_message_and_fingerprint():
    found = outcome(("loss", 0, 1.0), FAILED, exit_=Exit(code=1))
    assert (found.state, found.reason, found.message) == (TrialState.FAILED, Reason.EXCEPTION, "ValueError: x")
    assert (found.fingerprint, found.value) == ("f", 1.0)


@pytest.mark.parametrize("sign", ["MemoryError", "torch.OutOfMemoryError: CUDA out of memory."])
def test_an_exception_for_want_of_memory_is_a_memory_failure(sign):
    failed = ("failed", {**FAILED[1], "message": sign})
    assert outcome(failed, exit_=Exit(code=1)).reason == Reason.MEMORY


@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_leaves_before_its_function_returned_has_exited(code):
    found = outcome(REPORT, exit_=Exit(code=code))
    assert (found.state, found.reason) == (TrialState.FAILED, Reason.EXITED)
    assert f"code {code}" in found.message


def test_a_good_exit_after_a_report_is_complete_and_without_one_is_not():
    assert outcome(REPORT, "exited").state == TrialState.COMPLETE
    assert outcome("exited").reason == Reason.EXITED


@pytest.mark.parametrize(
    ("number", "reason", "text"),
    [
        (signal.SIGSEGV, Reason.SIGNAL, "SIGSEGV"),
        (signal.SIGKILL, Reason.SIGNAL, "SIGKILL"),
        (signal.SIGXCPU, Reason.CPU_TIME, "limits.cpu_seconds"),
        (63, Reason.SIGNAL, "signal 63"),
    ],
)
def test_a_signal_is_named(number, reason, text):
    found = outcome(exit_=Exit(signal=int(number)))
    assert found.reason == reason
    assert text in found.message


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (Reason.WALL_TIME, "longer than 5 s"),
        (Reason.CPU_TIME, "more than 6 s"),
        (Reason.MEMORY, "than 8 MiB"),
        (Reason.OUTPUT, "more than 3 MiB"),
        (Reason.NO_PROGRESS, "For 7 s"),
    ],
)
def test_a_limit_names_itself_and_its_setting(cause, text):
    limits = Limits(wall_seconds=5, cpu_seconds=6, idle_seconds=7, memory_bytes=8 * 2**20, output_bytes=3 * 2**20)
    found = outcome(("loss", 0, 1.0), exit_=Exit(signal=9), cause=cause, limits=limits)
    assert (found.state, found.reason, found.value) == (TrialState.FAILED, cause, 1.0)
    assert text in found.message
    assert "limits." in found.message


@pytest.mark.parametrize("cause", [Reason.WALL_TIME, Reason.NO_PROGRESS])
def test_who_had_said_its_end_passed_no_limit_of_time(cause):
    assert outcome(REPORT, "ended", exit_=Exit(signal=9), cause=cause).state == TrialState.COMPLETE
    assert outcome(REPORT, ("exited", {"code": 0}), exit_=Exit(code=0), cause=cause).state == TrialState.COMPLETE
    assert outcome("paused", exit_=Exit(code=75), cause=cause).state == TrialState.PAUSED
    assert outcome(FAILED, exit_=Exit(code=1), cause=cause).reason == Reason.EXCEPTION


@pytest.mark.parametrize("cause", [Reason.SCHEDULER, Reason.USER])
def test_what_was_stopped_is_stopped_even_if_it_crashed_then(cause):
    found = outcome(("horizon", {"steps": 9}), ("loss", 4, 1.0), FAILED, exit_=Exit(code=1), cause=cause)
    assert (found.state, found.reason, found.value) == (TrialState.STOPPED, cause, 1.0)
    assert "step 4 of 9" in found.message


def test_what_paused_or_was_lost_goes_on_later():
    assert outcome("paused", exit_=Exit(code=75)).state == TrialState.PAUSED
    assert outcome(("loss", 0, 1.0), exit_=Exit(lost=True)).state == TrialState.PAUSED
    # a script that pauses ends with a code that its worker takes for a failure
    assert outcome("paused", FAILED, exit_=Exit(code=1)).state == TrialState.PAUSED


REFUSED = ("interrupted", {"errno": 28})


def test_what_the_stores_disk_cut_short_is_no_result():
    assert outcome(("loss", 0, 1.0), REFUSED, exit_=Exit(code=74)).state == TrialState.PAUSED
    # a script that could not write its checkpoint ends with a code that its worker takes for a failure
    assert outcome(REFUSED, FAILED, exit_=Exit(code=1)).state == TrialState.PAUSED
    assert outcome(REFUSED, exit_=Exit(signal=6)).state == TrialState.PAUSED


def test_a_trial_that_went_on_without_what_the_disk_refused_has_its_result():
    assert outcome(REPORT, REFUSED, "ended").state == TrialState.COMPLETE
    assert outcome(("loss", 0, 1.0), REFUSED, exit_=Exit(signal=9), cause=Reason.SCHEDULER).state == TrialState.STOPPED


def test_equal_ends_share_a_fingerprint():
    assert outcome(exit_=Exit(signal=11)).fingerprint == outcome(exit_=Exit(signal=11)).fingerprint
    assert outcome(exit_=Exit(signal=11)).fingerprint != outcome(exit_=Exit(signal=9)).fingerprint


def test_progress_knows_the_value_at_a_step():
    progress = said(("loss", 0, 3.0), ("loss", 5, 2.0), ("acc", 6, 9.0), ("loss", 8, 1.0))
    assert [progress.value_at("loss", step) for step in (0, 4, 7, 100)] == [3.0, 3.0, 2.0, 1.0]
    assert progress.value_at("none", 5) is None
    assert progress.step == 8


def test_metrics_are_the_last_finite_values_reports_over_logs():
    progress = said(
        ("loss", 0, 3.0), ("loss", 1, math.nan), ("acc", 1, 2.0), ("report", {"values": {"acc": 5.0, "": 1.0}})
    )
    assert progress.finite_metrics == {"acc": 5.0}


def test_a_trial_that_went_on_keeps_what_it_had_said_before():
    went_on, anew = said(("restored", {"step": 10}), "ended"), said("ended")
    for progress in (went_on, anew):
        progress.go_on_from({"loss": 0.5, "acc": 1.0}, None, "loss")
    assert went_on.objective("loss") == 0.5
    assert went_on.finite_metrics == {"loss": 0.5, "acc": 1.0}
    assert anew.objective("loss") is None
    newer = said(("restored", {"step": 10}), ("loss", 12, 0.25))
    newer.go_on_from({"loss": 0.5}, 0.4, "loss")
    assert newer.objective("loss") == 0.25


def test_an_attempt_that_never_came_to_begin_takes_nothing_away():
    progress = said()
    progress.go_on_from({"acc": 0.5}, 2.0, "loss")
    assert (progress.finite_metrics, progress.objective("loss")) == ({"acc": 0.5, "loss": 2.0}, 2.0)
    began_anew = said(("horizon", {"steps": 9}))
    began_anew.go_on_from({"acc": 0.5}, 2.0, "loss")
    assert began_anew.finite_metrics == {}
