"""How a scorer tells its score: printed, or through the pipe with a nonce, which is then all that counts."""

import subprocess
from pathlib import Path

import pytest

from headway.sandbox import protection
from headway.store import FOLDER, Store
from headway.studies.from_folder import repository_study
from headway.studies.observers import QuietObserver

pytestmark = pytest.mark.skipif(not protection().sound, reason=f"no sandbox: {protection()}")

TRAIN = """
import random
random.seed(7)
open("model.txt", "w").write(f"1.5 loss: 0.0 {random.random()}")
print("loss: 0.001")
"""
TOML = """
[repository]
command = "python train.py"
metric = "loss"
direction = "minimize"
editable = ["train.py"]
score = "python score.py"
checkpoint = "model.txt"
"""


def value_of_baseline(folder: Path, score: str) -> float | None:
    for name, text in {"train.py": TRAIN, "score.py": score, "headway.toml": TOML}.items():
        (folder / name).write_text(text)
    git = ["git", "-c", "user.name=me", "-c", "user.email=me@localhost"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "base"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    study = repository_study(folder, folder / FOLDER, name="s", close_after=0.0)
    assert study.trust == "guarded"
    study.run(store=folder / FOLDER, workers=2, observer=QuietObserver())
    with Store.open(folder / FOLDER, create=False) as store:
        return store.trials.get(1).value


def test_what_is_printed_counts_where_nothing_else_is_told(tmp_path):
    assert value_of_baseline(tmp_path, "print('loss:', open('model.txt').read().split()[0])") == 1.5


def test_what_is_reported_with_the_nonce_counts_and_what_is_shown_does_not(tmp_path):
    score = """
from headway_result import report
text = open('model.txt').read()
report({"loss": float(text.split()[0])})
print("scored the model", text)
print("loss: 0.0")
"""
    assert value_of_baseline(tmp_path, score) == 1.5


def test_a_line_in_the_pipe_without_the_nonce_is_no_score(tmp_path):
    score = """
import os
os.write(int(os.environ["HEADWAY_RESULT_FD"]), b'{"loss": 0.0}' + bytes([10]))
print("loss: 0.0")
"""
    assert value_of_baseline(tmp_path, score) is None
