"""What a study declares: the part of `Study` that the plan, the session and the verdict read."""

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from headway.core import Budget, Config, DefinitionChanged, SpaceError, UsageError, call_checked, suggestion
from headway.engine import Observer, make_scheduler
from headway.experiments import Experiment, load_file
from headway.propose import GivenSampler, Sampler, check_sampler, make_sampler
from headway.store import FOLDER
from headway.studies.proposing import Ceiling, checked_proposers
from headway.studies.summary import StudySummary

__all__ = ["Declaration", "Rule", "studies_in"]

Rule = Literal["finalists", "race", "every", "stream", "evolve"]


class _Default(str):
    """Know a default from the same text that somebody wrote."""

    __slots__ = ()


_GIVEN, _QUEUE = "given", "queue"
_SAMPLER = _Default("sobol")
_BUDGET = Budget(trials=50)
_declared: list["Declaration"] = []


class Declaration(ABC):
    """Hold what a study declares, checked. `Study` is the one that people write."""

    @call_checked('headway.Study(train, baseline={"lr": 1e-3}, sampler="tpe", budget="24 trials")')
    def __init__(
        self,
        experiment: Experiment,
        *,
        name: str | None = None,
        baseline: Config | None = None,
        candidates: Sequence[Config] = (),
        sampler: str = _SAMPLER,
        scheduler: str = "full",
        budget: str | Budget = _BUDGET,
        rule: Rule = "finalists",
        seeds: int = 4,
        finalists: int = 1,
        seed: int = 0,
        level: float = 0.95,
        margin: float | None = None,
        holdout: str | None = None,
        workers: int | None = None,
        close_after: float | None = None,
        proposers: Sequence[str] = (),
        ceiling: Ceiling | None = None,
    ) -> None:
        if not isinstance(experiment, Experiment):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(
                f"Study got {experiment!r}. Expected an experiment: a function under "
                "@headway.experiment(...), or headway.command('python train.py ...')."
            )
        self.experiment = experiment
        self.name = _plain(experiment.name) if name is None else _text("name", name, "first")
        self.baseline = _centre(experiment) if baseline is None else _checked(experiment, baseline)
        self.candidates = _candidates(experiment, candidates)
        self.sampler = _sampler(sampler, given=bool(self.candidates), rule=rule)
        self.scheduler = make_scheduler(_text("scheduler", scheduler, "asha"), experiment.direction).described
        self.budget = _budget(budget, given=bool(self.candidates))
        self.rule: Rule = _rule(rule)
        self.seeds = seeds
        self.finalists = finalists
        self.seed = seed
        self.level = level
        self.margin = margin
        self.holdout = holdout
        self.workers = workers
        self.close_after = close_after
        self.proposers = checked_proposers(proposers)
        self.ceiling = ceiling or Ceiling()
        self.follows: Mapping[str, str] | None = None  # the study that this one asks further about, and what it asks
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
            **self.experiment.recorded,
            "direction": self.experiment.direction,
            "space": self.experiment.space.to_json(),
            "baseline": dict(self.baseline),
            "sampler": self.sampler,
            "scheduler": self.scheduler,
            "seeds": self.seeds,
            "finalists": self.finalists,
            "seed": self.seed,
            "level": self.level,
            # Named only where they are used: a study of an earlier Headway keeps its definition.
            **({"rule": self.rule} if self.rule != "finalists" else {}),
            **({"candidates": [dict(item) for item in self.candidates]} if self.candidates else {}),
            **({"margin": self.margin} if self.margin is not None else {}),
            **({"holdout": self.holdout} if self.holdout is not None else {}),
            **({"proposers": list(self.proposers)} if self.proposers else {}),
            **({"follows": dict(self.follows)} if self.follows is not None else {}),
        }

    @property
    def trust(self) -> str | None:
        """Return how far the scores of a repository's candidates are to be trusted; None for a person's own code."""
        return self.experiment.trust

    @property
    def settings(self) -> dict[str, Any]:
        """Return what may change between two runs, as JSON."""
        return {
            "budget": self.budget.to_json(),
            "needs": self.experiment.needs.to_json(),
            "limits": self.experiment.limits.to_json(),
            **({"ceiling": self.ceiling.to_json()} if self.proposers else {}),
        }

    def check_sampler(self) -> None:
        """Raise what `make_sampler` would raise, before the first trial."""
        if not self.candidates and self.sampler != _QUEUE:
            check_sampler(self.sampler)

    def make_sampler(self) -> Sampler:
        """Return what proposes the study's candidates: its sampler, or the list that it was given."""
        if self.candidates or self.sampler == _QUEUE:
            return GivenSampler(self.candidates)
        return make_sampler(self.sampler, self.experiment.space, seed=self.seed, direction=self.experiment.direction)

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

    def refuse_change(self, recorded: Mapping[str, Any]) -> None:
        """Raise `DefinitionChanged` where the recorded definition of a study of this name is another, and say how."""
        before, now = _flat(recorded), _flat(self.definition)
        changes = [
            f"  {key}: {before.get(key, 'absent')} -> {now.get(key, 'absent')}"
            for key in sorted({*before, *now})
            if before.get(key) != now.get(key)
        ]
        if changes:
            raise DefinitionChanged(
                f"The study {self.name!r} is in the record with another definition (recorded -> now):\n"
                + "\n".join(changes)
                + f'\nGive the new one a name of its own, name="{self.name}-2"; '
                "trials that both share are not run again."
            )

    def _check(self) -> None:
        for name, least in (("seeds", 2), ("finalists", 1), ("seed", 0), ("workers", 1)):
            value: object = getattr(self, name)
            if type(value) is not int and not (name == "workers" and value is None):
                raise UsageError(f"{name}={value!r} is no whole number. Give one from {least} on.")
        if type(self.level) is not float:
            raise UsageError(f"level={self.level!r} is no confidence level. Use one such as 0.95.")
        if self.seed < 0:
            raise UsageError(f"seed={self.seed} is below 0. Use 0 or more.")
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers={self.workers} run nothing. Use at least 1, or leave it out for as many as fit.")
        if self.seeds < 2:
            raise UsageError(f"seeds={self.seeds} cannot measure noise. Use at least 2; 4 is the default.")
        if self.finalists < 1:
            raise UsageError(f"finalists={self.finalists} confirms nothing. Use at least 1.")
        if not 0.5 <= self.level < 1:
            raise UsageError(f"level={self.level} is no confidence level. Use one such as 0.95.")
        self._check_verdict()
        searches = bool(self.experiment.space.parameters) or self.rule == "evolve"
        if searches and self.budget.trials is not None and self.budget.trials < self.smallest:
            raise UsageError(
                f"A budget of {self.budget.trials} trials cannot reach a verdict: {self._smallest_parts()}. "
                f"Give at least {self.smallest}."
            )

    def _check_verdict(self) -> None:
        if self.margin is not None and not (type(self.margin) in (int, float) and 0 < self.margin < math.inf):
            raise UsageError(f"margin={self.margin!r} is no margin. Give how much worse still counts, above 0.")
        if self.holdout is not None and self.holdout == self.experiment.metric:
            raise UsageError(f"holdout={self.holdout!r} is the metric itself. Name the metric of a private split.")
        seconds = self.close_after
        if seconds is not None and not (type(seconds) in (int, float) and 0 <= seconds < math.inf):
            raise UsageError(f"close_after={seconds!r} is no time. Give seconds from 0 on, or None to stay open.")
        if (self.rule == "evolve") != bool(self.proposers):
            raise UsageError(
                "rule='evolve' and proposers belong together: who proposes programs, and the rule that selects them."
            )
        if self.rule not in ("stream", "evolve"):
            return
        if self.rule == "evolve" and self.experiment.trust is None:
            raise UsageError(f"Only the code of a repository evolves, and {self.experiment.name} is none.")
        if self.margin is not None:
            raise UsageError(f"rule={self.rule!r} asks who is better, not who is as good: leave out margin.")
        if self.scheduler != "full":
            raise UsageError(f"rule={self.rule!r} takes whole runs; {self.scheduler} stops some: Use scheduler='full'.")

    def _smallest_parts(self) -> str:
        if self.rule == "every":
            return f"{self.seeds} for the baseline, {self.seeds} for a candidate"
        confirm = self.finalists * self.seeds
        return f"{1 + self.seeds} for the baseline, one to search, {confirm} to confirm"

    @property
    def smallest(self) -> int:
        """Return the fewest trials that can end in a verdict."""
        if self.rule == "evolve" and not self.experiment.has_seed_channel:
            return 2  # nothing is judged on fresh seeds where none reaches the program
        return 2 * self.seeds if self.rule == "every" else 1 + self.seeds + 1 + self.finalists * self.seeds

    @property
    def most_seeds(self) -> int:
        """Return with how many seeds a race tries one candidate at most."""
        return 2 * self.seeds

    @property
    def fresh_seeds(self) -> list[int]:
        """Return the seeds that verdicts are read from: the baseline and those to be judged run with all of them.

        A candidate that was chosen by its first run is judged without it. Where every candidate is judged, nothing was
        chosen, and the first run counts.
        """
        first = self.seed if self.rule == "every" else self.seed + 1
        return list(range(first, first + self.seeds))


def studies_in(file: Path) -> dict[str, Declaration]:
    """Load a study file and return the studies that it declares, by name, in their order."""
    before = len(_declared)
    module = load_file(file)
    found: dict[str, Declaration] = {}
    for study in _declared[before:]:
        if study.name in found:
            raise UsageError(f'{file} declares two studies {study.name!r}. Give each a name of its own: name="...".')
        found[study.name] = study
    if not found:  # the file was imported before: its studies are its attributes
        values: Mapping[str, Any] = vars(module)
        found = {item.name: item for item in values.values() if isinstance(item, Declaration)}
    if not found:
        raise UsageError(f"{file} declares no study. Add one: study = headway.Study(train, budget='24 trials')")
    return found


def _checked(experiment: Experiment, baseline: Config) -> dict[str, Any]:
    try:
        return experiment.space.check(baseline)
    except SpaceError as error:
        raise SpaceError(f"The study's baseline cannot be used. {error}") from None


def _centre(experiment: Experiment) -> dict[str, Any]:
    return experiment.space.at([0.5] * len(experiment.space.parameters))


def _candidates(experiment: Experiment, candidates: Sequence[Config]) -> tuple[dict[str, Any], ...]:
    found: list[dict[str, Any]] = []
    for index, config in enumerate(candidates):
        try:
            found.append(experiment.space.check(config))
        except SpaceError as error:
            raise SpaceError(f"candidates[{index}] cannot be used. {error}") from None
    return tuple(found)


def _sampler(name: str, *, given: bool, rule: str) -> str:
    if rule in ("stream", "evolve") and (name is _SAMPLER or name == _QUEUE):
        return _QUEUE  # people and agents propose
    if given and name is not _SAMPLER:
        raise UsageError(f"The study has a list of candidates and the sampler {name!r}. Give one of the two.")
    return _GIVEN if given else str(_text("sampler", name, "sobol"))


def _budget(budget: str | Budget, *, given: bool) -> Budget:
    return Budget() if given and budget is _BUDGET else Budget.of(budget)  # a list ends by itself


def _rule(rule: str) -> Rule:
    for known in get_args(Rule):
        if rule == known:
            return known
    raise UsageError(f"rule={rule!r} is no rule. {suggestion(str(rule), get_args(Rule))}")


def _text(parameter: str, value: object, example: str) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise UsageError(f'{parameter}={value!r} is no name. Give a short text: {parameter}="{example}".')
    return value


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            flat |= _flat(item, f"{prefix}{key}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            flat[prefix + key] = repr(list(item) if isinstance(item, tuple) else item)  # pyright: ignore[reportUnknownArgumentType]
    return flat


def _plain(name: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in name).split()
    return "-".join(words)[:60] or "study"


def _caller() -> Path | None:
    # frames: this function, Declaration.__init__, call_checked, the caller
    file = Path(sys._getframe(3).f_code.co_filename)  # pyright: ignore[reportPrivateUsage]
    return file.absolute() if file.is_file() and not file.parent.name.startswith("ipykernel_") else None
