"""trackio, local only: a SQLite file written by a thread every half second, as by default."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_PROJECT, _RUN = "bench", "run"


class Adapter:
    """Log through `Run.log`; automatic system metrics are off."""

    def __init__(self, folder: Path) -> None:
        os.environ["TRACKIO_DIR"] = str(folder)  # read when trackio is imported
        os.environ["HF_HUB_OFFLINE"] = "1"
        self._run: Any = None

    def start(self) -> None:
        import trackio

        self._run = trackio.init(project=_PROJECT, name=_RUN, embed=False, auto_log_gpu=False, auto_log_cpu=False)

    def write(self, values: Iterable[float]) -> None:
        log = self._run.log
        for step, value in enumerate(values):
            log({"loss": value}, step=step)

    def write_four(self, values: Iterable[float]) -> None:
        log = self._run.log
        for step, value in enumerate(values):
            log({"loss": value, "accuracy": value, "grad_norm": value, "lr": value}, step=step)

    def finish(self) -> None:
        import trackio

        trackio.finish()

    def read(self, metric: str) -> Sequence[float]:
        from trackio.sqlite_storage import SQLiteStorage

        # What trackio's dashboard calls. `get_metric_values` also decodes every row, and builds a dict more for each.
        return [row[metric] for row in SQLiteStorage.get_logs(_PROJECT, _RUN) if metric in row]
