"""List the best trials of a full store: `list_best.py FOLDER TRIALS LIMIT CALLS`. Prints one line of JSON.

The store is filled where it does not exist yet. Then the same question is asked again and again on one connection.
"""

import json
import random
import statistics
import sys
import time
from pathlib import Path

from headway_records import add_study, begin_trial, end_trial

from headway.store import Store


def fill(store: Store, trials: int) -> None:
    """Write a study with that many complete trials, their values in random order."""
    study = add_study(store)
    values = random.Random(3)
    with store.database.write():
        for number in range(trials):
            trial, attempt = begin_trial(store, study, number)
            end_trial(store, trial, attempt, values.random())


def main(folder: Path, trials: int, limit: int, calls: int) -> None:
    """Fill, ask, and print the median of the calls in milliseconds of wall time."""
    filled = folder.exists()
    with Store.open(folder) as store:
        if not filled:
            fill(store, trials)
        values = [row.value for row in store.places.best(1, "minimize", limit)]
        assert values == sorted(values)
        assert len(values) == limit
        milliseconds = statistics.median(_call(store, limit) for _ in range(calls))
    print(json.dumps({"milliseconds": milliseconds}))


def _call(store: Store, limit: int) -> float:
    began = time.perf_counter()
    store.places.best(1, "minimize", limit)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
