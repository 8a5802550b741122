"""A study in which configurations fail by planted causes, each by really failing. Copied into a folder of its own."""

import math
import os

from triage_causes import BASELINE, candidates, cause_of
from triage_data import load, whiten
from triage_model import LIMIT_BYTES, build, evaluate, project, step

import headway

SPACE = {
    "lr": headway.Float(1e-4, 1.0, log=True),
    "weight_decay": headway.Float(1e-5, 0.1, log=True),
    "optimizer": headway.Choice(["adamw", "sgd", "muon", "lion"]),
    "momentum": headway.Float(0.8, 0.99, when={"optimizer": ["sgd", "muon"]}),
    "layers": headway.Int(1, 12),
    "width": headway.Choice([64, 128, 256, 512]),
    "hidden": headway.Int(256, 2048),
    "heads": headway.Int(1, 8),
    "dropout": headway.Float(0.0, 0.5),
    "schedule": headway.Choice(["cosine", "linear", "wsd"]),
    "warmup": headway.Float(0.0, 0.3, when={"schedule": ["cosine", "wsd"]}),
    "norm": headway.Choice(["layernorm", "rmsnorm", "none"]),
    "batch": headway.Int(2, 64, log=True),
    "accumulate": headway.Int(1, 32),
    "precision": headway.Choice(["fp32", "bf16", "fp16"]),
    "augment": headway.Choice([True, False]),
    "workers": headway.Int(0, 8),
}
TRIALS = int(os.environ.get("TRIAGE_TRIALS", "1000"))


@headway.experiment(
    metric="loss",
    direction="minimize",
    space=SPACE,
    limits=headway.Limits(wall_seconds=float(os.environ.get("TRIAGE_WALL_SECONDS", "2")), memory_bytes=LIMIT_BYTES),
)
def train(run: headway.Run) -> None:
    """Load, build, train and evaluate; fail where the configuration says so."""
    cause = cause_of(run.config)
    data = whiten(load(cause, run.config, str(run.seed)), cause)
    build(cause, run.config)
    projected = project(data, cause)
    for number in run.steps(3):
        step(cause, run.config)
        run.log(train_loss=float(projected.mean()) / (number + 1))
    evaluate(cause, run.config)
    if cause == "diverges":
        run.report(loss=math.nan)
    elif cause != "forgets_to_report":
        run.report(loss=run.config.lr)


study = headway.Study(
    train,
    name="planted-crashes",
    baseline=BASELINE,
    candidates=candidates(TRIALS, int(os.environ.get("TRIAGE_SEED", "0"))),
    seeds=2,
)
