"""What a repository is as an experiment: the contract that every layout fulfils.

A `Layout` describes and reads; it starts nothing. Whoever runs a trial lays the repository's files out in a tree of its
own, calls `begin`, runs the `steps` in their order, and gives what they left to `read`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Self

from headway.core import Direction, Reason, Space
from headway.experiments.layouts._leftovers import clear
from headway.experiments.layouts.files import EditableFiles, python_sources, refuse_links
from headway.experiments.layouts.knobs import RepositoryKnobs
from headway.experiments.layouts.patches import Patch, apply_patch
from headway.experiments.layouts.progress import CurvePoint, progress_point
from headway.experiments.layouts.seeds import SeededFiles, rewrite_seeds

__all__ = ["Finished", "Guard", "Layout", "Reading", "Step", "Trust", "Warm"]

_LONGEST_TASK = 3000  # characters of what a repository says of itself

Trust = Literal["guarded", "as printed"]
"""`guarded`: computed outside of the candidate's process, from what it left. `as printed`: it could say any score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Describe one command of a trial: run in the trial's tree, ended with its process group after `wall_seconds`.

    A step runs only when all before it ended with exit code 0 and `Layout.goes_on` agrees. Both output streams go to
    `log`, relative to the tree, where the layout names such a file. The candidate's code runs in an `evaluate` step;
    a `check` only says yes or no; a `score` is computed from what the candidate left, and none of its code runs there:
    who runs it puts the repository's own read-only files back first.
    """

    name: str
    kind: Literal["check", "evaluate", "score"]
    words: tuple[str, ...]
    wall_seconds: float
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    log: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Hold how a step ended: its exit code (negative: the signal), what it printed on both streams, and a time-out."""

    step: str
    code: int
    output: str
    timed_out: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """Describe an evaluator that can stay loaded while candidates come and go.

    `driver` is a Python file whose `prepare(*words)` loads it, with `python`, and returns what evaluates a request: the
    function gets `argument` and yields JSON for `Layout.read_returned`. `editable` are the files that a candidate
    brings. A candidate is ended after `wall_seconds`.
    """

    python: str
    driver: Path
    words: tuple[str, ...]
    argument: Mapping[str, str]
    editable: tuple[str, ...]
    wall_seconds: float
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Name a second metric that may not get worse than the baseline's by more than the share `tolerance` of it."""

    metric: str
    direction: Direction
    tolerance: float

    def holds(self, baseline: float, value: float) -> bool:
        """Tell whether `value` keeps what the baseline has."""
        loss = value - baseline if self.direction == "minimize" else baseline - value
        return loss <= self.tolerance * abs(baseline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Hold what a trial's steps came to. Without a `problem`, `value` is a finite number in the metric's range.

    `memory_mb` is in MiB, as the layouts that print it count it. `stage` is the last stage of a cascade that ran,
    from 1. `notes` are doubts for a person to read.
    """

    value: float | None
    metrics: Mapping[str, float]
    curve: tuple[CurvePoint, ...] = ()
    memory_mb: float | None = None
    stage: int = 1
    problem: Reason | None = None
    why: str = ""
    notes: tuple[str, ...] = ()


class Layout(ABC):
    """Describe a repository as an experiment. `find_layout` makes one; the first trial is the untouched baseline."""

    name: ClassVar[str]
    """What people call it."""
    looked_for: ClassVar[str]
    """The files by which it is found, in words."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    @abstractmethod
    def is_at(cls, root: Path) -> bool:
        """Tell whether the repository at `root` has this layout. Reads only what it must."""

    @classmethod
    @abstractmethod
    def open(cls, root: Path) -> Self:
        """Read the description. Raises `UsageError` where it does not hold together."""

    @property
    @abstractmethod
    def metric(self) -> str:
        """Return the name of the primary metric."""

    @property
    @abstractmethod
    def direction(self) -> Direction:
        """Return whether the primary metric is to fall or to rise."""

    @property
    @abstractmethod
    def files(self) -> EditableFiles:
        """Return which files a proposal may change and which it may not."""

    @abstractmethod
    def steps(self, tree: Path, results: Path, *, seed: int = 0) -> tuple[Step, ...]:
        """Return the commands of a trial in `tree`, in their order.

        `results` is a folder of this attempt alone, outside of the tree. `seed` reaches only a command that takes one.
        """

    @abstractmethod
    def read(self, finished: Sequence[Finished], tree: Path, results: Path) -> Reading:
        """Make a reading of what the steps left. Never raises for what a candidate did."""

    def warm(self, tree: Path) -> Warm | None:
        """Return how the evaluator in `tree` stays loaded for many trials; None where each needs its own commands."""
        del tree
        return None

    def read_returned(self, returned: Sequence[object], finished: Finished) -> Reading:
        """Make a reading of what a warm evaluator yielded until it ended. Never raises for what a candidate did."""
        raise NotImplementedError(f"The layout {self.name} has no warm evaluator.")

    @property
    def trust(self) -> Trust:
        """Return how far a score can be believed; named in every verdict."""
        return "as printed"

    @property
    def memory_metric(self) -> str | None:
        """Return the metric that tells the peak of memory in MiB, if there is one."""
        return None

    @property
    def guard(self) -> Guard | None:
        """Return the second metric that must hold, if there is one."""
        return None

    @property
    def task(self) -> str:
        """Return what the repository says of its task: the beginning of program.md or README.md. Proposers see it."""
        for name in ("program.md", "README.md"):
            path = self.root / name
            if path.is_file() and not path.is_symlink():
                return path.read_text(errors="replace")[:_LONGEST_TASK]
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what a person should know: settings that are ignored, reasons for less trust."""
        return ()

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Return the files of earlier runs, relative to the tree, that `begin` removes: none of them is ever read."""
        return ()

    @property
    def keeps(self) -> tuple[str, ...]:
        """Return the files in the tree that a later step reads: they are taken out of the sandbox, and no others."""
        return ()

    @property
    def writes(self) -> tuple[str, ...]:
        """Return the folders in the tree in which commands make files, beside the tree itself and folders they make.

        What is in them already stays read-only. Each file there is a mount, which takes a sandbox a millisecond.
        """
        return ()

    @property
    def data(self) -> tuple[Path, ...]:
        """Return files and folders, unknown to git, that a trial may read: what it learns from."""
        return ()

    @property
    def private(self) -> tuple[Path, ...]:
        """Return files and folders that only a scorer may read, such as labels: in the repository, or elsewhere."""
        return ()

    @property
    def ledger(self) -> str | None:
        """Return the untracked file to which results are appended (`ledger.append_row`), if the layout has one."""
        return None

    @property
    def branch_prefix(self) -> str:
        """Return what the names of branches with kept trials begin with."""
        return "headway/"

    @property
    def takes_seed(self) -> bool:
        """Tell whether `steps` hands its seed to a command."""
        return False

    @property
    def rewrites_seed(self) -> bool:
        """Tell whether seeds that are written in the editable files get the trial's in their place."""
        return not self.takes_seed

    @property
    def wall_seconds(self) -> float:
        """Return the sum of the steps' limits."""
        return sum(step.wall_seconds for step in self.steps(self.root, self.root / "results"))

    def begin(self, tree: Path, results: Path) -> None:
        """Make the way free: remove what earlier runs left in `tree`, and empty or make the folder `results`."""
        clear(tree, self.leftovers, results)

    def goes_on(self, finished: Sequence[Finished], results: Path) -> bool:
        """Tell whether the next step is worth running: a cascade stops below its thresholds."""
        del results
        return all(step.code == 0 and not step.timed_out for step in finished)

    def progress(self, line: str) -> CurvePoint | None:
        """Return the point of the learning curve that a printed line tells, or None. `LineSplitter` cuts lines."""
        return progress_point(line)

    def sources(self, tree: Path | None = None) -> dict[str, str]:
        """Return the text of the editable files in `tree` (default: the repository), by path."""
        return self.files.read(self.root if tree is None else tree)

    def apply(self, patch: Patch, tree: Path | None = None) -> dict[str, str]:
        """Return the files that `patch` changes, by path, with their new text. Writes nothing.

        Raises `UsageError` that names the block that did not match, or the file that may not be changed.
        """
        changed = apply_patch(patch, self.sources(tree), self.files)
        refuse_links(self.root if tree is None else tree, changed)
        return changed

    def with_seed(self, sources: Mapping[str, str], seed: int) -> SeededFiles | None:
        """Return the files whose seed literals were rewritten, or None: then the noise is unknown."""
        return rewrite_seeds(python_sources(sources), seed)

    def knobs(self, sources: Mapping[str, str]) -> RepositoryKnobs:
        """Return the constants and flags of the editable files."""
        return RepositoryKnobs.of(python_sources(sources))

    def space(self, sources: Mapping[str, str]) -> Space:
        """Return the search space of the knobs."""
        return self.knobs(sources).space
