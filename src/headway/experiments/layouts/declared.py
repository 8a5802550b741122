"""Any repository that says in a `headway.toml` how it is run, and any other whose score a command can compute.

    [repository]
    command = "python train.py --seed {seed}"   # or the code reads the variable HEADWAY_SEED
    metric = "val_loss"
    direction = "minimize"
    editable = ["train.py", "model/**"]
    read_only = ["data.py"]            # wins over editable
    wall_seconds = 600
    memory_metric = "peak_mb"          # in MiB
    check = "python check.py"          # before the run; exit code 0 lets it begin
    pattern = '^val_loss: (\\S+)'       # else `key: value`, `key=value` and JSON lines are read; the last one counts
    score = "python score.py model.npz"   # prints the metric of what the run left: makes the repository guarded
    checkpoint = "model.npz"           # what it reads; an old one is removed before the run
    environment = { OMP_NUM_THREADS = "1" }
    private = ["labels.json"]          # what only the scorer may read: no candidate's tree has it
    data = ["data", "~/.cache/words"]  # read by trials, and not in git
    writes = ["outputs"]               # folders in git in which the command makes files

With `score` and `checkpoint`, and perhaps `metric` and `direction`, the table adds a scorer to the layout that is found
otherwise.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self, final

from headway.core import Direction
from headway.experiments.layouts._declaration import SHORT_SECONDS, Declaration, data_of, declaration_at, read_printed
from headway.experiments.layouts.files import EditableFiles
from headway.experiments.layouts.interpreter import command_words, environment_of
from headway.experiments.layouts.layout import Finished, Layout, Reading, Step

__all__ = ["DeclaredLayout"]


@final
class DeclaredLayout(Layout):
    """Run and read a repository as its headway.toml says."""

    name: ClassVar[str] = "headway.toml"
    looked_for: ClassVar[str] = "headway.toml with a table [repository] that names command, metric, direction, editable"

    def __init__(self, root: Path, told: Declaration) -> None:
        super().__init__(root)
        self._told = told
        self._words = command_words(root, told.command or "")
        self._check = None if told.check is None else command_words(root, told.check)
        self._takes_seed = _takes_seed(root, self._words, self.files)

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Tell whether headway.toml names a command."""
        told = declaration_at(root)
        return told is not None and told.command is not None

    @classmethod
    def open(cls, root: Path) -> Self:
        """Read headway.toml."""
        told = declaration_at(root)
        assert told is not None
        return cls(root, told)

    @property
    def metric(self) -> str:
        """Return the metric that headway.toml names."""
        return self._told.metric or ""

    @property
    def direction(self) -> Direction:
        """Return its direction."""
        return self._told.direction or "minimize"

    @property
    def memory_metric(self) -> str | None:
        """Return the metric of the peak of memory, if it is named."""
        return self._told.memory_metric

    @property
    def files(self) -> EditableFiles:
        """Return the files that headway.toml names; those of its check are read-only."""
        own = tuple(word for word in self._check or () if (self.root / word).is_file())
        return EditableFiles(editable=self._told.editable, read_only=(*self._told.read_only, *own))

    @property
    def data(self) -> tuple[Path, ...]:
        """Return what headway.toml names."""
        return data_of(self.root, self._told)

    @property
    def writes(self) -> tuple[str, ...]:
        """Return the folders that headway.toml names."""
        return self._told.writes

    @property
    def takes_seed(self) -> bool:
        """Tell whether the command has a place for {seed}, or the code reads HEADWAY_SEED."""
        return self._takes_seed

    def steps(self, tree: Path, results: Path, *, seed: int = 0) -> tuple[Step, ...]:
        """Return the check, where there is one, and the command with `seed` in its place."""
        del tree, results
        environment = environment_of(self.root) | {"HEADWAY_SEED": str(seed)} | dict(self._told.environment)
        run = Step(
            name="run",
            kind="evaluate",
            words=tuple(word.replace("{seed}", str(seed)) for word in self._words),
            wall_seconds=self._told.wall_seconds,
            environment=environment,
        )
        if self._check is None:
            return (run,)
        check = Step(name="check", kind="check", words=self._check, wall_seconds=SHORT_SECONDS, environment=environment)
        return (check, run)

    def read(self, finished: Sequence[Finished], tree: Path, results: Path) -> Reading:
        """Read what the command printed."""
        del tree, results
        ran = next((end for end in finished if end.step == "run"), None)
        return read_printed(self._told, self.metric, finished, "" if ran is None else ran.output)


def _takes_seed(root: Path, words: Sequence[str], files: EditableFiles) -> bool:
    if any("{seed}" in word for word in words):
        return True
    scripts = [root / word for word in words if not Path(word).is_absolute() and (root / word).is_file()]
    texts_read = [path.read_text(encoding="utf-8", errors="replace") for path in scripts]
    return any("HEADWAY_SEED" in text for text in (*texts_read, *files.read(root).values()))
