"""What `headway run --dry-run` shows: the trials that would come first, and which of them the record could answer."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from headway.core import Redactor, digest
from headway.engine import Library, available_cores
from headway.interfaces.cli.words import Column, config_text, fact_lines, number_label, styled, table_lines
from headway.store import Store
from headway.studies import Declaration

__all__ = ["Preview", "preview"]

_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """Hold one trial that would come. `answer` is the recorded trial that would stand for it."""

    role: str
    number: int
    config: Mapping[str, Any]
    seed: int
    proposer: str
    answer: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Hold what a study would do."""

    study: Declaration
    store: Path
    workers: int
    executed: int
    waiting: int
    coming: Sequence[Coming]

    def to_json(self) -> dict[str, Any]:
        """Return the preview as JSON."""
        study = self.study
        return {
            "study": study.name,
            "metric": study.experiment.metric,
            "direction": study.experiment.direction,
            "store": str(self.store),
            "budget": study.budget.to_json(),
            "executed_before": self.executed,
            "queued": self.waiting,
            "workers": self.workers,
            "baseline": dict(study.baseline),
            "sampler": study.sampler,
            "scheduler": study.scheduler,
            "finalists": study.finalists,
            "rule": study.rule,
            "confirmation_seeds": study.seeds if study.experiment.has_seed_channel else 0,
            "coming": [{**asdict(item), "config": dict(item.config)} for item in self.coming],
        }

    def lines(self) -> list[str]:
        """Return the preview as lines."""
        study = self.study
        before = f", {self.executed} spent" if self.executed else ""
        confirm = f"{_judged(study)}, paired with the baseline's"
        if not study.experiment.has_seed_channel:
            confirm = "none: no seed reaches this command, so there is no noise to measure (use {seed} in it)"
        facts = [
            ("metric", f"{study.experiment.metric} ({study.experiment.direction})"),
            ("budget", f"{study.budget}{before}"),
            ("workers", str(self.workers)),
            ("baseline", config_text(study.baseline) or "no parameters"),
            ("sampler", study.sampler),
            ("confirm", confirm),
            ("queued", str(self.waiting) if self.waiting else ""),
            ("store", str(self.store)),
        ]
        rows = [
            [
                _label(item, study.sampler),
                str(item.seed),
                "runs" if item.answer is None else f"trial {item.answer} answers",
                config_text(item.config, None if item.role == "baseline" else study.baseline),
            ]
            for item in self.coming
        ]
        columns = [
            Column("first trials"),
            Column("seed", right=True),
            Column(""),
            Column("configuration", elastic=True),
        ]
        return [
            f"{styled(study.name, bold=True)}: this would run; nothing was run.",
            *fact_lines(facts),
            "",
            *table_lines(columns, rows, indent=2),
            "",
        ]


def _judged(study: Declaration) -> str:
    if study.rule == "every":
        return f"every candidate on {study.seeds} seeds"
    return f"best {study.finalists} on {study.seeds} fresh seeds each"


def _label(item: Coming, sampler: str) -> str:
    return f"{item.role} {number_label(item.number, item.proposer, sampler)}" if item.number else item.role


def preview(study: Declaration, store: Path | None, workers: int | None) -> Preview:
    """Look ahead without running or writing anything."""
    folder = study.store_folder(store)
    fitting = max(1, available_cores() // study.experiment.needs.cores)
    known = _Known(study, folder)
    try:
        known.refuse_change()
        coming = [*_baseline(study, known), *_search(study, known)]
        executed, waiting = known.executed, known.waiting
    finally:
        known.close()
    return Preview(
        study=study,
        store=folder,
        workers=workers or study.workers or fitting,
        executed=executed,
        waiting=waiting,
        coming=coming,
    )


class _Known:
    """Look into a store that may not exist yet."""

    def __init__(self, study: Declaration, folder: Path) -> None:
        self._study = study
        self._store = Store.open(folder, create=False) if (folder / "store.sqlite").exists() else None
        self._record = None if self._store is None else self._store.studies.find(study.name)
        self._library: Library | None = None

    def close(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()

    def refuse_change(self) -> None:
        """Raise where the name is in use by another definition: then nothing would run."""
        if self._record is not None:
            self._study.refuse_change(self._record.definition)

    @property
    def executed(self) -> int:
        """Count the trials that the study has executed."""
        if self._store is None or self._record is None:
            return 0
        return self._store.places.tally(self._record.id).executed

    @property
    def waiting(self) -> int:
        """Count the queued candidates."""
        return 0 if self._store is None or self._record is None else self._store.studies.waiting(self._record.id)

    def proposals(self) -> list[tuple[Mapping[str, Any], str]]:
        """Return the recorded proposals without the baseline."""
        if self._store is None or self._record is None:
            return []
        return [(item.config, item.proposer) for item in self._store.studies.proposals(self._record.id) if item.number]

    def answer(self, config: Mapping[str, Any], seed: int) -> int | None:
        """Return the recorded trial that stands for this one, where no file that it used has changed."""
        if self._store is None:
            return None
        needs, root = self._study.experiment.needs, self._study.experiment.root
        self._library = self._library or Library(self._store, root, Redactor.of_environment({}))
        identity: dict[str, Any] = {
            "experiment": self._study.experiment.identity, "config": dict(config), "patch": None
        }  # fmt: skip
        for trial in self._store.trials.same(digest(identity), seed):
            if trial.state.ended and trial.manifest is not None:
                manifest = self._store.trials.manifest(trial.manifest)
                device = "gpu" if needs.gpus else "cpu"
                if self._library.changed(manifest, threads=needs.cores, device=device) is None:
                    return trial.id
        return None


def _baseline(study: Declaration, known: _Known) -> list[Coming]:
    seeds = [study.seed]
    if study.experiment.has_seed_channel:
        seeds += [seed for seed in study.fresh_seeds if seed != study.seed]
    return [
        Coming(
            role="baseline",
            number=0,
            config=study.baseline,
            seed=seed,
            proposer="baseline",
            answer=known.answer(study.baseline, seed),
        )
        for seed in seeds
    ]


def _search(study: Declaration, known: _Known) -> list[Coming]:
    found = known.proposals()[:_SHOWN]
    if not found and study.experiment.space.parameters:
        found = [(config, study.sampler) for config in _proposed(study)]
    return [
        Coming(
            role="search",
            number=number,
            config=config,
            seed=study.seed,
            proposer=proposer,
            answer=known.answer(config, study.seed),
        )
        for number, (config, proposer) in enumerate(found, 1)
    ]


def _proposed(study: Declaration) -> list[Mapping[str, Any]]:
    sampler = study.make_sampler()
    found: list[Mapping[str, Any]] = []
    for index in range(4 * _SHOWN):
        config = sampler.propose(index, [])
        if config is None or len(found) == _SHOWN:
            break
        if config != study.baseline and config not in found:
            found.append(config)
    return found
