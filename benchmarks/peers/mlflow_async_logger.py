"""MLflow's asynchronous logging: what a user turns on who does not want to wait for each `log_metric`."""

from collections.abc import Iterable
from typing import Any

import mlflow_logger


class Adapter(mlflow_logger.Adapter):
    """Log through `MlflowClient.log_metric(synchronous=False)`, which returns once a queue has the point."""

    def write(self, values: Iterable[float]) -> None:
        log: Any = self._client.log_metric
        for step, value in enumerate(values):
            log(self._run, "loss", value, step=step, synchronous=False)
