"""The demo's training with planted changes, as ten studies of one project. Copied into the example's folder.

Seed noise moves val_bpb by about .03, of which paired seeds cancel a third; the planted changes of the learning rate
move it by about .1.
"""

import os
from typing import Any

import headway

STEPS, LENGTH, WINDOWS, BATCH = 150, 96, 128, 8
LEARNING_RATE = {"harm": 5.4e-4, "gain": 6.6e-4}
BASELINE = {
    "optimizer": "adamw",
    "lr": 6e-4,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "layers": 2,
    "norm": "layernorm",
    "mlp": "gelu",
    "positions": "learned",
}
CHANGES = ("harm", "noop", "identical", "gain")


def load_corpus() -> Any:
    """Load the text, and with it torch, in the warm process."""
    import corpus

    return corpus.load_corpus()


@headway.experiment(
    metric="val_bpb",
    direction="minimize",
    setup=load_corpus,
    space={"change": headway.Choice(["none", *CHANGES])},
)
def train(run: headway.Run) -> None:
    """Train with one of the changes: to the learning rate, to the random numbers of the weights alone, or none."""
    import torch
    from learner import WIDTHS, Learner, batch_starts

    change = run.config.change
    if change == "noop":  # other weights of the same distribution: nothing is better or worse, and no bit is equal
        torch.manual_seed(run.seed + 1_000_003)
    config = {**BASELINE, "lr": LEARNING_RATE.get(change, BASELINE["lr"])}
    text = run.setup
    validation = text.validation(WINDOWS, LENGTH)
    starts = batch_starts(len(text.train), (STEPS, BATCH), LENGTH, run.seed)
    learner = Learner(config, width=WIDTHS[config["layers"]], length=LENGTH, horizon=STEPS)
    for step in run.steps(STEPS):
        run.log(loss=learner.learn(*text.batch(starts[step], LENGTH), step))
    run.report(val_bpb=learner.evaluate(*validation))


SEED = int(os.environ["PLANTED_SEED"])
study = headway.Study(
    train,
    name=f"planted-{SEED}",
    baseline={"change": "none"},
    candidates=[{"change": change} for change in CHANGES],
    rule="race",
    seeds=6,
    seed=SEED,
)
