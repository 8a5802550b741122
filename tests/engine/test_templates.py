"""Warm templates: edits that count, forks that are not safe, setups that fail, and the engine's own process."""

import os
import sys
import threading

import pytest

from headway.core import ExperimentError, TrialState
from tests.engine.templates import own_templates

VERSION = "\ndef version(run):\n    import model_of_bench\n    return float(getattr(model_of_bench, 'VERSION', 0))\n"
OWN_VERSION = "\nVERSION = {}\n\ndef own_version(run):\n    return VERSION + 0.5 * (run.setup == 'data')\n"


def test_an_edit_between_trials_counts_from_the_next_one_on(bench):
    made = bench(more=OWN_VERSION.format(1))
    study = made.folder / "study_of_bench.py"

    def edit(session, end):
        study.write_text(study.read_text().replace(f"VERSION = {end.seed + 1}", f"VERSION = {end.seed + 2}"))

    names = [("own_version", seed) for seed in range(3)]
    session = made.play(*names, workers=1, on_end=edit)
    assert [session.trial(*name).value for name in names] == [1.5, 2.5, 3.5]
    assert sum("project's files changed" in note for note in session.notes) == 2


def test_a_template_whose_trials_have_ended_does_not_stay(bench):

    made = bench(more=OWN_VERSION.format(1))
    study, counts = made.folder / "study_of_bench.py", []

    def edit(session, end):
        counts.append(len(own_templates()))
        study.write_text(study.read_text() + "\n")

    made.play(*[("own_version", seed) for seed in range(4)], workers=1, on_end=edit)
    assert counts == [1, 1, 1, 1]


def test_a_module_that_trials_import_is_read_by_each_of_them(bench):
    made = bench(more=VERSION)

    def edit(session, end):
        (made.folder / "model_of_bench.py").write_text(f"VERSION = {end.seed} + 10\n")

    names = [("version", seed) for seed in range(3)]
    session = made.play(*names, workers=1, on_end=edit)
    assert [session.trial(*name).value for name in names] == [0.0, 10.0, 11.0]
    assert session.notes == []


def test_an_edit_while_the_template_imports_makes_it_import_again(bench):
    made = bench(more=OWN_VERSION.format(1), setup="__import__('time').sleep(0.4); return Path('data.txt').read_text()")
    study = made.folder / "study_of_bench.py"
    text = study.read_text().replace("VERSION = 1", "VERSION = 2")

    def edit():
        made.wait_for(lambda _: any("engine.template" in line for line in made.processes()))
        threading.Event().wait(0.35)  # the module is loaded, and its setup sleeps
        study.write_text(text)

    thread = threading.Thread(target=edit)
    made.store().close()
    thread.start()
    session = made.play("own_version")
    thread.join()
    with made.store() as store:
        (use,) = [
            use
            for use in store.trials.manifest(session.trial("own_version").manifest or "").files
            if use.path == "study_of_bench.py"
        ]
        kept = store.artifacts.read(use.digest).decode()
    # Whichever version it loaded, the record holds that one.
    assert f"VERSION = {session.trial('own_version').value - 0.5:.0f}\n" in kept


def test_a_setup_that_starts_a_thread_is_not_forked_and_says_so(bench):
    made = bench(
        setup="import threading; threading.Thread(target=time.sleep, args=(99,), daemon=True).start(); return 'data'",
        more="\ndef pid(run):\n    import os\n    run.log(parent=os.getppid())\n    return 1.0\n",
    )
    session = made.play(("pid", 0), ("pid", 1))
    assert {end.trial.state for end in session.ends} == {TrialState.COMPLETE}
    (note,) = session.notes
    assert "Forking is not safe here" in note
    assert "started 1 threads" in note
    with made.store() as store:
        assert [event.data["text"] for event in store.events.of_study(1, kinds=("note",))] == [note]


def test_a_setup_that_raises_is_a_clear_error_and_frees_the_study(bench):
    made = bench(setup="raise FileNotFoundError('corpus.bin is missing; run fetch.py first')")
    for _ in range(2):
        with pytest.raises(
            ExperimentError,
            match=r"cannot be loaded: study_of_bench\.py, line 7: FileNotFoundError: corpus\.bin is missing",
        ) as error:
            made.play("one")
        assert "Traceback" not in str(error.value)
        assert "line 7, in load" in error.value.__notes__[0]
    with made.store() as store:
        study = store.studies.get("bench")
        assert (study.lease_pid, study.state) == (None, "paused")
        assert store.places.of_study(study.id) == []


def test_a_setup_whose_exception_cannot_be_shown_is_a_clear_error(bench):
    setup = "raise type('Mute', (Exception,), {'__str__': lambda self: 1})"
    with pytest.raises(ExperimentError, match=r"line 7: Mute: <the text of this exception cannot be shown"):
        bench(setup=setup).play("one")


@pytest.mark.parametrize("setup", ["__import__('os')._exit(3)", "raise SystemExit(0)"])
def test_a_setup_that_ends_its_process_is_a_clear_error(bench, setup):
    with pytest.raises(
        ExperimentError, match=r"cannot be loaded: (its process ended while it was importing|study.*SystemExit)"
    ):
        bench(setup=setup).play("one")


KILLED = (
    "import os; Path('imports').open('a').write('x')\n"
    "    if {}: os.kill(os.getpid(), 9)\n"
    "    return Path('data.txt').read_text()"
)


def test_a_template_that_is_killed_while_it_imports_is_started_once_more(bench):
    session = bench(setup=KILLED.format("Path('imports').stat().st_size == 1")).play("one")
    assert session.trial("one").state == TrialState.COMPLETE
    assert session.notes == ["SIGKILL ended the process that was importing: it is tried once more."]


def test_a_template_that_is_killed_twice_while_it_imports_is_a_clear_error(bench):
    made = bench(setup=KILLED.format(True))
    with pytest.raises(
        ExperimentError, match="cannot be loaded: SIGKILL ended its process, twice, while it was importing"
    ):
        made.play("one")
    assert (made.folder / "imports").read_text() == "xx"


def test_a_study_that_breaks_while_it_runs_ends_the_session_and_keeps_what_was_done(bench):
    made = bench()

    def wreck(session, end):
        (made.folder / "study_of_bench.py").write_text("syntax error here\n")

    with pytest.raises(ExperimentError, match="SyntaxError"):
        made.play(("one", 0), ("one", 1), workers=1, on_end=wreck)
    with made.store() as store:
        states = [place.trial.state for place in store.places.of_study(1)]
        assert states == [TrialState.COMPLETE, TrialState.QUEUED]
        assert store.studies.get("bench").lease_pid is None


def test_helpers_that_setup_started_stay_for_all_trials(bench):
    made = bench(
        setup="import subprocess; return subprocess.Popen(['sleep', '600']).pid",
        more="\ndef helped(run):\n    import os\n    os.kill(run.setup, 0)\n    return 1.0\n",
    )
    session = made.play(*[("helped", seed) for seed in range(3)], workers=1)
    assert {end.trial.state for end in session.ends} == {TrialState.COMPLETE}
    assert made.processes() == []


def test_inline_trials_run_one_after_the_other_in_this_process(bench):
    made = bench(more=VERSION + "\ndef pid(run):\n    import os\n    run.log(pid=os.getpid())\n    return 1.0\n")
    session = made.play("pid", "walk", "crash", "version", backend="inline", workers=4)
    assert session.trial("pid").metrics["pid"] == os.getpid()
    assert session.trial("crash").state == TrialState.FAILED
    local = made.play("walk", backend="local")
    # The same trial, wherever it ran. What else this process has imported (other tests' polars) may forbid the reuse.
    assert local.end_of("walk").reused or "polars" in sys.modules
    assert local.trial("walk").value == session.trial("walk").value
    (made.folder / "model_of_bench.py").write_text("VERSION = 7\n")
    again = made.play("pid", "walk", "crash", "version", backend="inline")
    assert {end.what for end in again.ends if not end.reused} >= {"walk", "version"}


def test_inline_and_forked_trials_draw_the_same_curve(bench):
    inline, local, spawn = (bench() for _ in range(3))
    curves = [
        made.curve(made.play(("walk", 3), backend=backend).trial("walk", 3))
        for made, backend in ((inline, "inline"), (local, "local"), (spawn, "spawn"))
    ]
    assert curves[0] == curves[1] == curves[2]


def test_an_inline_trial_that_was_left_open_does_not_end_its_own_process(bench):
    from headway.sandbox import processes

    made = bench()
    made.play("one", backend="inline")
    with made.store() as store:  # as after an error between a trial's end and its record
        trial = store.trials.create(store.studies.add_candidate("e", {}), 5)
        attempt = store.trials.begin(trial, 1, "runs/99/1", {})
        store.trials.set_process(attempt, os.getpid(), processes.start_time(os.getpid()) or 0.0)
        store.run_folder(99).joinpath("1").mkdir(parents=True)
    assert made.play("one", ("one", 1), backend="inline").ending == "done"
