"""From `headway init` to a verdict, as a newcomer types it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from headway.store import FOLDER, Store
from tests.interfaces.folders import until


def headway(*words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "headway", *words], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def smaller(file: Path, changes: Mapping[str, str]) -> None:
    text = file.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)


SMALL = {"STEPS, BATCH = 3000, 64": "STEPS, BATCH = 200, 16"}
FEW = {'budget="24 trials"': 'budget="9 trials"', "seeds=4": "seeds=2"}


def test_init_writes_a_file_and_says_what_to_type(ask, project):
    text = ask("init").stdout
    assert "headway run study.py" in text
    assert (project / "study.py").is_file()
    assert (project / FOLDER / "store.sqlite").is_file()
    result = ask("init")
    assert result.exit_code == 2
    assert "study.py would be overwritten" in result.stderr
    assert ask("init", "--force").exit_code == 0


def test_init_of_a_command_writes_its_script_too(ask, ask_json, project):
    assert ask_json("init", "lab/my-idea.py", "--command")["files"] == ["lab/my-idea.py", "lab/train.py"]
    assert 'name="my-idea"' in (project / "lab" / "my-idea.py").read_text()
    assert "python train.py --lr {lr}" in (project / "lab" / "my-idea.py").read_text()
    assert ask("init", "lab/train.py", "--command", "--force").exit_code == 2
    assert ask("init", "notes.txt").exit_code == 2


@pytest.mark.parametrize("words", [[], ["--command"]])
def test_what_init_writes_is_tidy(ask, project, words):
    ask("init", *words)
    files = [str(path) for path in project.glob("*.py")]
    subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--ignore=I001", "--line-length=120", *files], check=True
    )
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=120", "--diff", *files], check=True
    )


def test_dry_run_shows_what_would_run_and_runs_nothing(ask_json, project):
    headway("init")
    (data,) = ask_json("run", "study.py", "--dry-run", "--budget", "30 trials")["studies"]
    assert data["budget"]["trials"] == 30
    assert [item["role"] for item in data["coming"]] == ["baseline"] * 5 + ["search"] * 5
    assert all(item["answer"] is None for item in data["coming"])
    with Store.open(project / FOLDER) as store:
        assert store.studies.all() == []


def test_run_refuses_what_cannot_be_meant(ask, project):
    headway("init")
    for words, message in (
        (["nothing.py"], "nothing.py does not exist"),
        (["study.py", "--study", "spiral"], "Did you mean 'spirals'?"),
        (["study.py", "--budget", "soon"], "cannot be read"),
        (["study.py", "--budget", "3 trials"], "cannot reach a verdict"),
        (["study.py", "--workers", "0"], "--workers"),
        (["study.py", "--backend", "locl"], "local"),
    ):
        result = ask("run", *words)
        assert result.exit_code == 2, result.output
        assert message in result.stderr


def test_a_study_from_init_to_its_verdict(project):
    headway("init")
    smaller(project / "study.py", SMALL | FEW)
    done = headway("run", "study.py", "--workers", "2")
    assert "figures" in done.stdout
    assert f"{project / FOLDER / 'reports' / 'spirals.html'}" in done.stdout
    assert "headway trials spirals" in done.stdout
    assert done.stderr.count("complete") == 9
    assert "\x1b" not in done.stdout + done.stderr

    (again,) = json.loads(headway("run", "study.py", "--json").stdout)["studies"]
    assert again["state"] == "finished"
    assert again["spent"]["trials"] == 9, "the record answers, so nothing was run again"
    (ahead,) = json.loads(headway("run", "study.py", "--dry-run", "--json").stdout)["studies"]
    assert all(item["answer"] for item in ahead["coming"])
    assert json.loads(headway("trials", "--json").stdout)["count"] == 9

    smaller(project / "study.py", {'sampler="sobol"': 'sampler="random"'})
    assert "sobol" in headway("run", "study.py", code=3).stderr


@pytest.mark.slow
def test_a_command_from_init_to_its_verdict(project):
    headway("init", "--command")
    smaller(project / "train.py", SMALL)
    smaller(project / "study.py", FEW)
    (data,) = json.loads(headway("run", "study.py", "--json").stdout)["studies"]
    assert data["trials"] == {"complete": 9}
    assert "val_loss" in headway("logs", "1").stdout


@pytest.mark.slow
def test_a_study_runs_inline_for_debuggers(project):
    headway("init")
    smaller(project / "study.py", SMALL | FEW)
    (data,) = json.loads(headway("run", "study.py", "--backend", "inline", "--json").stdout)["studies"]
    assert data["state"] == "finished"


def _start(project: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "headway", "run", "study.py", "--budget", "30 trials"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    with Store.open(project / FOLDER) as store:

        def three_done() -> bool:
            study = store.studies.find("spirals")
            places = [] if study is None else store.places.of_study(study.id)
            return sum(place.trial.state.ended for place in places) >= 3

        until(three_done, 60)
    return process


def _status() -> dict[str, Any]:
    return json.loads(headway("status", "spirals", "--json").stdout)


def test_ctrl_c_pauses_and_resume_goes_on(project):
    headway("init")
    smaller(project / "study.py", {"STEPS, BATCH = 3000, 64": "STEPS, BATCH = 1500, 16"})
    process = _start(project)
    assert _status()["state"] == "running"
    assert "headway stop spirals" in headway("resume", "spirals", code=4).stderr + headway("status", "spirals").stdout
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Paused. Go on with: headway resume spirals --budget '30 trials'" in output
    assert _status()["state"] == "paused"
    done = headway("resume", "--budget", "30 trials", "--plain")
    assert re.search(r"^\d+ trials stand in the record", done.stderr, re.MULTILINE)
    assert _status()["state"] == "finished"
    headway("resume", code=7)


@pytest.mark.slow
def test_stop_pauses_a_study_from_another_process(project):
    headway("init")
    process = _start(project)
    assert "spirals is paused" in headway("stop").stdout
    process.communicate(timeout=60)
    assert process.returncode == 130


@pytest.mark.slow
def test_a_killed_engine_is_seen_and_resumed(project):
    headway("init")
    smaller(project / "study.py", SMALL)
    process = _start(project)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    state = _status()["state"]
    assert state in ("interrupted", "finished")
    if state == "interrupted":
        assert "headway resume spirals" in headway("status").stdout
        headway("resume", "--budget", "30 trials")
    assert _status()["state"] == "finished"


@pytest.mark.slow
def test_reproduce_tells_whether_the_curves_are_the_same(project):
    headway("init")
    smaller(project / "study.py", SMALL | FEW)
    headway("run", "study.py")
    smaller(project / "study.py", {"BATCH = 200, 16": "BATCH = 100, 8"})
    data = json.loads(headway("reproduce", "1", "--json").stdout)
    assert data["identical"] is True
    assert data["original"]["value"] == data["again"]["value"]
