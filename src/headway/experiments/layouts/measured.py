"""pi-autoresearch and codex-autoresearch: a script that prints `METRIC name=value`, and one that checks.

The script is `.auto/measure.sh`, or `autoresearch.sh` at the root; the checks `.auto/checks.sh` or
`autoresearch.checks.sh`. Which metric counts, and which files may be changed, stands in the session's document
(`.auto/prompt.md`, `autoresearch.md`), its log's first line or its configuration.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Self, cast, final

from headway.core import Direction, UsageError
from headway.experiments.layouts._printed import crashed, problem_of_exit
from headway.experiments.layouts.files import EditableFiles
from headway.experiments.layouts.interpreter import environment_of
from headway.experiments.layouts.layout import Finished, Layout, Reading, Step
from headway.experiments.layouts.progress import curve_of, lines_of, metric_lines, number, verdict_on

__all__ = ["MeasuredLayout"]

_WALL_SECONDS, _CHECK_SECONDS = 600.0, 300.0  # as pi-autoresearch ends them
_PRIMARY = re.compile(
    r"\*\*Primary:?\*\*:?\s*`?(?:METRIC\s+)?([A-Za-z_][\w.%/-]*)[^\n]*?\b(lower|higher)\s+is\s+better", re.I
)
_HEADING = re.compile(r"^#+\s*(.*?)\s*$")
_ITEM = re.compile(r"^\s*[-*]\s+`([^`]+)`")
_DIRECTIONS: Mapping[str, Direction] = {
    "lower": "minimize", "min": "minimize", "minimize": "minimize",
    "higher": "maximize", "max": "maximize", "maximize": "maximize",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Names:
    """Hold the names that one of the two forms gives its files."""

    measure: str
    checks: str
    document: str
    log: str
    config: str


_FORMS = (
    _Names(".auto/measure.sh", ".auto/checks.sh", ".auto/prompt.md", ".auto/log.jsonl", ".auto/config.json"),
    _Names(
        "autoresearch.sh", "autoresearch.checks.sh", "autoresearch.md", "autoresearch.jsonl", "autoresearch.config.json"
    ),
)


@final
class MeasuredLayout(Layout):
    """Run and read a repository whose script prints METRIC lines."""

    name: ClassVar[str] = "measured"
    looked_for: ClassVar[str] = ".auto/measure.sh or autoresearch.sh (pi and codex autoresearch)"

    def __init__(self, root: Path, names: _Names) -> None:
        super().__init__(root)
        self._names = names
        self._metric: str
        self._direction: Direction
        self._metric, self._direction = _objective(root, names)
        self._files = _scope(root, names)

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Tell whether there is a script that measures."""
        return any((root / names.measure).is_file() for names in _FORMS)

    @classmethod
    def open(cls, root: Path) -> Self:
        """Read what the session's files say."""
        return cls(root, next(names for names in _FORMS if (root / names.measure).is_file()))

    @property
    def metric(self) -> str:
        """Return the session's primary metric."""
        return self._metric

    @property
    def direction(self) -> Direction:
        """Return its direction."""
        return self._direction

    @property
    def files(self) -> EditableFiles:
        """Return the files in scope; the session's own files are read-only."""
        return self._files

    @property
    def notes(self) -> tuple[str, ...]:
        """Return that the session's folder is not looked for elsewhere, where its configuration names one."""
        if "workingDir" not in _json(_text(self.root / self._names.config)):
            return ()
        return (f"{self._names.config}: workingDir is ignored: run Headway on that folder itself.",)

    @property
    def writes(self) -> tuple[str, ...]:
        """Return the session's folder: scripts write their logs there."""
        folder = PurePosixPath(self._names.measure).parent.as_posix()
        return () if folder == "." else (folder,)

    def steps(self, tree: Path, results: Path, *, seed: int = 0) -> tuple[Step, ...]:
        """Return the measurement, and after it, as in the original, the checks: their time does not count."""
        del results, seed
        environment = environment_of(self.root)
        measure = Step(
            name="measure",
            kind="evaluate",
            words=("bash", self._names.measure),
            wall_seconds=_WALL_SECONDS,
            environment=environment,
        )
        if not (self.root / self._names.checks).is_file() and not (tree / self._names.checks).is_file():
            return (measure,)
        checks = Step(
            name="checks",
            kind="check",
            words=("bash", self._names.checks),
            wall_seconds=_CHECK_SECONDS,
            environment=environment,
        )
        return (measure, checks)

    def read(self, finished: Sequence[Finished], tree: Path, results: Path) -> Reading:
        """Read the METRIC lines of the measurement; of one that is printed twice, the last."""
        del tree, results
        lines = lines_of(finished[0].output if finished else "")
        texts = dict(metric_lines(lines))
        metrics = {name: value for name, text in texts.items() if (value := number(text)) is not None}
        curve = curve_of(line for line in lines if not line.lstrip().startswith("METRIC"))
        failed = problem_of_exit(finished)
        if failed is not None:
            return crashed(failed, metrics, curve)
        value, problem, why = verdict_on(self._metric, texts.get(self._metric), where="printed as METRIC name=value")
        return Reading(value=value, metrics=metrics, curve=curve, problem=problem, why=why)


def _objective(root: Path, names: _Names) -> tuple[str, Direction]:
    for told in _told(root, names):
        name = told.get("metricName", told.get("metric_name"))
        direction = told.get("bestDirection", told.get("direction"))
        if isinstance(name, str) and isinstance(direction, str) and direction.lower() in _DIRECTIONS:
            return name, _DIRECTIONS[direction.lower()]
    found = _PRIMARY.search(_text(root / names.document))
    if found is None:
        raise UsageError(
            f"{root / names.document} does not say which metric counts. Write a line such as: "
            "- **Primary**: `val_loss` (nats, lower is better)."
        )
    return found[1], _DIRECTIONS[found[2].lower()]


def _told(root: Path, names: _Names) -> Iterator[Mapping[str, Any]]:
    """Yield what the configuration and the latest `config` line of the log say."""
    configs = [_json(line) for line in _text(root / names.log).splitlines() if '"config"' in line]
    yield from reversed([told for told in configs if told.get("type") == "config"])
    yield _json(_text(root / names.config))


def _json(text: str) -> Mapping[str, Any]:
    try:
        data: object = json.loads(text)
    except ValueError:
        return {}
    return cast("Mapping[str, Any]", data) if isinstance(data, dict) else {}


def _scope(root: Path, names: _Names) -> EditableFiles:
    sections = _sections(_text(root / names.document))
    editable = sections.get("files in scope", [])
    off = sections.get("off limits", []) + sections.get("files off limits", [])
    own = (".auto/**", "autoresearch.sh", "autoresearch.*", "autoresearch.hooks/**")
    return EditableFiles(editable=tuple(editable) or ("**",), read_only=(*own, *off))


def _sections(document: str) -> dict[str, list[str]]:
    """Return the paths that each section lists: bullets that begin with a path in backticks."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in document.splitlines():
        heading, item = _HEADING.match(line), _ITEM.match(line)
        title = heading[1].lower() if heading else title
        if item is not None:
            found.setdefault(title, []).append(item[1].removeprefix("./"))
    return found


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
