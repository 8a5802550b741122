"""Headway's run log alone: `RunLog.point`, without what `run.log` checks."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from headway.store import RunLog


class Adapter:
    """Log through `RunLog.point`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self) -> None:
        self._log = RunLog(self._folder / "worker.runlog")

    def write(self, values: Iterable[float]) -> None:
        point = self._log.point
        for step, value in enumerate(values):
            point("loss", step, value)

    def write_four(self, values: Iterable[float]) -> None:
        point = self._log.point
        for step, value in enumerate(values):
            point("loss", step, value)
            point("accuracy", step, value)
            point("grad_norm", step, value)
            point("lr", step, value)

    def finish(self) -> None:
        self._log.close()

    def read(self, metric: str) -> Sequence[float]:
        raise NotImplementedError(metric)
