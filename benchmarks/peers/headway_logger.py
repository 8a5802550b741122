"""Headway's `run.log`: a run as the engine hands it to an experiment, over the run log of an attempt."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from headway.experiments import Run
from headway.store import Point, RunLog, RunLogReader

__all__ = ["RUN_LOG", "Adapter", "points_in"]

RUN_LOG = "worker.runlog"


class Adapter:
    """Log through `Run.log`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self) -> None:
        self._log = RunLog(self._folder / RUN_LOG)
        self._run = Run(self._log, config={}, seed=0, folder=self._folder, checkpoint_folder=None)

    def write(self, values: Iterable[float]) -> None:
        log = self._run.log
        for step, value in enumerate(values):
            log(step, loss=value)

    def write_four(self, values: Iterable[float]) -> None:
        log = self._run.log
        for step, value in enumerate(values):
            log(step, loss=value, accuracy=value, grad_norm=value, lr=value)

    def finish(self) -> None:
        self._log.close()

    def read(self, metric: str) -> Sequence[float]:
        return [point.value for point in points_in(self._folder / RUN_LOG) if point.metric == metric]


def points_in(log: Path) -> list[Point]:
    """Read a run log's points, as `store.live_points` does for a running attempt."""
    with RunLogReader(log) as reader:
        return [item for item in reader.read() if isinstance(item, Point)]
