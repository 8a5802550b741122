"""Create and finish runs with one value each: `finish_runs.py TRACKER FOLDER THERE RUNS`. Prints one line of JSON.

THERE is how many finished runs the record holds before. Then come RUNS, one after the other, as from a script that
tries many configurations. Imports and the set-up of the record are not counted. A run is stored when the call that
finished it has returned.
"""

import json
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cost import cost_so_far

_NUMBERS = "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
_IDS = f"CREATE TEMP TABLE new AS {_NUMBERS} SELECT n, lower(hex(randomblob(16))) AS id FROM numbers"


class Tracker(Protocol):
    """Finish runs in a folder."""

    def finish(self, number: int) -> None:
        """Create a run, give it a configuration and a value, finish it."""
        ...

    def fill(self, count: int) -> None:
        """Bring copies of the one run that is there into the record, by the quickest way."""
        ...


class Headway:
    """Write what the engine writes of a trial, in its two transactions: proposed and running, complete."""

    def __init__(self, folder: Path) -> None:
        from headway_records import add_study

        from headway.store import Store

        self._store = Store.open(folder)
        self._study = add_study(self._store)

    def finish(self, number: int) -> None:
        from headway_records import begin_trial, end_trial

        store, study = self._store, self._study
        trial, attempt = begin_trial(store, study, number)
        end_trial(store, trial, attempt, value=1.0 / (number + 1))

    def fill(self, count: int) -> None:
        with self._store.database.write():
            for number in range(count):
                self.finish(1_000_000 + number)


class MLflow:
    """Create a run, log its parameters and its value in one batch, terminate it: three transactions in SQLite."""

    def __init__(self, folder: Path) -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        from mlflow import MlflowClient

        self._file = folder / "mlflow.db"
        self._client = MlflowClient(f"sqlite:///{self._file}")
        self._experiment = self._client.create_experiment("bench", artifact_location=str(folder / "artifacts"))

    def finish(self, number: int) -> None:
        from mlflow.entities import Metric, Param

        run = self._client.create_run(self._experiment).info.run_id
        params = [Param("lr", str(1e-3 * (number + 1))), Param("layers", str(number % 7))]
        self._client.log_batch(run, metrics=[Metric("loss", 1.0 / (number + 1), 0, 1)], params=params)
        self._client.set_terminated(run)

    def fill(self, count: int) -> None:
        with sqlite3.connect(self._file) as database:
            database.execute(_IDS, (count,))
            for table in ("runs", "params", "metrics", "latest_metrics", "tags"):
                names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
                copied = ", ".join("new.id" if name == "run_uuid" else f"old.{name}" for name in names)
                database.execute(f"INSERT INTO {table} ({', '.join(names)}) SELECT {copied} FROM new, {table} old")


class MLflowFluent(MLflow):
    """The same through the functions that MLflow's own pages show: a run as a context, its parameters, its value."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{self._file}")
        mlflow.set_experiment("bench")

    def finish(self, number: int) -> None:
        import mlflow

        with mlflow.start_run():
            mlflow.log_params({"lr": 1e-3 * (number + 1), "layers": number % 7})
            mlflow.log_metric("loss", 1.0 / (number + 1), step=1)


class Trackio:
    """Begin a run with its configuration, log the value, finish."""

    def __init__(self, folder: Path) -> None:
        os.environ.update(TRACKIO_DIR=str(folder), HF_HUB_OFFLINE="1")
        self._folder = folder

    def finish(self, number: int) -> None:
        import trackio

        config = {"lr": 1e-3 * (number + 1), "layers": number % 7}
        run = trackio.init(
            project="bench", name=f"run-{number}", config=config, embed=False, auto_log_gpu=False, auto_log_cpu=False
        )
        run.log({"loss": 1.0 / (number + 1)}, step=1)
        trackio.finish()

    def fill(self, count: int) -> None:
        with sqlite3.connect(next(self._folder.glob("*.db"))) as database:
            database.execute(_IDS, (count,))
            database.execute(
                "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics, log_id)"
                " SELECT new.id, timestamp, 'old-' || n, step, metrics, 'log' || new.id FROM new, metrics"
            )
            database.execute(
                "INSERT INTO configs (run_id, run_name, config, created_at)"
                " SELECT new.id, 'old-' || n, config, created_at FROM new, configs"
            )


_TRACKERS: dict[str, Callable[[Path], Tracker]] = {
    "headway": Headway,
    "mlflow": MLflow,
    "mlflow_fluent": MLflowFluent,
    "trackio": Trackio,
}


def main(name: str, folder: Path, there: int, runs: int) -> None:
    """Finish the runs and print what they cost. The first one, which brings imports and tables in, is not counted."""
    folder.mkdir(exist_ok=True)
    tracker = _TRACKERS[name](folder)
    tracker.finish(0)
    if there:
        tracker.fill(there)
    began = cost_so_far()
    for number in range(1, runs + 1):
        tracker.finish(number)
    cost = cost_so_far() - began
    print(json.dumps({"cpu_seconds": cost.cpu_seconds, "wall_seconds": cost.wall_seconds, "runs": runs}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
