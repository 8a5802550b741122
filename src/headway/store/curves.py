"""Curves and events in the store. A curve's points come from the attempts at its trial, a later one over an earlier."""

import contextlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headway.core import Clock, canonical_json
from headway.store.columns import pack, unpack
from headway.store.database import Database, Row, decode
from headway.store.records import AttemptRecord, EventRecord
from headway.store.runlog import RUN_LOG, Mark, Point, RunLogReader

__all__ = ["Curve", "Curves", "Events", "live_items", "live_points"]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Hold one metric of a trial: `values[i]` was logged at `steps[i]`, in the order of logging.

    Two curves are equal when all their steps are, and all their values bit for bit.
    """

    steps: Sequence[int]
    values: Sequence[float]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Curve):
            return NotImplemented
        return list(self.steps) == list(other.steps) and _bits(self.values) == _bits(other.values)

    __hash__ = None  # pyright: ignore[reportAssignmentType]


class Curves:
    """Fold run logs into columns, and read them back."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def fold(self, trial: int, attempt: int, points: Sequence[Point]) -> None:
        """Write what an attempt logged, a row a metric. Folding it again writes the same."""
        columns: dict[str, tuple[list[int], list[float]]] = {}
        for point in points:
            steps, values = columns.setdefault(point.metric, ([], []))
            steps.append(point.step)
            values.append(point.value)
        self._database.run_many(
            "INSERT OR REPLACE INTO curves (trial, attempt, metric, points, data) VALUES (?, ?, ?, ?, ?)",
            [(trial, attempt, name, len(steps), pack(steps, values)) for name, (steps, values) in columns.items()],
        )

    def read(self, trial: int, metric: str | None = None, live: Sequence[Point] = ()) -> dict[str, Curve]:
        """Return a trial's curves by metric. `live` holds points of a running attempt that were not folded yet.

        Where an attempt went on from a checkpoint, what an earlier one had logged beyond it gives way.
        """
        rows = self._database.rows(
            "SELECT metric, data FROM curves WHERE trial = ? AND (? IS NULL OR metric = ?) ORDER BY attempt, metric",
            (trial, metric, metric),
        )
        merged: dict[str, tuple[Sequence[int], Sequence[float]]] = {}
        for row in rows:
            _append(merged, row["metric"], *unpack(row["data"]))
        fresh: dict[str, tuple[list[int], list[float]]] = {}
        for point in live:
            if metric is None or point.metric == metric:
                steps, values = fresh.setdefault(point.metric, ([], []))
                steps.append(point.step)
                values.append(point.value)
        for name, (steps, values) in fresh.items():
            _append(merged, name, steps, values)
        return {name: Curve(steps, values) for name, (steps, values) in sorted(merged.items())}


class Events:
    """Write down what happened, and read it back."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def add(self, kind: str, *, study: int | None = None, trial: int | None = None, **data: Any) -> None:
        """Write one event."""
        self._database.run(
            "INSERT INTO events (study, trial, at, kind, data) VALUES (?, ?, ?, ?, ?)",
            (study, trial, self._clock.now(), kind, canonical_json(data)),
        )

    def of_study(self, study: int, kinds: Sequence[str] = (), after: int = 0) -> list[EventRecord]:
        """Return a study's events in order, of all kinds or of some."""
        wanted = f" AND kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        rows = self._database.rows(
            f"SELECT * FROM events WHERE study = ? AND id > ?{wanted} ORDER BY id", (study, after, *kinds)
        )
        return [_event(row) for row in rows]

    def of_trial(self, trial: int) -> list[EventRecord]:
        """Return a trial's events in order."""
        return [
            _event(row) for row in self._database.rows("SELECT * FROM events WHERE trial = ? ORDER BY id", (trial,))
        ]


def live_items(folder: Path, attempt: AttemptRecord) -> list[Point | Mark]:
    """Read what a running attempt has logged so far, from its run logs in the store's `folder`."""
    items: list[Point | Mark] = []
    for path in sorted((folder / attempt.directory).glob("*.runlog")):
        with RunLogReader(path) as log:
            items += log.read()
    if attempt.live is not None:
        with contextlib.suppress(FileNotFoundError), RunLogReader(folder / attempt.live / RUN_LOG, attempt.id) as log:
            items += log.read()
    return items


def live_points(folder: Path, attempt: AttemptRecord) -> list[Point]:
    """Read the points that a running attempt has logged so far."""
    return [item for item in live_items(folder, attempt) if isinstance(item, Point)]


def _bits(values: Sequence[float]) -> bytes:
    return array("d", values).tobytes()


def _append(
    merged: dict[str, tuple[Sequence[int], Sequence[float]]], name: str, steps: Sequence[int], values: Sequence[float]
) -> None:
    if name not in merged:
        merged[name] = (steps, values)
        return
    old_steps, old_values = merged[name]
    first = min(steps, default=0)
    keep = [index for index, step in enumerate(old_steps) if step < first]
    merged[name] = ([old_steps[i] for i in keep] + list(steps), [old_values[i] for i in keep] + list(values))


def _event(row: Row) -> EventRecord:
    data: Mapping[str, Any] = decode(row["data"])
    return EventRecord(id=row["id"], study=row["study"], trial=row["trial"], at=row["at"], kind=row["kind"], data=data)
