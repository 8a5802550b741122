"""Tiny repositories in OpenEvolve's layout, proposers for them, and studies of them as processes of their own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.sandbox import protection
from headway.store import FOLDER, ProposalRecord, Store, StudyTrial
from headway.studies.summary import StudySummary, summarize
from headway.testing.repositories import committed

__all__ = ["EVALUATOR", "PROGRAM", "Evolution", "laid_out"]

PROGRAM = """\
# EVOLVE-BLOCK-START
X = 0
# EVOLVE-BLOCK-END


def value():
    return X
"""
# A seed reaches it, and the noise is far below an effect of 1.
EVALUATOR = """\
import importlib.util, os, random


def evaluate(program_path):
    spec = importlib.util.spec_from_file_location("program", program_path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    noise = random.Random(f"{program.X}:{os.environ.get('HEADWAY_SEED')}").gauss(0, 0.05)
    return {"combined_score": program.value() + noise}
"""
# A model by script: it counts one up from the parent, or does what a test puts in its place.
MODEL = """\
import random, re


def parent_of(prompt):
    return re.search(r"^X = (.*)$", prompt, re.MULTILINE)[1]


def block(old, new):
    return f"Idea: {new} for {old}\\n<<<<<<< SEARCH\\n{old}\\n=======\\n{new}\\n>>>>>>> REPLACE"


def complete(prompt, seed):
    old = parent_of(prompt)
    return block(f"X = {old}", f"X = {int(old) + random.Random(seed).choice([-2, -1, 1, 2])}")
"""


@dataclass(frozen=True)
class Evolution:
    """A repository with a proposer beside it, and what is typed there."""

    folder: Path
    model: Path

    @property
    def store(self) -> Path:
        return self.folder / FOLDER

    def words(self, *words: str, budget: str | None = "30 trials", seeds: int | None = 3) -> list[str]:
        asks = any(word in ("--model", "--agent", "--function", "--tune") for word in words)
        found = ["evolve", ".", "--study", "e", "--plain", *words]
        found += [] if asks else ["--function", f"{self.model}:complete"]
        found += [] if budget is None else ["--budget", budget]
        found += [] if seeds is None else ["--seeds", str(seeds)]
        found += [] if "--workers" in words else ["--workers", "2"]
        return found + ([] if protection().sound else ["--unsafe"])

    def evolve(self, *words: str, **given: Any) -> subprocess.CompletedProcess[str]:
        """Evolve until it ends."""
        return self.type(*self.words(*words, **given))

    def start(self, *words: str, **given: Any) -> "subprocess.Popen[str]":
        """Begin to evolve, and do not wait."""
        return subprocess.Popen(
            [sys.executable, "-m", "headway", *self.words(*words, **given)],
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def type(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Type a command."""
        return subprocess.run(
            [sys.executable, "-m", "headway", *words],
            cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip

    def json(self, *words: str) -> Any:
        return json.loads(self.type(*words, "--json").stdout)

    def summary(self) -> StudySummary:
        with Store.open(self.store, create=False) as store:
            return summarize(store, store.studies.get("e"))

    def trials(self) -> list[StudyTrial]:
        with Store.open(self.store, create=False) as store:
            return store.places.of_study(store.studies.get("e").id)

    def proposals(self) -> list[ProposalRecord]:
        with Store.open(self.store, create=False) as store:
            return store.studies.proposals(store.studies.get("e").id)

    def program(self, candidate: str) -> str:
        """Return a candidate's program as far as it is another one than the first."""
        with Store.open(self.store, create=False) as store:
            found = store.studies.candidate(candidate)
            return found.files.get("initial_program.py", "") or str(dict(found.config))

    def events(self, kind: str) -> list[str]:
        with Store.open(self.store, create=False) as store:
            return [
                str(event.data.get("text"))
                for event in store.events.of_study(store.studies.get("e").id)
                if event.kind == kind
            ]


def laid_out(
    folder: Path,
    *,
    model: str = "",
    program: str = PROGRAM,
    evaluator: str = EVALUATOR,
    config: str = "",
    more: Sequence[tuple[str, str]] = (),
) -> Evolution:
    """Lay a repository out in a new folder, its proposer beside it. `model` replaces or adds to the usual one."""
    root = folder / "tiny"
    root.mkdir()
    files = {"initial_program.py": program, "evaluator.py": evaluator, **dict(more)}
    for name, text in files.items():
        (root / name).write_text(text)
    if config:
        (root / "config.yaml").write_text(config)
    place = folder / "model.py"
    place.write_text(MODEL + model)
    return Evolution(committed(root), place)
