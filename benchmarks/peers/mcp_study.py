"""A study of a trial that takes some hundredths of a second, for many agents. Copied into a folder of its own."""

import time

import headway


@headway.experiment(metric="loss", direction="minimize", space={"x": headway.Float(0, 1), "y": headway.Float(0, 1)})
def quick(run: headway.Run) -> None:
    """Log three points and report."""
    for step in run.steps(3):
        time.sleep(0.01)
        run.log(loss=(run.config.x - 0.3) ** 2 + run.config.y + run.seed / 1000 + 1 / (step + 1))
    run.report(loss=(run.config.x - 0.3) ** 2 + run.config.y + run.seed / 1000)


study = headway.Study(quick, name="quick", baseline={"x": 0.5, "y": 0.5}, sampler="random", budget="1000000 trials")
