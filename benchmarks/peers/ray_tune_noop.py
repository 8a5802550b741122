"""Run trials that do nothing in Ray Tune and print how long they took: `ray_tune_noop.py ACTORS FOLDER COUNT`.

ACTORS is `fresh`, a process for each trial, or `reused`, where a process takes one trial after the other. Two trials at
a time. What Tune writes for each trial beside its own state (CSV, JSON, TensorBoard) is off. CPU is not counted: Ray's
daemon does not wait for its workers, so that what they used is lost when they end.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ |= {"TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}

import ray
from ray import tune


class _Ends(tune.Callback):
    """Note when trials end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.times.append(time.perf_counter())


def noop(config: dict[str, float]) -> None:
    """Report."""
    tune.report({"loss": config["x"]})


def main(actors: str, folder: Path, count: int) -> None:
    """Run and print one line of JSON. The first two trials, which start Tune's workers, are not counted."""
    folder.mkdir(exist_ok=True)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ends = _Ends()
    tune.Tuner(
        noop,
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            num_samples=count + 2, metric="loss", mode="min", max_concurrent_trials=2, reuse_actors=actors == "reused"
        ),
        run_config=tune.RunConfig(storage_path=str(folder.absolute()), name="noop", verbose=0, callbacks=[ends]),
    ).fit()
    print(
        json.dumps(
            {
                "wall_seconds": ends.times[-1] - ends.times[1],
                "trials": count,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
