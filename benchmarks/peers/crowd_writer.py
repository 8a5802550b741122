"""Write to a store without a rest, and print one line of JSON: `crowd_writer.py TIMES STUDY SECONDS`.

What it writes are candidates for a queue that nobody takes from, five a transaction.
"""

import json
import sys
import time
from pathlib import Path

from crowd_clock import watch_calls

from headway.store import Store

_CANDIDATES = 5


def main(times: Path, study: str, seconds: float) -> None:
    """Write, and print one line of JSON."""
    watch_calls(times)
    transactions, deadline = 0, time.monotonic() + seconds
    with Store.open(Path(".headway"), create=False) as store:
        identity = store.studies.get(study).id
        while time.monotonic() < deadline:
            with store.database.write():
                for number in range(_CANDIDATES):
                    config = {"x": transactions / 1e6, "y": number / _CANDIDATES}
                    store.studies.enqueue(identity, config, proposer="rush")
            transactions += 1
    print(json.dumps({"transactions": transactions, "problems": []}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
