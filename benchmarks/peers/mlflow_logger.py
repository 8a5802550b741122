"""MLflow on a local SQLite file: `log_batch` with as many points as it takes, or its asynchronous `log_metric`."""

import os
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

_BATCH = 1000  # points: the most that `log_batch` takes


class Adapter:
    """Log through `MlflowClient.log_batch`, synchronously."""

    def __init__(self, folder: Path) -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        self._folder = folder
        self._client: Any = None
        self._run = ""

    def start(self) -> None:
        self._client = self._connect()
        experiment = self._client.create_experiment("bench", artifact_location=str(self._folder / "artifacts"))
        self._run = self._client.create_run(experiment).info.run_id
        (self._folder / "run").write_text(self._run)

    def write(self, values: Iterable[float]) -> None:
        self._write(values, ("loss",))

    def write_four(self, values: Iterable[float]) -> None:
        self._write(values, ("loss", "accuracy", "grad_norm", "lr"))

    def _write(self, values: Iterable[float], names: Sequence[str]) -> None:
        from mlflow.entities import Metric

        points = (
            Metric(name, value, time.time_ns() // 1_000_000, step)
            for step, value in enumerate(values)
            for name in names
        )
        while batch := list(islice(points, _BATCH)):
            self._client.log_batch(self._run, metrics=batch)

    def finish(self) -> None:
        self._client.set_terminated(self._run)

    def read(self, metric: str) -> Sequence[float]:
        run = (self._folder / "run").read_text()
        return [point.value for point in self._connect().get_metric_history(run, metric)]

    def _connect(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(f"sqlite:///{self._folder / 'mlflow.db'}")
