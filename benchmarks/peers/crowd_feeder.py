"""Put candidates into a study's queue: `crowd_feeder.py TIMES STUDY NUMBER COUNT SECONDS`.

A third goes through `headway propose`, a third through a store opened for it, a third through one that stays open. Each
fifth candidate is also fed by this feeder's neighbour; `headway propose` does not queue it again where it was known.
Prints one line of JSON: what was fed, how many of these were known, and what went wrong.
"""

import json
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner
from crowd_clock import watch_calls

from headway.interfaces.cli.app import cli
from headway.store import Store

_SHARED_EVERY = 5
_STORE = Path(".headway")


def main(times: Path, study: str, number: int, count: int, seconds: float) -> None:
    """Feed, and print one line of JSON."""
    watch_calls(times)
    chance = random.Random(f"feeder {study} {number}")
    fed: list[Mapping[str, float]] = []
    problems: list[str] = []
    known = 0
    with Store.open(_STORE, create=False) as store:
        for index in range(count):
            config = _config(study, number, index)
            try:
                problem, new = _feed(store, study, config, number, way=index % 3)
            except Exception as error:
                problem, new = repr(error), True
            known += not new
            if problem is None:
                fed.append(config)
            else:
                problems.append(f"{config}: {problem}")
            time.sleep(chance.uniform(0, 2 * seconds / count))
    print(json.dumps({"study": study, "fed": fed, "known": known, "problems": problems}))


def _config(study: str, number: int, index: int) -> dict[str, float]:
    who = f"pair {number // 2}" if index % _SHARED_EVERY == 0 else f"feeder {number}"
    chance = random.Random(f"{study} {who} {index}")
    return {"x": chance.random(), "y": chance.random()}


def _feed(store: Store, study: str, config: Mapping[str, float], number: int, *, way: int) -> tuple[str | None, bool]:
    """Feed one candidate; return what went wrong, and whether it was new to the queue."""
    proposer = f"feeder {number}"
    if way == 0:
        values = (f"{name}={value!r}" for name, value in config.items())
        result = CliRunner().invoke(cli, ["propose", study, "--json", "--proposer", proposer, *values])
        if result.exit_code:
            return f"code {result.exit_code}: {result.output[-500:]}", True
        return None, json.loads(result.stdout)["new"]
    if way == 1:
        with Store.open(_STORE, create=False) as own:
            own.studies.enqueue(own.studies.get(study).id, config, proposer=proposer)
    else:
        store.studies.enqueue(store.studies.get(study).id, config, proposer=proposer)
    return None, True


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
