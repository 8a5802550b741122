"""Run a study of `noop_study.py` up to a number of trials, and note what it has cost when so and so many have ended."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cost import Cost, cost_so_far

from headway.core import Budget
from headway.engine import Assignment, EngineSettings
from headway.store import Store, TrialRecord
from headway.studies import Declaration, QuietObserver, record_of, run_study, studies_in

__all__ = ["Cut", "Marks", "load_study", "pause_study", "run_cut", "with_budget"]


class Cut(Exception):
    """End a session where it is. What it leaves is a study to be resumed."""


class Marks(QuietObserver):
    """Note the cost when one of `counts` trials has ended; end the session at the last of them where it `cuts`."""

    def __init__(self, counts: Sequence[int], *, cuts: bool) -> None:
        self.costs: list[Cost] = []
        self.reused = self._ended = 0
        self._counts = counts
        self._cuts = cuts

    def ended(self, trial: TrialRecord, assignment: Assignment, *, reused: bool) -> None:
        """Count."""
        if trial.value is None:
            raise RuntimeError(f"Trial {trial.id} {trial.state}: {trial.message}")
        self._ended += 1
        self.reused += reused
        if self._ended in self._counts:
            self.costs.append(cost_so_far())
        if self._cuts and self._ended == self._counts[-1]:
            raise Cut


def load_study(folder: Path, name: str) -> Declaration:
    """Return the study of that name. Its file is copied, so that no other file belongs to the project."""
    file = folder / "study.py"
    if not file.exists():
        shutil.copyfile(Path(__file__).with_name("noop_study.py"), file)
    return studies_in(file)[name]


def run_cut(study: Declaration, store: Path, settings: EngineSettings, observer: Any) -> None:
    """Run a session that the observer may cut."""
    try:
        run_study(study, store, settings, observer)
    except Cut:
        pause_study(study, store)


def pause_study(study: Declaration, store: Path) -> None:
    """Leave a study as a pause leaves it."""
    with Store.open(store) as opened:
        opened.studies.set_state(record_of(opened, study).id, "paused")


def with_budget(study: Declaration, trials: int) -> Declaration:
    """Let the study end by itself after so many trials."""
    study.budget = Budget.parse(f"{trials} trials")
    return study
