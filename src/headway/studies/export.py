"""A study's trials and curves as tables for other tools. The command line calls it; so can a notebook.

Rows are written as they are read, so that millions of points need no more memory than one trial's.
"""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from headway.core import MissingExtra, NothingToDo
from headway.store import Store, StudyTrial
from headway.studies.report.replacing import replacing
from headway.studies.report.traces import curves_of
from headway.studies.summary import CandidateRow, StudySummary

__all__ = ["Format", "export_curves", "export_study"]

Format = Literal["csv", "parquet", "json"]
_Kind = Literal["int64", "float64", "bool", "string"]
_Row = Sequence[Any]

_ROWS_A_GROUP = 65_536
_EXACT_INT = 2**53  # beyond it a float no longer tells one integer from the next
_LARGEST_INT = 2**63 - 1
_TRIAL_COLUMNS: dict[str, _Kind] = {
    "study": "string", "number": "int64", "role": "string", "trial": "int64", "candidate": "string", "seed": "int64",
    "state": "string", "reason": "string", "message": "string", "value": "float64", "step": "int64", "horizon": "int64",
    "wall_seconds": "float64", "cpu_seconds": "float64", "peak_memory_bytes": "int64", "proposer": "string",
    "parents": "string", "decision": "string", "reused": "bool", "created": "string", "started": "string",
    "ended": "string",
}  # fmt: skip
_CURVE_COLUMNS: dict[str, _Kind] = {"trial": "int64", "metric": "string", "step": "int64", "value": "float64"}


@dataclass(frozen=True, slots=True)
class _Table:
    columns: Mapping[str, _Kind]
    rows: Iterable[_Row]


def export_study(store: Store, summary: StudySummary, path: Path, format: Format) -> None:  # noqa: A002
    """Write one row a trial: its place in the study, its end, `metric_*` and `config_*`, its cost, its times (UTC).

    A configuration value that is absent is empty. A column that holds both text and numbers is text. `parents` are
    candidates, divided by spaces. Raises `NothingToDo` where no trial was made yet, and `MissingExtra` for Parquet
    without pyarrow.
    """
    del store
    places = [(row, place) for row in summary.candidates for place in row.trials]
    if not places:
        raise NothingToDo(f"The study {summary.study.name!r} has no trial to export. To run it, type: headway resume")
    configs = _config_columns(summary)
    metrics = sorted({name for _, place in places for name in place.trial.metrics})
    columns: dict[str, _Kind] = dict(_TRIAL_COLUMNS)
    columns |= {f"metric_{name}": "float64" for name in metrics}
    columns |= {f"config_{name}": kind for name, kind in configs.items()}
    rows = (
        [*_trial(summary.study.name, row, place), *(place.trial.metrics.get(name) for name in metrics)]
        + [_as(kind, row.config.get(name)) for name, kind in configs.items()]
        for row, place in places
    )
    _write(_Table(columns, rows), path, format)


def export_curves(store: Store, summary: StudySummary, path: Path, format: Format) -> None:  # noqa: A002
    """Write one row a logged point: trial, metric, step, value; `export_study` says what the trials are.

    NaN and infinity stay what they are in CSV and Parquet; JSON has no word for them and gets null. Raises
    `NothingToDo` where nothing was logged, and `MissingExtra` for Parquet without pyarrow.
    """
    rows = _points(store, summary)
    first = next(rows, None)
    if first is None:
        raise NothingToDo(f"No trial of the study {summary.study.name!r} has logged a point, so it has no curves.")
    _write(_Table(_CURVE_COLUMNS, _again(first, rows)), path, format)


def _again(first: _Row, rest: Iterator[_Row]) -> Iterator[_Row]:
    yield first
    yield from rest


def _points(store: Store, summary: StudySummary) -> Iterator[_Row]:
    for place in summary.trials:
        for metric, curve in curves_of(store, place.trial).items():
            for step, value in zip(curve.steps, curve.values, strict=True):
                yield place.trial.id, metric, step, value


def _trial(study: str, row: CandidateRow, place: StudyTrial) -> list[Any]:
    trial = place.trial
    reason = None if trial.reason is None else str(trial.reason)
    return [
        study, row.number, str(place.role), trial.id, trial.candidate, trial.seed, str(trial.state), reason,
        trial.message or None, trial.value, trial.step, trial.horizon, trial.wall_seconds, trial.cpu_seconds,
        trial.peak_memory_bytes, row.proposer, " ".join(row.parents) or None, row.decision, place.reused,
        _time(trial.created), _time(trial.started), _time(trial.ended),
    ]  # fmt: skip


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


# one type a column, whatever the configurations hold


def _config_columns(summary: StudySummary) -> dict[str, _Kind]:
    found: dict[str, list[Any]] = {}
    for row in summary.candidates:
        for name, value in row.config.items():
            found.setdefault(name, []).append(value)
    return {name: _kind([value for value in values if value is not None]) for name, values in sorted(found.items())}


def _kind(values: Sequence[Any]) -> _Kind:
    kinds: set[type[object]] = {type(value) for value in values}
    if kinds == {bool}:
        return "bool"
    if kinds == {int} and all(abs(value) <= _LARGEST_INT for value in values):
        return "int64"
    if kinds and kinds <= {int, float} and all(type(value) is float or abs(value) <= _EXACT_INT for value in values):
        return "float64"
    return "string"


def _as(kind: _Kind, value: Any) -> Any:
    if value is None:
        return None
    match kind:
        case "float64":
            return float(value)
        case "string":
            return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        case _:
            return value


# formats


def _write(table: _Table, path: Path, kind: Format) -> None:
    writers: dict[Format, Callable[[_Table, Path], None]] = {
        "csv": _write_csv,
        "json": _write_json,
        "parquet": _write_parquet,
    }
    with replacing(path) as temporary:
        writers[kind](table, temporary)


def _write_csv(table: _Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows([_cell(value) for value in row] for row in table.rows)


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return "NaN" if value != value else value  # so spelled, polars and pandas read a number


def _write_json(table: _Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", errors="replace") as file:
        file.write("[")
        for index, row in enumerate(table.rows):
            record = {name: _finite(value) for name, value in zip(table.columns, row, strict=True)}
            file.write(("," if index else "") + "\n" + json.dumps(record, ensure_ascii=False, allow_nan=False))
        file.write("\n]\n")


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_parquet(table: _Table, path: Path) -> None:
    # pyarrow has neither types nor stubs.
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise MissingExtra("pyarrow", "parquet", "Writing Parquet") from error
    makers = {"int64": arrow.int64, "float64": arrow.float64, "bool": arrow.bool_, "string": arrow.string}
    schema = arrow.schema([(name, makers[kind]()) for name, kind in table.columns.items()])
    rows = iter(table.rows)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, _ROWS_A_GROUP)):
            columns = zip(*group, strict=True)
            arrays = [
                arrow.array([_clean(text) for text in column] if kind == "string" else column, type=makers[kind]())
                for column, kind in zip(columns, table.columns.values(), strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _clean(text: str | None) -> str | None:
    """Replace lone surrogates, which file names in messages may hold and UTF-8 does not."""
    return None if text is None else text.encode("utf-8", errors="replace").decode()
