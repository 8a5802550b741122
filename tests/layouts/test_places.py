"""Repositories as people have them: without git, in a part of a larger one, with files that git does not know."""

import json
import shutil
from pathlib import Path

import pytest

from headway.core import TrialState
from headway.experiments.layouts import find_layout
from headway.studies.repositories import files_of
from headway.testing.layouts import copy_repository, run_steps
from headway.testing.repositories import committed, edited, git, studied

LAYOUTS = Path(__file__).parents[2] / "examples" / "layouts"
BETTER, NULL = ("STEPS = 200", "STEPS = 4000"), ("import math\n", "import math  # of course\n")


@pytest.fixture
def tree(tmp_path):
    """Return a copy of the example with a scorer, without git."""
    return copy_repository(LAYOUTS / "headway-toml-scored", tmp_path / "repository")


def ideas_of(tree, file="train.py", **edits):
    source = (tree / file).read_bytes().decode()
    return {name: {file: edited(source, edit)} for name, edit in edits.items()}


def test_a_folder_without_git_is_judged_on_a_copy_of_it(tree, tmp_path):
    (tree / ".venv").mkdir()
    with studied(tree, tmp_path / "store", ideas_of(tree, null=NULL, crash=("import math", "import maths"))) as outcome:
        assert outcome.verdict("null").decision == "identical"
        assert "No module named 'maths'" in outcome.verdict("crash").sentence
        assert outcome.after() == outcome.before
        assert not (tree / ".git").exists()
        (copy,) = (outcome.store.folder / "bases").iterdir()
        assert sorted(path.name for path in copy.iterdir()) == sorted({*outcome.before, "README.md"})


@pytest.mark.slow
def test_what_is_accepted_without_git_is_what_others_build_on(tree, tmp_path):
    with studied(tree, tmp_path / "store", ideas_of(tree, better=BETTER), seeds=6) as outcome:
        assert outcome.verdict("better").decision == "accepted (guarded)"
        text = files_of(outcome.store, outcome.record, outcome.candidates["better"])["train.py"]
        assert text == edited((tree / "train.py").read_text(), BETTER)


def test_a_part_of_a_larger_repository_is_an_experiment_of_its_own(tree, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(LAYOUTS / "helix", whole / "other")
    tree.rename(whole / "part")
    committed(whole)
    part = whole / "part"
    with studied(part, tmp_path / "store", ideas_of(part, null=NULL)) as outcome:
        assert outcome.verdict("null").decision == "identical"
        tried = f"refs/headway/{outcome.first('null').id}"
        assert git(whole, "diff", "--name-only", "main", tried).split() == ["part/train.py"]
        assert git(whole, "rev-parse", "headway/contract") == git(whole, "rev-parse", "main")
        assert outcome.after() == outcome.before
        assert git(whole, "status", "--porcelain") == ""


def with_data(tree, *, ignored):
    """Let train.py read its points from a folder that git ignores."""
    (tree / "data").mkdir()
    (tree / "data" / "points.json").write_text(json.dumps([[x / 50, x / 25] for x in range(-50, 50)]))
    path = tree / "train.py"
    path.write_text(
        path.read_text().replace("import random\n", "import random\n\njson.load(open('data/points.json'))\n")
    )
    (tree / ".gitignore").write_text(f"{ignored}\n")
    return committed(tree)


def test_data_that_git_does_not_know_is_read_where_headway_toml_names_it(tree, tmp_path):
    (tree / "headway.toml").write_text((tree / "headway.toml").read_text() + 'data = ["data"]\n')
    with_data(tree, ignored="data/")
    write = ("json.load(open(", "open('data/points.json', 'w')\njson.load(open(")
    with studied(tree, tmp_path / "store", ideas_of(tree, write=write)) as outcome:
        baseline = outcome.trials(outcome.baseline)[0]
        assert baseline.state == TrialState.COMPLETE, baseline.message
        assert "Read-only" in outcome.verdict("write").sentence
        assert outcome.after() == outcome.before


@pytest.mark.parametrize("ignored", ["data/", "*.json"])
def test_a_file_that_git_ignores_is_named_with_what_to_do(tree, tmp_path, ignored):
    with_data(tree, ignored=ignored)
    with studied(tree, tmp_path / "store", {}) as outcome:
        baseline = outcome.trials(outcome.baseline)[0]
    assert baseline.state == TrialState.FAILED
    assert "FileNotFoundError" in baseline.message
    assert f"{tree} has data/points.json, but git does not: commit it (git add -f data/points.json)" in baseline.message


def test_a_module_that_git_ignores_is_named_too(tree, tmp_path):
    (tree / "helper.py").write_text("x = 1\n")
    (tree / ".gitignore").write_text("helper.py\n")
    (tree / "train.py").write_text(f"import helper\n{(tree / 'train.py').read_text()}")
    with studied(committed(tree), tmp_path / "store", {}) as outcome:
        message = outcome.trials(outcome.baseline)[0].message
    assert "No module named 'helper'" in message
    assert "has helper.py, but git does not" in message


def test_the_script_that_measures_may_be_ignored_by_nobody(tmp_path):
    tree = copy_repository(LAYOUTS / "pi-codex", tmp_path / "repository")
    (tree / ".gitignore").write_text(".auto/\n")
    with studied(committed(tree), tmp_path / "store", {}) as outcome:
        message = outcome.trials(outcome.baseline)[0].message
    assert "has .auto/measure.sh, but git does not" in message


def test_line_ends_of_windows_stay(tree, tmp_path):
    path = tree / "train.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    committed(tree)
    by_hand = run_steps(find_layout(tree), copy_repository(tree, tmp_path / "tree"), tmp_path / "results")
    null = ("import math\r\n", "import math  # of course\r\n")
    with studied(tree, tmp_path / "store", ideas_of(tree, null=null)) as outcome:
        assert outcome.trials(outcome.baseline)[0].value == by_hand.value
        assert outcome.verdict("null").decision == "identical"
        changed = git(tree, "diff", "--stat", "main", f"refs/headway/{outcome.first('null').id}")
        assert "1 insertion(+), 1 deletion(-)" in changed  # and not every line
        assert outcome.after() == outcome.before


@pytest.mark.parametrize("with_git", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_an_executable_script_is_run(tree, tmp_path, with_git):
    script = tree / "run.sh"
    script.write_text("#!/bin/sh\nexec python3 train.py\n")
    script.chmod(0o755)
    settings = tree / "headway.toml"
    settings.write_text(settings.read_text().replace('command = "python train.py"', 'command = "./run.sh"'))
    with studied(committed(tree) if with_git else tree, tmp_path / "store", ideas_of(tree, null=NULL)) as outcome:
        assert outcome.verdict("null").decision == "identical"


def test_a_folder_that_is_in_git_gets_new_files_where_headway_toml_names_it(tree, tmp_path):
    (tree / "outputs").mkdir()
    (tree / "outputs" / ".gitkeep").touch()
    settings = tree / "headway.toml"
    settings.write_text(settings.read_text().replace("model.json", "outputs/model.json"))
    path = tree / "train.py"
    path.write_text(path.read_text().replace('"model.json"', '"outputs/model.json"'))
    committed(tree)
    with studied(tree, tmp_path / "first", {}) as outcome:
        assert "Read-only file system: 'outputs/model.json'" in outcome.trials(outcome.baseline)[0].message
    settings.write_text(settings.read_text() + 'writes = ["outputs"]\n')
    git(tree, "commit", "-qam", "name it")
    with studied(tree, tmp_path / "store", ideas_of(tree, null=NULL)) as outcome:
        assert outcome.verdict("null").decision == "identical"
