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

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast, final

from headway.core import Direction, UsageError, suggestion
from headway.experiments.layouts._printed import crashed, problem_of_exit
from headway.experiments.layouts._scorer import scorer_doubts
from headway.experiments.layouts._yaml import seconds, texts
from headway.experiments.layouts.files import EditableFiles
from headway.experiments.layouts.interpreter import command_words, environment_of
from headway.experiments.layouts.layout import Finished, Guard, Layout, Reading, Step, Trust
from headway.experiments.layouts.progress import CurvePoint, curve_of, lines_of, number, verdict_on
from headway.experiments.metrics import OutputParser

__all__ = ["DeclaredLayout", "ScoredLayout", "declaration_at"]

_FILE, _TABLE = "headway.toml", "repository"
_KEYS = (
    "command", "metric", "direction", "editable", "read_only", "wall_seconds", "memory_metric", "check", "pattern",
    "score", "checkpoint", "score_seconds", "environment", "data", "private", "writes",
)  # fmt: skip
_WALL_SECONDS, _SHORT_SECONDS = 3600.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """Hold the table `repository` of a headway.toml."""

    path: Path
    command: str | None = None
    metric: str | None = None
    direction: Direction | None = None
    editable: tuple[str, ...] = ()
    read_only: tuple[str, ...] = ()
    wall_seconds: float = _WALL_SECONDS
    memory_metric: str | None = None
    check: str | None = None
    pattern: str | None = None
    score: str | None = None
    checkpoint: str | None = None
    score_seconds: float = _SHORT_SECONDS
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    data: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


def declaration_at(root: Path) -> Declaration | None:
    """Return what headway.toml says of the repository, or None where it says nothing.

    Raises `UsageError` for a file that is no TOML, an unknown key, or a value of another kind than expected.
    """
    path = root / _FILE
    if not path.is_file():
        return None
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}.") from error
    table: object = data.get(_TABLE)
    if table is None:
        return None
    if not isinstance(table, dict):
        raise UsageError(f"{path} has {_TABLE} = {table!r}. Expected a table: [{_TABLE}].")
    return _declared(path, cast("dict[str, Any]", table))


def _declared(path: Path, table: Mapping[str, Any]) -> Declaration:
    for key in table:
        if key not in _KEYS:
            raise UsageError(f"{path} has the unknown key {key!r} in [{_TABLE}]. {suggestion(key, _KEYS)}")
    for key in ("command", "metric", "memory_metric", "check", "pattern", "score", "checkpoint"):
        if not isinstance(table.get(key, ""), str):
            raise UsageError(f"{path} has {key} = {table[key]!r}. Expected a text.")
    if table.get("direction") not in (None, "minimize", "maximize"):
        raise UsageError(f"{path} has direction = {table['direction']!r}. Expected 'minimize' or 'maximize'.")
    environment: object = table.get("environment", {})
    if not isinstance(environment, dict) or not all(
        isinstance(value, str) for value in cast("dict[str, object]", environment).values()
    ):
        raise UsageError(f"{path} has environment = {environment!r}. Expected names and texts.")
    known = {key: table[key] for key in _KEYS if key in table}
    known |= {
        key: texts(path, key, table[key])
        for key in ("editable", "read_only", "data", "writes", "private")
        if key in table
    }
    known |= {key: seconds(path, key, table[key], 0.0) for key in ("wall_seconds", "score_seconds") if key in table}
    if "command" in table or "score" not in table:
        _require(path, table, "command", "metric", "direction", "editable")
    if "score" in table:
        _require(path, table, "checkpoint")
    _compiled(path, table.get("pattern"))
    return Declaration(path=path, **known)


def _require(path: Path, table: Mapping[str, Any], *keys: str) -> None:
    missing = [key for key in keys if not table.get(key)]
    if missing:
        raise UsageError(
            f"{path} lacks {', '.join(missing)} in [{_TABLE}]. Name command, metric, direction and editable."
        )


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
        return _data_of(self.root, self._told)

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
        check = Step(
            name="check", kind="check", words=self._check, wall_seconds=_SHORT_SECONDS, environment=environment
        )
        return (check, run)

    def read(self, finished: Sequence[Finished], tree: Path, results: Path) -> Reading:
        """Read what the command printed."""
        del tree, results
        ran = next((end for end in finished if end.step == "run"), None)
        return _read_printed(self._told, self.metric, finished, "" if ran is None else ran.output)


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
        return (*self.inner.data, *_data_of(self.root, self._told))

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
        outer = _read_printed(told, self.metric, finished, scored.output)
        metrics = {**inner.metrics, **outer.metrics}
        return replace(outer, metrics=metrics, curve=inner.curve, memory_mb=inner.memory_mb, stage=inner.stage)


def _takes_seed(root: Path, words: Sequence[str], files: EditableFiles) -> bool:
    if any("{seed}" in word for word in words):
        return True
    scripts = [root / word for word in words if not Path(word).is_absolute() and (root / word).is_file()]
    texts_read = [path.read_text(encoding="utf-8", errors="replace") for path in scripts]
    return any("HEADWAY_SEED" in text for text in (*texts_read, *files.read(root).values()))


def _data_of(root: Path, told: Declaration) -> tuple[Path, ...]:
    return tuple(root / Path(name).expanduser() for name in told.data)


def _read_printed(told: Declaration, metric: str, finished: Sequence[Finished], output: str) -> Reading:
    lines = lines_of(output)
    found, metrics = _found(told, metric, lines)
    curve: tuple[CurvePoint, ...] = curve_of(lines)
    failed = problem_of_exit(finished)
    if failed is not None:
        return crashed(failed, metrics, curve)
    value, problem, why = verdict_on(metric, found)
    memory = metrics.get(told.memory_metric) if told.memory_metric else None
    return Reading(value=value, metrics=metrics, curve=curve, memory_mb=memory, problem=problem, why=why)


def _found(told: Declaration, metric: str, lines: Sequence[str]) -> tuple[object, dict[str, float]]:
    """Return the last value of the metric, a number or a text, and the last value of every metric that was printed."""
    pattern = _compiled(told.path, told.pattern)
    parser, metrics, found = OutputParser(), dict[str, float](), cast("object", None)
    for line in lines:
        said = parser.line(line)
        metrics |= said.values if said is not None else {}
        if pattern is not None:
            match = pattern.search(line)
            found = match[1] if match is not None else found
        elif said is not None and metric in said.values:
            found = said.values[metric]
        else:
            found = parser.text_of(metric, line) or found
    if isinstance(found, str) and (value := number(found)) is not None:
        metrics[metric] = value
    return found, metrics


def _compiled(path: Path, text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"{path} has pattern = {text!r}, which is no regular expression: {error}.") from error
    if pattern.groups < 1:
        raise UsageError(f"{path} has pattern = {text!r}. Put a group around the number: '^val_loss: (\\S+)'.")
    return pattern
