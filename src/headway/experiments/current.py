"""The run of the present process: inside a script that a command trial launched, inside a trial, or detached.

`headway.log(loss=0.3)` works in all three; detached it does nothing, so that a script runs by hand as before.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headway.core import DiskError
from headway.experiments.run import EXIT_NO_DISK, UNSET, Run
from headway.store import UNLIMITED, RunLog, own_writes

__all__ = ["current_run", "log", "report", "set_current"]

_current: Run | None = None


def current_run() -> Run:
    """Return the run of this process; a detached one outside of Headway."""
    global _current
    if _current is None:
        _current = _of_command() if "HEADWAY_FOLDER" in os.environ else _detached()
    return _current


def set_current(run: Run | None) -> None:
    """Make `run` the one that `log` and `report` speak through."""
    global _current
    _current = run


def log(step: int | None = None, **metrics: float) -> None:
    """Record values of curves, as `Run.log` does."""
    current_run().log(step, **metrics)


def report(value: float = UNSET, /, **metrics: float) -> None:
    """Report the objective, as `Run.report` does. The last report counts."""
    current_run().report(value, **metrics)


def _of_command() -> Run:
    folder = Path(os.environ["HEADWAY_FOLDER"])
    config: Mapping[str, Any] = json.loads(os.environ.get("HEADWAY_CONFIG", "{}"))
    spec: Mapping[str, Any] = json.loads((folder / "spec.json").read_text())
    rungs = tuple(spec.get("rungs", ()))
    try:
        log = RunLog(_free_path(folder), granted=0 if rungs else UNLIMITED)
    except DiskError as error:  # there is no log to tell it by; the worker looks at the disk when it sees this code
        raise SystemExit(EXIT_NO_DISK) from error
    return Run(
        log,
        config=config,
        seed=int(os.environ.get("HEADWAY_SEED", "0")),
        folder=folder,
        checkpoint_folder=Path(spec["checkpoints"]),
        rungs=rungs,
    )


def _free_path(folder: Path) -> Path:
    path = folder / "script.runlog"
    with own_writes(path):
        try:
            path.touch(exist_ok=False)
        except FileExistsError:  # another process of the same command logs already, as in data-parallel training
            path = folder / f"script-{os.getpid()}.runlog"
    return path


class _Silence:
    """Take what a run says and keep nothing."""

    granted = UNLIMITED
    signal = 0

    def point(self, metric: str, step: int, value: float) -> None:
        """Drop a point."""

    def mark(self, kind: str, **data: Any) -> None:
        """Drop a mark."""

    def disk_refused(self, number: int) -> None:
        """Tell nobody."""

    def wait_at(self, step: int) -> None:
        """Do not wait."""


def _detached() -> Run:
    return Run(
        _Silence(),
        config=json.loads(os.environ.get("HEADWAY_CONFIG", "{}")),
        seed=int(os.environ.get("HEADWAY_SEED", "0")),
        folder=Path.cwd(),
        checkpoint_folder=None,
    )
