"""Run trials that do nothing in Optuna and print what they cost: `optuna_noop.py STORAGE FOLDER POINTS COUNT...`.

STORAGE is `sqlite`, with WAL and without a wait for the disk at each commit, as Headway's own database is set, or
`journal`, Optuna's append-only file. The ends that COUNT names are those of headway_noop.py.
"""

import json
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import optuna
from cost import Cost, cost_so_far
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy import Engine, event


def _set_up(connection: sqlite3.Connection, record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


def open_storage(name: str, folder: Path) -> BaseStorage:
    """Make an empty storage."""
    if name == "journal":
        return JournalStorage(JournalFileBackend(str(folder / "optuna.log")))
    event.listen(Engine, "connect", _set_up)
    return RDBStorage(f"sqlite:///{folder / 'optuna.sqlite'}")


def main(name: str, folder: Path, points: int, counts: Sequence[int]) -> None:
    """Run and print one line of JSON."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(exist_ok=True)
    costs: list[Cost] = []

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        for step in range(points):
            trial.report(x, step)
        return x

    def mark(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if trial.number + 1 in counts:
            costs.append(cost_so_far())

    began = cost_so_far()
    study = optuna.create_study(storage=open_storage(name, folder), sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=counts[-1], callbacks=[mark])
    whole = cost_so_far() - began
    print(
        json.dumps(
            {
                "cpu_seconds": [(cost - began).cpu_seconds for cost in costs],
                "wall_seconds": [(cost - began).wall_seconds for cost in costs],
                "whole_cpu_seconds": whole.cpu_seconds,
                "trials": counts[-1],
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), [int(count) for count in sys.argv[4:]])
