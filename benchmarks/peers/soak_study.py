"""A short trial: four steps of two metrics and a report. Copied into a folder of its own."""

import os
import random

import headway

TRIALS = os.environ.get("BENCH_TRIALS", "5000")


@headway.experiment(
    metric="loss",
    direction="minimize",
    space={
        "lr": headway.Float(1e-5, 1e-1, log=True),
        "width": headway.Int(16, 512),
        "norm": headway.Choice(["layer", "batch"]),
    },
)
def short(run: headway.Run) -> None:
    """Walk down to a loss that depends on the configuration, under noise."""
    chance = random.Random(f"{run.seed} {run.config.lr} {run.config.width}")
    floor = abs(run.config.lr - 0.003) + 8 / run.config.width
    loss = 1.0
    for step in run.steps(4):
        loss = floor + (loss - floor) / 2 + chance.gauss(0, 0.01)
        run.log(step, loss=loss, accuracy=1 - loss)
    run.report(loss=loss)


study = headway.Study(
    short,
    name="soak",
    baseline={"lr": 0.03, "width": 64, "norm": "layer"},
    sampler="random",
    budget=f"{TRIALS} trials",
    finalists=2,
    seeds=3,
)
