"""helix: `helix.yaml` names what may be edited, the command, and the pattern by which its result is found."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, final

from headway.core import Direction, UsageError
from headway.experiments.layouts._printed import crashed, problem_of_exit
from headway.experiments.layouts._yaml import load_yaml, seconds, section, texts
from headway.experiments.layouts.files import EditableFiles
from headway.experiments.layouts.interpreter import command_words, environment_of
from headway.experiments.layouts.layout import Finished, Guard, Layout, Reading, Step
from headway.experiments.layouts.progress import curve_of, lines_of, number, verdict_on

__all__ = ["HelixLayout"]

_FILE = "helix.yaml"
_SIGNS = (re.compile(r"^scope:", re.MULTILINE), re.compile(r"^metrics:", re.MULTILINE))
_EXPONENT = re.compile(r"[eE][-+]?\d+\b")
_WALL_SECONDS, _TOLERANCE = 300.0, 0.01  # as helix has them
_KNOWN = {"name", "version", "domain", "description", "author", "scope", "metrics", "requirements"}


@final
class HelixLayout(Layout):
    """Run and read a repository with a helix.yaml."""

    name: ClassVar[str] = "helix"
    looked_for: ClassVar[str] = "helix.yaml with scope and metrics (helix)"

    def __init__(self, root: Path, data: Mapping[str, Any]) -> None:
        super().__init__(root)
        path = root / _FILE
        scope, metrics = section(data, "scope"), section(data, "metrics")
        evaluate = section(metrics, "evaluate")
        self._metric: str
        self._direction: Direction
        self._metric, self._direction = _objective(path, section(metrics, "primary"), "metrics.primary")
        self._guard = _guard(path, section(metrics, "quality_guard"))
        names = {"primary": self._metric} | ({} if self._guard is None else {"quality_guard": self._guard.metric})
        self._patterns = _patterns(path, evaluate, names)
        self._wall_seconds = seconds(
            path, "metrics.evaluate.timeout_seconds", evaluate.get("timeout_seconds"), _WALL_SECONDS
        )
        command = evaluate.get("command")
        if not isinstance(command, str):
            raise UsageError(f"{path} has no metrics.evaluate.command. Name what runs a trial: 'uv run train.py'.")
        self._words = command_words(root, command)
        editable = texts(path, "scope.editable", scope.get("editable"))
        if not editable:
            raise UsageError(f"{path} has no scope.editable. Name the files that may be changed.")
        self._files = EditableFiles(
            editable=editable, read_only=(_FILE, *texts(path, "scope.readonly", scope.get("readonly")))
        )
        self._ignored = tuple(sorted(str(key) for key in data if key not in _KNOWN))

    @classmethod
    def is_at(cls, root: Path) -> bool:
        """Tell whether there is a helix.yaml of this kind: other programs have files of that name too."""
        path = root / _FILE
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return all(sign.search(text) for sign in _SIGNS)

    @classmethod
    def open(cls, root: Path) -> Self:
        """Read helix.yaml."""
        return cls(root, load_yaml(root / _FILE))

    @property
    def metric(self) -> str:
        """Return metrics.primary.name."""
        return self._metric

    @property
    def direction(self) -> Direction:
        """Return metrics.primary.optimize."""
        return self._direction

    @property
    def guard(self) -> Guard | None:
        """Return metrics.quality_guard, with max_degradation as a share of the baseline's value."""
        return self._guard

    @property
    def files(self) -> EditableFiles:
        """Return the scope; helix.yaml itself is read-only."""
        return self._files

    @property
    def notes(self) -> tuple[str, ...]:
        """Return which keys are ignored."""
        return (f"{_FILE}: these keys are ignored: {', '.join(self._ignored)}.",) if self._ignored else ()

    @property
    def branch_prefix(self) -> str:
        """Return helix/, before the session's tag."""
        return "helix/"

    def steps(self, tree: Path, results: Path, *, seed: int = 0) -> tuple[Step, ...]:
        """Return the one command."""
        del tree, results, seed
        return (
            Step(
                name="evaluate",
                kind="evaluate",
                words=self._words,
                wall_seconds=self._wall_seconds,
                environment=environment_of(self.root),
            ),
        )

    def read(self, finished: Sequence[Finished], tree: Path, results: Path) -> Reading:
        """Read what the patterns find; of several finds, the last."""
        del tree, results
        lines = lines_of(finished[-1].output if finished else "")
        found = {name: _all(pattern, lines) for name, pattern in self._patterns.items()}
        texts = {name: items[-1] for name, items in found.items() if items}
        metrics = {name: value for name, text in texts.items() if (value := number(text)) is not None}
        curve = curve_of(lines)
        failed = problem_of_exit(finished)
        if failed is not None:
            return crashed(failed, metrics, curve)
        value, problem, why = verdict_on(self._metric, texts.get(self._metric))
        if problem is None and self._guard is not None:
            _, problem, why = verdict_on(self._guard.metric, texts.get(self._guard.metric))
        told = {name: len(items) for name, items in found.items() if len(items) > 1}
        return Reading(
            value=value if problem is None else None,
            metrics=metrics,
            curve=curve,
            problem=problem,
            why=why,
            notes=tuple(f"{name} was printed {count} times; the last one counts." for name, count in told.items()),
        )


def _objective(path: Path, data: Mapping[str, Any], where: str) -> tuple[str, Direction]:
    name, direction = data.get("name"), data.get("optimize")
    if not isinstance(name, str) or direction not in ("minimize", "maximize"):
        raise UsageError(f"{path} has {where}: {dict(data)!r}. Expected a name and optimize: minimize or maximize.")
    return name, direction


def _guard(path: Path, data: Mapping[str, Any]) -> Guard | None:
    if not data:
        return None
    name, direction = _objective(path, data, "metrics.quality_guard")
    tolerance = data.get("max_degradation", _TOLERANCE)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance < float("inf"):
        raise UsageError(f"{path} has max_degradation: {tolerance!r}. Expected a share of the baseline's value: 0.01.")
    return Guard(metric=name, direction=direction, tolerance=float(tolerance))


def _patterns(path: Path, evaluate: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    kind = evaluate.get("output_format", "pattern")
    if kind != "pattern":
        raise UsageError(f"{path} has output_format: {kind!r}. Only 'pattern' can be read; give patterns.")
    given = section(evaluate, "patterns")
    return {metric: _compiled(path, name, given.get(name)) for name, metric in names.items()}


def _compiled(path: Path, name: str, text: object) -> re.Pattern[str]:
    try:
        pattern = re.compile(text) if isinstance(text, str) else None
    except re.error as error:
        raise UsageError(f"{path} has the pattern {name}: {text!r}, which is none: {error}.") from error
    if pattern is None or pattern.groups < 1:
        raise UsageError(
            f"{path} has the pattern {name}: {text!r}. Expected a regular expression with a group for the number: "
            r"'^val_bpb:\s+(\S+)'."
        )
    return pattern


def _all(pattern: re.Pattern[str], lines: Sequence[str]) -> list[str]:
    """Return what the group holds in each line that matches, with the exponent that `[\\d.]+` cuts off."""
    found: list[str] = []
    for line in lines:
        match = pattern.search(line)
        if match is not None:
            exponent = _EXPONENT.match(line, match.end(1))
            found.append(match[1] + (exponent[0] if exponent else ""))
    return found
