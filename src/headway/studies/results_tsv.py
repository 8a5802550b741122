"""The ledger of an autoresearch run, `results.tsv`, as a value; `replay` judges it.

The original has the columns commit, val_bpb, memory_gb, status (keep, discard, crash) and description, divided by tabs
(karpathy/autoresearch, program.md). Forks have other metrics and more columns, some none for memory or commit; what a
column holds is known by its name.
"""

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headway.core import UsageError, hint

__all__ = ["LedgerRow", "ResultsLedger", "read_ledger"]

_STATUS = ("status", "decision", "outcome", "verdict")
_COMMIT = ("commit", "commit_hash", "hash", "sha", "id", "run", "run_id", "experiment_id", "exp")
_DESCRIPTION = (
    "description",
    "desc",
    "change",
    "notes",
    "note",
    "message",
    "hypothesis",
    "idea",
    "experiment",
    "summary",
)
_OTHER = re.compile(
    r"mem|vram|_gb$|_mb$|time|second|minute|hour|date|step|iter|epoch|param|token|mfu|flop|^#$|index|count"
)
_KINDS = {
    "keep": "keep", "kept": "keep", "accept": "keep", "accepted": "keep", "improved": "keep", "baseline": "keep",
    "discard": "discard", "discarded": "discard", "reject": "discard", "rejected": "discard", "revert": "discard",
    "reverted": "discard", "crash": "crash", "crashed": "crash", "fail": "crash", "failed": "crash", "error": "crash",
    "timeout": "crash", "oom": "crash",
}  # fmt: skip
_EXPECTED = (
    "Expected tab-separated columns with a header such as commit, val_bpb, memory_gb, status, description: a status "
    "(keep, discard or crash) and a column of numbers, the metric"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """Hold one experiment. `status` is keep, discard or crash; `value` is None where there is none."""

    line: int
    commit: str
    value: float | None
    status: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsLedger:
    """Hold a ledger in its order."""

    metric: str
    rows: tuple[LedgerRow, ...]

    def find(self, commit: str) -> int:
        """Return the place of the row that a person named by its commit or the beginning of it."""
        found = [index for index, row in enumerate(self.rows) if row.commit == commit]
        found = found or [index for index, row in enumerate(self.rows) if commit and row.commit.startswith(commit)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{commit!r} begins {len(found)} commits of the ledger. Give more of the one you mean.")
        near = hint(commit, [row.commit for row in self.rows])
        raise UsageError(f"The ledger has no commit {commit!r}. {near}Name one as its column of commits does.")


def read_ledger(path: Path, metric: str | None = None) -> ResultsLedger:
    """Read a ledger. `metric` names the column of results; by default the first one of numbers that is not a cost.

    Raises `UsageError` for a file that is no ledger, and says which columns were expected and which are there.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a ledger ({error}). {_EXPECTED}.") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise UsageError(f"{path} is empty. {_EXPECTED}.")
    mark = "\t" if "\t" in lines[0][1] else ","
    names = [name.strip().lower() for name in next(csv.reader([lines[0][1]], delimiter=mark))]
    status = _column(names, _STATUS)
    if status is None or len(lines) < 2:
        what = "has no rows" if status is not None else "has no column 'status'"
        raise UsageError(f"{path} {what}; its header is: {', '.join(names)}. {_EXPECTED}.")
    cells = {number: _cells(line, mark, len(names)) for number, line in lines[1:]}
    value = _metric_column(path, names, metric, list(cells.values()), status)
    commit, words = _column(names, _COMMIT), _column(names, _DESCRIPTION)
    rows = [
        LedgerRow(
            line=number,
            commit=f"row {place}" if commit is None else row[commit],
            value=_value(path, number, row, value, kind),
            status=kind,
            description="" if words is None else row[words],
        )
        for place, (number, row) in enumerate(cells.items(), 1)
        for kind in [_kind(path, number, row[status])]
    ]
    return ResultsLedger(metric=names[value], rows=tuple(rows))


def _cells(line: str, mark: str, count: int) -> list[str]:
    """Return a line's cells; a description may hold marks of its own, and a short row lacks its last cells."""
    if mark == ",":
        cells = next(csv.reader([line]))
    else:
        cells = line.split(mark)
    if len(cells) > count:
        cells = [*cells[: count - 1], mark.join(cells[count - 1 :])]
    return [cell.strip() for cell in cells] + [""] * (count - len(cells))


def _column(names: Sequence[str], known: Sequence[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _metric_column(
    path: Path, names: Sequence[str], metric: str | None, rows: Sequence[Sequence[str]], status: int
) -> int:
    if metric is not None:
        if metric.lower() not in names:
            near = hint(metric.lower(), names)
            raise UsageError(f"{path} has no column {metric!r}. {near}Its columns are: {', '.join(names)}.")
        return names.index(metric.lower())
    taken = {*_STATUS, *_COMMIT, *_DESCRIPTION}
    ended = [row for row in rows if _KINDS.get(row[status].lower()) != "crash"] or rows
    for index, name in enumerate(names):
        if name not in taken and not _OTHER.search(name) and all(_number(row[index]) is not None for row in ended):
            return index
    raise UsageError(
        f"{path} has no column of numbers that could be the metric; its header is: {', '.join(names)}. Name it with "
        "--metric COLUMN; only rows of crashes may lack a number."
    )


def _kind(path: Path, line: int, status: str) -> str:
    kind = _KINDS.get(status.lower())
    if kind is None:
        raise UsageError(f"Line {line} of {path} has the status {status!r}. Expected keep, discard or crash.")
    return kind


def _value(path: Path, line: int, row: Sequence[str], column: int, kind: str) -> float | None:
    if kind == "crash":
        return None  # the original writes 0.000000
    value = _number(row[column])
    if value is None:
        raise UsageError(
            f"Line {line} of {path} has {row[column]!r} for its metric and the status {kind}. Expected a finite "
            "number; only crashes may lack one."
        )
    return value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
