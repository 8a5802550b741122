"""Run a trial again from its record, not from today's tree, and compare the curves bit for bit."""

import asyncio
import os
import re
import tempfile
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.core import FileUse, HeadwayError, Limits, Manifest, Needs, Role, Space
from headway.engine import Assignment, Engine, EngineSettings, Observer, Origin, Scheduler
from headway.engine.manifests import Library
from headway.experiments import Experiment, Run
from headway.experiments.layouts import find_layout
from headway.experiments.repositories import RepositoryExperiment, base_from_json
from headway.store import FOLDER, Curve, Store, TrialRecord, find_root
from headway.studies.observers import QuietObserver

__all__ = ["Reproduction", "reproduce"]


# What a repository prints of its own speed: no two runs agree on it.
_CLOCK = re.compile(r"(?:^|[_/ ])(?:dt|time|seconds?|secs?|ms|eta|remaining|mfu|tok|throughput|fps)(?:$|[_/ ])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """Hold what running a trial again came to. `differences` says in words what was not the same."""

    identical: bool
    original: TrialRecord
    again: TrialRecord
    differences: tuple[str, ...]
    surroundings: tuple[str, ...]
    sentence: str


def reproduce(store: Store, trial: int, observer: Observer | None = None) -> Reproduction:
    """Run a trial again with the files, configuration and seed of its record, in a folder of its own."""
    original = store.trials.get(trial)
    if original.manifest is None:
        raise HeadwayError(f"Trial {trial} has no manifest: it never ran to a point where its files were recorded.")
    manifest = store.trials.manifest(original.manifest)
    root = store.folder.parent if store.folder.name == FOLDER else find_root(Path.cwd())
    with tempfile.TemporaryDirectory(prefix="headway-reproduce-") as name:
        copy = Path(name)
        (copy / FOLDER).mkdir()  # marks the root, so that paths stay what they were
        _lay_out(store, manifest, root, copy)
        with Store.open(copy / FOLDER) as scratch:
            again, curves = _run(store, scratch, original, copy, observer or QuietObserver())
        differences = _differences(original, again, store.curves.read(trial), curves)
    surroundings = _surroundings(store, manifest, root, original)
    store.events.add("reproduced", trial=trial, identical=not differences, differences=list(differences))
    return Reproduction(
        identical=not differences,
        original=original,
        again=again,
        differences=differences,
        surroundings=surroundings,
        sentence=_sentence(trial, differences, surroundings),
    )


@dataclass(frozen=True, kw_only=True)
class _Recorded(Experiment):
    """Stand for an experiment whose code is only loaded in workers."""

    what: Mapping[str, Any]
    is_command: bool

    @property
    def name(self) -> str:
        return str(self.what.get("function") or self.what.get("command"))

    @property
    def described(self) -> dict[str, Any]:
        return dict(self.what)

    @property
    def opaque(self) -> bool:
        return self.is_command

    def run(self, run: Run) -> None:
        raise HeadwayError("A recorded experiment runs in workers only.")


class _Once:
    """Be the work of running one trial."""

    def __init__(self, assignment: Assignment) -> None:
        self._left: list[Assignment] = [assignment]
        self.trial: TrialRecord | None = None

    def recall(self, stale: Container[int]) -> int:
        return 0

    def wake_with(self, wake: Callable[[], None]) -> None:
        """Do nothing: the trial is here."""

    def next(self, running: Sequence[Assignment]) -> Assignment | None:
        return self._left.pop() if self._left else None

    def prepare(self, running: Sequence[Assignment]) -> None:
        """Do nothing: there is one trial."""

    def begins(self, assignment: Assignment) -> None:
        pass

    def done(self) -> bool:
        return not self._left

    def ended(self, assignment: Assignment, trial: TrialRecord, *, reused: bool) -> None:
        self.trial = trial


class _AsBefore(Scheduler):
    """Decide at each rung as the record says that it was decided."""

    def __init__(self, rungs: Sequence[float], decisions: Mapping[int, bool]) -> None:
        self.rungs = tuple(rungs)
        self._decisions = decisions

    @property
    def described(self) -> str:
        return "as before"

    def decide(self, trial: int, rung: int, value: float | None) -> bool:
        return self._decisions.get(rung, True)

    def recall(self, trial: int, rung: int, value: float | None) -> None:
        pass


def _lay_out(store: Store, manifest: Manifest, root: Path, copy: Path) -> None:
    for use in manifest.files:
        if os.path.isabs(use.path):
            continue  # outside of the project: read where it was, and compared by digest below
        target = copy / use.path
        if use.kind == "folder":
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_bytes_of(store, use, root))


def _bytes_of(store: Store, use: FileUse, root: Path) -> bytes:
    if use.stored and not use.redacted:
        return store.artifacts.read(use.digest)
    today = root / use.path
    if today.is_file() and _digest_today(store, use, root) == use.digest:
        return today.read_bytes()
    why = "secrets were taken out of its copy" if use.redacted else "it was too large to keep"
    raise HeadwayError(
        f"{use.path} is needed, and {why}; today's file has other bytes. Put back the version with digest {use.digest}."
    )


def _digest_today(store: Store, use: FileUse, root: Path) -> str | None:
    from headway.engine.sources import digest_module
    from headway.store import digest_file

    path = root / use.path
    return digest_module(path) if use.kind == "module" else digest_file(path)


def _run(
    store: Store, scratch: Store, original: TrialRecord, copy: Path, observer: Observer
) -> tuple[TrialRecord, dict[str, Curve]]:
    record = original.record
    repository = record.get("repository")
    experiment = _recorded(record, copy) if repository is None else _from_base(repository)
    origin = _origin(store, record, copy) if repository is None else _in_place(experiment)
    study = scratch.studies.create(
        name="reproduce",
        definition={},
        settings={},
        source="",
        experiment=original.experiment,
        metric=experiment.metric,
        direction=experiment.direction,
    )
    patch = store.studies.candidate(original.candidate).patch
    candidate = scratch.studies.add_candidate(original.experiment, original.config, patch)
    work = _Once(
        Assignment(
            candidate=candidate,
            config=original.config,
            seed=original.seed,
            role=Role.SEARCH,
            number=1,
            scheduled=bool(record["rungs"]),
        )
    )
    decisions = {
        event.data["rung"]: event.data["go_on"] for event in store.events.of_trial(original.id) if event.kind == "rung"
    }
    engine = Engine(
        scratch,
        study,
        experiment,
        origin,
        _AsBefore(record["rungs"], decisions),
        EngineSettings(workers=1, backend="spawn" if record["backend"] == "spawn" else "local"),
        observer,
    )
    asyncio.run(engine.run(work))
    if work.trial is None:
        raise HeadwayError(f"Running trial {original.id} again was interrupted. Type: headway reproduce {original.id}")
    return work.trial, scratch.curves.read(work.trial.id)


def _recorded(record: Mapping[str, Any], copy: Path) -> Experiment:
    return _Recorded(
        metric=record["metric"],
        direction=record["direction"],
        needs=Needs(**record["needs"]),
        limits=Limits(**record["limits"]),
        source=copy / "study.py" if record["command"] is None else copy / record["experiment"]["folder"] / "study.py",
        what=record["experiment"],
        is_command=record["command"] is not None,
        space=Space.of({}),
    )


def _from_base(repository: Mapping[str, Any]) -> RepositoryExperiment:
    """Return the experiment of a repository as the trial had it: its base is a commit, whatever became of the tree."""
    root = Path(repository["root"])
    layout, base = find_layout(root), base_from_json(repository["base"], root)
    return RepositoryExperiment.from_json({**repository, "sources": base.sources(layout.files)})


def _in_place(experiment: Experiment) -> Origin:
    assert isinstance(experiment, RepositoryExperiment)
    return Origin(identity=experiment.identity, folder=str(experiment.folder), repository=experiment.to_json())


def _origin(store: Store, record: Mapping[str, Any], copy: Path) -> Origin:
    from headway.core import digest

    identity = digest(record["experiment"])
    if record["command"] is not None:
        folder = copy / record["experiment"]["folder"]
        folder.mkdir(parents=True, exist_ok=True)
        command = {**record["command"], "source": str(folder / "study.py")}
        return Origin(identity=identity, folder=str(folder), command=command)
    if record["pickled"] is not None:
        return Origin(identity=identity, folder=str(copy), pickled=str(store.folder / "notebooks" / record["pickled"]))
    file = copy / record["file"]
    return Origin(identity=identity, folder=str(file.parent), file=str(file))


def _differences(
    original: TrialRecord, again: TrialRecord, before: Mapping[str, Curve], after: Mapping[str, Curve]
) -> tuple[str, ...]:
    found: list[str] = []
    if (original.state, original.reason) != (again.state, again.reason):
        found.append(
            f"it was {original.state} ({original.reason}) and is {again.state} ({again.reason}: {again.message})"
        )
    if repr(original.value) != repr(again.value):
        found.append(f"the objective was {original.value} and is {again.value}")
    for metric in sorted({*before, *after}):
        if "repository" in original.record and _CLOCK.search(metric):
            continue
        if metric not in before or metric not in after:
            found.append(f"{metric} was logged {'only the first time' if metric in before else 'only this time'}")
            continue
        old, new = before[metric], after[metric]
        pairs = zip(old.steps, old.values, new.steps, new.values, strict=False)
        different = next((step for step, a, other, b in pairs if (step, repr(a)) != (other, repr(b))), None)
        if different is not None:
            found.append(f"{metric} differs from step {different} on")
        elif len(old.steps) != len(new.steps):
            found.append(f"{metric} had {len(old.steps)} points and has {len(new.steps)}")
    return tuple(found)


def _surroundings(store: Store, manifest: Manifest, root: Path, original: TrialRecord) -> tuple[str, ...]:
    """Say what is not as it was beside the files: packages, Python, hardware, data outside of the project."""
    from dataclasses import replace

    from headway.core import Redactor
    from headway.engine.surroundings import surroundings

    outside = tuple(use for use in manifest.files if os.path.isabs(use.path))
    library = Library(store, root, Redactor())
    kept = replace(manifest, files=outside, not_reusable=None)
    change = library.changed(kept, threads=manifest.threads, device=manifest.device)
    found = [] if change is None else [change]
    now = surroundings(root, Redactor())["hardware"]
    before = original.record.get("hardware", {})
    found += [f"{name} is {now[name]} and was {before[name]}" for name in before if now.get(name) != before[name]]
    return tuple(found)


def _sentence(trial: int, differences: Sequence[str], surroundings: Sequence[str]) -> str:
    if not differences:
        return f"Trial {trial} is reproduced: every curve and the objective are the same, bit for bit."
    why = f" The surroundings differ: {'; '.join(surroundings)}." if surroundings else ""
    return f"Trial {trial} is not reproduced: {'; '.join(differences)}.{why}"
