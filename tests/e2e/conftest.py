"""A copy of the demo with shorter trials, in a git repository of its own, and the command line as a user types it."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "stdlib_gpt"
STEPS = 36  # instead of some hundreds: these tests are about the engine


@dataclass(frozen=True)
class Project:
    folder: Path

    def type(self, *words: str, timeout: float = 600, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "headway", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=check,
        )

    def json(self, *words: str) -> Any:
        return json.loads(self.type(*words, "--json").stdout)

    def trials(self) -> list[dict[str, Any]]:
        answer = self.json("trials", "stdlib-gpt", "--limit", "0")
        return answer["trials"] if isinstance(answer, dict) else answer

    def git(self, *words: str) -> None:
        name = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", *name, *words], cwd=self.folder, check=True, capture_output=True)


def make_project(folder: Path) -> Project:
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("__pycache__", ".headway"))
    study = folder / "study.py"
    text = study.read_text()
    text = re.sub(
        r"STEPS, LENGTH, VALIDATION_WINDOWS = \d+, \d+, \d+",
        f"STEPS, LENGTH, VALIDATION_WINDOWS = {STEPS}, 32, 8",
        text,
    )
    text = re.sub(r"% 100 == 0", "% 3 == 0", text)
    text = re.sub(r"every=\d+", "every=6", text)
    text = re.sub(r'budget="[^"]*"', 'budget="20 trials"', text)
    text = re.sub(r"seeds=\d+", "seeds=3", text)
    assert f"= {STEPS}, 32, 8" in text
    study.write_text(text)
    project = Project(folder)
    project.git("init", "-q")
    project.git("add", "-A")
    project.git("commit", "-qm", "the demo, shorter")
    return project


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose study has run to its verdict."""
    project = make_project(tmp_path_factory.mktemp("demo") / "project")
    project.type("run", "study.py", "--workers", "2", "--plain")
    return project


@pytest.fixture
def fresh(tmp_path: Path) -> Project:
    """A project in which nothing ran yet."""
    return make_project(tmp_path / "project")
