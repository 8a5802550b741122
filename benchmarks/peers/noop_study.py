"""Studies of a trial that only reports, to measure what is around a trial. Copied into a folder of its own."""

import os
import time
from pathlib import Path

import headway

POINTS = int(os.environ.get("BENCH_POINTS", "0"))
FIRST_TRIAL = os.environ.get("BENCH_FIRST_TRIAL")  # where the first trial writes the CPU of its process, and ends it


@headway.experiment(metric="loss", direction="minimize", space={"x": headway.Float(0, 1)})
def noop(run: headway.Run) -> None:
    """Log as often as asked, and report."""
    if FIRST_TRIAL is not None:
        Path(FIRST_TRIAL).write_text(str(time.process_time()))
        os._exit(0)
    for step in range(POINTS):
        run.log(step, loss=run.config.x)
    run.report(loss=run.config.x)


study = headway.Study(noop, baseline={"x": 0.5}, sampler="random", budget="20000 trials", seeds=2)
again = headway.Study(noop, name="again", baseline={"x": 0.5}, sampler="random", budget="20000 trials", seeds=2)
