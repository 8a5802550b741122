"""A layout with a scorer: what its run left is scored by a command of the repository, which makes it guarded."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self, final

from headway.core import Direction, UsageError
from headway.experiments.layouts._declaration import Declaration, data_of, declaration_at, read_printed
from headway.experiments.layouts._printed import crashed, problem_of_exit
from headway.experiments.layouts._scorer import scorer_doubts
from headway.experiments.layouts.files import EditableFiles
from headway.experiments.layouts.interpreter import command_words, environment_of
from headway.experiments.layouts.layout import Finished, Guard, Layout, Reading, Step, Trust

__all__ = ["ScoredLayout"]


@final
class ScoredLayout(Layout):
    """Wrap a layout: what its run left is scored by a command of the repository, in a process of its own."""

    name: ClassVar[str] = "scored"
    looked_for: ClassVar[str] = "headway.toml with `score` in [repository]"

    def __init__(self, inner: Layout, told: Declaration) -> None:
        super().__init__(inner.root)
        self.inner = inner
        self._told = told
        self._words = command_words(inner.root, told.score or "")
        self.doubts = scorer_doubts(inner.root, self._words, inner.files)

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Tell whether headway.toml names a scorer."""
        told = declaration_at(root)
        return told is not None and told.score is not None

    @classmethod
    def open(cls, root: Path) -> Self:
        """Refuse: a scorer belongs to a layout; `find_layout` puts them together."""
        raise UsageError(f"The scorer of {root} needs the layout that it scores. Use find_layout.")

    @property
    def metric(self) -> str:
        """Return the metric that the scorer prints: that of the table, or the layout's own."""
        return self._told.metric or self.inner.metric

    @property
    def direction(self) -> Direction:
        """Return its direction."""
        return self._told.direction or self.inner.direction

    @property
    def trust(self) -> Trust:
        """Return guarded, but where the scorer could be reached by the candidate: then `notes` say how."""
        return "as printed" if self.doubts else "guarded"

    @property
    def memory_metric(self) -> str | None:
        """Return the layout's."""
        return self.inner.memory_metric

    @property
    def guard(self) -> Guard | None:
        """Return the layout's."""
        return self.inner.guard

    @property
    def files(self) -> EditableFiles:
        """Return the layout's; the scorer's own files are read-only."""
        inner = self.inner.files
        own = tuple(word for word in self._words if (self.root / word).is_file() and not inner.allows(word))
        kept = tuple(name for name in self._told.private if not Path(name).expanduser().is_absolute())
        return replace(inner, read_only=(*inner.read_only, *own, *kept))

    @property
    def task(self) -> str:
        """Return the layout's."""
        return self.inner.task

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the layout's, and why the score is not guarded where it is not."""
        return (*self.inner.notes, *(f"The score is not guarded: {doubt}." for doubt in self.doubts))

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Return the layout's, and the checkpoint: an old one must never be scored."""
        return (*self.inner.leftovers, self._told.checkpoint or "")

    @property
    def private(self) -> tuple[Path, ...]:
        """Return what headway.toml names as the scorer's own."""
        return tuple(self.root / Path(name).expanduser() for name in self._told.private)

    @property
    def keeps(self) -> tuple[str, ...]:
        """Return the layout's, and the checkpoint."""
        return (*self.inner.keeps, self._told.checkpoint or "")

    @property
    def data(self) -> tuple[Path, ...]:
        """Return the layout's, and what headway.toml names."""
        return (*self.inner.data, *data_of(self.root, self._told))

    @property
    def writes(self) -> tuple[str, ...]:
        """Return the layout's, and what headway.toml names."""
        return (*self.inner.writes, *(name for name in self._told.writes if name not in self.inner.writes))

    @property
    def ledger(self) -> str | None:
        """Return the layout's."""
        return self.inner.ledger

    @property
    def branch_prefix(self) -> str:
        """Return the layout's."""
        return self.inner.branch_prefix

    @property
    def takes_seed(self) -> bool:
        """Tell what the layout tells."""
        return self.inner.takes_seed

    def steps(self, tree: Path, results: Path, *, seed: int = 0) -> tuple[Step, ...]:
        """Return the layout's steps and then the scorer."""
        score = Step(
            name="score",
            kind="score",
            words=self._words,
            wall_seconds=self._told.score_seconds,
            environment=environment_of(self.root) | dict(self._told.environment),
        )
        return (*self.inner.steps(tree, results, seed=seed), score)

    def goes_on(self, finished: Sequence[Finished], results: Path) -> bool:
        """Tell what the layout tells, and at its last step whether all ended well."""
        count = len(self.inner.steps(self.root, results))
        if len(finished) < count:
            return self.inner.goes_on(finished, results)
        return super().goes_on(finished, results) and len(finished) == count

    def read(self, finished: Sequence[Finished], tree: Path, results: Path) -> Reading:
        """Read the scorer's print; of the candidate's own words only curve, memory and other metrics remain."""
        inner = self.inner.read([end for end in finished if end.step != "score"], tree, results)
        failed = problem_of_exit(finished)
        if failed is not None:
            return crashed(failed, inner.metrics, inner.curve)
        scored = next((end for end in finished if end.step == "score"), None)
        if scored is None:  # a cascade stopped before it
            return replace(inner, value=None)
        told = replace(self._told, memory_metric=None)
        outer = read_printed(told, self.metric, finished, scored.output)
        metrics = {**inner.metrics, **outer.metrics}
        return replace(outer, metrics=metrics, curve=inner.curve, memory_mb=inner.memory_mb, stage=inner.stage)
