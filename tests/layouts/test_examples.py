"""The README of each example says how to run it: its commands do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from headway.testing.layouts import copy_repository

LAYOUTS = Path(__file__).parents[2] / "examples" / "layouts"
NAMES = sorted(path.name for path in LAYOUTS.iterdir() if path.is_dir())
_IDENTITY = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_the_readme_end_in_an_accepted_change(name, tmp_path):
    tree = copy_repository(LAYOUTS / name, tmp_path / name)
    text = (tree / "README.md").read_text()
    assert len(text.splitlines()) < 20
    commands = "\n".join(re.findall(r"^ {4}(.*)$", text, re.MULTILINE))
    program = f'headway() {{ {sys.executable} -m headway "$@"; }}\n'
    ended = subprocess.run(
        ["bash", "-ec", program + commands],
        cwd=tree,
        env=os.environ | _IDENTITY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    trust = "guarded" if name.endswith("scored") else "as printed"
    assert f"({trust})" in ended.stdout, ended.stdout + ended.stderr
    log = subprocess.run(["git", "log", "--all", "--format=%s"], cwd=tree, capture_output=True, text=True, check=True)
    assert len(log.stdout.splitlines()) == 2
