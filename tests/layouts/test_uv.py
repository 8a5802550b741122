"""Where uv is installed, `uv run` is the repository's own Python in the sandbox, as nothing can be installed there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headway.core import TrialState, UsageError
from headway.studies.from_folder import repository_study
from headway.testing.layouts import copy_repository
from headway.testing.repositories import committed, studied

LAYOUTS = Path(__file__).parents[2] / "examples" / "layouts"
PREFIX = "print(f\"in_venv: {int(sys.prefix.endswith('.venv'))}\")"


@pytest.fixture(autouse=True)
def uv(tmp_path, monkeypatch):
    """Put a uv first on PATH that says that it was called, and fails."""
    place = tmp_path / "programs"
    place.mkdir()
    (place / "uv").write_text(f"#!/bin/sh\necho called >> {tmp_path}/called\nexit 3\n")
    (place / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "called"


@pytest.fixture
def tree(tmp_path):
    """Return a helix repository, run by `uv run fit.py`, that tells which Python runs it."""
    tree = copy_repository(LAYOUTS / "helix", tmp_path / "repository")
    fit = tree / "fit.py"
    fit.write_text(fit.read_text().replace("import random\n", f"import random\nimport sys\n\n{PREFIX}\n", 1))
    settings = tree / "helix.yaml"
    text = settings.read_text().replace("name: parameters", "name: in_venv")
    settings.write_text(text.replace("parameters:", "in_venv:"))
    return tree


def made_environment(tree):
    """Make a .venv that sees what this Python sees, without pip."""
    made = [sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", str(tree / ".venv")]
    subprocess.run(made, check=True)
    (tree / ".gitignore").write_text(".venv\n")


def baseline_of(tree, tmp_path):
    with studied(committed(tree), tmp_path / "store", {}) as outcome:
        return outcome.trials(outcome.baseline)[0]


def test_uv_run_is_the_python_of_the_repositorys_own_environment(tree, tmp_path, uv):
    made_environment(tree)
    trial = baseline_of(tree, tmp_path)
    assert (trial.state, trial.metrics["in_venv"]) == (TrialState.COMPLETE, 1.0), trial.message
    assert not uv.exists()


def test_an_environment_of_the_project_around_the_folder_counts(tree, tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    tree.rename(whole / "part")
    made_environment(whole)
    committed(whole)
    with studied(whole / "part", tmp_path / "store", {}) as outcome:
        trial = outcome.trials(outcome.baseline)[0]
    assert (trial.state, trial.metrics["in_venv"]) == (TrialState.COMPLETE, 1.0), trial.message


def test_a_repository_that_needs_nothing_runs_with_headways_python_and_says_so(tree, tmp_path, uv, capsys):
    trial = baseline_of(tree, tmp_path)
    assert trial.state == TrialState.COMPLETE, trial.message
    assert "has no .venv and needs no packages" in capsys.readouterr().err
    assert not uv.exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", '[project]\nname = "x"\nversion = "0"\ndependencies = ["torch>=2"]\n'),
        ("fit.py", '# /// script\n# dependencies = ["torch>=2"]\n# ///\n'),
    ],
)
def test_packages_without_an_environment_are_told_before_anything_runs(tree, tmp_path, name, text):
    path = tree / name
    path.write_text(text + (path.read_text() if path.exists() else ""))
    committed(tree)
    with pytest.raises(UsageError, match=r"has no environment yet.*It needs.*uv sync"):
        repository_study(tree, tmp_path / "store")
    assert not (tmp_path / "store" / "store.sqlite").exists()
    repository_study(tree, tmp_path / "store", unsafe=True)  # there uv itself may install


def test_a_script_that_calls_uv_itself_gets_the_environments_python(tmp_path, uv):
    tree = copy_repository(LAYOUTS / "pi-codex", tmp_path / "repository")
    made_environment(tree)
    (tree / "where.py").write_text(
        f"import sys\n\n{PREFIX.replace('in_venv:', 'METRIC in_venv=').replace('= ', '=')}\n"
    )
    measure = tree / ".auto" / "measure.sh"
    text = measure.read_text().replace("python3 bench.py", "uv run --frozen bench.py")
    measure.write_text(f"{text}uv run --extra cpu python3 where.py\nuv sync || echo METRIC refused=$?\n")
    trial = baseline_of(tree, tmp_path)
    assert trial.state == TrialState.COMPLETE, trial.message
    assert (trial.metrics["in_venv"], trial.metrics["refused"]) == (1.0, 2.0)
    assert not uv.exists()
