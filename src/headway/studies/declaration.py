"""What a study declares: the part of `Study` that the plan, the session and the verdict read."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headway.core import Budget, Config, SpaceError, UsageError
from headway.engine import Observer, make_scheduler
from headway.experiments import Experiment, load_file
from headway.store import FOLDER
from headway.studies.summary import StudySummary

__all__ = ["Declaration", "studies_in"]

_declared: list["Declaration"] = []


class Declaration(ABC):
    """Hold what a study declares, checked. `Study` is the one that people write."""

    def __init__(
        self,
        experiment: Experiment,
        *,
        name: str | None = None,
        baseline: Config | None = None,
        sampler: str = "sobol",
        scheduler: str = "full",
        budget: str | Budget = "50 trials",
        seeds: int = 4,
        finalists: int = 1,
        seed: int = 0,
        level: float = 0.95,
        workers: int | None = None,
    ) -> None:
        if not isinstance(experiment, Experiment):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(
                f"Study got {experiment!r}. Expected an experiment: a function under "
                "@headway.experiment(...), or headway.command('python train.py ...')."
            )
        self.experiment = experiment
        self.name = name or _plain(experiment.name)
        self.baseline = _centre(experiment) if baseline is None else _checked(experiment, baseline)
        self.sampler = sampler
        self.scheduler = make_scheduler(scheduler, experiment.direction).described
        self.budget = Budget.parse(budget) if isinstance(budget, str) else budget
        self.seeds = seeds
        self.finalists = finalists
        self.seed = seed
        self.level = level
        self.workers = workers
        self.source = _caller() or experiment.source
        self._check()
        _declared.append(self)

    def __repr__(self) -> str:
        return f"<study {self.name!r}: {self.experiment.name}, {self.sampler}, {self.scheduler}, {self.budget}>"

    @property
    def definition(self) -> dict[str, Any]:
        """Return what makes it this study and no other, as JSON; the budget and the workers may change between runs."""
        return {
            "experiment": self.experiment.described,
            "direction": self.experiment.direction,
            "space": self.experiment.space.to_json(),
            "baseline": dict(self.baseline),
            "sampler": self.sampler,
            "scheduler": self.scheduler,
            "seeds": self.seeds,
            "finalists": self.finalists,
            "seed": self.seed,
            "level": self.level,
        }

    @property
    def settings(self) -> dict[str, Any]:
        """Return what may change between two runs, as JSON."""
        return {
            "budget": self.budget.to_json(),
            "needs": self.experiment.needs.to_json(),
            "limits": self.experiment.limits.to_json(),
        }

    def store_folder(self, store: str | Path | None = None) -> Path:
        """Return the folder of the store: the given one, else `.headway` at the project's root."""
        return Path(store) if store is not None else self.experiment.root / FOLDER

    @abstractmethod
    def run(
        self,
        *,
        store: str | Path | None = None,
        workers: int | None = None,
        backend: str = "local",
        retry_failed: bool = False,
        observer: Observer | None = None,
    ) -> StudySummary:
        """Run the study, or go on with it, and return what came of it."""

    def _check(self) -> None:
        if self.seeds < 2:
            raise UsageError(f"seeds={self.seeds} cannot measure noise. Use at least 2; 4 is the default.")
        if self.finalists < 1:
            raise UsageError(f"finalists={self.finalists} confirms nothing. Use at least 1.")
        if not 0.5 <= self.level < 1:
            raise UsageError(f"level={self.level} is no confidence level. Use one such as 0.95.")
        if self.experiment.space.parameters and self.budget.trials is not None and self.budget.trials < self.smallest:
            raise UsageError(
                f"A budget of {self.budget.trials} trials cannot reach a verdict: {1 + self.seeds} for the baseline, "
                f"one to search, {self.finalists * self.seeds} to confirm. Give at least {self.smallest}."
            )

    @property
    def smallest(self) -> int:
        """Return the fewest trials that can end in a verdict."""
        return 1 + self.seeds + 1 + self.finalists * self.seeds


def studies_in(file: Path) -> dict[str, Declaration]:
    """Load a study file and return the studies that it declares, by name, in their order."""
    before = len(_declared)
    module = load_file(file)
    found = {study.name: study for study in _declared[before:]}
    if not found:  # the file was imported before: its studies are its attributes
        values: Mapping[str, Any] = vars(module)
        found = {item.name: item for item in values.values() if isinstance(item, Declaration)}
    if not found:
        raise UsageError(f"{file} declares no study. Add one: study = headway.Study(train, budget='24 trials')")
    return found


# What Python says of a wrong argument names the class that people wrote.
Declaration.__init__.__qualname__ = "Study"


def _checked(experiment: Experiment, baseline: Config) -> dict[str, Any]:
    try:
        return experiment.space.check(baseline)
    except SpaceError as error:
        raise SpaceError(f"The study's baseline cannot be used. {error}") from None


def _centre(experiment: Experiment) -> dict[str, Any]:
    return experiment.space.at([0.5] * len(experiment.space.parameters))


def _plain(name: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "-".join(words)[:60] or "study"


def _caller() -> Path | None:
    file = Path(sys._getframe(2).f_code.co_filename)  # pyright: ignore[reportPrivateUsage]
    return file.absolute() if file.is_file() and not file.parent.name.startswith("ipykernel_") else None
