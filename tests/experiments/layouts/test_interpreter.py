"""Commands of a repository become what there is of uv and Python; where uv would do more than run, that is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headway.core import UsageError
from headway.experiments.layouts.interpreter import command_words, environment_of, path_of, python_of, without_uv

SHIM = Path(command_words.__code__.co_filename).parent / "drivers" / "bin" / "uv"


@pytest.fixture
def own(tmp_path):
    """Return the interpreter of a .venv."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return str(python)


@pytest.mark.parametrize(
    ("command", "rest"),
    [
        ("uv run train.py", ("train.py",)),
        ("uv run python train.py --lr 1", ("train.py", "--lr", "1")),
        ("uv run python3.11 train.py", ("train.py",)),
        ("uv run -m package.train", ("-m", "package.train")),
        ("uv run --frozen --extra gpu -p 3.11 --group=dev -- train.py", ("train.py",)),
    ],
)
def test_uv_run_is_the_environments_python(tmp_path, own, command, rest):
    assert without_uv(tmp_path, command.split()) == (own, *rest)


def test_a_program_of_the_environment_is_called_there(tmp_path, own):
    Path(own).with_name("trainer").touch()
    assert without_uv(tmp_path, ["uv", "run", "trainer", "x"]) == (str(Path(own).with_name("trainer")), "x")
    assert without_uv(tmp_path, ["uv", "run", "bash", "run.sh"]) == ("bash", "run.sh")
    assert without_uv(tmp_path, ["bash", "run.sh"]) == ("bash", "run.sh")


@pytest.mark.parametrize("flag", ["--with numpy", "--directory /tmp", "--env-file .env", "--isolated"])
def test_flags_by_which_uv_would_do_more_are_refused_by_name(tmp_path, flag):
    with pytest.raises(UsageError, match=f"gives {flag.split()[0]} to uv"):
        without_uv(tmp_path, f"uv run {flag} train.py".split())
    with pytest.raises(UsageError, match="names nothing to run"):
        without_uv(tmp_path, ["uv", "run", "--frozen"])


@pytest.mark.parametrize(
    ("project", "needs"),
    [
        ("", False),
        ("[project]\nname = 'x'\ndependencies = []\n", False),
        ("[project]\ndependencies = ['numpy']\n", True),
    ],
)
def test_only_what_needs_packages_needs_an_environment(tmp_path, project, needs):
    (tmp_path / "pyproject.toml").write_text(project)
    (tmp_path / "train.py").write_text("# /// script\n# dependencies = []\n# ///\n")
    if needs:
        with pytest.raises(UsageError, match="It needs numpy"):
            without_uv(tmp_path, ["uv", "run", "train.py"])
    else:
        assert without_uv(tmp_path, ["uv", "run", "train.py"]) == (sys.executable, "train.py")


def test_the_environment_is_looked_for_up_to_where_the_project_begins(tmp_path, own):
    part = tmp_path / "parts" / "one"
    part.mkdir(parents=True)
    assert python_of(part) == own
    assert path_of(part).split(os.pathsep)[0] == os.path.dirname(own)
    assert environment_of(part)["UV_PROJECT_ENVIRONMENT"] == str(tmp_path / ".venv")
    (part / "pyproject.toml").touch()
    assert python_of(part) == sys.executable


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run --frozen --extra gpu python3 -c print(1)", "1"),
        ("run -- echo 2", "2"),
        ("run -m this", "Zen"),
        ("sync", "nothing can be installed"),
        ("run --with numpy x.py", "cannot be obeyed"),
    ],
)
def test_what_stands_in_for_uv_runs_or_says_why_not(words, said):
    ended = subprocess.run([str(SHIM), *words.split()], capture_output=True, text=True, check=False)
    assert said in ended.stdout + ended.stderr
    assert ended.returncode == (2 if ended.stderr else 0)
