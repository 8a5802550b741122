"""Follow an attempt through its run logs: its points, and what it says about itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.core import Reason, StoreError
from headway.store import RUN_LOG, Mark, Point, RunLogReader, Signal

__all__ = ["Follower", "Progress"]


@dataclass(slots=True, kw_only=True)
class Progress:
    """Hold what an attempt has said so far."""

    points: list[Point] = field(default_factory=list[Point])
    last: dict[str, float] = field(default_factory=dict[str, float])
    step: int | None = None
    horizon: int | None = None
    reported: dict[str, float] = field(default_factory=dict[str, float])
    failure: dict[str, Any] | None = None
    ended: bool = False
    paused: bool = False
    left: bool = False
    checkpoint: int | None = None
    restored: int | None = None
    damaged: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    refusal: int | None = None
    inputs: list[str] = field(default_factory=list[str])
    artifacts: dict[str, str] = field(default_factory=dict[str, str])
    remarks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def take(self, item: Point | Mark) -> None:
        """Take in one point or mark."""
        if isinstance(item, Point):
            self.points.append(item)
            self.last[item.metric] = item.value
            self.step = max(self.step or 0, item.step)
        else:
            self._take_mark(item.kind, item.data)

    def _take_mark(self, kind: str, data: dict[str, Any]) -> None:  # noqa: C901 - one line for each kind of mark
        match kind:
            case "report":
                self.reported.update(data["values"])
            case "horizon":
                self.horizon = data["steps"]
            case "steps":
                self.step = data["done"]
            case "checkpoint":
                self.checkpoint = data["step"]
            case "restored":
                self.restored = data["step"]
            case "damaged checkpoint":
                self.damaged.append(data)
            case "interrupted":
                self.refusal = data["errno"]
            case "input":
                self.inputs.append(data["path"])
            case "artifact":
                self.artifacts[data["name"]] = data["path"]
            case "remark":
                self.remarks.append(data)
            case "failed":
                self.failure = data
            case "ended":
                self.ended = True
            case "paused":
                self.paused = True
            case "exited":
                self.left = True
            case _:
                pass

    @property
    def silent(self) -> bool:
        """Tell whether the attempt said nothing at all: it was ended before its function did anything."""
        return not (self.points or self.reported or self.horizon or self.over)

    @property
    def over(self) -> bool:
        """Tell whether the attempt said by itself that it was at an end."""
        return self.ended or self.paused or self.left or self.failure is not None

    @property
    def cut_short(self) -> bool:
        """Tell whether the store's disk refused what Headway wrote, before the trial ended: it has no result then."""
        return self.refusal is not None and not self.ended and not self.paused

    def objective(self, metric: str) -> float | None:
        """Return the objective: the last report of the metric, else of the one unnamed value, else the last logged."""
        for values, name in ((self.reported, metric), (self.reported, ""), (self.last, metric)):
            if name in values:
                return values[name]
        return None

    def go_on_from(self, metrics: Mapping[str, float], value: float | None, metric: str) -> None:
        """Take over what earlier attempts said, where this one went on from their checkpoint, or never began."""
        if self.restored is not None or self.silent:
            before = dict(metrics) if value is None else {**metrics, metric: value}
            self.last = {**before, **self.last}

    def value_at(self, metric: str, step: int) -> float | None:
        """Return the last value of a metric that was logged within the first `step` steps."""
        values = [point.value for point in self.points if point.metric == metric and point.step <= step]
        return values[-1] if values else None

    @property
    def finite_metrics(self) -> dict[str, float]:
        """Return the last finite value of each metric."""
        values = {**self.last, **{name: value for name, value in self.reported.items() if name}}
        return {name: value for name, value in values.items() if math.isfinite(value)}


class Follower:
    """Read the run logs in an attempt's folder as they grow, and speak back through their headers."""

    def __init__(self, folder: Path, *, attempt: int | None = None, many: bool = False) -> None:
        self.progress = Progress()
        self._folder = folder
        self._attempt = attempt  # whose log it has to be, where attempts use one file after the other
        self._many = many  # a command's script, or its ranks, may write logs beside the worker's
        self.begun = False  # whether there was any log
        self._readers: dict[str, RunLogReader] = {}
        self._damaged: set[str] = set()
        self._granted: int | None = None
        self._signal = Signal.NONE

    def poll(self, at_most_bytes: int | None = None) -> list[Point]:
        """Take in what is new, or so much of each log, and return the new points."""
        if self._many or not self._readers:
            self._find()
        new: list[Point] = []
        for name, reader in list(self._readers.items()):
            for item in self._read(name, reader, at_most_bytes):
                self.progress.take(item)
                if isinstance(item, Point):
                    new.append(item)
        return new

    @property
    def bytes(self) -> int:
        """Return how much was written so far: as long as it grows, the trial makes progress."""
        return sum(reader.length for reader in self._readers.values())

    @property
    def behind(self) -> bool:
        """Tell whether the last poll left something for the next."""
        return any(reader.behind for reader in self._readers.values())

    @property
    def waiting_at(self) -> int:
        """Return after how many steps the trial waits for a decision; 0 when it does not."""
        return max((reader.waiting for reader in self._readers.values()), default=0)

    def grant(self, steps: int) -> None:
        """Let the trial go on up to `steps` steps."""
        self._granted = steps
        for reader in self._readers.values():
            reader.grant(steps)

    def signal(self, signal: Signal) -> None:
        """Tell the trial to stop or to pause."""
        self._signal = signal
        for reader in self._readers.values():
            reader.signal(signal)

    def close(self) -> None:
        """Close the logs."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _read(self, name: str, reader: RunLogReader, at_most_bytes: int | None) -> Sequence[Point | Mark]:
        try:
            return reader.read(at_most_bytes)
        except StoreError as error:  # the trial's own memory: nothing in it may end the engine
            reader.close()
            del self._readers[name]
            self._damaged.add(name)
            self.progress.failure = {
                "reason": Reason.EXCEPTION,
                "message": str(error),
                "traceback": "",
                "fingerprint": "damaged log",
            }
            return []

    def _find(self) -> None:
        names = sorted(path.name for path in self._folder.glob("*.runlog")) if self._many else (RUN_LOG,)
        for name in names:
            if name not in self._readers and name not in self._damaged:
                self._follow(name)

    def _follow(self, name: str) -> None:
        try:
            reader = RunLogReader(self._folder / name, self._attempt)
        except FileNotFoundError:
            return
        if not reader.begun:
            reader.close()
            return
        self._readers[name] = reader
        self.begun = True
        if self._granted is not None:
            reader.grant(self._granted)
        if self._signal:
            reader.signal(self._signal)
