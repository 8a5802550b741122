"""One trial of a repository: from its tree, through the layout's steps, to what they came to."""

import itertools
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from headway.core import Limits, Needs, Reason
from headway.experiments.layouts import Layout, Reading, SeededFiles, Step, written_seed
from headway.experiments.layouts.interpreter import python_of, without_uv
from headway.experiments.metrics import LineSplitter
from headway.experiments.repositories.absent import absent_files
from headway.experiments.repositories.placing import hide_private, link_data, refuse_links_above, write_files
from headway.experiments.repositories.steps import Place, Ran, run_plainly, run_sandboxed, run_scorer
from headway.experiments.repositories.suspicion import suspicions
from headway.experiments.repositories.trees import Base
from headway.experiments.run import Run, StepsFailed
from headway.sandbox import interpreter_paths

__all__ = [
    "PROCESSES",
    "SPARE_SECONDS",
    "Declared",
    "RepositoryTrial",
    "Seen",
    "candidate_files",
    "doubts_of",
    "inputs_of",
    "memory_bytes",
    "readable_paths",
    "seed_written",
    "tell",
]

SPARE_SECONDS = 60.0  # for laying out the tree, and for what bubblewrap needs
PROCESSES = 512
_TAIL_LINES = 60
_MOST_METRICS = 400  # of a trial: a candidate may print as many names as it likes
_DRIVERS = Path(__file__).parent.parent / "layouts" / "drivers"


class Declared(Protocol):
    """Give what a trial needs to know: `RepositoryExperiment` does."""

    @property
    def layout(self) -> Layout:
        """Return what the repository is."""
        ...

    @property
    def base(self) -> Base:
        """Return where its files come from."""
        ...

    @property
    def sources(self) -> Mapping[str, str]:
        """Return the base's editable files, by path."""
        ...

    @property
    def unsafe(self) -> bool:
        """Tell whether it runs without a sandbox."""
        ...

    @property
    def metric(self) -> str:
        """Return the metric's name."""
        ...

    @property
    def needs(self) -> Needs:
        """Return what a trial needs of the machine."""
        ...

    @property
    def limits(self) -> Limits:
        """Return what a trial may use."""
        ...

    def files(self, config: Mapping[str, Any], patch: Mapping[str, str]) -> dict[str, str]:
        """Return the files that a candidate has otherwise than the base."""
        ...


class RepositoryTrial:
    """Carry one trial of a repository from its tree to its reading."""

    def __init__(self, experiment: Declared, run: Run, work: Path) -> None:
        self._experiment = experiment
        self._layout = experiment.layout
        self._run = run
        self._work = work
        self._splitter = LineSplitter()
        self._tail = deque[str](maxlen=_TAIL_LINES)
        self._peak_bytes = 0
        self._curves = set[str]()

    def perform(self) -> None:
        """Run it to its end; raise `StepsFailed` where it came to no value."""
        self._work.mkdir(parents=True, exist_ok=True)
        for path in inputs_of(self._experiment):
            self._run.input(path)
        tree = self._experiment.base.lay_out(self._work / "tree")
        refuse_links_above(tree, (*self._layout.leftovers, *self._layout.keeps))
        hide_private(self._layout, tree)
        for seen in doubts_of(self._experiment, self._run.config, self._run.patch):
            self._run.remark("flag", seen.text, sign=seen.sign)
        files = candidate_files(self._experiment, self._run)
        write_files(tree, files)
        place = self._place(tree)
        self._layout.begin(tree, place.results)
        link_data(self._layout, tree)
        ran = self._steps(place)
        self._conclude(self._layout.read([item.finished for item in ran], tree, place.results), ran, tree)

    def _place(self, tree: Path) -> Place:
        prefix = tree.relative_to(self._work / "tree").as_posix()
        return Place(
            work=self._work.resolve(),
            prefix="" if prefix == "." else prefix,
            readable=readable_paths(self._layout),
            keeps=self._layout.keeps,
            writes=self._layout.writes,
            memory_bytes=memory_bytes(self._experiment),
            processes=PROCESSES,
            gpus=self._experiment.needs.gpus > 0,
        )

    def _steps(self, place: Place) -> list[Ran]:
        ran: list[Ran] = []
        for step in self._layout.steps(place.tree, place.results, seed=self._run.seed):
            if ran and not self._layout.goes_on([item.finished for item in ran], place.results):
                break
            ran.append(self._score(step, place) if step.kind == "score" else self._step(step, place))
            self._peak_bytes = max(self._peak_bytes, ran[-1].peak_memory_bytes)
            for text in ran[-1].strange:
                self._run.remark("flag", printable(text), sign="left")
        return ran

    def _step(self, step: Step, place: Place) -> Ran:
        step = self._limited(step)
        if self._experiment.unsafe:
            return run_plainly(step, place, self._hear, os.environ)
        return run_sandboxed(self._without_uv(step), place, self._hear)

    def _without_uv(self, step: Step) -> Step:
        return replace(step, words=without_uv(self._layout.root, step.words))

    def _score(self, step: Step, place: Place) -> Ran:
        """Score what the candidate left, on fresh files of the base: nothing of the candidate's code runs there."""
        step = self._limited(step)
        if self._experiment.unsafe:
            return run_plainly(step, place, self._hear, os.environ)
        work = self._work / "score"
        own = [path for path in self._layout.private if self._layout.root not in path.parents and path.exists()]
        fresh = replace(place, work=work.resolve(), keeps=(), readable=[*place.readable, *own])
        work.mkdir()
        try:
            tree = self._experiment.base.lay_out(work / "tree")
            self._layout.begin(tree, fresh.results)  # a checkpoint that is committed is nobody's result
            for name in place.keeps:
                if (place.tree / name).exists():
                    (tree / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(place.tree / name, tree / name)
            link_data(self._layout, tree)
            return run_scorer(self._without_uv(step), fresh, self._hear)
        finally:
            self._experiment.base.remove(work / "tree")

    def _limited(self, step: Step) -> Step:
        """Return the step with the study's limit, where that is shorter than the layout's own."""
        longest = self._experiment.limits.wall_seconds - SPARE_SECONDS
        return replace(step, wall_seconds=min(step.wall_seconds, longest)) if longest > 0 else step

    def _hear(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        for line in self._splitter.feed(data):
            self._line(line)

    def _line(self, line: str) -> None:
        if line.strip():
            self._tail.append(line)
        point = self._layout.progress(line)
        if point is not None:
            told = {name: value for name, value in point.values.items() if name != self._experiment.metric}
            self._run.log(point.step, **{name: value for name, value in told.items() if self._admits(name)})

    def _admits(self, name: str) -> bool:
        if len(self._curves) < _MOST_METRICS:
            self._curves.add(name)
        return name in self._curves

    def _conclude(self, reading: Reading, ran: Sequence[Ran], tree: Path) -> None:
        for line in self._splitter.finish():
            self._line(line)
        tell(
            self._run,
            reading,
            self._experiment.metric,
            failed=_limit_passed(ran),
            memory_metric=self._layout.memory_metric,
            missing=lambda: self._absent(tree),
            tail=self._tail,
        )

    def _absent(self, tree: Path) -> str:
        """Say which files the trial missed though the user has them; empty where there is none."""
        paths = absent_files(self._tail, tree, self._layout.root)
        if not paths:
            return ""
        named = ", ".join(paths)
        return (
            f" {self._layout.root} has {named}, but git does not: commit it (git add -f {paths[0]}), or where it is "
            f'data, name it in headway.toml: data = ["{paths[0]}"].'
        )


def inputs_of(experiment: Declared) -> list[Path]:
    """Return what a result depends on beside the base: in the sandbox there is nothing else to read."""
    if experiment.unsafe:
        return []
    python = Path(os.path.realpath(python_of(experiment.layout.root)))
    return [python, *(path for path in experiment.layout.data if path.exists())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Hold what speaks against a candidate's score in its code: the text, and what kind of sign it is."""

    text: str
    sign: str


def doubts_of(experiment: Declared, config: Mapping[str, Any], patch: Mapping[str, str]) -> list[Seen]:
    """Return what is to be doubted in a candidate's code; turned knobs alone are no code of anybody's."""
    if not patch:
        return []
    sources = {**experiment.sources, **experiment.files(config, patch)}
    read_only = [path for path in experiment.layout.files.read_only if path.endswith(".py")]
    found = suspicions(experiment.sources, sources, metric=experiment.metric, read_only=read_only)
    return [Seen(text=printable(f"{item.path}:{item.line}: {item.text}"), sign=item.kind) for item in found]


def candidate_files(experiment: Declared, run: Run) -> dict[str, str]:
    """Return the files that differ from the base, with the trial's seed in them."""
    changed = experiment.files(run.config, run.patch)
    seeded = _seeded(experiment.layout, {**experiment.sources, **changed}, run.seed)
    if seeded is not None:
        run.remark("seed", "; ".join(seeded.rewritten))
        changed |= {path: text for path, text in seeded.files.items() if text != experiment.sources.get(path)}
    return changed


def _seeded(layout: Layout, sources: Mapping[str, str], seed: int) -> SeededFiles | None:
    if not layout.rewrites_seed or seed_written(sources) in (seed, None):
        return None
    return layout.with_seed(sources, seed)


def seed_written(sources: Mapping[str, str]) -> int | None:
    """Return the first seed that is written in Python files."""
    seeds = (written_seed(text) for path, text in sorted(sources.items()) if path.endswith(".py"))
    return next((seed for seed in seeds if seed is not None), None)


def readable_paths(layout: Layout) -> list[Path]:
    """Return what a candidate may read beside its tree: its Python, the data, our drivers."""
    python = interpreter_paths(python_of(layout.root))
    data = [path for path in layout.data if path.exists()]
    return list(dict.fromkeys([*python, *data, _DRIVERS]))


def tell(
    run: Run,
    reading: Reading,
    metric: str,
    *,
    failed: tuple[Reason, str] | None,
    memory_metric: str | None,
    missing: Callable[[], str],
    tail: Iterable[str],
) -> None:
    """Report what a trial came to. Raises `StepsFailed` where it came to no value.

    `failed` is the limit that it passed, `missing` says which files it did not find, `tail` is the end of its output.
    """
    for note in reading.notes:
        run.remark("note", note)
    named = ((name, value) for name, value in reading.metrics.items() if name != metric)
    others = dict(itertools.islice(named, _MOST_METRICS))
    if reading.memory_mb is not None:
        others.setdefault(memory_metric or "peak_memory_mb", reading.memory_mb)
    if others:
        run.report(**others)
    if failed is None and (reading.problem is not None or reading.value is None):
        failed = reading.problem or Reason.NO_METRIC, reading.why
    if failed is not None:
        raise StepsFailed(failed[0], printable(f"{failed[1]}{missing()}"), list(tail))
    assert reading.value is not None
    run.report(**{metric: reading.value})


def memory_bytes(experiment: Declared) -> int:
    """Return what a trial may use where nobody says it: its share of the machine, if as many run as there are cores."""
    if experiment.limits.memory_bytes:
        return experiment.limits.memory_bytes
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(int(0.9 * whole) // max(1, (os.cpu_count() or 1) // experiment.needs.cores), 1024**3)


def printable(text: str) -> str:
    """Return a text that quotes a candidate without what a terminal would obey: it goes into verdicts and commits."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _limit_passed(ran: Sequence[Ran]) -> tuple[Reason, str] | None:
    last = ran[-1] if ran else None
    if last is None or not last.passed:
        return None
    reason = Reason.MEMORY if last.memory else Reason.OUTPUT if "printed" in last.passed else Reason.SIGNAL
    return reason, f"The step {last.finished.step!r} {last.passed}, and was ended."
