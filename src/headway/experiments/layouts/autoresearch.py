"""karpathy/autoresearch, unchanged: `program.md`, `train.py` and `prepare.py` at the root.

Its conventions stand in its program.md: only train.py is edited; `uv run train.py` writes both streams into run.log;
the run counts when `val_bpb` stands in the summary after `---`; ten minutes are too long; results go to results.tsv,
which git does not track; a run lives on the branch autoresearch/<tag>.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self, final

from headway.core import Direction
from headway.experiments.layouts._printed import crashed, problem_of_exit
from headway.experiments.layouts.files import EditableFiles
from headway.experiments.layouts.interpreter import environment_of, run_python
from headway.experiments.layouts.layout import Finished, Layout, Reading, Step
from headway.experiments.layouts.progress import curve_of, lines_of, number, summary, verdict_on

__all__ = ["AutoresearchLayout"]

_METRIC, _MEMORY = "val_bpb", "peak_vram_mb"
_FILES = ("program.md", "train.py", "prepare.py")
_WALL_SECONDS = 600.0


@final
class AutoresearchLayout(Layout):
    """Run and read a repository in the layout of karpathy/autoresearch."""

    name: ClassVar[str] = "autoresearch"
    looked_for: ClassVar[str] = "program.md, train.py and prepare.py (karpathy/autoresearch)"

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Tell whether its three files are at the root."""
        return all((root / name).is_file() for name in _FILES)

    @classmethod
    def open(cls, root: Path) -> Self:
        """Make the layout; there is nothing to read."""
        return cls(root)

    @property
    def metric(self) -> str:
        """Return val_bpb: the bits that the model needs for a byte of the validation text."""
        return _METRIC

    @property
    def direction(self) -> Direction:
        """Return that fewer bits are better."""
        return "minimize"

    @property
    def memory_metric(self) -> str:
        """Return peak_vram_mb."""
        return _MEMORY

    @property
    def files(self) -> EditableFiles:
        """Return that train.py alone is edited."""
        return EditableFiles(
            editable=("train.py",), read_only=("prepare.py", "pyproject.toml", "uv.lock", "program.md", "results.tsv")
        )

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Return run.log: an old one must never be read for a run that wrote none."""
        return ("run.log",)

    @property
    def data(self) -> tuple[Path, ...]:
        """Return where its prepare.py puts the text and the tokenizer."""
        return (Path.home() / ".cache" / "autoresearch",)

    @property
    def ledger(self) -> str:
        """Return results.tsv."""
        return "results.tsv"

    @property
    def branch_prefix(self) -> str:
        """Return autoresearch/, before the run's tag."""
        return "autoresearch/"

    def steps(self, tree: Path, results: Path, *, seed: int = 0) -> tuple[Step, ...]:
        """Return the one command. The seed is written in train.py (`with_seed`)."""
        del tree, results, seed
        return (
            Step(
                name="train",
                kind="evaluate",
                words=run_python(self.root, "train.py"),
                wall_seconds=_WALL_SECONDS,
                environment=environment_of(self.root),
                log="run.log",
            ),
        )

    def read(self, finished: Sequence[Finished], tree: Path, results: Path) -> Reading:
        """Read what train.py printed: exit code 0 and val_bpb after `---` are success, as in the original."""
        del tree, results
        output = finished[-1].output if finished else ""
        lines = lines_of(output)
        pairs = summary(lines)
        texts = dict(pairs)
        metrics = {key: value for key, text in texts.items() if (value := number(text)) is not None}
        curve = curve_of(line for line in lines if not line.startswith(_METRIC))
        failed = problem_of_exit(finished)
        if failed is not None:
            return crashed(failed, metrics, curve)
        value, problem, why = verdict_on(_METRIC, texts.get(_METRIC), low=0.0, where="printed after ---")
        return Reading(
            value=value,
            metrics=metrics,
            curve=curve,
            memory_mb=_memory(metrics),
            problem=problem,
            why=why,
            notes=_doubts([key for key, _ in pairs], lines),
        )


def _memory(metrics: dict[str, float]) -> float | None:
    """Return the peak of memory; some forks print words there, and a memory is never negative."""
    found = metrics.get(_MEMORY)
    return found if found is not None and 0 <= found < float("inf") else None


def _doubts(keys: list[str], lines: list[str]) -> tuple[str, ...]:
    notes: list[str] = []
    if keys.count(_METRIC) > 1:
        notes.append(f"{_METRIC} stands {keys.count(_METRIC)} times in the summary; the last one counts.")
    if (count := sum(line.rstrip() == "---" for line in lines)) > 1:
        notes.append(f"The summary's line --- was printed {count} times.")
    return tuple(notes)
