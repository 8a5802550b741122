"""Run trials that do nothing in Syne Tune and print how long they took: `syne_tune_noop.py FOLDER COUNT`.

Its local backend starts `syne_tune_trial.py` for each trial, two at a time. The tuner looks for ends every 50 ms
instead of every 5 s, and does not save itself as a pickle; the results it stores.
"""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

os.environ["SYNETUNE_FOLDER"] = sys.argv[1]

from cost import Cost, cost_so_far
from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import LocalBackend
from syne_tune.config_space import uniform
from syne_tune.optimizer.baselines import RandomSearch
from syne_tune.results_callback import StoreResultsCallback
from syne_tune.tuner_callback import TunerCallback


class _Ends(TunerCallback):
    """Note the cost whenever a trial has ended."""

    def __init__(self) -> None:
        self.costs: list[Cost] = []

    def on_trial_complete(self, trial: Any, result: dict[str, Any]) -> None:
        self.costs.append(cost_so_far())


def main(count: int) -> None:
    """Run and print one line of JSON. The first two trials are not counted."""
    logging.getLogger().setLevel(logging.ERROR)
    ends = _Ends()
    Tuner(
        trial_backend=LocalBackend(str(Path(__file__).with_name("syne_tune_trial.py"))),
        scheduler=RandomSearch({"x": uniform(0, 1)}, metrics=["loss"], do_minimize=True),
        stop_criterion=StoppingCriterion(max_num_trials_completed=count + 2),
        n_workers=2,
        sleep_time=0.05,
        print_update_interval=1e6,
        save_tuner=False,
        callbacks=[ends, StoreResultsCallback()],
    ).run()
    counted = ends.costs[count + 1] - ends.costs[1]
    print(json.dumps({"cpu_seconds": counted.cpu_seconds, "wall_seconds": counted.wall_seconds, "trials": count}))


if __name__ == "__main__":
    main(int(sys.argv[2]))
