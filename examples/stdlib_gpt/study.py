"""Which small GPT learns the most Python in ten seconds on one core?

    headway run examples/stdlib_gpt/study.py

The baseline is a sensible one: GPT-2's parts under AdamW. The study looks for something better among the ideas that
came after it. Then it runs its two best finds and the baseline again with other seeds, and says what really holds.
"""

import headway

STEPS, LENGTH, VALIDATION_WINDOWS = 540, 96, 256
EVALUATE_EVERY = 60  # a ninth of the steps: ASHA first decides there, and has the metric for it


def load_corpus():
    """Load the text, and with it torch: in the warm process, not whenever somebody looks at the study."""
    import corpus

    return corpus.load_corpus()


@headway.experiment(
    metric="val_bpb",  # bits per byte of text that no trial trains on: how small the model could compress it
    direction="minimize",
    setup=load_corpus,  # called once; all trials are forked from the process that holds the result
    space={
        "optimizer": headway.Choice(["adamw", "muon", "sgd"]),
        "lr": headway.Float(3e-4, 3e-2, log=True),
        "weight_decay": headway.Float(1e-3, 0.3, log=True, when={"optimizer": "adamw"}),
        "momentum": headway.Float(0.8, 0.99, when={"optimizer": "muon"}),
        "schedule": headway.Choice(["constant", "cosine", "wsd"]),
        "layers": headway.Int(1, 4),
        "norm": headway.Choice(["layernorm", "rmsnorm"]),
        "mlp": headway.Choice(["gelu", "relu2", "swiglu"]),
        "positions": headway.Choice(["learned", "rope"]),
        "batch": 8,
    },
)
def train(run: headway.Run) -> None:
    from learner import WIDTHS, Learner, batch_starts

    corpus, config = run.setup, run.config
    validation = corpus.validation(VALIDATION_WINDOWS, LENGTH)
    starts = batch_starts(len(corpus.train), (STEPS, config.batch), LENGTH, run.seed)
    learner = Learner(config, width=WIDTHS[config.layers], length=LENGTH, horizon=STEPS)

    saved = run.restore()  # nothing at first; after a pause or a crash, what `run.checkpoint` was last given
    if saved:
        learner.restore(saved)
    for step in run.steps(STEPS):  # goes on from the checkpoint, and ends early where the engine sees no hope
        x, y = corpus.batch(starts[step], LENGTH)
        run.log(loss=learner.learn(x, y, step))
        if (step + 1) % EVALUATE_EVERY == 0:
            run.log(val_bpb=learner.evaluate(*validation))
        run.checkpoint(learner.state, every=EVALUATE_EVERY)
    run.report(val_bpb=learner.evaluate(*validation))


study = headway.Study(
    train,
    name="stdlib-gpt",
    baseline={
        "optimizer": "adamw",
        "lr": 6e-4,  # nanoGPT's default
        "weight_decay": 0.1,
        "schedule": "cosine",
        "layers": 2,
        "norm": "layernorm",
        "mlp": "gelu",
        "positions": "learned",
    },
    sampler="tpe",
    scheduler="asha",
    budget="28 trials",
    seeds=4,
    finalists=2,
)
