"""A study for kill tests: its trials log for a while and count, in a file of their own, what `run.log` returned for."""

import mmap
import os
import time
from itertools import count
from pathlib import Path

import headway

SECONDS = 1.5  # of a trial
PAUSE_SECONDS = float(os.environ.get("BENCH_PAUSE", "0"))
COUNTERS = Path(os.environ.get("BENCH_COUNTERS", "counters"))
MOST, REST_SECONDS = 100_000, 0.001  # points at full rate, then the pause, so that the engine that follows keeps up


@headway.experiment(metric="loss", direction="minimize", space={"x": headway.Float(0, 1)})
def train(run: headway.Run) -> None:
    """Log under a name that only this process has, so that the curve of each attempt can be told apart."""
    name = f"points_{os.getpid()}"
    path = COUNTERS / name
    path.write_bytes(bytes(8))
    ends = time.monotonic() + SECONDS
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 8) as page, memoryview(page).cast("Q") as returned:
        for step in count():
            run.log(step, **{name: step + 0.25})
            returned[0] = step + 1
            if PAUSE_SECONDS or step > MOST:
                time.sleep(PAUSE_SECONDS or REST_SECONDS)
            if time.monotonic() > ends:
                break
    run.report(loss=run.config.x)


study = headway.Study(train, baseline={"x": 0.5}, sampler="random", budget="6 trials", seeds=2, workers=2)
