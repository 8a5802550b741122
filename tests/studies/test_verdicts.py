"""Whole studies, small and real: the same verdict for functions and commands, failures as results, shared trials."""

import subprocess
import sys
from pathlib import Path

import pytest

from headway.core import DefinitionChanged, TrialState
from headway.store import Store
from headway.studies import QuietObserver, StudySummary, studies_in, summarize

TRAIN = """
import argparse, random, time
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--seed", type=int)
parser.add_argument("--mode", default="ok")
a = parser.parse_args()
random.seed(a.seed)
if a.mode == "crash":
    raise ValueError(f"bad shape {a.lr}")
if a.mode == "hang":
    time.sleep(1000)
for step in range(3):
    print(f"step {step:05d} (99.7%) | loss: {a.lr / (step + 1):.4f} | dt: 12ms", end="\\r", flush=True)
print()
print("val_loss:", "nan" if a.mode == "nan" else 1 - a.lr + random.gauss(0, 0.01) * (1 + a.lr))
"""
STUDY = """
import random, time
import headway

SPACE = {"lr": headway.Float(0.01, 0.5), "mode": headway.Choice(["ok", "crash", "nan", "hang"])}
LIMITS = headway.Limits(wall_seconds=1.5)


@headway.experiment(metric="val_loss", space=SPACE, limits=LIMITS)
def train(run):
    if run.config.mode == "crash":
        raise ValueError(f"bad shape {run.config.lr}")
    if run.config.mode == "hang":
        time.sleep(1000)
    noise = random.gauss(0, 0.01) * (1 + run.config.lr)
    run.report(val_loss=float("nan") if run.config.mode == "nan" else 1 - run.config.lr + noise)


script = headway.command(
    "python train.py --lr {lr} --seed {seed} --mode {mode}", metric="val_loss", space=SPACE, limits=LIMITS
)
BASELINE = {"lr": 0.1, "mode": "ok"}
function = headway.Study(train, name="function", sampler="grid", budget="27 trials", seeds=3, baseline=BASELINE)
command = headway.Study(script, name="command", sampler="grid", budget="27 trials", seeds=3, baseline=BASELINE)
"""


def write(folder: Path, study: str, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    (folder / "study.py").write_text(study)
    return folder / "study.py"


def run(folder: Path, name: str, *, check: bool = True) -> str:
    """Run one study as a user does, in a process of its own."""
    words = [sys.executable, "-m", "headway", "run", "study.py", "--study", name, "--plain", "--workers", "4"]
    answer = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert answer.returncode == 0 or not check, answer.stderr
    return answer.stdout + answer.stderr


def summary(folder: Path, name: str) -> StudySummary:
    with Store.open(folder / ".headway") as store:
        return summarize(store, store.studies.get(name))


@pytest.mark.parametrize("name", ["function", "command"])
def test_crash_nan_and_hang_are_results_and_the_study_ends_in_a_verdict(tmp_path, name):
    write(tmp_path / "p", STUDY, train=TRAIN)
    run(tmp_path / "p", name)
    found = summary(tmp_path / "p", name)
    reasons = {str(place.trial.reason) for place in found.trials if place.trial.state == TrialState.FAILED}
    assert reasons == {"exception", "not finite", "wall time"}
    crashes = {place.trial.fingerprint for place in found.trials if place.trial.reason == "exception"}
    assert len(crashes) == 1  # other numbers in the message, the same crash
    assert found.verdicts[0].decision == "accepted"
    assert 0.2 < found.verdicts[0].data["effect"] < 0.45


def test_a_second_study_answers_what_it_shares_from_the_record(tmp_path):
    other = 'more = headway.Study(train, name="more", sampler="grid", budget="12 trials", seeds=3, baseline=BASELINE)'
    write(tmp_path / "p", STUDY.replace('["ok", "crash", "nan", "hang"]', '["ok"]') + other, train=TRAIN)
    run(tmp_path / "p", "function")
    run(tmp_path / "p", "more")
    first, second = summary(tmp_path / "p", "function"), summary(tmp_path / "p", "more")
    shared = {place.trial.id for place in first.trials} & {place.trial.id for place in second.trials}
    assert len(shared) >= 8
    assert all(place.reused for place in second.trials if place.trial.id in shared)


def test_a_larger_budget_goes_on_and_another_definition_is_refused(tmp_path):
    text = STUDY.replace('["ok", "crash", "nan", "hang"]', '["ok"]').replace('"grid"', '"sobol"')
    folder = write(tmp_path / "p", text, train=TRAIN).parent
    run(folder, "function")
    before = {place.trial.id for place in summary(folder, "function").trials}
    write(folder, text.replace("27 trials", "33 trials"))
    run(folder, "function")
    after = {place.trial.id for place in summary(folder, "function").trials}
    assert before < after
    assert len(after) <= 33
    write(folder, text.replace('"lr": 0.1', '"lr": 0.2'))
    said = run(folder, "function", check=False)
    assert "baseline.lr: 0.1 -> 0.2" in said
    assert {place.trial.id for place in summary(folder, "function").trials} == after


def test_a_candidate_that_changes_nothing_is_called_identical(tmp_path):
    text = """
import random
import headway

@headway.experiment(metric="loss", space={"unused": headway.Choice(["a", "b"]), "lr": headway.Choice([0.1, 0.2])})
def train(run):
    for step in run.steps(5):
        run.log(loss=run.config.lr * random.random())

study = headway.Study(train, name="same", sampler="grid", budget="30 trials", baseline={"unused": "a", "lr": 0.1})
"""
    write(tmp_path / "p", text)
    run(tmp_path / "p", "same")
    found = summary(tmp_path / "p", "same")
    decisions = {(row.config["unused"], row.config["lr"]): row.decision for row in found.candidates if row.number}
    assert decisions["b", 0.1] == "identical"
    assert "accepted" not in decisions.values()


def test_a_command_without_a_seed_has_no_noise_to_measure(tmp_path):
    text = """
import headway
script = headway.command("python train.py {lr}", metric="loss", space={"lr": headway.Float(0.1, 1.0)})
study = headway.Study(script, name="seedless", budget="12 trials", baseline={"lr": 0.5})
"""
    write(tmp_path / "p", text, train="import sys\nprint('loss:', float(sys.argv[1]) ** 2)\n")
    said = run(tmp_path / "p", "seedless")
    assert "no noise to measure" in said
    found = summary(tmp_path / "p", "seedless")
    assert [item.decision for item in found.verdicts] == ["undecided"]
    assert "no seed reaches" in found.sentence


def test_another_definition_in_python_names_the_difference(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = STUDY.replace('["ok", "crash", "nan", "hang"]', '["ok"]').replace("27 trials", "12 trials")
    study = studies_in(write(tmp_path / "p", text, train=TRAIN))["function"]
    study.run(observer=QuietObserver(), backend="inline")
    study.seeds = 4
    with pytest.raises(DefinitionChanged, match="seeds: 3 -> 4"):
        study.run(observer=QuietObserver(), backend="inline")
