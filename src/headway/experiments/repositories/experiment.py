"""A repository as an experiment: its layout says how it runs, candidates change its code, and nobody is trusted.

Each trial gets a tree of its own, laid out from the study's base. The candidate's files go into it, then the knobs that
its configuration turns, then the seed. Its steps run in the sandbox; what scores the candidate runs on files that the
candidate has never touched.
"""

import itertools
import os
import re
import shutil
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from headway.core import Limits, Needs, Reason, UsageError
from headway.experiments.definition import Experiment
from headway.experiments.layouts import Layout, Reading, SeededFiles, Step, Trust, find_layout, written_seed
from headway.experiments.layouts.files import python_sources, refuse_links
from headway.experiments.layouts.interpreter import python_of, uv_notes, without_uv
from headway.experiments.metrics import LineSplitter
from headway.experiments.repositories.absent import absent_files
from headway.experiments.repositories.environment import environment_of
from headway.experiments.repositories.steps import Place, Ran, run_plainly, run_sandboxed, run_scorer
from headway.experiments.repositories.suspicion import suspicions
from headway.experiments.repositories.trees import Base, base_from_json
from headway.experiments.run import Run, StepsFailed
from headway.sandbox import interpreter_paths

__all__ = ["SPARE_SECONDS", "WORK", "RepositoryExperiment"]

WORK = "work"  # the folder of an attempt that holds the candidate's tree
_TAIL_LINES = 60
# Python's parser takes the square of a dotted name's length in memory: `import a.a. ...` of 500,000 characters 24 GB.
_MOST_DOTS = 500
_CHAIN = re.compile(r"""(?>\.[\s\\]*[^\s.\\(){}\[\]'"#=,;:+*/%&|^~<>@!-]+[\s\\]*)+""")
_OBEYED = (".gitattributes", ".gitmodules", ".lfsconfig")
_MOST_METRICS = 400  # of a trial: a candidate may print as many names as it likes
SPARE_SECONDS = 60.0  # for laying out the tree, and for what bubblewrap needs
_PROCESSES = 512
_DRIVERS = Path(__file__).parent.parent / "layouts" / "drivers"


@dataclass(frozen=True, kw_only=True)
class RepositoryExperiment(Experiment):
    """Run the repository that `layout` describes, from `base`. `sources` are the base's editable files, by path.

    With `unsafe` its code runs without a sandbox, and nothing that it says is guarded. `named` are a study's own names
    for what it makes of the repository, such as its branch. `environment` are Python and the packages that it imports.
    """

    layout: Layout
    base: Base
    sources: Mapping[str, str]
    unsafe: bool = False
    named: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(
        cls,
        layout: Layout,
        base: Base,
        sources: Mapping[str, str],
        *,
        unsafe: bool = False,
        needs: Needs | None = None,
        limits: Limits | None = None,
        named: Mapping[str, str] | None = None,
    ) -> "RepositoryExperiment":
        """Make the experiment of a layout; its knobs are the space, its time limits those of the trial.

        Raises `UsageError` where uv would have to install packages first, which no trial can.
        """
        whole = limits or Limits(wall_seconds=layout.wall_seconds + SPARE_SECONDS)
        if not unsafe:  # what uv would have to install is told before anything runs
            _words(layout)
        return cls(
            metric=layout.metric,
            direction=layout.direction,
            space=layout.space(sources),
            needs=needs or Needs(),
            limits=whole,
            layout=layout,
            base=base,
            sources=dict(sources),
            unsafe=unsafe,
            named=dict(named or {}),
            environment=environment_of(layout.root, _python_files(layout, sources)),
        )

    @property
    def name(self) -> str:
        """Return the layout's name and the repository's."""
        return f"{self.layout.root.name} ({self.layout.name})"

    @property
    def described(self) -> dict[str, Any]:
        """Return the layout, the content of all files of the base, and whether a sandbox guards what runs."""
        return {
            "repository": os.path.relpath(self.layout.root, self.root),
            "layout": self.layout.name,
            "base": self.base.mark,
            "metric": self.metric,
            "environment": dict(self.environment),
            **({"unsafe": True} if self.unsafe else {}),
        }

    @property
    def folder(self) -> Path:
        """Return the repository's folder."""
        return self.layout.root

    @property
    def opaque(self) -> bool:
        """Tell that the worker only launches its steps."""
        return True

    @property
    def has_seed_channel(self) -> bool:
        """Tell whether a command takes the seed, or it is written in the code, where a trial's copy gets another."""
        return self.layout.takes_seed or self.written_seed is not None

    @property
    def written_seed(self) -> int | None:
        """Return the seed that the untouched code sets; None where it sets none."""
        return _written(self.sources)

    @property
    def trust(self) -> Trust:
        """Return how far a score can be believed: never further than `as printed` without a sandbox."""
        return "as printed" if self.unsafe else self.layout.trust

    @property
    def knobs(self) -> dict[str, Any]:
        """Return the baseline's configuration: the values of the knobs in the untouched code."""
        return dict(self.layout.knobs(self.sources).values)

    @property
    def notes(self) -> Sequence[str]:
        """Return what the repository is taken for, how far its scores count, and what the layout says."""
        edited = ", ".join(self.layout.files.editable)
        guarded = "computed from what the candidate leaves, where its code does not run: guarded"
        printed = "printed by the code that is judged: no verdict says more than 'accepted (as printed)'"
        return (
            f"Layout {self.layout.name}: {edited} may be changed. Its score is "
            f"{guarded if self.trust == 'guarded' else printed}.",
            *(("--unsafe: its code runs with all that you may do.",) if self.unsafe else ()),
            *self.layout.notes,
            *(() if self.unsafe else [note for words in _words(self.layout) for note in uv_notes(self.folder, words)]),
        )

    @property
    def recorded(self) -> dict[str, Any]:
        """Return where the base is found again, and how far scores are trusted."""
        return {"repository": {"base": self.base.to_json(), "trust": self.trust, **self.named}}

    def files(self, config: Mapping[str, Any], patch: Mapping[str, str]) -> dict[str, str]:
        """Return the files that a candidate has otherwise than the base: its patch, and the knobs that it turns.

        Raises `UsageError` where a knob that is to be turned is gone from the changed code, and for a file that no tree
        can hold or that git on this machine would obey.
        """
        self.require_fit(patch)
        sources, before = {**self.sources, **patch}, self.knobs
        turned = {name: value for name, value in config.items() if before.get(name) != value}
        written = self.layout.knobs(sources).write(sources, turned)
        whole = {**patch, **written}
        return {path: text for path, text in whole.items() if self.sources.get(path) != text}

    def require_fit(self, patch: Mapping[str, str]) -> None:
        """Raise `UsageError` for a file that no tree can hold, or no commit may, as git on the host would obey it."""
        known = {*self.sources, *patch}
        for path, text in patch.items():
            *above, name = path.lower().split("/")
            if ".git" in (*above, name) or name in _OBEYED:
                raise UsageError(
                    f"The patch changes {path!r}, which git on this machine would obey. Leave it as it is."
                )
            if any(str(parent) in known for parent in PurePosixPath(path).parents):
                raise UsageError(f"The patch changes {path!r}, which lies below a file. Give it another place.")
            if any(other.startswith(f"{path}/") for other in known):
                raise UsageError(f"The patch changes {path!r}, which is a folder. Name a file.")
            if path.endswith(".py") and any(chain[0].count(".") > _MOST_DOTS for chain in _CHAIN.finditer(text)):
                raise UsageError(
                    f"The new text of {path!r} has a name of more than {_MOST_DOTS} parts. Write it shorter."
                )
            if any("\ud800" <= letter <= "\udfff" for letter in text):
                raise UsageError(f"The new text of {path!r} is no UTF-8. Give a text file.")

    def run(self, run: Run) -> None:
        """Lay out the candidate's tree, run the layout's steps in it, and report what they came to."""
        work = run.folder / WORK
        try:
            _Trial(self, run, work).perform()
        finally:
            self.base.remove(work / "tree")
            shutil.rmtree(work, ignore_errors=True)

    def to_json(self) -> dict[str, Any]:
        """Return all that a worker needs to know, as JSON."""
        return {
            "root": str(self.layout.root),
            "layout": self.layout.name,
            "base": self.base.to_json(),
            "sources": dict(self.sources),
            "unsafe": self.unsafe,
            "needs": self.needs.to_json(),
            "limits": self.limits.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "RepositoryExperiment":
        """Read what `to_json` wrote."""
        root = Path(data["root"])
        return cls.of(
            find_layout(root),
            base_from_json(data["base"], root),
            data["sources"],
            unsafe=data["unsafe"],
            needs=Needs(**data["needs"]),
            limits=Limits(**data["limits"]),
        )


class _Trial:
    """Carry one trial of a repository from its tree to its reading."""

    def __init__(self, experiment: RepositoryExperiment, run: Run, work: Path) -> None:
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
        self._declare_inputs()
        tree = self._experiment.base.lay_out(self._work / "tree")
        _refuse_links_above(tree, (*self._layout.leftovers, *self._layout.keeps))
        _hide(self._layout, tree)
        files = self._files()
        _write(tree, files)
        place = self._place(tree)
        self._layout.begin(tree, place.results)
        _link_data(self._layout, tree)
        ran = self._steps(place)
        self._conclude(self._layout.read([item.finished for item in ran], tree, place.results), ran, tree)

    def _declare_inputs(self) -> None:
        """Tell what a result depends on beside the base: in the sandbox there is nothing else to read."""
        if not self._experiment.unsafe:
            self._run.input(os.path.realpath(python_of(self._layout.root)))
            for path in self._layout.data:
                if path.exists():
                    self._run.input(path)

    def _files(self) -> dict[str, str]:
        """Return the files that differ from the base, with the trial's seed in them; tell what was seen in them."""
        experiment, run = self._experiment, self._run
        changed = experiment.files(run.config, run.patch)
        sources = {**experiment.sources, **changed}
        read_only = [path for path in self._layout.files.read_only if path.endswith(".py")]
        if run.patch:  # turned knobs alone are no code of anybody's
            for item in suspicions(experiment.sources, sources, metric=experiment.metric, read_only=read_only):
                run.remark("flag", _printable(f"{item.path}:{item.line}: {item.text}"), sign=item.kind)
        seeded = self._seeded(sources)
        if seeded is not None:
            run.remark("seed", "; ".join(seeded.rewritten))
            changed |= {path: text for path, text in seeded.files.items() if text != experiment.sources.get(path)}
        return changed

    def _seeded(self, sources: Mapping[str, str]) -> SeededFiles | None:
        if self._layout.takes_seed or _written(sources) == self._run.seed:
            return None
        return self._layout.with_seed(sources, self._run.seed)

    def _place(self, tree: Path) -> Place:
        prefix = tree.relative_to(self._work / "tree").as_posix()
        limit = self._experiment.limits.memory_bytes
        return Place(
            work=self._work.resolve(),
            prefix="" if prefix == "." else prefix,
            readable=self._readable(),
            keeps=self._layout.keeps,
            writes=self._layout.writes,
            memory_bytes=limit or _memory_bytes(self._experiment.needs.cores),
            processes=_PROCESSES,
            gpus=self._experiment.needs.gpus > 0,
        )

    def _readable(self) -> list[Path]:
        python = interpreter_paths(python_of(self._layout.root))
        data = [path for path in self._layout.data if path.exists()]
        return list(dict.fromkeys([*python, *data, _DRIVERS]))

    def _steps(self, place: Place) -> list[Ran]:
        ran: list[Ran] = []
        for step in self._layout.steps(place.tree, place.results, seed=self._run.seed):
            if ran and not self._layout.goes_on([item.finished for item in ran], place.results):
                break
            ran.append(self._score(step, place) if step.kind == "score" else self._step(step, place))
            self._peak_bytes = max(self._peak_bytes, ran[-1].peak_memory_bytes)
            for text in ran[-1].strange:
                self._run.remark("flag", _printable(text), sign="left")
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
            _link_data(self._layout, tree)
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
        for note in reading.notes:
            self._run.remark("note", note)
        named = ((name, value) for name, value in reading.metrics.items() if name != self._experiment.metric)
        others = dict(itertools.islice(named, _MOST_METRICS))
        if reading.memory_mb is not None:
            others.setdefault(self._layout.memory_metric or "peak_memory_mb", reading.memory_mb)
        if others:
            self._run.report(**others)
        failed = _limit_passed(ran) or (
            (reading.problem, reading.why) if reading.problem is not None or reading.value is None else None
        )
        if failed is not None:
            raise StepsFailed(
                failed[0] or Reason.NO_METRIC, _printable(f"{failed[1]}{self._absent(tree)}"), list(self._tail)
            )
        assert reading.value is not None
        self._run.report(**{self._experiment.metric: reading.value})

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


def _python_files(layout: Layout, sources: Mapping[str, str]) -> list[str]:
    """Return the texts of the Python files that may be edited, and of those beside them."""
    beside = [path for path in sorted(layout.root.glob("*.py")) if path.name not in sources]
    return [*python_sources(sources).values(), *(path.read_text(errors="replace") for path in beside)]


def _memory_bytes(cores: int) -> int:
    """Return what a trial may use where nobody says it: its share of the machine, if as many run as there are cores."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(int(0.9 * whole) // max(1, (os.cpu_count() or 1) // cores), 1024**3)


def _words(layout: Layout) -> list[tuple[str, ...]]:
    """Return the words of a layout's steps. Raises `UsageError` where uv would have to install something first."""
    words = [step.words for step in layout.steps(layout.root, layout.root / "results")]
    for item in words:
        without_uv(layout.root, item)
    return words


def _written(sources: Mapping[str, str]) -> int | None:
    """Return the first seed that is written in Python files."""
    seeds = (written_seed(text) for path, text in sorted(sources.items()) if path.endswith(".py"))
    return next((seed for seed in seeds if seed is not None), None)


def _printable(text: str) -> str:
    """Return a text that quotes a candidate without what a terminal would obey: it goes into verdicts and commits."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _limit_passed(ran: Sequence[Ran]) -> tuple[Reason, str] | None:
    last = ran[-1] if ran else None
    if last is None or not last.passed:
        return None
    reason = Reason.MEMORY if last.memory else Reason.OUTPUT if "printed" in last.passed else Reason.SIGNAL
    return reason, f"The step {last.finished.step!r} {last.passed}, and was ended."


def _refuse_links_above(tree: Path, names: Sequence[str]) -> None:
    """Raise `UsageError` for what would be removed or put behind a link: it leads to files of the user's."""
    for name in names:
        above = next((path for path in list((tree / name).parents)[: name.count("/")] if path.is_symlink()), None)
        if above is not None:
            raise UsageError(
                f"{name!r} lies behind the link {above.relative_to(tree).as_posix()!r}, out of the trial's own tree. "
                "Name a file that no link leads to."
            )


def _write(tree: Path, files: Mapping[str, str]) -> None:
    refuse_links(tree, files)
    for path, text in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())


def _hide(layout: Layout, tree: Path) -> None:
    """Take what only the scorer may read out of a candidate's tree."""
    for path in layout.private:
        if layout.root in path.parents:
            place = tree / path.relative_to(layout.root)
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)


def _link_data(layout: Layout, tree: Path) -> None:
    """Show the data of the repository that git does not know where the code looks for it."""
    for path in layout.data:
        if layout.root in path.parents and path.exists():
            target = tree / path.relative_to(layout.root)
            if not target.exists() and not target.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(path)
