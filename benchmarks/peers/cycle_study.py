"""The same training as an experiment of Headway. Copied into a folder of its own with cycle_work.py."""

import time

from cycle_work import Data, first_step, load

import headway


@headway.experiment(metric="loss", space={"rate": headway.Float(1e-4, 1e-2, log=True)}, setup=load)
def train(run: headway.Run) -> None:
    """Take one step, and say when it was done."""
    data: Data = run.setup
    for _ in run.steps(1):
        run.log(loss=first_step(data, run.config.rate))
        run.log(stepped_at=time.time())


study = headway.Study(train, baseline={"rate": 1e-3}, sampler="random", budget="1000 trials", seeds=2)
