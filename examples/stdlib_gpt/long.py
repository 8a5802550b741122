"""How far does the best recipe get in twelve minutes on two cores, and does it compress Python better than gzip?

headway run examples/stdlib_gpt/long.py
"""

import gzip

from corpus import Corpus, load_corpus
from learner import Learner, batch_starts

import headway

STEPS, BATCH, LENGTH = 4000, 8, 256
LAYERS, WIDTH = 4, 128


@headway.experiment(
    metric="val_bpb",
    direction="minimize",
    setup=load_corpus,
    needs=headway.Needs(cores=2),
    space={  # nothing varies: this is one training, not a search
        "lr": 3e-3,
        "momentum": 0.95,
        "optimizer": "muon",
        "schedule": "wsd",
        "layers": LAYERS,
        "norm": "rmsnorm",
        "mlp": "swiglu",
        "positions": "rope",
    },
)
def train_long(run: headway.Run) -> None:
    corpus: Corpus = run.setup
    validation = corpus.validation(128, LENGTH)
    starts = batch_starts(len(corpus.train), (STEPS, BATCH), LENGTH, run.seed)
    learner = Learner(run.config, width=WIDTH, length=LENGTH, horizon=STEPS)

    saved = run.restore()
    if saved:
        learner.restore(saved)
    for step in run.steps(STEPS):
        x, y = corpus.batch(starts[step], LENGTH)
        run.log(loss=learner.learn(x, y, step))
        if (step + 1) % 200 == 0:
            run.log(val_bpb=learner.evaluate(*validation))
        run.checkpoint(learner.state, every=200)

    # All of the held-out text, a window at a time. gzip has the easier task: it sees the text in one piece.
    bpb = learner.evaluate(*corpus.validation(len(corpus.held_out) // LENGTH, LENGTH))
    gzip_bpb = gzip_bits_per_byte(corpus)
    print(f"The held-out text: {bpb:.3f} bits per byte; gzip -9 needs {gzip_bpb:.3f}, {gzip_bpb / bpb:.2f} times that.")
    run.report(val_bpb=bpb, gzip_bpb=gzip_bpb)


def gzip_bits_per_byte(corpus: Corpus) -> float:
    """Return the size of the held-out text under `gzip -9`, in bits per byte of it: 2.01 with Python 3.11."""
    text = corpus.held_out.numpy().tobytes()
    return 8 * len(gzip.compress(text, compresslevel=9)) / len(text)


study = headway.Study(train_long, name="stdlib-gpt-long", budget="1 trial")
