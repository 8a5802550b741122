"""The demo's promises, on its real code with shorter trials: reuse, resume after kill -9, reproduction."""

import os
import signal
import subprocess
import sys
import time

import pytest

from .conftest import Project

pytestmark = pytest.mark.slow


def ids(project: Project) -> set[int]:
    return {trial["trial"] for trial in project.trials()}


def by_optimizer(project: Project, name: str) -> set[int]:
    return {trial["trial"] for trial in project.trials() if trial["config"]["optimizer"] == name}


def test_study_ends_in_a_verdict_with_its_losers_in_the_report(finished: Project):
    summary = finished.json("status", "stdlib-gpt")
    assert summary["state"] == "finished"
    assert summary["verdicts"]
    trials = finished.trials()
    assert len(trials) == 20
    report = (finished.folder / ".headway" / "reports" / "stdlib-gpt.html").read_text()
    assert summary["sentence"][:40] in report
    for number in {trial["number"] for trial in trials}:
        assert f'data-c="{number}"' in report  # the losing ones, too


def test_second_run_executes_nothing_and_a_readme_counts_for_nothing(finished: Project):
    before = ids(finished)
    (finished.folder / "README.md").write_text("another text\n")
    began = time.monotonic()
    finished.type("run", "study.py", "--workers", "2", "--plain")
    assert ids(finished) == before
    assert time.monotonic() - began < 15  # no template was started: torch alone takes seconds on a busy machine


def test_reproduces_five_trials_after_the_model_changed_and_was_committed(finished: Project):
    model = finished.folder / "model.py"
    text = model.read_text()
    model.write_text(text.replace("std=", "std=2 * ").replace("return ", "return 1.0 * ") + "\n# changed\n")
    finished.git("commit", "-qam", "another model")
    try:
        chosen = sorted(ids(finished))[::4][:5]
        for trial in chosen:
            answer = finished.json("reproduce", str(trial))
            assert answer["identical"], answer
    finally:
        model.write_text(text)
        finished.git("commit", "-qam", "the model again")


def test_edit_of_one_optimizer_runs_only_its_trials_again(finished: Project):
    before, muon = ids(finished), by_optimizer(finished, "muon")
    path = finished.folder / "optimizers" / "muon.py"
    path.write_text(path.read_text() + "# a thought\n")
    finished.type("run", "study.py", "--workers", "2", "--plain")
    after = ids(finished)
    assert before - after == muon
    assert by_optimizer(finished, "muon") >= after - before
    assert len(after) == len(before)


def test_exports_parquet_that_polars_reads(finished: Project):
    import polars

    finished.type("export", "stdlib-gpt", "--to", "trials.parquet")
    frame = polars.read_parquet(finished.folder / "trials.parquet")
    assert frame.height == 20
    assert frame["value"].drop_nulls().len() > 10


def test_kill_9_of_the_engine_then_resume_ends_in_the_same_verdict(fresh: Project, finished: Project):
    command = [sys.executable, "-m", "headway", "run", "study.py", "--workers", "2", "--plain"]
    engine = subprocess.Popen(command, cwd=fresh.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for_trials(fresh, 4)
    engine.send_signal(signal.SIGKILL)
    engine.wait()
    done = {trial["trial"]: trial["value"] for trial in fresh.trials() if trial["state"] in ("complete", "stopped")}
    fresh.type("resume", "--workers", "2", "--plain")
    summary = fresh.json("status", "stdlib-gpt")
    assert summary["state"] == "finished"
    assert summary["verdicts"]
    after = {trial["trial"]: trial for trial in fresh.trials()}
    assert {trial: after[trial]["value"] for trial in done} == done
    same_seed = {(t["candidate"], t["seed"]): t["value"] for t in finished.trials() if t["state"] == "complete"}
    for trial in after.values():
        key = (trial["candidate"], trial["seed"])
        if trial["state"] == "complete" and key in same_seed and trial["config"]["optimizer"] != "muon":
            assert trial["value"] == same_seed[key]  # to the last bit, through checkpoints and restarts
    assert not left_over(fresh)


def test_ctrl_c_pauses_and_says_what_to_type(fresh: Project):
    command = [sys.executable, "-m", "headway", "run", "study.py", "--workers", "2", "--plain"]
    engine = subprocess.Popen(command, cwd=fresh.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for_trials(fresh, 2)
    engine.send_signal(signal.SIGINT)
    said, _ = engine.communicate(timeout=60)
    assert engine.returncode == 130
    assert "headway resume" in said
    assert fresh.json("status", "stdlib-gpt")["state"] == "paused"
    fresh.type("resume", "--workers", "2", "--plain")
    assert fresh.json("status", "stdlib-gpt")["state"] == "finished"


def wait_for_trials(project: Project, count: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        answer = project.type("trials", "stdlib-gpt", "--limit", "0", "--json", check=False)
        if answer.returncode == 0 and len(project.trials()) > count:
            return
        time.sleep(0.3)
    raise AssertionError("the study did not get going")


def left_over(project: Project) -> list[str]:
    """Return the command lines of processes that still work in the project's folder."""
    found: list[str] = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.readlink(f"/proc/{name}/cwd").startswith(str(project.folder)):
                    with open(f"/proc/{name}/cmdline") as file:
                        found.append(file.read().replace("\0", " "))
            except OSError:
                continue
    return found
