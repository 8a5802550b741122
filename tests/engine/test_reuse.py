"""What is answered from the record, and what an edit makes run again."""

import time

import pytest

from headway.core import Limits, Reason, TrialState

PLUGINS = """

def plain(run):
    return 1.0

def left(run):
    import left_plugin
    return left_plugin.VALUE

def right(run):
    import right_plugin
    return right_plugin.VALUE

def reads(run):
    return float(Path("numbers.txt").read_text())

def writes(run):
    Path("scratch.txt").write_text(str(run.seed))
    return float(Path("scratch.txt").read_text())

def declares(run):
    import subprocess
    folder = run.input("inputs")
    return float(subprocess.check_output(["cat", folder / "a.txt"]))

def calls(run):
    import subprocess
    return float(subprocess.check_output(["cat", "numbers.txt"]))

def numbers(run):
    import numpy
    return float(numpy.float64(2))

def stopped_by_limit(run):
    time.sleep(60)

def edits_itself(run):
    import left_plugin
    time.sleep(0.02)
    Path("left_plugin.py").touch()
    return left_plugin.VALUE
"""
FINE = ["plain", "left", "right", "reads", "writes", "declares", "numbers"]


@pytest.fixture
def made(bench):
    made = bench(more=PLUGINS, left_plugin="VALUE = 1\n", right_plugin="VALUE = 2\n")
    (made.folder / "numbers.txt").write_text("5")
    (made.folder / "inputs").mkdir()
    (made.folder / "inputs" / "a.txt").write_text("6")
    (made.folder / "README.md").write_text("hello")
    return made


def ran(session):
    """Return what was executed and not answered."""
    return {end.what for end in session.ends if not end.reused}


def edit(path, text):
    path.write_text(text)


def test_an_edit_runs_those_trials_again_that_used_the_file_and_no_others(made):
    assert ran(made.play(*FINE, workers=4)) == set(FINE)
    assert ran(made.play(*FINE)) == set()
    edit(made.folder / "README.md", "changed")
    edit(made.folder / "unused.py", "x = 1")
    assert ran(made.play(*FINE)) == set()
    edit(made.folder / "left_plugin.py", "VALUE = 3\n")
    session = made.play(*FINE)
    assert ran(session) == {"left"}
    assert session.trial("left").value == 3.0
    edit(made.folder / "numbers.txt", "7")
    assert ran(made.play(*FINE)) == {"reads"}
    edit(made.folder / "inputs" / "a.txt", "8")
    assert ran(made.play(*FINE)) == {"declares"}
    (made.folder / "inputs" / "b.txt").write_text("new")
    assert ran(made.play(*FINE)) == {"declares"}
    edit(made.folder / "data.txt", "setup reads this")
    assert ran(made.play(*FINE)) == set(FINE)


def test_an_edit_that_is_taken_back_finds_the_old_results(made):
    made.play("left")
    edit(made.folder / "left_plugin.py", "VALUE = 3\n")
    assert made.play("left").trial("left").value == 3.0
    edit(made.folder / "left_plugin.py", "VALUE = 1\n")
    session = made.play("left")
    assert ran(session) == set()
    assert session.trial("left").value == 1.0


def test_a_comment_in_the_study_file_counts_and_a_description_does_not(made):
    made.play("plain", "left")
    study = made.folder / "study_of_bench.py"
    text = study.read_text()
    described = text.replace('space={"what"', 'space={"other": 1, "what"')
    edit(study, described + "if __name__ == '__main__':\n    pass\n")
    assert ran(made.play("plain", "left")) == set()
    edit(study, text + "# a comment\n")
    assert ran(made.play("plain", "left")) == {"plain", "left"}


def test_another_study_shares_what_is_the_same(made):
    made.play("plain", "left")
    session = made.play("plain", "left", "right", name="other")
    assert ran(session) == {"right"}
    with made.store() as store:
        places = store.places.of_study(store.studies.get("other").id)
    assert [(place.reused, place.trial.value) for place in places] == [(True, 1.0), (True, 1.0), (False, 2.0)]


def test_what_may_have_read_unseen_answers_for_its_own_study_only_and_says_why(made):
    made.play("calls")
    assert ran(made.play("calls")) == set()
    assert ran(made.play("calls", name="other")) == {"calls"}
    with made.store() as store:
        manifest = store.trials.manifest(store.trials.get(1).manifest or "")
    assert manifest.not_reusable is None
    assert "it uses subprocess, which read files unseen" in (manifest.unseen or "")


def test_a_file_that_changed_while_the_trial_ran_keeps_its_result_from_counting(made):
    session = made.play("edits_itself")
    with made.store() as store:
        manifest = store.trials.manifest(session.trial("edits_itself").manifest or "")
    assert manifest.not_reusable == "left_plugin.py changed while the trial ran"
    assert ran(made.play("edits_itself")) == {"edits_itself"}


def test_a_manifest_lists_what_was_used_and_keeps_the_projects_files(made):
    session = made.play("left", "numbers")
    with made.store() as store:
        left, numbers = (store.trials.manifest(session.trial(name).manifest or "") for name in ("left", "numbers"))
        kept = {use.path: store.artifacts.read(use.digest) for use in left.files if use.stored}
    assert {(use.path, use.kind) for use in left.files} == {
        ("study_of_bench.py", "module"),
        ("left_plugin.py", "module"),
        ("data.txt", "file"),
    }
    assert kept["left_plugin.py"] == b"VALUE = 1\n"
    assert set(kept) == {use.path for use in left.files}
    assert "numpy" in numbers.packages
    assert "numpy" not in left.packages
    assert left.threads == 1


def test_failures_count_and_are_tried_again_when_asked_for(made):
    assert made.play("crash").trial("crash").reason == Reason.EXCEPTION
    assert ran(made.play("crash")) == set()
    assert ran(made.play("crash", retry_failed=True)) == {"crash"}
    assert ran(made.play("crash")) == set()


def test_what_a_limit_ended_counts_as_long_as_the_limits_are_the_same(made):
    study = made.folder / "study_of_bench.py"
    text = study.read_text()
    edit(study, text.replace("headway.Limits()", "headway.Limits(wall_seconds=0.3)"))
    assert made.play("stopped_by_limit", "plain").trial("stopped_by_limit").reason == Reason.WALL_TIME
    assert ran(made.play("stopped_by_limit", "plain")) == set()
    edit(study, text.replace("headway.Limits()", "headway.Limits(wall_seconds=0.4)"))
    assert ran(made.play("stopped_by_limit", "plain")) == {"stopped_by_limit"}
    assert Limits(wall_seconds=0.4).wall_seconds == 0.4


def test_an_unfinished_trial_begins_anew_where_its_files_changed(made):
    def pause(session, trial, points):
        if points[-1].step >= 25:
            session.engine.pause()

    made.play("slow_walk", on_progress=pause)
    edit(made.folder / "model_of_bench.py", "import random\ndef draw(): return 1.0\n")
    session = made.play("slow_walk")
    assert any("begins again from step 0: model_of_bench.py changed" in note for note in session.notes)
    assert session.trial("slow_walk").value == 60.0
    steps, values = made.curve(session.trial("slow_walk"))
    assert steps == list(range(60))
    assert values == [float(step + 1).hex() for step in range(60)]
    assert ran(made.play("slow_walk")) == set()  # and its result is one of the new version alone


def test_a_trial_that_had_said_all_before_it_was_interrupted_completes_with_it(made):
    study = made.folder / "study_of_bench.py"
    study.write_text(
        study.read_text() + "\ndef late(run):\n    run.restore()\n"
        "    for step in run.steps(4):\n        run.log(loss=4 - step, acc=step)\n        run.checkpoint({})\n"
        "    if not Path('went').exists():\n        Path('went').touch()\n        time.sleep(60)\n"
    )

    def end(session, trial, points):
        while not (made.folder / "went").exists():
            time.sleep(0.001)
        session.engine.end_now()

    assert made.play("late", on_progress=end).ending == "paused"
    record = made.play("late").trial("late")
    assert (record.state, record.value, record.metrics) == (TrialState.COMPLETE, 1.0, {"loss": 1.0, "acc": 3.0})
    assert made.curve(record)[0] == [0, 1, 2, 3]
