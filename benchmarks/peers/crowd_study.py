"""Two studies of a trial that only logs and reports, for two engines on one store. Copied into a folder of its own."""

import headway


@headway.experiment(metric="loss", direction="minimize", space={"x": headway.Float(0, 1), "y": headway.Float(0, 1)})
def quick(run: headway.Run) -> None:
    """Log three points and report."""
    for step in run.steps(3):
        run.log(loss=(run.config.x - 0.3) ** 2 + run.config.y + run.seed / 1000 + 1 / (step + 1))
    run.report(loss=(run.config.x - 0.3) ** 2 + run.config.y + run.seed / 1000)


# Seeds far apart: the studies share a store, and no trials.
BASELINE = {"x": 0.5, "y": 0.5}
left = headway.Study(quick, name="left", baseline=BASELINE, sampler="random", budget="1000000 trials", seed=0)
right = headway.Study(quick, name="right", baseline=BASELINE, sampler="random", budget="1000000 trials", seed=1000)
