"""What a `headway.toml` says of its repository, and how what was printed is read by it."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from headway.core import Direction, UsageError, suggestion
from headway.experiments.layouts._printed import crashed, problem_of_exit
from headway.experiments.layouts._yaml import seconds, texts
from headway.experiments.layouts.layout import Finished, Reading
from headway.experiments.layouts.progress import CurvePoint, curve_of, lines_of, number, verdict_on
from headway.experiments.metrics import OutputParser

_FILE, _TABLE = "headway.toml", "repository"
_KEYS = (
    "command", "metric", "direction", "editable", "read_only", "wall_seconds", "memory_metric", "check", "pattern",
    "score", "checkpoint", "score_seconds", "environment", "data", "private", "writes",
)  # fmt: skip
_WALL_SECONDS, SHORT_SECONDS = 3600.0, 600.0


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
    score_seconds: float = SHORT_SECONDS
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


def data_of(root: Path, told: Declaration) -> tuple[Path, ...]:
    """Return the files and folders that trials read, and git does not know."""
    return tuple(root / Path(name).expanduser() for name in told.data)


def read_printed(told: Declaration, metric: str, finished: Sequence[Finished], output: str) -> Reading:
    """Read the metric, all other numbers and the learning curve from what a command printed."""
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
