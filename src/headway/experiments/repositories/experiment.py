"""A repository as an experiment: its layout says how it runs, candidates change its code, and nobody is trusted.

Each trial gets a tree of its own, laid out from the study's base. The candidate's files go into it, then the knobs that
its configuration turns, then the seed. Its steps run in the sandbox; what scores the candidate runs on files that the
candidate has never touched.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from headway.core import Limits, Needs, UsageError
from headway.experiments.definition import Experiment, Standing
from headway.experiments.layouts import Layout, Trust, find_layout
from headway.experiments.layouts.files import python_sources
from headway.experiments.layouts.interpreter import uv_notes, without_uv
from headway.experiments.repositories.environment import environment_of
from headway.experiments.repositories.trees import Base, base_from_json
from headway.experiments.repositories.trial import SPARE_SECONDS, RepositoryTrial, Seen, doubts_of, seed_written
from headway.experiments.repositories.warm import WarmRepository
from headway.experiments.run import Run

__all__ = ["SPARE_SECONDS", "WORK", "RepositoryExperiment"]

WORK = "work"  # the folder of an attempt that holds the candidate's tree
# Python's parser takes the square of a dotted name's length in memory: `import a.a. ...` of 500,000 characters 24 GB.
_MOST_DOTS = 500
_CHAIN = re.compile(r"""(?>\.[\s\\]*[^\s.\\(){}\[\]'"#=,;:+*/%&|^~<>@!-]+[\s\\]*)+""")
_SURROGATE = re.compile("[\ud800-\udfff]")
_OBEYED = (".gitattributes", ".gitmodules", ".lfsconfig")


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
    def standing(self) -> bool:
        """Tell whether its evaluator can stay loaded in a sandbox that is entered once."""
        return not self.unsafe and self.layout.warm(self.layout.root) is not None

    @contextlib.contextmanager
    def stand(self, folder: Path) -> Generator[Standing]:
        """Hold that sandbox, for one trial after the other."""
        with WarmRepository(self, folder) as warm:
            yield warm

    @property
    def has_seed_channel(self) -> bool:
        """Tell whether a command takes the seed, or it is written in the code, where a trial's copy gets another."""
        return self.layout.takes_seed or self.written_seed is not None

    @property
    def written_seed(self) -> int | None:
        """Return the seed that the untouched code sets; None where it sets none."""
        return seed_written(self.sources)

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
        written = self.layout.knobs(sources).write(sources, turned) if turned else {}
        whole = {**patch, **written}
        return {path: text for path, text in whole.items() if self.sources.get(path) != text}

    def doubts(self, config: Mapping[str, Any], patch: Mapping[str, str]) -> Sequence[Seen]:
        """Return what speaks against a candidate's score in its code."""
        return doubts_of(self, config, patch)

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
            if path.endswith(".py") and _has_endless_name(text):
                raise UsageError(
                    f"The new text of {path!r} has a name of more than {_MOST_DOTS} parts. Write it shorter."
                )
            if not text.isascii() and _SURROGATE.search(text):
                raise UsageError(f"The new text of {path!r} is no UTF-8. Give a text file.")

    def run(self, run: Run) -> None:
        """Lay out the candidate's tree, run the layout's steps in it, and report what they came to."""
        if isinstance(run.setup, WarmRepository) and run.setup.perform(run):
            return
        work = run.folder / WORK
        try:
            RepositoryTrial(self, run, work).perform()
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


def _has_endless_name(text: str) -> bool:
    dots = text.count(".")  # which tells of most texts at once
    return dots > _MOST_DOTS and any(chain[0].count(".") > _MOST_DOTS for chain in _CHAIN.finditer(text))


def _python_files(layout: Layout, sources: Mapping[str, str]) -> list[str]:
    """Return the texts of the Python files that may be edited, and of those beside them."""
    beside = [path for path in sorted(layout.root.glob("*.py")) if path.name not in sources]
    return [*python_sources(sources).values(), *(path.read_text(errors="replace") for path in beside)]


def _words(layout: Layout) -> list[tuple[str, ...]]:
    """Return the words of a layout's steps. Raises `UsageError` where uv would have to install something first."""
    words = [step.words for step in layout.steps(layout.root, layout.root / "results")]
    for item in words:
        without_uv(layout.root, item)
    return words
