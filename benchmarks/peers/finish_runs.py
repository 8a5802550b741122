"""Create and finish runs with one final value each: `finish_runs.py TRACKER FOLDER RUNS`. Prints one line of JSON.

One run after the other, as a script does that tries many configurations; imports and the set-up of the store are not
counted. Every run is stored when the call that finished it has returned.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from cost import cost_so_far

_FinishRun = Callable[[int], None]


def headway(folder: Path) -> _FinishRun:
    """Write what the engine writes of a trial, in its three transactions: proposed, running, complete."""
    from headway_records import add_study, begin_trial, end_trial, propose

    from headway.store import Store

    store = Store.open(folder)
    study = add_study(store)

    def finish(number: int) -> None:
        trial, attempt = begin_trial(store, study, number, propose(store, study, number))
        end_trial(store, trial, attempt, value=1.0 / (number + 1))

    return finish


def mlflow(folder: Path) -> _FinishRun:
    """Create a run, log its parameters and the value in one batch, terminate it: three transactions in SQLite."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.create_experiment("bench", artifact_location=str(folder / "artifacts"))

    def finish(number: int) -> None:
        run = client.create_run(experiment).info.run_id
        params = [Param("lr", str(1e-3 * (number + 1))), Param("layers", str(number % 7))]
        client.log_batch(run, metrics=[Metric("loss", 1.0 / (number + 1), 0, 1)], params=params)
        client.set_terminated(run)

    return finish


def trackio(folder: Path) -> _FinishRun:
    """Begin a run with its configuration, log the value, finish."""
    os.environ.update(TRACKIO_DIR=str(folder), HF_HUB_OFFLINE="1")
    import trackio

    def finish(number: int) -> None:
        config = {"lr": 1e-3 * (number + 1), "layers": number % 7}
        run = trackio.init(
            project="bench", name=f"run-{number}", config=config, embed=False, auto_log_gpu=False, auto_log_cpu=False
        )
        run.log({"loss": 1.0 / (number + 1)}, step=1)
        trackio.finish()

    return finish


_TRACKERS: dict[str, Callable[[Path], _FinishRun]] = {"headway": headway, "mlflow": mlflow, "trackio": trackio}


def main(name: str, folder: Path, runs: int) -> None:
    """Finish the runs and print what they cost. The first one, which brings imports and tables in, is not counted."""
    folder.mkdir(exist_ok=True)
    finish = _TRACKERS[name](folder)
    finish(0)
    began = cost_so_far()
    for number in range(1, runs + 1):
        finish(number)
    cost = cost_so_far() - began
    print(json.dumps({"cpu_seconds": cost.cpu_seconds, "wall_seconds": cost.wall_seconds, "runs": runs}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
