"""Write trials that do nothing with Python's sqlite3 alone: `sqlite_noop.py FOLDER POINTS COUNT...`.

Three commits a trial (it begins, its process is known, it ends) and one for each point: the least that survives a kill
where a row is all that is written.
"""

import json
import random
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from cost import Cost, cost_so_far

_TABLES = """
CREATE TABLE trials (id INTEGER PRIMARY KEY, state TEXT NOT NULL, config TEXT NOT NULL, process INTEGER, value REAL);
CREATE TABLE points (trial INTEGER NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL, PRIMARY KEY (trial, step));
"""


def main(folder: Path, points: int, counts: Sequence[int]) -> None:
    """Run and print one line of JSON."""
    folder.mkdir(exist_ok=True)
    connection = sqlite3.connect(folder / "trials.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.executescript(_TABLES)
    chance = random.Random(0)
    costs: list[Cost] = []
    began = cost_so_far()
    for trial in range(1, counts[-1] + 1):
        x = chance.random()
        config = json.dumps({"x": x})
        connection.execute("INSERT INTO trials (id, state, config) VALUES (?, 'running', ?)", (trial, config))
        connection.execute("UPDATE trials SET process = ? WHERE id = ?", (trial, trial))
        for step in range(points):
            connection.execute("INSERT INTO points VALUES (?, ?, ?)", (trial, step, x))
        connection.execute("UPDATE trials SET state = 'complete', value = ? WHERE id = ?", (x, trial))
        if trial in counts:
            costs.append(cost_so_far())
    print(
        json.dumps(
            {
                "cpu_seconds": [(cost - began).cpu_seconds for cost in costs],
                "wall_seconds": [(cost - began).wall_seconds for cost in costs],
                "whole_cpu_seconds": (cost_so_far() - began).cpu_seconds,
                "trials": counts[-1],
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), [int(count) for count in sys.argv[3:]])
